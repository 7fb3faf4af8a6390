"""Score a finished model on a split of some data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

from tinybert.config import DataSection
from tinybert.console import warn
from tinybert.data import load
from tinybert.data.labelled import SPLIT_ORDER
from tinybert.errors import RecipeError
from tinybert.evaluation import score_outputs
from tinybert.inference import Predictor
from tinybert.lookup import nearest
from tinybert.runs import Run, digest_input, is_run
from tinybert.sources.objects import source_of
from tinybert.stages.steps.finish import scored_rows
from tinybert.stages.steps.free import free_scores
from tinybert.stages.steps.seen import seen_rows, warn_if_seen
from tinybert.storage import Json


def evaluate_split(
    run: str,
    source: object,
    *,
    split: str,
    settings: DataSection,
    backend: str = "torch",
    task: str | None = None,
    generation: Mapping[str, object] | None = None,
) -> Json:
    """Return a model's metrics on one split; where the run was trained on rows of it, also without those.

    Beside them are those of what its task predicts without a model, their names begun by its name.

    A single file is scored whole, unless the run was trained on this very data: then it is split as it was
    for training, so that no row is scored that the model has seen, and its train split is read for leakage.
    The rows of other data are compared with those that the run was trained on, but for case and white space.
    Columns and what to do with bad rows are then those of the run, where ``settings`` say nothing else.

    Args:
        run: Run, checkpoint or hub name.
        source: Anything :func:`tinybert.data.load` reads.
        split: train, validation or test.
        settings: Columns and what to do with bad rows.
        backend: What predicts: the checkpoint itself, or one of its exports.
        task: The ``package.module:attr`` of a model that was trained for a task of your own.
        generation: Settings of a model that writes texts, as of :class:`~tinybert.inference.Predictor`.

    Raises:
        RecipeError: There is no such split, or settings of generation are wrong.
        DataError: The split is missing, or rows are bad, or a label is one the model does not know.
        ModelError: The checkpoint cannot be used.
    """
    if split not in SPLIT_ORDER:
        allowed = ", ".join(SPLIT_ORDER)
        raise RecipeError("split", f"{split!r}: unknown{nearest(split, SPLIT_ORDER)} (allowed: {allowed})")
    source = source_of(source)
    predictor = Predictor(run, backend=backend, task=task, generation=generation)
    folder = Path(run).expanduser()
    trained_on = is_run(folder) and Run(folder).inputs.get("data") == digest_input(source)
    if trained_on:
        settings = Run(folder).recipe.data.model_copy(update=settings.model_dump(exclude_defaults=True))
    chosen_by = ("validation",) if predictor.task.free else ()
    data = load(
        source,
        settings=settings,
        format=predictor.task.format,
        need=("train", *chosen_by, split) if trained_on else (split,),
        allow_unlabelled=trained_on,
        known_labels=predictor.labels,
    )
    for warning in data.warnings:
        warn(warning)
    rows, leaked = scored_rows(data, split)
    if not trained_on and (seen := seen_rows(run, rows)) is not None:
        warn_if_seen(run, seen, name=split)
        leaked = seen if seen.any() else None
    scores, clean = score_outputs(predictor.task, predictor.outputs(rows), rows, leaked=leaked)
    found: Json = {"split": split, "num_rows": len(rows), "num_rows_refused": len(data.bad_rows), **scores}
    validation_rows = scored_rows(data, "validation")[0] if trained_on and chosen_by else None
    beside = free_scores(predictor.task, rows, validation_rows=validation_rows, split=split)
    for name, row in beside.items():
        found |= {
            f"{name}_{metric}": value for metric, value in cast("Mapping[str, float]", row[split]).items()
        }
    if leaked is None:
        return found
    without = {f"{name}_without_leakage": value for name, value in clean.items()}
    return {**found, "num_rows_leaked": int(leaked.sum()), **without}
