"""Distil a teacher into a student, and say beside what plain fine-tuning would have given.

The steps, each done once and found again after a kill: the teacher (fine-tuned here when it has no task
head), the checks, the student's start, its phases, the baseline, the scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import cast

from tinybert.console import say
from tinybert.evaluation import retention
from tinybert.models.dropout import set_dropout
from tinybert.objectives import DistillObjective, Teaching, is_intermediate
from tinybert.runs import Run, RunInProgress
from tinybert.stages.doctor import CHECKS, Context, check_teacher, report_findings
from tinybert.stages.finetune import fine_tune
from tinybert.stages.plan.distillation import DistillPlan
from tinybert.stages.plan.losses import relation_heads
from tinybert.stages.plan.student import Taught
from tinybert.stages.plan.teacher import KEPT_TEACHER, TeacherPlan
from tinybert.stages.steps.baseline import fine_tune_only
from tinybert.stages.steps.copies import augmented_data
from tinybert.stages.steps.distillation import Distillation, encode_for, need_labels, prepare
from tinybert.stages.steps.finish import evaluation_split, finish_rows, score_models
from tinybert.stages.steps.fit import MODEL, fit, in_steps, save_checkpoint, settings_of
from tinybert.stages.steps.prepare import load_for_labels
from tinybert.stages.steps.start import Started, StartPlan, knows_task, load_start, save_start, start_student
from tinybert.stages.steps.teacher_outputs import choose_teacher
from tinybert.storage import Json
from tinybert.training import check_trackers

Trained = tuple[Path, Json]
"""A checkpoint, and what its training said."""


def distill(plan: DistillPlan, run: RunInProgress, source: object) -> Run:
    """Carry a plan out, from rows to report; what is done already is not done again.

    Args:
        plan: Made by :func:`plan_distill`.
        run: The run, begun.
        source: The rows: anything :func:`tinybert.data.load` reads.
    """
    recipe = plan.recipe
    check_trackers(recipe.train.trackers)
    work = prepare(plan, run, source)
    context = Context(plan, work.data, work.encoded)
    checks = [check for name, check in CHECKS.items() if name != "leakage"]  # that is said with the rows
    report_findings([finding for check in checks for finding in check(context)])
    plan, teacher_facts = settle_teacher(work)
    work = replace(work, plan=plan)
    if plan.teacher.kind != "file":
        is_new = teacher_facts is not None
        report_findings(check_teacher(replace(context, plan=plan, is_teacher_new=is_new)))
    begin = make_start(work)
    taught = augmented(work) if recipe.augment.copies else work
    student = teach(taught, begin)
    others: dict[str, Trained] = {}
    if recipe.augment.copies and recipe.augment.ablation:
        others["not_augmented"] = teach(work, begin, name="not_augmented", like=student[1])
    baseline = fine_tune_only(work, student[1]) if recipe.baseline else None
    if baseline is not None:
        others["fine_tune_only"] = baseline[:2]
    story = baseline[2] if baseline is not None else None
    return conclude(taught, teacher_facts, student, others, baseline_story=story)


def settle_teacher(work: Distillation) -> tuple[DistillPlan, Json | None]:
    """Fine-tune a teacher that has no task head; return the plan with the teacher that answers."""
    plan, recipe = work.plan, work.recipe
    if plan.teacher.kind != "encoder":
        return plan, None
    say(f"{plan.teacher.path} has no head for this task: fine-tuning it as the teacher")
    training = replace(
        plan.training, num_epochs=recipe.teacher.num_epochs, learning_rate=recipe.teacher.learning_rate
    )
    rows = replace(work.encoded, train=need_labels(work))

    def make(folder: Path) -> Json:
        path = plan.teacher.path
        return fine_tune(folder, rows, recipe, training, path=path, name="teacher", bf16=work.bf16)

    folder, summary = work.run.step("teacher", make)
    path = str(folder / MODEL)
    source = path if plan.source == plan.teacher.path else plan.source
    teacher = TeacherPlan("classifier", path, plan.teacher.pretrained, plan.teacher.info)
    return replace(plan, teacher=teacher, source=source), summary


def augmented(work: Distillation) -> Distillation:
    """Return the distillation with changed copies behind its training rows, which only the teacher labels."""
    plan, recipe = work.plan, work.recipe
    data = augmented_data(
        work.data,
        recipe,
        work.run.work / "augmentation",
        embeddings_of=plan.teacher.path,
        teacher=plan.teacher.path,
        bf16=work.bf16,
    )
    encoded, prefix = encode_for(plan, data, work.run.work)
    return replace(work, data=data, encoded=encoded, teacher_prefix=prefix)


def teach(work: Distillation, begin: Path, *, name: str = "student", like: Json | None = None) -> Trained:
    """Take the student through its phases.

    Args:
        work: The distillation.
        begin: The student before its first step.
        name: The last phase's; other names leave the student's own steps alone.
        like: What another training said: this one takes as many steps, and is scored as often.
    """
    facts: list[Json] = []
    for phase in phases_of(work.plan, name=name, like=like):
        folder, said = work.run.step(phase.name, partial(teach_phase, work, phase, begin))
        begin = folder / MODEL
        facts.append(said)
    return begin, joined(facts)


def make_start(work: Distillation) -> Path:
    """Make the student before its first step, once, and return its folder."""
    start = first_weights(work.plan, same_tokens=not work.teacher_prefix)

    def make(folder: Path) -> Json:
        save_start(started(work, start), folder)
        return {}

    return work.run.step("start", make)[0]


def first_weights(plan: DistillPlan, *, same_tokens: bool) -> StartPlan:
    """Say how a plan's student begins.

    Args:
        plan: Of the distillation, with a teacher that knows the task.
        same_tokens: The teacher reads the student's tokens.
    """
    if plan.start == "checkpoint":
        taught = plan.taught if same_tokens else None
        layers, origin = (taught.layers, taught.origin) if taught else ((), None)
        return StartPlan(
            plan.start,
            plan.source,
            plan.shape,
            layers,
            keep_head=False,
            origin=origin,
            teacher=plan.teacher.path,
        )
    cut = plan.teacher.kind != "file" and plan.start in ("slice", "project")
    keep_head = cut and knows_task(plan.source, plan.task)
    return StartPlan(plan.start, plan.source, plan.shape, plan.layer_map, keep_head)


def started(work: Distillation, start: StartPlan) -> Started:
    """Make a start of this distillation."""
    return start_student(
        start,
        work.plan.task,
        work.data.labels,
        rows=work.encoded.train,
        collator=work.encoded.collator,
        seed=work.recipe.train.seed,
    )


@dataclass(frozen=True)
class Phase:
    """One training of the student: its name, its losses, its epochs, or its steps where they are set."""

    name: str
    losses: dict[str, float]
    num_epochs: int
    num_steps: int | None = None


def phases_of(plan: DistillPlan, *, name: str = "student", like: Json | None = None) -> list[Phase]:
    """Return the phases; the paper's two put the intermediate layers first."""
    losses, num_epochs = plan.losses, plan.training.num_epochs
    steps = cast(list[int], like["steps_of_phases"]) if like else [None, None]
    if plan.recipe.distill.phases == "joint":
        return [Phase(name, losses, num_epochs, steps[0])]
    before = "intermediate" if name == "student" else f"{name}_intermediate"
    first = {name: weight for name, weight in losses.items() if is_intermediate(name)}
    second = {name: weight for name, weight in losses.items() if not is_intermediate(name)}
    return [
        Phase(before, first, plan.recipe.distill.intermediate_num_epochs, steps[0]),
        Phase(name, second, num_epochs, steps[1]),
    ]


def teach_phase(work: Distillation, phase: Phase, begin: Path, folder: Path) -> Json:
    """Take the checkpoint at ``begin`` through one phase, into ``folder``."""
    plan, recipe = work.plan, work.recipe
    begun = load_start(begin)
    set_dropout(begun.model, plan.dropout)
    info = plan.teacher.info
    teaching = Teaching(
        phase.losses,
        plan.layer_map,
        temperature=recipe.distill.temperature,
        num_relation_heads=relation_heads(recipe, plan.shape.hidden_size, info) if info else 1,
    )
    objective = DistillObjective(
        begun.model,
        choose_teacher(work, teaching),
        teaching,
        hard_loss=plan.task.hard_losses[recipe.hard_loss],
        teacher_hidden_size=info.hidden_size if info else plan.shape.hidden_size,
        projection_start=begun.projection,
        rows=plan.task.loss_rows,
    )
    settings = settings_of(
        recipe,
        plan.training,
        name=phase.name,
        bf16=work.bf16,
        num_epochs=phase.num_epochs,
        keep_best=not all(is_intermediate(loss) for loss in phase.losses),
        **in_steps(phase.num_steps, phase.num_epochs),
    )
    return fit(
        folder,
        begun.model,
        objective,
        rows=work.encoded,
        evaluator=work.encoded.evaluator(recipe.hard_loss),
        settings=settings,
    )


def conclude(
    work: Distillation,
    teacher_facts: Json | None,
    student: Trained,
    others: Mapping[str, Trained],
    *,
    baseline_story: str | None,
) -> Run:
    """Score all models on the same rows and write the run.

    Args:
        work: The distillation.
        teacher_facts: What the teacher's training said, if it was trained here.
        student: The student.
        others: What stands beside it in the report.
        baseline_story: How the baseline began.
    """
    plan, run, data = work.plan, work.run, work.data
    split, _ = evaluation_split(data)
    models: dict[str, tuple[str, Json | None]] = {"student": (str(student[0]), student[1])}
    if plan.teacher.kind != "file":
        models["teacher"] = (plan.teacher.path, teacher_facts)
    models |= {name: (str(path), said) for name, (path, said) in others.items()}
    metrics: Json = {"teacher": None, "fine_tune_only": None, "student": None, "retention": None}
    metrics |= score_models(run, data, plan.task, models, max_length=plan.training.max_length)
    main = plan.task.main_metric
    if metrics["teacher"] is not None:
        metrics["retention"] = retention(_of(metrics, "student", split), _of(metrics, "teacher", split), main)
    if baseline_story is not None:
        metrics["baseline_start"] = baseline_story
    metrics |= {
        "teacher_path": str(work.recipe.teacher.path),
        "student_start": plan.start,
        "layer_map": list(plan.layer_map),
    }
    summaries = {"teacher": teacher_facts, **{name: summary for name, (_, summary) in others.items()}}
    summaries["student"] = student[1]
    trainings = {name: summary for name, summary in summaries.items() if summary is not None}
    if teacher_facts is not None:
        keep_teacher(work)
    return finish_rows(
        run, data, plan.task, metrics, model=student[0], trainings=trainings, notes=notes(work)
    )


def _of(metrics: Json, name: str, split: str) -> dict[str, float]:
    return cast(dict[str, dict[str, float]], metrics[name])[split]


def keep_teacher(work: Distillation) -> None:
    """Keep the teacher that was fine-tuned here as ``RUN/teacher``, ready for the next student."""
    model = load_for_labels(work.plan.teacher.path, work.plan.task, work.data.labels, seed=0, new_head=False)
    save_checkpoint(model, work.encoded.tokenizer, work.run.path / KEPT_TEACHER)


def notes(work: Distillation) -> list[str]:
    """Say what a reader of the report should know."""
    plan = work.plan
    lines = [
        f"Student start: {plan.start}"
        + (f" of teacher layers {list(plan.layer_map)}." if plan.start in ("slice", "project") else ".")
    ]
    if plan.taught is not None:
        lines.append(_how_it_was_taken_over(plan.taught))
    if work.recipe.augment.copies:
        lines.append(
            f"Augmentation: up to {work.recipe.augment.copies} copies a row by {work.recipe.augment.method}; "
            f"{len(work.data.splits['train']):,} training rows with them. Only the teacher labels copies."
        )
    if plan.teacher.kind == "file":
        lines.append("The teacher is a file of scores: it has no score of its own on the test rows.")
    return lines


def _how_it_was_taken_over(taught: Taught) -> str:
    learnt = f"It has learnt layers {list(taught.layers)} of {taught.by} by general distillation"
    if taught.origin is not None:
        return f"{learnt}; before its first step it was taken over to the fine-tuned teacher in closed form."
    return (
        f"{learnt}, but was not taken over to this teacher, which is not known to be that one fine-tuned; if "
        f"it is, set teacher.pretrained={taught.by}."
    )


def joined(facts: Sequence[Json]) -> Json:
    """Add the phases' steps and seconds up, and lay their histories end to end."""
    history: list[dict[str, float]] = []
    for fact in facts:
        rows = cast(list[dict[str, float]], fact["history"])
        before = history[-1]["epoch"] if history else 0
        history += [{**row, "epoch": before + row["epoch"]} for row in rows]
    return {
        "history": history,
        "num_steps": sum(cast(int, fact["num_steps"]) for fact in facts),
        "steps_of_phases": [cast(int, fact["num_steps"]) for fact in facts],
        "train_seconds": round(sum(cast(float, fact["train_seconds"]) for fact in facts), 1),
    }
