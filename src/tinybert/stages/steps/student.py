"""A student's way from its first weights through its phases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

from tinybert.data import LabelScheme
from tinybert.models import load_config, resolve_layer_map
from tinybert.models.dropout import set_dropout
from tinybert.objectives import HARD, DistillObjective, HardObjective, Teaching, is_intermediate
from tinybert.stages.plan.distillation import DistillPlan
from tinybert.stages.plan.losses import reads_decoder, relation_heads
from tinybert.stages.plan.training import Training
from tinybert.stages.steps.distillation import Distillation
from tinybert.stages.steps.fit import MODEL, fit, history_of, in_steps, settings_of
from tinybert.stages.steps.head import begin_head
from tinybert.stages.steps.prepare import own_order
from tinybert.stages.steps.start import (
    StartPlan,
    has_new_head,
    load_start,
    save_start,
    start_student,
)
from tinybert.stages.steps.teacher_outputs import choose_teacher
from tinybert.storage import Json
from tinybert.training import Objective

Trained = tuple[Path, Json]
"""A checkpoint, and the summary of its training."""


def make_start(work: Distillation) -> Trained:
    """Make the student before its first step, once; return its folder and how its head began."""
    start = first_weights(work.plan, work.data.labels, same_tokens=not work.teacher_prefix)

    def make(folder: Path) -> Json:
        started = start_student(
            start,
            work.plan.task,
            work.data.labels,
            rows=work.encoded.train,
            collator=work.encoded.collator,
            seed=work.recipe.train.seed,
        )
        set_dropout(started.model, work.plan.dropout)
        begun = begin_head(
            folder,
            started.model,
            work.encoded,
            work.recipe,
            is_new=has_new_head(start, work.plan.task, work.data.labels),
            name="student",
            source=start.source,
            bf16=work.bf16,
        )
        save_start(started, folder)
        return begun

    return work.run.step("start", make)


def first_weights(plan: DistillPlan, labels: LabelScheme, *, same_tokens: bool) -> StartPlan:
    """Say how a plan's student begins.

    Args:
        plan: Of the distillation, with a teacher that knows the task.
        labels: The data's: a head that predicts others does not come along.
        same_tokens: The teacher reads the student's tokens.
    """
    if plan.start == "checkpoint":
        taught = plan.taught if same_tokens else None
        layers, origin = (taught.layers, taught.origin) if taught else ((), None)
        return StartPlan(
            plan.start,
            plan.source,
            plan.shape,
            plan.family,
            layers,
            keep_head=False,
            origin=origin,
            teacher=plan.teacher.path,
        )
    is_source = plan.teacher.kind != "file" or plan.recipe.student.source is not None
    cut = is_source and plan.start in ("slice", "project")
    keep_head = cut and own_order(load_config(plan.source), plan.task, labels) is not None
    return StartPlan(plan.start, plan.source, plan.shape, plan.family, plan.layer_map, keep_head)


def teach(work: Distillation, begin: Path, *, name: str = "student", like: Json | None = None) -> Trained:
    """Take the student through its phases.

    Args:
        work: The distillation.
        begin: The student before its first step.
        name: The last phase's; other names leave the student's own steps alone.
        like: The summary of another training: this one takes as many steps, and is scored as often.
    """
    summaries: list[Json] = []
    for phase in phases_of(work.plan, name=name, like=like):
        folder, summary = work.run.step(phase.name, partial(teach_phase, work, phase, begin))
        begin = folder / MODEL
        summaries.append(summary)
    return begin, joined(summaries)


@dataclass(frozen=True)
class Phase:
    """One training of the student.

    Attributes:
        name: Its step of the run.
        losses: Loss name → weight.
        training: Its epochs and learning rate.
        like: The summary of another training: this one takes as many steps, and is scored as often.
    """

    name: str
    losses: dict[str, float]
    training: Training
    like: Json | None = None

    @property
    def pace(self) -> dict[str, object]:
        """Return the trainer's settings of its steps, where another training decides them."""
        return in_steps(cast(int, self.like["num_steps"]), len(history_of(self.like))) if self.like else {}


def phases_of(plan: DistillPlan, *, name: str = "student", like: Json | None = None) -> list[Phase]:
    """Return the phases; the paper's two put the intermediate layers first."""
    losses, training = plan.losses, plan.training
    others = cast(list[Json], like["phases"]) if like else [None, None]
    if plan.recipe.distill.phases == "joint":
        return [Phase(name, losses, training, others[0])]
    before = "intermediate" if name == "student" else f"{name}_intermediate"
    first = {name: weight for name, weight in losses.items() if is_intermediate(name)}
    second = {name: weight for name, weight in losses.items() if not is_intermediate(name)}
    short = training.with_epochs(plan.recipe.distill.intermediate_num_epochs)
    return [Phase(before, first, short, others[0]), Phase(name, second, training, others[1])]


def teach_phase(work: Distillation, phase: Phase, begin: Path, folder: Path) -> Json:
    """Take the checkpoint at ``begin`` through one phase, into ``folder``."""
    plan, recipe = work.plan, work.recipe
    begun = load_start(begin)
    set_dropout(begun.model, plan.dropout)
    info = plan.teacher.info
    teaching = Teaching(
        phase.losses,
        plan.layer_map,
        temperature=recipe.distill.temperature or plan.task.temperature,
        num_relation_heads=relation_heads(recipe, plan.shape.hidden_size, info) if info else 1,
        decoder_map=decoder_map(plan) if reads_decoder(phase.losses) else (),
    )
    objective: Objective = HardObjective(work.encoded.hard_loss)
    if set(phase.losses) != {HARD}:
        objective = DistillObjective(
            begun.model,
            choose_teacher(work, teaching),
            teaching,
            hard_loss=work.encoded.hard_loss,
            teacher_hidden_size=info.hidden_size if info else plan.shape.hidden_size,
            projection_start=begun.projection,
            rows=plan.task.rows,
        )
    settings = settings_of(
        recipe,
        phase.training,
        rows=work.encoded,
        name=phase.name,
        bf16=work.bf16,
        keep_best=not all(is_intermediate(loss) for loss in phase.losses),
        **phase.pace,
    )
    return fit(
        folder,
        begun.model,
        objective,
        rows=work.encoded,
        evaluator=work.encoded.evaluator(),
        settings=settings,
    )


def decoder_map(plan: DistillPlan) -> tuple[int, ...]:
    """Return for each layer of the student's decoder one of its teacher's, spread over it, from 1."""
    theirs = load_config(plan.teacher.path).decoder.num_hidden_layers
    return tuple(resolve_layer_map("uniform", plan.shape.num_decoder_layers, theirs))


def joined(summaries: Sequence[Json]) -> Json:
    """Add the phases' steps and seconds up, and lay their histories end to end."""
    history: list[dict[str, float]] = []
    for summary in summaries:
        rows = history_of(summary)
        before = history[-1]["epoch"] if history else 0
        history += [{**row, "epoch": before + row["epoch"]} for row in rows]
    return {
        "history": history,
        "num_steps": sum(cast(int, summary["num_steps"]) for summary in summaries),
        "phases": list(summaries),
        "train_seconds": round(sum(cast(float, summary["train_seconds"]) for summary in summaries), 1),
        "is_rising": summaries[-1].get("is_rising", False),
    }
