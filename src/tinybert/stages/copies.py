"""Changed copies of rows: made block by block, kept on disk, and put behind the rows they come from."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast, overload

import numpy as np
import torch
from datasets import Dataset, concatenate_datasets
from torch import nn
from tqdm.auto import tqdm

from tinybert.augment import BLOCK, Augmenter, build_method, copies_in_blocks, load_vectors, needs
from tinybert.config import AugmentSection, Recipe
from tinybert.data import LabelScheme, TextData
from tinybert.data.arrow import write_batches
from tinybert.data.columns import SOURCE_ROW
from tinybert.errors import DataError, RecipeError
from tinybert.models import load_encoder, load_tokenizer
from tinybert.models.fill import WordFiller, embedding_vectors
from tinybert.models.masked_lm import load_masked_lm
from tinybert.predict import Predictor
from tinybert.runs import write_text
from tinybert.stages.console import say
from tinybert.stages.plan_augment import augment_problems
from tinybert.stages.plan_teacher import plan_config, resolve_path
from tinybert.words import Language, detect_language, word_spans

Copies = list[list[dict[str, Any]]]


def language_of(section: AugmentSection, rows: Dataset) -> Language:
    """Return the language that is set, or that of the rows."""
    if section.language != "auto":
        return section.language
    return detect_language(rows[:200]["text"])


def _refuse_what_lacks(section: AugmentSection, embeddings_of: str | None) -> None:
    """Say what the method lacks in the language of the rows, once that is known."""
    model = None if section.model is None else plan_config(section.model)
    if problems := augment_problems(section, model=model, has_embeddings=embeddings_of is not None):
        raise RecipeError("recipe", problems)


def _words_of(rows: Dataset, language: Language) -> set[str]:
    columns = [name for name in ("text", "text_pair") if name in rows.column_names]
    texts = (cast(str, text) for name in columns for text in rows[name])
    return {text[start:end] for text in texts for start, end in word_spans(text, language)}


def make_augmenter(
    section: AugmentSection,
    *,
    language: Language,
    embeddings_of: str | None,
    bf16: bool,
    needed: Collection[str] = (),
    num_threads: int | None = None,
) -> Augmenter:
    """Return what makes the copies; also called in worker processes, so it takes names, not models.

    Args:
        section: The recipe's.
        language: Of the rows.
        embeddings_of: Model whose word vectors are taken where ``augment.model`` names none.
        bf16: Number format of the model.
        needed: Words whose vectors are kept wherever they stand in ``augment.word_vectors``.
        num_threads: Of torch in this process.
    """
    if num_threads is not None:
        torch.set_num_threads(num_threads)
    wanted = needs(section.method, language)
    filler = vectors = None
    if "filler" in wanted:
        path = resolve_path(str(section.model))
        model = load_masked_lm(path)
        if torch.cuda.is_available():
            nn.Module.to(model, "cuda")
        filler = WordFiller(model, load_tokenizer(path), num_candidates=section.num_candidates, bf16=bf16)
    if "vectors" in wanted and section.word_vectors is not None:
        vectors = load_vectors(section.word_vectors, needed=needed)
    elif "vectors" in wanted:
        path = resolve_path(str(section.model or embeddings_of))
        vectors = embedding_vectors(load_encoder(path), load_tokenizer(path))
    method = build_method(section, language=language, filler=filler, vectors=vectors)
    return Augmenter(method, num_copies=section.copies, language=language)


class _Rows(Sequence[Mapping[str, object]]):
    """Rows of a data set as mappings, a slice at a time."""

    def __init__(self, rows: Dataset) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> Mapping[str, object]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Mapping[str, object]]: ...
    def __getitem__(self, index: int | slice) -> Mapping[str, object] | Sequence[Mapping[str, object]]:
        if not isinstance(index, slice):
            return cast(Mapping[str, object], self.rows[index])
        columns = self.rows[index]
        return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def copies_on_disk(
    rows: Dataset,
    recipe: Recipe,
    folder: Path,
    *,
    labels: LabelScheme,
    embeddings_of: str | None,
    bf16: bool,
    num_processes: int = 1,
) -> Iterator[Copies]:
    """Yield the copies of 256 rows at a time; each block is kept on disk, so a killed run goes on behind it.

    Args:
        rows: All rows.
        recipe: ``augment`` and the seed are read.
        folder: Where finished blocks are kept; made by the same settings.
        labels: Of the rows.
        embeddings_of: See :func:`make_augmenter`.
        bf16: Number format of the filler.
        num_processes: Each with a model of its own.
    """
    section = recipe.augment
    files = [folder / f"block-{start // BLOCK:06d}.json" for start in range(0, len(rows), BLOCK)]
    done = sum(1 for file in files if file.exists())
    language = language_of(section, rows)
    _refuse_what_lacks(section.model_copy(update={"language": language}), embeddings_of)
    make = partial(
        make_augmenter,
        section,
        language=language,
        embeddings_of=embeddings_of,
        bf16=bf16,
        needed=_words_of(rows, language) if section.word_vectors is not None else (),
        num_threads=max(1, torch.get_num_threads() // num_processes) if num_processes > 1 else None,
    )
    left = rows.select(range(done * BLOCK, len(rows)))
    made = copies_in_blocks(
        make,
        _Rows(left),
        label_kind=labels.kind,
        seed=recipe.train.seed,
        num_processes=num_processes,
        first_row=done * BLOCK,
    )
    bar = tqdm(
        total=len(rows), initial=done * BLOCK, desc="augmenting", unit="row", disable=None, leave=False
    )
    with bar:
        for number, file in enumerate(files):
            if number < done:
                yield json.loads(file.read_text(encoding="utf-8"))
                continue
            copies = next(made)
            write_text(file, json.dumps(copies, ensure_ascii=False))
            bar.update(len(copies))
            yield copies


def rows_with_copies(
    train: Dataset,
    recipe: Recipe,
    folder: Path,
    *,
    labels: LabelScheme,
    embeddings_of: str | None,
    teacher: str | None,
    bf16: bool,
    num_processes: int = 1,
) -> Dataset:
    """Return the changed copies of rows, those that change the teacher's mind left out.

    Args:
        train: The rows.
        recipe: The resolved recipe.
        folder: Where finished blocks and the copies are kept.
        labels: Of the rows.
        embeddings_of: See :func:`make_augmenter`.
        teacher: Who is asked where ``augment.max_shift`` is set.
        bf16: Number format of the filler.
        num_processes: That make copies.

    Returns:
        The columns of the rows, and ``source_row``: which row it is a copy of.

    Raises:
        DataError: No row could be changed.
    """
    import pyarrow as pa

    fields = train.features.arrow_schema.remove_metadata()
    schema = fields.append(pa.field(SOURCE_ROW, pa.int64()))
    folder.mkdir(parents=True, exist_ok=True)

    def batches() -> Iterator[pa.RecordBatch]:
        blocks = copies_on_disk(
            train,
            recipe,
            folder,
            labels=labels,
            embeddings_of=embeddings_of,
            bf16=bf16,
            num_processes=num_processes,
        )
        for number, block in enumerate(blocks):
            rows = [
                {**copy, SOURCE_ROW: number * BLOCK + place}
                for place, copies in enumerate(block)
                for copy in copies
            ]
            yield pa.RecordBatch.from_pylist(rows, schema=schema)

    file = folder / "copies.arrow"
    if not file.exists():
        write_batches(file, schema, batches())
    copies = Dataset.from_file(str(file))
    if len(copies) == 0:
        raise DataError(
            "augment",
            "no row could be changed: every word is a stop word, a number, a mark or locked, or none has a "
            "candidate; set augment.language, or another augment.method",
        )
    if len(copies) < len(train) * recipe.augment.copies:
        say("some rows have fewer copies: one that equals its row or another copy is left out")
    if recipe.augment.max_shift is None or teacher is None:
        return copies
    asked = Predictor(resolve_path(teacher), labels=labels)
    kept = keep_near(train, copies, teacher=asked, max_shift=recipe.augment.max_shift)
    say(f"{len(copies) - len(kept):,} of {len(copies):,} copies change the teacher's mind and are left out")
    return kept


def augmented_data(
    data: TextData,
    recipe: Recipe,
    folder: Path,
    *,
    embeddings_of: str | None,
    teacher: str | None,
    bf16: bool,
) -> TextData:
    """Return the data with copies behind the training rows, without labels: the teacher gives them."""
    train = data.splits["train"]
    copies = rows_with_copies(
        train,
        recipe,
        folder,
        labels=data.labels,
        embeddings_of=embeddings_of,
        teacher=teacher,
        bf16=bf16,
    ).remove_columns(SOURCE_ROW)
    say(f"augmentation: {len(copies):,} copies of {len(train):,} rows")
    bare = copies.map(_without_label, batched=True, features=train.features, load_from_cache_file=False)
    return replace(data, splits={**data.splits, "train": concatenate_datasets([train, bare])})


def _without_label(batch: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    return {"label": [None] * len(batch["label"])}


def keep_near(rows: Dataset, copies: Dataset, *, teacher: Predictor, max_shift: float) -> Dataset:
    """Leave copies out that change the teacher's mind.

    Args:
        rows: The originals.
        copies: Their copies, with ``source_row``.
        teacher: Who is asked.
        max_shift: Largest total variation between the teacher's probabilities for a copy and its original.
    """
    asked = copies.remove_columns(SOURCE_ROW)
    before, after = (_probabilities(teacher, each) for each in (rows, asked))
    shift = 0.5 * np.abs(after - before[np.asarray(copies[SOURCE_ROW])]).sum(1)
    return copies.select(np.flatnonzero(shift <= max_shift))


def _probabilities(teacher: Predictor, rows: Dataset) -> np.ndarray:
    logits = torch.from_numpy(np.asarray(teacher.outputs(rows), dtype=np.float32))
    return logits.softmax(-1).numpy()
