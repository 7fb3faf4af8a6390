"""Changed copies of rows: made block by block, kept on disk, and put behind the rows they come from."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any, cast, overload

import torch
from datasets import Dataset, concatenate_datasets
from torch import nn

from tinybert.augmentation import BLOCK, Augmenter, build_method, copies_in_blocks, load_vectors, needs
from tinybert.augmentation.filler import WordFiller
from tinybert.augmentation.word_pieces import embedding_vectors
from tinybert.checksums import is_kept, record_file
from tinybert.config import AugmentSection, Recipe
from tinybert.console import progress, say
from tinybert.data import RowFormat, TextData
from tinybert.errors import DataError, RecipeError
from tinybert.inference import Predictor
from tinybert.language import TEXTS_LOOKED_AT, Language, detect_language, word_spans
from tinybert.models import load_config, load_encoder, load_tokenizer
from tinybert.models.masked_lm import load_masked_lm
from tinybert.sources.arrow import write_batches
from tinybert.sources.columns import SOURCE_ROW
from tinybert.stages.plan.augmentation import augment_problems
from tinybert.stages.steps.near_copies import scored_copies
from tinybert.storage import write_text
from tinybert.tasks import find_task

Copies = list[list[dict[str, Any]]]
MIXED_SHARE = 0.1


def language_of(section: AugmentSection, rows: Dataset) -> Language:
    """Return the language that is set, or that of the rows."""
    return detect_language(_sample(rows)) if section.language == "auto" else section.language


def _sample(rows: Dataset) -> list[str]:
    """Return some 200 texts from all over the rows."""
    step = -(-len(rows) // TEXTS_LOOKED_AT)
    return rows.select(range(0, len(rows), step))["text"][:]


def _say_if_mixed(section: AugmentSection, rows: Dataset) -> None:
    """Warn where some texts are Chinese and others are not: all are read as one language."""
    sample = _sample(rows)
    num_chinese = sum(detect_language([text]) == "zh" for text in sample)
    if section.language == "auto" and min(num_chinese, len(sample) - num_chinese) > MIXED_SHARE * len(sample):
        say(
            f"warning: {num_chinese:,} of {len(sample):,} texts looked at are Chinese, and all are read as "
            f"{language_of(section, rows)}: augment each language by itself, or set augment.language"
        )


def _refuse_what_lacks(section: AugmentSection, embeddings_of: str | None) -> None:
    """Say what the method lacks in the language of the rows, once that is known."""
    model = None if section.model is None else load_config(section.model)
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
        needed: Words whose vectors are kept wherever they are in ``augment.word_vectors``.
        num_threads: Of torch in this process.
    """
    if num_threads is not None:
        torch.set_num_threads(num_threads)
    wanted = needs(section.method, language)
    filler = vectors = None
    if "filler" in wanted:
        path = str(section.model)
        model = load_masked_lm(path)
        if torch.cuda.is_available():
            nn.Module.to(model, "cuda")
        filler = WordFiller(model, load_tokenizer(path), num_candidates=section.num_candidates, bf16=bf16)
    if "vectors" in wanted and section.word_vectors is not None:
        vectors = load_vectors(section.word_vectors, needed=needed)
    elif "vectors" in wanted:
        path = str(section.model or embeddings_of)
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
    format: RowFormat,
    embeddings_of: str | None,
    bf16: bool,
    num_processes: int = 1,
) -> Iterator[Copies]:
    """Yield the copies of 256 rows at a time; each block is kept on disk, so a killed run resumes behind it.

    Args:
        rows: All rows.
        recipe: ``augment`` and the seed are read.
        folder: Where finished blocks are kept; made by the same settings.
        format: Of the rows.
        embeddings_of: See :func:`make_augmenter`.
        bf16: Number format of the filler.
        num_processes: Each with a model of its own.
    """
    section = recipe.augment
    files = [folder / f"block-{start // BLOCK:06d}.json" for start in range(0, len(rows), BLOCK)]
    done = sum(1 for _ in takewhile(is_kept, files))
    language = language_of(section, rows)
    _say_if_mixed(section, rows)
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
        format=format,
        seed=recipe.train.seed,
        num_processes=num_processes,
        first_row=done * BLOCK,
    )
    begun = min(done * BLOCK, len(rows))
    with progress("augmenting", len(rows), unit="rows", done=begun) as advance:
        for number, file in enumerate(files):
            if number < done:
                yield json.loads(file.read_text(encoding="utf-8"))
                continue
            copies = next(made)
            write_text(file, json.dumps(copies, ensure_ascii=False))
            record_file(file)
            advance(len(copies))
            yield copies


def rows_with_copies(
    train: Dataset,
    recipe: Recipe,
    folder: Path,
    *,
    format: RowFormat,
    embeddings_of: str | None,
    bf16: bool,
    num_processes: int = 1,
) -> Dataset:
    """Return the changed copies of rows.

    Args:
        train: The rows.
        recipe: The resolved recipe.
        folder: Where finished blocks and the copies are kept.
        format: Of the rows.
        embeddings_of: See :func:`make_augmenter`.
        bf16: Number format of the filler.
        num_processes: That make copies.

    Returns:
        The columns of the rows, and ``source_row``: which row it is a copy of.

    Raises:
        DataError: No row could be changed.
    """
    import pyarrow as pa

    schema = train.features.arrow_schema.remove_metadata().append(pa.field(SOURCE_ROW, pa.int64()))
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "copies.arrow"
    if not is_kept(file):
        blocks = copies_on_disk(
            train,
            recipe,
            folder,
            format=format,
            embeddings_of=embeddings_of,
            bf16=bf16,
            num_processes=num_processes,
        )
        numbered = (_numbered(block, number) for number, block in enumerate(blocks))
        write_batches(file, schema, (pa.RecordBatch.from_pylist(rows, schema=schema) for rows in numbered))
        record_file(file)
    copies = Dataset.from_file(str(file))
    if len(copies) == 0:
        shutil.rmtree(folder)  # the corrected command has other settings
        raise DataError(
            "augment",
            "no row could be changed: every word is a stop word, a number, a mark or locked, or none has a "
            "candidate; set augment.language, or another augment.method",
        )
    if len(copies) < len(train) * recipe.augment.copies:
        say("some rows have fewer copies: one that equals its row or another copy is skipped")
    return copies


def _numbered(block: Copies, number: int) -> list[dict[str, Any]]:
    """Return the copies of a block of rows with the row each comes from."""
    return [
        {**copy, SOURCE_ROW: number * BLOCK + index} for index, copies in enumerate(block) for copy in copies
    ]


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
        train, recipe, folder, format=data.format, embeddings_of=embeddings_of, bf16=bf16
    )
    if recipe.augment.max_shift is not None and teacher is not None:
        asked = Predictor(
            teacher,
            backend="torch",
            max_length=recipe.data.max_length,
            labels=data.labels,
            task=find_task(recipe.task),
            format=data.format,
        )
        copies, _ = scored_copies(train, copies, asked, folder, max_shift=recipe.augment.max_shift)
    copies = copies.remove_columns(SOURCE_ROW)
    say(f"augmentation: {len(copies):,} copies of {len(train):,} rows")
    bare = copies.map(_without_label, batched=True, features=train.features, load_from_cache_file=False)
    return replace(data, splits={**data.splits, "train": concatenate_datasets([train, bare])})


def _without_label(batch: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    return {"label": [None] * len(batch["label"])}
