"""Augmentation as a command: a file of rows → a file of the rows and their changed copies."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
from datasets import Dataset

from tinybert.augment import needs
from tinybert.config import Recipe
from tinybert.data import LabelScheme
from tinybert.data.columns import SOURCE_ROW
from tinybert.errors import RecipeError, RunError, TinyBertError
from tinybert.predict import Predictor
from tinybert.runs import Json, digest_input, lock, partial_path, write_text
from tinybert.stages.copies import language_of, rows_with_copies
from tinybert.stages.plan import check_augment, find_task
from tinybert.stages.plan_augment import models_of_augment
from tinybert.stages.plan_teacher import plan_teacher, resolve_path
from tinybert.stages.prepare import load_rows
from tinybert.stages.unread import refuse_unread
from tinybert.tasks import Answer
from tinybert.train import choose_precision
from tinybert.words import Language

PAPERS_COPIES = 20
BLOCKS, PRECISION = "blocks", "precision.json"
UNREAD = ["model", "hard_loss", "corpus", "pretrain", "student", "distill", "baseline"]
UNREAD_PARTS = {
    "data": ["max_length", "label_pieces", "max_leakage"],
    "teacher": ["pretrained", "fine_tune", "num_epochs", "learning_rate", "store", "store_budget_mb"],
    "augment": ["ablation"],
    "train": [name for name in type(Recipe().train).model_fields if name not in ("seed", "precision")],
}


def resolve_augment(recipe: Recipe) -> Recipe:
    """Return the recipe of the command with its defaults decided.

    Raises:
        RecipeError: A setting is not read here, or something the method needs is missing.
    """
    refuse_unread(recipe, UNREAD, UNREAD_PARTS, by="augment")
    task, section = find_task(recipe), recipe.augment
    teacher = None if recipe.teacher.path is None else plan_teacher(recipe, task)
    if teacher is not None and teacher.kind == "encoder":
        raise RecipeError(
            "recipe", f"teacher.path = {teacher.path}: has no head for {task.name}; fine-tune it"
        )
    check_augment(recipe, task, teacher)
    if section.copies == 0 and "copies" in section.model_fields_set:
        raise RecipeError("recipe", "augment.copies = 0: makes nothing; give 1 to 1,000, or leave it out")
    copies = section.copies or PAPERS_COPIES
    return recipe.model_copy(update={"augment": section.model_copy(update={"copies": copies})})


def augment(recipe: Recipe, out: Path, *, num_processes: int = 1) -> Json:
    """Write rows and their changed copies into a JSON-lines file, and return what was made.

    The same call again after a kill goes on behind the last finished block of 256 rows.

    Args:
        recipe: Resolved; ``data``, ``task``, ``augment``, ``teacher.path`` and the seed are read.
        out: The file.
        num_processes: That make copies.

    Raises:
        TinyBertError: What is wrong, all at once.
    """
    if out.suffix != ".jsonl":
        raise RecipeError("--out", f"{out}: give a name that ends in .jsonl")
    if out.exists():
        raise RecipeError("--out", f"{out}: already exists; choose another name, or delete it first")
    work = partial_path(out)
    try:
        work.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(str(out), f"cannot write here: {error.strerror or error}") from error
    held = lock(work, subject=str(out))
    try:
        _refuse_other(recipe, out, work)
        return _made(recipe, out, work, num_processes=num_processes)
    except TinyBertError:
        if not any((work / BLOCKS).glob("block-*.json")):
            shutil.rmtree(work, ignore_errors=True)  # the mended command may well have other settings
        raise
    finally:
        if held is not None:
            held.close()


def _made(recipe: Recipe, out: Path, work: Path, *, num_processes: int) -> Json:
    source, task = str(recipe.data.path), find_task(recipe)
    one_file = Path(source).expanduser().is_file()
    data = load_rows(
        source,
        recipe,
        task,
        work_dir=work / "rows",
        allow_unlabelled=not one_file,
        need=("test",) if one_file else ("train",),
    )
    rows = data.splits["test" if one_file else "train"]
    copies = rows_with_copies(
        rows,
        recipe,
        work / BLOCKS,
        labels=data.labels,
        embeddings_of=recipe.teacher.path,
        teacher=recipe.teacher.path,
        bf16=_fills_in_bf16(recipe, language_of(recipe.augment, rows), work),
        num_processes=num_processes,
    )
    teacher = None
    if recipe.teacher.path is not None and task.label_kind not in ("tags", "span"):
        teacher = Predictor(resolve_path(recipe.teacher.path), labels=data.labels)
    temporary = work / "whole.jsonl"
    with temporary.open("w", encoding="utf-8") as file:
        for row in _written(rows, copies, data.labels, teacher):
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary.replace(out)
    shutil.rmtree(work, ignore_errors=True)
    return {
        "out": str(out),
        "num_rows": len(rows),
        "num_copies": len(copies),
        "labels_of_copies": "teacher" if teacher else ("kept" if _is_local(data.labels) else None),
        "method": recipe.augment.method,
        "language": language_of(recipe.augment, rows),
    }


def _refuse_other(recipe: Recipe, out: Path, work: Path) -> None:
    """Let the same command go on; blocks that were made by another, or from other data, stay as they are.

    Raises:
        RunError: There are such blocks.
    """
    teacher = {} if recipe.teacher.path is None else {"teacher": recipe.teacher.path}
    read = {"data": str(recipe.data.path), **teacher, **models_of_augment(recipe.augment)}
    inputs = {name: digest_input(path) for name, path in read.items()}
    text = json.dumps({"recipe": recipe.model_dump(mode="json"), "inputs": inputs}, sort_keys=True)
    mark = work / "made_from.json"
    if mark.exists() and mark.read_text(encoding="utf-8") != text:
        if any((work / BLOCKS).glob("block-*.json")):
            raise RunError(
                str(out),
                f"an unfinished file with other settings or of other data is in {work}; give its command "
                "again to go on, delete that folder, or choose another --out",
            )
        for part in ("rows", BLOCKS):
            shutil.rmtree(work / part, ignore_errors=True)
        (work / PRECISION).unlink(missing_ok=True)
    write_text(mark, text)


def _fills_in_bf16(recipe: Recipe, language: Language, work: Path) -> bool:
    """Choose the filler's number format, once: a killed command goes on in the same."""
    if "filler" not in needs(recipe.augment.method, language):
        return False
    kept = work / PRECISION
    if not kept.exists():
        write_text(kept, json.dumps(choose_precision(recipe.train.precision)))
    return json.loads(kept.read_text(encoding="utf-8")) == "bf16"


def _written(
    rows: Dataset, copies: Dataset, labels: LabelScheme, teacher: Predictor | None
) -> Iterator[Json]:
    """Yield each row with its copies behind it, in the columns that are read again."""
    answers = teacher.stream(_asked(copies)) if teacher is not None else None
    place = 0
    sources = np.asarray(copies[SOURCE_ROW])
    for number in range(len(rows)):
        yield {**_plain(rows[number], labels), SOURCE_ROW: number}
        while place < len(copies) and sources[place] == number:
            row = _plain(copies[place], labels) | {SOURCE_ROW: number}
            if answers is not None:
                answer = cast(Answer, next(answers))
                row["label"] = answer.score if answer.label is None else answer.label
            yield row
            place += 1


def _asked(rows: Dataset) -> Iterator[str | tuple[str, str]]:
    for row in rows:
        text = cast(dict[str, str], row)
        yield (text["text"], text["text_pair"]) if "text_pair" in text else text["text"]


def _is_local(labels: LabelScheme) -> bool:
    return labels.kind in ("tags", "span")


def _plain(row: Mapping[str, Any], labels: LabelScheme) -> Json:
    """Return a row as people write it."""
    label = row["label"]
    if labels.kind == "tags":
        words = [row["text"][a:b] for a, b in zip(row["word_starts"], row["word_ends"], strict=True)]
        return {"tokens": words, "tags": None if label is None else [labels.names[tag] for tag in label]}
    if labels.kind == "span":
        context = row["text_pair"]
        spans: list[tuple[int, int]] = label or []
        answers = {"text": [context[a:b] for a, b in spans], "answer_start": [a for a, _ in spans]}
        return {"question": row["text"], "context": context, "answers": None if label is None else answers}
    texts = {name: row[name] for name in ("text", "text_pair") if name in row}
    if label is None or labels.kind == "value":
        return {**texts, "label": label}
    if labels.kind == "multi":
        return {**texts, "label": [name for name, on in zip(labels.names, label, strict=True) if on]}
    return {**texts, "label": labels.names[label]}
