"""The fine-tuning baseline: the same small model, hard labels only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

from tinybert.console import say
from tinybert.objectives import HardObjective
from tinybert.stages.plan.distillation import DistillPlan
from tinybert.stages.steps.distillation import Distillation
from tinybert.stages.steps.fit import MODEL, fit, in_steps, settings_of
from tinybert.stages.steps.prepare import labelled_only
from tinybert.stages.steps.start import StartPlan, start_student
from tinybert.storage import Json


def fine_tune_only(work: Distillation, student: Json) -> tuple[Path, Json, str] | None:
    """Train the baseline: same shape and start, pre-trained weights, hard labels, as many steps."""
    plan, recipe = work.plan, work.recipe
    rows = labelled_only(work.encoded.train, plan.task)
    if len(rows) == 0:
        say("no training row has a label: there is no fine-tune-only baseline")
        return None
    start, description = baseline_start(plan)

    def make(folder: Path) -> Json:
        model = start_student(
            start,
            plan.task,
            work.data.labels,
            rows=rows,
            collator=work.encoded.collator,
            seed=recipe.train.seed,
        ).model
        steps = cast(int, student["num_steps"])
        pace: dict[str, object] = {"max_steps": steps}
        if recipe.augment.copies:  # an epoch of these rows is short: score as often as the student was
            pace = in_steps(steps, plan.training.num_epochs)
        return fit(
            folder,
            model,
            HardObjective(work.encoded.hard_loss),
            rows=replace(work.encoded, train=rows),
            evaluator=work.encoded.evaluator(),
            settings=settings_of(recipe, plan.training, name="fine_tune_only", bf16=work.bf16, **pace),
        )

    folder, summary = work.run.step("fine_tune_only", make)
    return folder / MODEL, summary, description


def baseline_start(plan: DistillPlan) -> tuple[StartPlan, str]:
    """Return the baseline's start and the sentence that describes it."""
    same = "Fine-tune only: the same shape and as many steps, hard labels only, "
    pretrained = plan.teacher.pretrained
    size = plan.shape, plan.family
    if plan.start == "checkpoint":
        return StartPlan("checkpoint", plan.source, *size, (), False), same + "from the same checkpoint."
    if plan.start == "random":
        return StartPlan("random", plan.source, *size, (), False), same + "from the same random start."
    if pretrained is None:
        return (
            StartPlan("random", plan.source, *size, (), False),
            same + "from a random start, because the weights the teacher was fine-tuned from are not known "
            "(name them with teacher.pretrained=…): a weaker baseline than it could be.",
        )
    description = (
        same + f"started the same way ({plan.start}) from the pre-trained weights, no task teacher anywhere."
    )
    return StartPlan(plan.start, pretrained, *size, plan.layer_map, False), description
