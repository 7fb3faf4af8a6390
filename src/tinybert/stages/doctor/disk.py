"""Whether checkpoints and the teacher store fit on the disk."""

from __future__ import annotations

import shutil

from tinybert.data import encode_split, lengths_of
from tinybert.objectives import Teaching
from tinybert.stages.doctor.context import Context
from tinybert.stages.doctor.finding import Finding
from tinybert.stages.doctor.memory import num_parameters, teacher_parameters
from tinybert.stages.steps.baselines.fine_tune_only import RATES
from tinybert.storage import cache_folder
from tinybert.teachers import TeacherShape, estimate_mb


def check_disk(context: Context) -> list[Finding]:
    """Compare checkpoints and the teacher store with the free disk."""
    plan = context.plan
    at_once = len(RATES) if "fine_tune_only" in plan.baselines else 1
    trained = at_once * num_parameters(plan, context.data.labels)
    if plan.teacher.kind == "encoder":
        trained = max(trained, teacher_parameters(plan))
    checkpoints = 2 * 12 * trained / 1e6  # the best and the last, weights and moments
    store = store_estimate(context)
    folder = cache_folder()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 1e6
    kept = store if plan.recipe.teacher.store != "off" and store <= plan.recipe.teacher.store_budget_mb else 0
    text = (
        f"checkpoints about {checkpoints:,.0f} MB, teacher store {store:,.0f} MB"
        + ("" if kept else " (not kept: over the budget or off)")
        + f"; {free:,.0f} MB free"
    )
    if checkpoints + kept > free:
        return [Finding("stop", "disk", f"{text}; free some, or set teacher.store=off")]
    return [Finding("ok", "disk", text)]


def store_estimate(context: Context) -> float:
    """Return the teacher store's size in MB, from the lengths of at most 2,000 rows."""
    plan, data, tokenizer = context.plan, context.data, context.tokenizer
    info, train = plan.teacher.info, data.splits["train"]
    if info is None:
        return 4 * data.labels.num_labels * len(train) / 1e6
    sample = train.select(range(min(2000, len(train))))
    encoded = encode_split(sample, tokenizer, max_length=plan.training.max_length, format=data.format)
    lengths = lengths_of(encoded)
    wanted = Teaching(plan.losses, plan.layer_map).wanted()
    shape = TeacherShape(
        data.labels.num_labels,
        info.hidden_size,
        info.num_attention_heads,
        every_token=data.format.windowed,
    )
    return estimate_mb(lengths, shape, wanted) * len(train) / len(sample)
