"""Augmentation as a command: a file of rows → a file of the rows and their changed copies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import cast

import numpy as np
from datasets import Dataset

from tinybert.augmentation import needs
from tinybert.config import Recipe, build_recipe, changed_settings, make_recipe, settings, with_settings
from tinybert.data import TextData
from tinybert.errors import RecipeError
from tinybert.inference import Predictor
from tinybert.language import Language
from tinybert.runs import digest_input, refuse_inside
from tinybert.sources.columns import SOURCE_ROW
from tinybert.stages.plan.augmentation import check_augment, models_of_augment
from tinybert.stages.plan.teacher import plan_teacher
from tinybert.stages.plan.training import find_task
from tinybert.stages.stage import Made, Plan
from tinybert.stages.steps.copies import language_of, rows_with_copies
from tinybert.stages.steps.finish import write_bad_rows
from tinybert.stages.steps.near_copies import scored_copies
from tinybert.stages.steps.prepare import load_rows
from tinybert.storage import Json, Output, write_text
from tinybert.tasks import Prediction, Task
from tinybert.training import choose_precision

OF_SPLITS = ("data.max_train_rows", "data.group")
"""Settings that matter only where rows are of a train split."""
PAPERS_COPIES, DECODED_AT_ONCE = 20, 1024
BLOCKS, PRECISION, REPORT, WHOLE = "blocks", "precision.json", ".report.json", "whole.jsonl"


@dataclass(frozen=True)
class AugmentPlan(Plan):
    """Everything an augmentation needs to know before it reads rows.

    Attributes:
        task: The task.
        teacher: Who labels the copies; None where nobody does.
    """

    task: Task
    teacher: str | None

    def inputs(self) -> dict[str, str]:
        """Return what is read besides the rows: name → path."""
        teacher = {} if self.teacher is None else {"teacher": self.teacher}
        return teacher | models_of_augment(self.recipe.augment)


def plan_augment(recipe: Recipe) -> AugmentPlan:
    """Decide everything an augmentation needs.

    Raises:
        RecipeError: Something that the method needs is missing; all problems are listed.
    """
    task, section = find_task(recipe), recipe.augment
    teacher = None if recipe.teacher.path is None else plan_teacher(recipe, task)
    if teacher is not None and teacher.kind == "encoder":
        raise RecipeError(
            "recipe", f"teacher.path = {teacher.path}: has no head for {task.name}; fine-tune it"
        )
    check_augment(recipe, task, teacher)
    if section.copies == 0 and "copies" in section.model_fields_set:
        raise RecipeError("recipe", "augment.copies = 0: makes nothing; give 1 to 1,000, or omit it")
    resolved = with_settings(recipe, {"augment.copies": section.copies or PAPERS_COPIES})
    return AugmentPlan(resolved, task, recipe.teacher.path)


def augment(plan: AugmentPlan, out: Path, source: object) -> Made:
    """Write rows and their changed copies into a JSON-lines file, and return what was made.

    The same call again after a kill resumes behind the last finished block. What is returned is also kept
    beside the file, in ``NAME.report.json``, by which a finished file is known again.

    Args:
        plan: Made by :func:`plan_augment`.
        out: The file.
        source: The rows: anything :func:`tinybert.data.load` reads.

    Raises:
        TinyBertError: What is wrong, all at once.
    """
    if out.suffix != ".jsonl":
        raise RecipeError("--out", f"{out}: give a name that ends in .jsonl")
    one_file = isinstance(source, str | Path) and Path(source).expanduser().is_file()
    unused = [name for name in OF_SPLITS if one_file and name in changed_settings(plan.recipe)]
    if unused:
        what = "a single file is augmented whole; omit it, or give a folder"
        raise RecipeError("recipe", [f"{name}: {what}" for name in unused])
    refuse_inside(out, source)
    origin = _origin(plan, source)
    with _AugmentedFile(out, origin, report=REPORT, file=WHOLE, keep=_has_blocks) as output:
        return Made(out, output.metadata or _made(plan, output, source, one_file=one_file))


class _AugmentedFile(Output):
    """Rows and their copies; known again whatever settings came later."""

    def known(self, *, is_finished: bool) -> Json | None:
        """Return what a file on disk is made from."""
        found = super().known(is_finished=is_finished)
        recipe = None if found is None else found.get("recipe")
        if found is None or not isinstance(recipe, dict):
            return found
        its = cast(Json, recipe)
        return found | {"recipe": _compared(build_recipe(its) if "data" in its else make_recipe(its))}


def _compared(recipe: Recipe) -> Json:
    """Return the settings that make a file another: not how many processes make the copies."""
    found = settings(recipe).items()
    return {name: value for name, value in found if name not in ("stage", "augment.processes")}


def _has_blocks(path: Path, error: BaseException | None) -> bool:
    """Return whether what a stopped command left took time: any other may well have other settings."""
    return any((path / BLOCKS).glob("block-*.json"))


def _origin(plan: AugmentPlan, source: object) -> Json:
    """Return what a file is made from: settings, and digests of what is read."""
    inputs = {name: digest_input(read) for name, read in {"data": source, **plan.inputs()}.items()}
    return {"recipe": _compared(plan.recipe), "inputs": inputs}


def _made(plan: AugmentPlan, output: Output, source: object, *, one_file: bool) -> Json:
    out, work, recipe = output.target, output.path, plan.recipe
    bad_rows = out.with_suffix(".bad_rows.jsonl")
    data = load_rows(
        source,
        recipe,
        plan.task,
        work_dir=work / "rows",
        allow_unlabelled=not one_file,
        need=("test",) if one_file else ("train",),
        bad_rows_go_to=str(bad_rows),
    )
    if data.bad_rows:
        write_bad_rows(data, bad_rows)
    rows = data.splits["test" if one_file else "train"]
    language = language_of(recipe.augment, rows)
    copies = rows_with_copies(
        rows,
        recipe,
        work / BLOCKS,
        format=data.format,
        embeddings_of=plan.teacher,
        bf16=_fills_in_bf16(recipe, language, work),
        num_processes=recipe.augment.processes,
    )
    predictions: Iterator[Prediction] | None = None
    if plan.teacher is not None and not data.format.windowed:
        teacher = Predictor(plan.teacher, backend="torch", labels=data.labels, task=plan.task)
        copies, predictions = _predicted(rows, copies, teacher, recipe, work / BLOCKS)
    with (work / WHOLE).open("w", encoding="utf-8") as file:
        for row in _written(rows, copies, data, predictions):
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    metadata: Json = {
        "out": str(out),
        "num_rows": len(rows),
        "num_rows_refused": len(data.bad_rows),
        "num_copies": len(copies),
        "labels_of_copies": "teacher"
        if predictions is not None
        else ("kept" if data.format.windowed else None),
        "method": recipe.augment.method,
        "language": language,
        "made_from": output.made_from,
    }
    return output.commit(metadata)


def _predicted(
    rows: Dataset, copies: Dataset, teacher: Predictor, recipe: Recipe, folder: Path
) -> tuple[Dataset, Iterator[Prediction]]:
    """Return the copies that shift the teacher's prediction little, and what it predicts for them."""
    copies, scores = scored_copies(rows, copies, teacher, folder, max_shift=recipe.augment.max_shift)
    parts = (
        teacher.task.decode(scores[start : start + DECODED_AT_ONCE], teacher.labels)
        for start in range(0, len(scores), DECODED_AT_ONCE)
    )
    return copies, cast("Iterator[Prediction]", chain.from_iterable(parts))


def _fills_in_bf16(recipe: Recipe, language: Language, work: Path) -> bool:
    """Choose the filler's number format, once: a killed command resumes in the same."""
    if "filler" not in needs(recipe.augment.method, language):
        return False
    kept = work / PRECISION
    try:
        precision = json.loads(kept.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # not chosen yet, or damaged
        precision = choose_precision(recipe.train.precision)
        write_text(kept, json.dumps(precision))
    return precision == "bf16"


def _written(
    rows: Dataset, copies: Dataset, data: TextData, predictions: Iterator[Prediction] | None
) -> Iterator[Json]:
    """Yield each row with its copies behind it, in the columns that are read again."""
    index, write = 0, data.format.writer(rows, data.labels)
    sources = np.asarray(copies[SOURCE_ROW])
    for number in range(len(rows)):
        yield {**write(rows[number]), SOURCE_ROW: number}
        while index < len(copies) and sources[index] == number:
            row = write(copies[index]) | {SOURCE_ROW: number}
            if predictions is not None:
                row["label"] = next(predictions).as_label()
            yield row
            index += 1
