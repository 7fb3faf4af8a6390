"""Distil a teacher into a student, and say beside what plain fine-tuning would have given.

The steps, each done once and found again after a kill: the teacher (fine-tuned here when it has no task
head), the checks, the student's start, its phases, the baseline, the scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import nn
from datasets import Dataset
from tqdm.auto import tqdm

from tinybert.config import Recipe
from tinybert.data import TextData, cache_folder
from tinybert.errors import RecipeError
from tinybert.evaluate import retention
from tinybert.models import load_config, load_tokenizer
from tinybert.runs import Json, Run, RunInProgress, files_digest
from tinybert.stages.console import say
from tinybert.stages.doctor import (
    Finding,
    check_time,
    checks_before,
    checks_of_teacher,
    report_findings,
    same_tokenizer,
)
from tinybert.stages.finetune import fine_tune_step, measured_bf16
from tinybert.stages.finish import evaluation_split, finish_run, score_models
from tinybert.stages.fit import MODEL, fit, save_checkpoint, settings_of
from tinybert.stages.objective import HARD, INTERMEDIATE, DistillObjective, HardObjective, Teaching
from tinybert.stages.plan import DistillPlan, TeacherPlan, resolve_path
from tinybert.stages.prepare import Encoded, encode_rows, labelled_only, load_for_labels, load_rows
from tinybert.stages.start import Started, StartPlan, knows_task, load_start, save_start, start_student
from tinybert.teachers import (
    ModelTeacher,
    Teacher,
    TeacherShape,
    TeacherStore,
    estimate_mb,
    make_room,
    read_soft_labels,
    store_key,
)
from tinybert.train import check_trackers


@dataclass(frozen=True)
class Distillation:
    """What all steps of one distillation share."""

    run: RunInProgress
    plan: DistillPlan
    data: TextData
    encoded: Encoded
    bf16: bool
    teacher_prefix: str

    @property
    def recipe(self) -> Recipe:
        """The resolved recipe."""
        return self.plan.recipe


def distill(plan: DistillPlan, out: Path, source: object) -> Run:
    """Carry a plan out and write a run.

    Args:
        plan: Made by :func:`plan_distill`.
        out: The run directory.
        source: The rows: anything :func:`tinybert.data.load` reads.
    """
    recipe = plan.recipe
    check_trackers(recipe.train.trackers)
    with RunInProgress(out, recipe) as run:
        return carry_out(plan, run, source)


def carry_out(plan: DistillPlan, run: RunInProgress, source: object) -> Run:
    """Take a run from its rows to its report; what is done already is not done again."""
    recipe = plan.recipe
    work = prepare(plan, run, source)
    report_findings(checks_before(plan, work.data, work.encoded.tokenizer))
    plan, teacher_facts = settle_teacher(work)
    work = replace(work, plan=plan)
    if plan.teacher.kind != "file":
        report_findings(
            checks_of_teacher(
                plan,
                work.data,
                work.encoded.validation,
                work.encoded.collator,
                prefix=work.teacher_prefix,
                trained_here=teacher_facts is not None,
            )
        )
    student, student_facts = teach(work)
    baseline = fine_tune_only(work, student_facts) if recipe.baseline else None
    return conclude(work, teacher_facts, student, student_facts, baseline)


def prepare(plan: DistillPlan, run: RunInProgress, source: object) -> Distillation:
    """Read and encode the rows of a run."""
    data, encoded, prefix = prepare_rows(plan, source, run.work)
    return Distillation(run, plan, data, encoded, measured_bf16(run, plan.recipe), prefix)


def prepare_rows(plan: DistillPlan, source: object, folder: Path) -> tuple[TextData, Encoded, str]:
    """Read and encode the rows, with the teacher's own tokens beside where its tokenizer differs.

    Returns:
        The rows, their encoding, and the prefix of the columns that the teacher reads.
    """
    recipe = plan.recipe
    data = load_rows(source, recipe, plan.task, work_dir=folder / "rows", allow_unlabelled=True)
    for warning in data.warnings:
        say(f"warning: {warning}")
    tokenizer = load_tokenizer(resolve_path(plan.source))
    teacher_tokenizer = None
    if plan.teacher.kind != "file" and plan.source != plan.teacher.path:
        other = load_tokenizer(resolve_path(plan.teacher.path))
        teacher_tokenizer = None if same_tokenizer(tokenizer, other) else other
    if teacher_tokenizer is not None and any(name in plan.losses for name in INTERMEDIATE):
        raise RecipeError(
            "recipe",
            "distill.losses: student and teacher have different tokenizers, so their "
            "positions do not match; keep only prediction losses and hard",
        )
    encoded = encode_rows(
        data,
        tokenizer,
        max_length=recipe.data.max_length,
        folder=folder / "encoded",
        teacher_tokenizer=teacher_tokenizer,
    )
    return data, encoded, "teacher_" if teacher_tokenizer is not None else ""


def examine(plan: DistillPlan, source: object, folder: Path) -> list[Finding]:
    """Do all checks, for the command ``tinybert doctor``; nothing is trained."""
    data, encoded, prefix = prepare_rows(plan, source, folder)
    findings = checks_before(plan, data, encoded.tokenizer)
    if not any(finding.level == "stop" for finding in findings):
        findings += checks_of_teacher(plan, data, encoded.validation, encoded.collator, prefix=prefix)
    return [*findings, check_time(plan, data, encoded.train, encoded.collator)]


def settle_teacher(work: Distillation) -> tuple[DistillPlan, Json | None]:
    """Fine-tune a teacher that has no task head; return the plan with the teacher that answers."""
    plan, recipe = work.plan, work.recipe
    if plan.teacher.kind != "encoder":
        return plan, None
    say(f"{plan.teacher.path} has no task head: fine-tuning it as the teacher")
    folder, facts = work.run.step(
        "teacher",
        lambda folder: fine_tune_step(
            folder,
            recipe,
            plan.task,
            work.data,
            work.encoded,
            path=plan.teacher.path,
            train_rows=need_labels(work),
            name="teacher",
            bf16=work.bf16,
            num_epochs=recipe.teacher.num_epochs,
            learning_rate=recipe.teacher.learning_rate,
        ),
    )
    path = str(folder / MODEL)
    source = path if plan.source == plan.teacher.path else plan.source
    teacher = TeacherPlan("classifier", path, plan.teacher.pretrained, plan.teacher.info)
    return replace(plan, teacher=teacher, source=source), facts


def need_labels(work: Distillation) -> Dataset:
    """Return the labelled training rows.

    Raises:
        RecipeError: There are none.
    """
    rows = labelled_only(work.encoded.train, work.plan.task)
    if len(rows) == 0:
        raise RecipeError(
            work.data.source,
            "no training row has a label, and the teacher must be fine-tuned first; "
            "label some rows, or give a teacher that knows the task",
        )
    return rows


def teach(work: Distillation) -> tuple[Path, Json]:
    """Start the student and take it through its phases."""
    plan, recipe, run = work.plan, work.recipe, work.run
    keep_head = plan.teacher.kind != "file" and plan.start in ("slice", "project") and knows_task(plan.source)
    start = StartPlan(plan.start, plan.source, plan.shape, plan.layer_map, keep_head)

    def make_start(folder: Path) -> Json:
        save_start(started(work, start), folder)
        return {}

    folder, _ = run.step("start", make_start)
    phases = phases_of(plan.losses, recipe)
    facts: list[Json] = []
    for number, (name, losses, num_epochs) in enumerate(phases):
        previous = folder
        folder, said = run.step(
            name,
            lambda step, losses=losses, num_epochs=num_epochs, name=name, previous=previous, first=number == 0: (
                teach_phase(work, step, previous if first else previous / MODEL, losses, name, num_epochs)
            ),
        )
        facts.append(said)
    return folder / MODEL, joined(facts)


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


def phases_of(losses: dict[str, float], recipe: Recipe) -> list[tuple[str, dict[str, float], int]]:
    """Return the phases: (name, losses, epochs). The paper's two put the intermediate layers first."""
    assert recipe.train.num_epochs is not None
    if recipe.distill.phases == "joint":
        return [("student", losses, recipe.train.num_epochs)]
    first = {name: weight for name, weight in losses.items() if name in INTERMEDIATE}
    second = {name: weight for name, weight in losses.items() if name not in INTERMEDIATE}
    return [
        ("intermediate", first, recipe.distill.intermediate_num_epochs),
        ("student", second, recipe.train.num_epochs),
    ]


def teach_phase(
    work: Distillation, folder: Path, begin: Path, losses: dict[str, float], name: str, num_epochs: int
) -> Json:
    """Train the student with one set of losses."""
    plan, recipe = work.plan, work.recipe
    begun = load_start(begin)
    info = plan.teacher.info
    teaching = Teaching(
        losses,
        plan.layer_map,
        temperature=recipe.distill.temperature,
        num_relation_heads=recipe.distill.num_relation_heads or (info.num_attention_heads if info else 1),
    )
    objective = DistillObjective(
        begun.model,
        answers(work, teaching),
        teaching,
        hard_loss=plan.task.hard_losses[recipe.hard_loss],
        teacher_hidden_size=info.hidden_size if info else plan.shape.hidden_size,
        projection_start=begun.projection,
    )
    settings = settings_of(
        recipe,
        plan.task,
        name=name,
        bf16=work.bf16,
        num_epochs=num_epochs,
        keep_best=HARD in losses or any(loss not in INTERMEDIATE for loss in losses),
    )
    return fit(
        folder,
        begun.model,
        objective,
        encoded=work.encoded,
        train_rows=work.encoded.train,
        task=plan.task,
        hard_loss=recipe.hard_loss,
        settings=settings,
    )


def answers(work: Distillation, teaching: Teaching) -> Teacher:
    """Return who answers: the file, the store where it fits its budget, or the live model."""
    plan, recipe, rows = work.plan, work.recipe, work.encoded.train
    if plan.teacher.kind == "file":
        return read_soft_labels(plan.teacher.path, work.data.splits["train"], work.data.labels)
    wanted = teaching.wanted()
    model = load_for_labels(plan.teacher.path, plan.task, work.data.labels, seed=0, new_head=False)
    if torch.cuda.is_available():
        nn.Module.to(model, "cuda")
    live = ModelTeacher(model, wanted, prefix=work.teacher_prefix, bf16=work.bf16)
    if recipe.teacher.store == "off":
        return live
    lengths = np.asarray([len(ids) for ids in rows[work.teacher_prefix + "input_ids"]])
    info = plan.teacher.info
    shape = TeacherShape(
        work.data.labels.num_labels, info.hidden_size if info else 0, info.num_attention_heads if info else 0
    )
    needed = estimate_mb(lengths, shape, wanted)
    stores = cache_folder() / "teacher-stores"
    weights = sorted(Path(resolve_path(plan.teacher.path)).glob("*.safetensors"))
    digest = files_digest(weights) + f"|{work.data.labels.names}|{work.bf16}"
    folder = stores / store_key(digest, rows, wanted, prefix=work.teacher_prefix)
    if not make_room(stores, needed, recipe.teacher.store_budget_mb, keep=folder):
        return _live_instead(recipe, live, needed)
    store = TeacherStore(folder, num_rows=len(rows), wanted=wanted)
    say(f"teacher store: {needed:,.0f} MB for {len(rows):,} rows")
    with tqdm(
        total=len(rows), desc="teacher answers", unit="ex", dynamic_ncols=True, leave=False, disable=None
    ) as bar:
        store.fill(live, rows, work.encoded.collator, prefix=work.teacher_prefix, on_rows=lambda count: (bar.update(count), None)[1])
    return store


def _live_instead(recipe: Recipe, live: Teacher, needed: float) -> Teacher:
    budget = recipe.teacher.store_budget_mb
    text = f"the teacher's answers would take {needed:,.0f} MB, teacher.store_budget_mb is {budget:,}"
    if recipe.teacher.store == "on":
        raise RecipeError("recipe", f"{text}; raise the budget, or set teacher.store=auto")
    say(f"{text}: the teacher runs live")
    return live


def fine_tune_only(work: Distillation, student_facts: Json) -> tuple[Path, Json, str] | None:
    """Train the honest rival: same shape and start, pre-trained weights, hard labels, as many steps."""
    plan, recipe = work.plan, work.recipe
    rows = labelled_only(work.encoded.train, plan.task)
    if len(rows) == 0:
        say("no training row has a label: there is no fine-tune-only baseline")
        return None
    start, story = baseline_start(plan)

    def make(folder: Path) -> Json:
        model = start_student(
            start,
            plan.task,
            work.data.labels,
            rows=rows,
            collator=work.encoded.collator,
            seed=recipe.train.seed,
        ).model
        steps = int(cast(int, student_facts["num_steps"]))
        settings = settings_of(recipe, plan.task, name="fine_tune_only", bf16=work.bf16, max_steps=steps)
        objective = HardObjective(plan.task.hard_losses[recipe.hard_loss])
        return fit(
            folder,
            model,
            objective,
            encoded=work.encoded,
            train_rows=rows,
            task=plan.task,
            hard_loss=recipe.hard_loss,
            settings=settings,
        )

    folder, facts = work.run.step("fine_tune_only", make)
    return folder / MODEL, facts, story


def baseline_start(plan: DistillPlan) -> tuple[StartPlan, str]:
    """Return the baseline's start and the sentence that tells it."""
    same = "Fine-tune only: the same shape and as many steps, hard labels only, "
    pretrained = plan.teacher.pretrained
    if plan.start == "checkpoint":
        return StartPlan("checkpoint", plan.source, plan.shape, (), False), same + "from the same checkpoint."
    if plan.start == "random":
        return StartPlan("random", plan.source, plan.shape, (), False), same + "from the same random start."
    if pretrained is None:
        return (
            StartPlan("random", plan.source, plan.shape, (), False),
            same + "from a random start, because the weights the teacher was fine-tuned from are not known "
            "(name them with teacher.pretrained=…): a weaker rival than it could be.",
        )
    story = (
        same + f"started the same way ({plan.start}) from the pre-trained weights, no task teacher anywhere."
    )
    return StartPlan(plan.start, pretrained, plan.shape, plan.layer_map, False), story


def conclude(
    work: Distillation,
    teacher_facts: Json | None,
    student: Path,
    student_facts: Json,
    baseline: tuple[Path, Json, str] | None,
) -> Run:
    """Score all models on the same rows and write the run."""
    plan, run, data = work.plan, work.run, work.data
    split, _ = evaluation_split(data)
    models: dict[str, tuple[str, Json | None]] = {"student": (str(student), student_facts)}
    if plan.teacher.kind != "file":
        models["teacher"] = (resolve_path(plan.teacher.path), teacher_facts)
    if baseline is not None:
        models["fine_tune_only"] = (str(baseline[0]), baseline[1])
    metrics: Json = {"teacher": None, "fine_tune_only": None, "student": None, "retention": None}
    metrics |= score_models(run, data, models)
    main = plan.task.main_metric
    if metrics["teacher"] is not None:
        metrics["retention"] = retention(_of(metrics, "student", split), _of(metrics, "teacher", split), main)
    if baseline is not None:
        metrics["baseline_start"] = baseline[2]
    metrics |= {
        "teacher_path": str(work.recipe.teacher.path),
        "student_start": plan.start,
        "layer_map": list(plan.layer_map),
    }
    facts = {
        "teacher": teacher_facts,
        "fine_tune_only": baseline[1] if baseline else None,
        "student": student_facts,
    }
    said = {name: fact for name, fact in facts.items() if fact is not None}
    if teacher_facts is not None:
        keep_teacher(work)
    return finish_run(run, plan.task, data, metrics, facts_by_name=said, model=student, notes=notes(work))


def _of(metrics: Json, name: str, split: str) -> dict[str, float]:
    return cast(dict[str, dict[str, float]], metrics[name])[split]


def keep_teacher(work: Distillation) -> None:
    """Keep the teacher that was fine-tuned here as ``RUN/teacher``, ready for the next student."""
    model = load_for_labels(work.plan.teacher.path, work.plan.task, work.data.labels, seed=0, new_head=False)
    save_checkpoint(model, work.encoded, work.run.path / "teacher")


def notes(work: Distillation) -> list[str]:
    """Say what a reader of the report should know."""
    plan = work.plan
    lines = [
        f"Student start: {plan.start}"
        + (f" of teacher layers {list(plan.layer_map)}." if plan.start in ("slice", "project") else ".")
    ]
    if plan.teacher.kind == "file":
        lines.append("The teacher is a file of scores: it has no score of its own on the test rows.")
    return lines


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
        "train_seconds": round(sum(cast(float, fact["train_seconds"]) for fact in facts), 1),
    }
