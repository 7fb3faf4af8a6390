"""Distil a teacher into a student, and report beside it what plain fine-tuning would have given.

The steps, each done once and found again after a kill: the teacher (fine-tuned here when it has no task
head), the checks, the student's start, its phases, the baseline, the scores.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import cast

from tinybert.console import say
from tinybert.evaluation import retention
from tinybert.models import load_tokenizer
from tinybert.runs import Run, RunInProgress
from tinybert.stages.doctor import CHECKS, Context, check_teacher, report_findings
from tinybert.stages.finetune import fine_tune
from tinybert.stages.plan.distillation import DistillPlan
from tinybert.stages.plan.student import Taught
from tinybert.stages.plan.teacher import KEPT_TEACHER, TeacherPlan
from tinybert.stages.steps.baselines import BUILTIN, Compared
from tinybert.stages.steps.distillation import (
    Distillation,
    encode_for,
    labelled_note,
    prepare,
    rows_of_teacher,
    with_copies,
)
from tinybert.stages.steps.finish import evaluation_split, finish_rows, score_models
from tinybert.stages.steps.fit import MODEL, save_checkpoint
from tinybert.stages.steps.head import with_head
from tinybert.stages.steps.prepare import load_for_labels
from tinybert.stages.steps.student import Trained, make_start, teach
from tinybert.stages.steps.trimming import restore_teacher, vocabulary_metrics, vocabulary_notes
from tinybert.stages.steps.written_targets import targets_note, with_written_targets
from tinybert.storage import Json
from tinybert.training import check_trackers


def distill(plan: DistillPlan, run: RunInProgress, source: object) -> Run:
    """Distil, from rows to report; what is done already is not done again.

    Args:
        plan: Made by :func:`plan_distill`.
        run: The run, begun.
        source: The rows: anything :func:`tinybert.data.load` reads.
    """
    recipe = plan.recipe
    check_trackers(recipe.train.trackers)
    work = prepare(plan, run, source)
    context = Context(work.plan, work.data, work.encoded, trimmed=work.trimmed)
    checks = [check for name, check in CHECKS.items() if name != "leakage"]  # that is said with the rows
    report_findings([finding for check in checks for finding in check(context)])
    plan, teacher_summary = fine_tuned_teacher(work)
    work = replace(work, plan=plan)
    if plan.teacher.kind != "file":
        is_new = teacher_summary is not None
        work = replace(work, whole_teacher=whole_teacher(work, is_new=is_new))
        scored = replace(plan, teacher=replace(plan.teacher, path=work.whole_teacher))
        report_findings(check_teacher(replace(context, plan=scored, is_teacher_new=is_new)))
    begin, begun = make_start(work)
    taught = augmented(work) if recipe.augment.copies else work
    taught = with_written_targets(taught) if plan.task.writes else taught
    path, summary = teach(taught, begin)
    student = path, with_head(begun, summary)
    others: dict[str, Trained] = {}
    if recipe.augment.copies and recipe.augment.ablation:
        others["not_augmented"] = teach(work, begin, name="not_augmented", like=student[1])
    baselines = {name: BUILTIN[name](work, student[1]) for name in plan.baselines}
    compared = {name: baseline for name, baseline in baselines.items() if baseline is not None}
    return conclude(taught, teacher_summary, student, others, compared)


def fine_tuned_teacher(work: Distillation) -> tuple[DistillPlan, Json | None]:
    """Fine-tune a teacher that has no task head; return the plan with it, and the summary of its training."""
    plan, recipe = work.plan, work.recipe
    if plan.teacher.kind != "encoder":
        return plan, None
    say(f"{plan.teacher.path} has no head for this task: fine-tuning it as the teacher")
    training = plan.teacher_training
    rows = rows_of_teacher(work)

    def make(folder: Path) -> Json:
        path = plan.teacher.path
        return fine_tune(folder, rows, recipe, training, path=path, name="teacher", bf16=work.bf16)

    folder, summary = work.run.step("teacher", make)
    path = str(folder / MODEL)
    is_cut_from_it = plan.source == plan.teacher.path and recipe.student.source is None
    source = path if is_cut_from_it else plan.source
    teacher = TeacherPlan("classifier", path, plan.teacher.pretrained, plan.teacher.info)
    return replace(plan, teacher=teacher, source=source), summary


def whole_teacher(work: Distillation, *, is_new: bool) -> str:
    """Return the teacher with its whole vocabulary, which reads other text than the training rows too.

    Args:
        work: The distillation, with a teacher that knows the task.
        is_new: It was fine-tuned here.
    """
    trimmed, path = work.trimmed, work.plan.teacher.path
    if trimmed is None or not trimmed.has(trimmed.plan.teacher.path):
        return path
    if not is_new:
        return trimmed.plan.teacher.path
    folder, _ = work.run.step("whole_teacher", partial(restore_teacher, trimmed, work.data, path))
    return str(folder / MODEL)


def augmented(work: Distillation) -> Distillation:
    """Return the distillation with changed copies behind its training rows, which only the teacher labels."""
    by = work.trimmed.plan if work.trimmed else work.plan
    data = with_copies(by, work.data, work.run.work, bf16=work.bf16)
    encoded, prefix = encode_for(work.plan, data, work.run.work)
    return replace(work, data=data, encoded=encoded, teacher_prefix=prefix)


def conclude(
    work: Distillation,
    teacher_summary: Json | None,
    student: Trained,
    others: Mapping[str, Trained],
    baselines: Mapping[str, Compared],
) -> Run:
    """Score all models on the same rows and write the run.

    Args:
        work: The distillation.
        teacher_summary: The summary of the teacher's training, if it was trained here.
        student: The student.
        others: The student's variants.
        baselines: What it is compared with.
    """
    plan, run, data = work.plan, work.run, work.data
    split = evaluation_split(data)
    models: dict[str, tuple[str, Json | None]] = {"student": (str(student[0]), student[1])}
    if plan.teacher.kind != "file":
        models["teacher"] = (work.whole_teacher, teacher_summary)
    trained = {name: each.trained for name, each in baselines.items() if each.trained is not None}
    others = {**others, **trained}
    models |= {name: (str(path), said) for name, (path, said) in others.items()}
    metrics: Json = {"teacher": None, **dict.fromkeys(BUILTIN), "student": None, "retention": None}
    metrics |= {name: each.row for name, each in baselines.items() if each.row}
    metrics |= score_models(run, data, plan.task, models, max_length=plan.training.max_length)
    main = plan.task.main_metric
    if metrics["teacher"] is not None:
        metrics["retention"] = retention(_of(metrics, "student", split), _of(metrics, "teacher", split), main)
    if "fine_tune_only" in baselines:
        metrics["baseline_start"] = baselines["fine_tune_only"].description
    metrics |= {
        "teacher_path": str(work.recipe.teacher.path),
        "student_start": plan.start,
        "layer_map": list(plan.layer_map),
    }
    if work.trimmed is not None:
        metrics["vocabulary"] = vocabulary_metrics(work.trimmed, student[0])
    summaries = {"teacher": teacher_summary, **{name: summary for name, (_, summary) in others.items()}}
    summaries["student"] = student[1]
    trainings = {name: summary for name, summary in summaries.items() if summary is not None}
    if teacher_summary is not None:
        keep_teacher(work)
    said = [*notes(work), *vocabulary_notes(cast(Json | None, metrics.get("vocabulary")))]
    return finish_rows(run, data, plan.task, metrics, model=student[0], trainings=trainings, notes=said)


def _of(metrics: Json, name: str, split: str) -> dict[str, float]:
    return cast(dict[str, dict[str, float]], metrics[name])[split]


def keep_teacher(work: Distillation) -> None:
    """Keep the teacher that was fine-tuned here as ``RUN/teacher``, ready for the next student."""
    model = load_for_labels(work.whole_teacher, work.plan.task, work.data.labels, seed=0, new_head=False)
    save_checkpoint(model, load_tokenizer(work.whole_teacher), work.run.path / KEPT_TEACHER)


def notes(work: Distillation) -> list[str]:
    """Say what a reader of the report should know."""
    plan = work.plan
    is_cut = plan.start in ("slice", "project")
    layers = f" of {plan.cut_from} layers {list(plan.layer_map)}" if is_cut else ""
    lines = [f"Student start: {plan.start}{layers}."]
    if plan.taught is not None:
        lines.append(_how_it_was_adapted(plan.taught))
    if work.recipe.augment.copies == 0 and (labelled := labelled_note(work.data)):
        lines.append(f"{labelled}.")
    if work.recipe.augment.copies:
        lines.append(
            f"Augmentation: up to {work.recipe.augment.copies} copies a row by {work.recipe.augment.method}; "
            f"{len(work.data.splits['train']):,} training rows with them. Only the teacher labels copies."
        )
    if plan.task.writes:
        lines.append(targets_note(work.recipe))
    if plan.teacher.kind == "file":
        lines.append("The teacher is a file of scores: it has no score of its own on the test rows.")
    return lines


def _how_it_was_adapted(taught: Taught) -> str:
    learnt = f"It has learnt layers {list(taught.layers)} of {taught.by} by general distillation"
    if taught.origin is not None:
        return f"{learnt}; before its first step it was adapted to the fine-tuned teacher in closed form."
    return (
        f"{learnt}, but was not adapted to this teacher, which is not known to be that one fine-tuned; if "
        f"it is, set teacher.pretrained={taught.by}."
    )
