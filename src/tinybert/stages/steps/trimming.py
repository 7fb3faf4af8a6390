"""A distillation on the vocabulary of its own text: what reads it is trimmed before anything else.

The pieces of the training rows, of their copies and of ``student.vocabulary_text`` are kept: of whole rows,
not only of what ``data.max_length`` leaves. The student's source, its teacher and the weights before
fine-tuning are trimmed alike. So they read the same tokens, and the training rows as before. A teacher with
another tokenizer is not trimmed: it reads its own tokens.

Other text may hold pieces that are gone. A teacher is therefore scored, and kept, with its whole vocabulary.
"""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from transformers import PreTrainedTokenizerBase

from tinybert.config import CorpusSection
from tinybert.console import say
from tinybert.corpus.wordpiece import PREFIX
from tinybert.data import TextData, encode_split
from tinybert.data.encode import IGNORED_CLASS, TARGET_LENGTH
from tinybert.models import describe, load_config, load_tokenizer
from tinybert.models.load import checkpoint_path, count_parameters
from tinybert.models.pooling import copy_sentence_encoder
from tinybert.models.tokenizers import same_tokenizer
from tinybert.models.trim import (
    PieceCounts,
    choose_pieces,
    count_pieces,
    load_for_trimming,
    restore_vocabulary,
    trim_model,
    trim_tokenizer,
    write_trimmed,
)
from tinybert.stages.plan.distillation import DistillPlan
from tinybert.stages.steps.fit import MODEL, save_checkpoint
from tinybert.stages.steps.prepare import load_for_labels
from tinybert.stages.steps.start import PROJECTION_FILE
from tinybert.stages.steps.vocabulary import read_text, texts_of
from tinybert.storage import Json

WHOLE_ROWS = 1_000_000
"""Longest row in tokens where pieces are counted: none is truncated."""


@dataclass(frozen=True)
class Trimmed:
    """What was trimmed for a distillation.

    Attributes:
        plan: The distillation as it was planned, with whole vocabularies.
        summary: Of :func:`trim_checkpoints`.
    """

    plan: DistillPlan
    summary: Json

    @property
    def kept(self) -> list[int]:
        """The ids that were kept, in the order of the new ones."""
        return cast(list[int], self.summary["kept"])

    def has(self, path: str) -> bool:
        """Return whether this model was trimmed."""
        return path in cast("dict[str, str]", self.summary["places"])


def trim_checkpoints(plan: DistillPlan, data: TextData, folder: Path) -> Json:
    """Trim every model of a distillation that reads with the student's tokenizer.

    Args:
        plan: The distillation.
        data: Its rows, copies among them.
        folder: Gets a checkpoint for each model.

    Returns:
        The ids that are kept, the new place of each checkpoint, and what the other splits lose.
    """
    tokenizer = load_tokenizer(plan.source)
    paths = _read_alike(plan, tokenizer)
    counts = _counts_of_rows(data, "train", tokenizer, folder) + _counts_of_text(plan, tokenizer, folder)
    kept = sorted({id for path in paths for id in choose_pieces(tokenizer, load_config(path), counts)})
    small = trim_tokenizer(tokenizer, kept)
    places = {path: str(number) for number, path in enumerate(paths)}
    for path, place in places.items():
        model, _ = load_for_trimming(checkpoint_path(path))
        write_trimmed(folder / place, trim_model(model, kept), small)
        copy_sentence_encoder(path, folder / place)
        projection = Path(checkpoint_path(path)) / PROJECTION_FILE
        if projection.is_file():
            shutil.copyfile(projection, folder / place / PROJECTION_FILE)
    say(f"vocabulary: {len(kept):,} of {len(tokenizer):,} pieces kept")
    return {
        "kept": kept,
        "places": places,
        "num_pieces": len(kept),
        "num_pieces_before": len(tokenizer),
        "splits": {
            name: _losses(
                _counts_of_rows(data, name, tokenizer, folder).pieces,
                _counts_of_rows(data, name, small, folder).pieces,
                kept,
                tokenizers=(tokenizer, small),
            )
            for name in data.splits
            if name != "train"
        },
    }


def _read_alike(plan: DistillPlan, tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """Return the models of a plan with the student's tokenizer, its source first."""
    paths = [plan.source]
    if plan.teacher.kind != "file":
        paths.append(plan.teacher.path)
    if (
        plan.pretrained is not None
        and "fine_tune_only" in plan.baselines
        and plan.start in ("slice", "project")
    ):
        paths.append(plan.pretrained)
    if plan.taught is not None and plan.taught.origin is not None:
        paths.append(plan.taught.origin)
    others = dict.fromkeys(path for path in paths if path != plan.source)
    return [plan.source, *(path for path in others if same_tokenizer(tokenizer, load_tokenizer(path)))]


def _counts_of_rows(
    data: TextData, split: str, tokenizer: PreTrainedTokenizerBase, folder: Path
) -> PieceCounts:
    """Return what the rows of a split use, as their task encodes them, without the tokens around a text."""
    encoded = encode_split(
        data.splits[split], tokenizer, max_length=WHOLE_ROWS, format=data.format, cache_dir=folder / "counted"
    )
    pieces = Counter[int]()
    names = ["input_ids", *(["labels"] if TARGET_LENGTH in encoded.column_names else [])]  # written, too
    for batch in encoded.select_columns(names).iter(1000):
        for rows in cast("dict[str, list[list[int]]]", batch).values():
            for ids in rows:
                pieces.update(ids)
    del pieces[IGNORED_CLASS]
    for index in tokenizer.all_special_ids:
        if index != tokenizer.unk_token_id:
            del pieces[index]
    names = tokenizer.convert_ids_to_tokens(list(pieces))
    return PieceCounts(pieces, {letter for name in names for letter in name.removeprefix(PREFIX)})


def _counts_of_text(plan: DistillPlan, tokenizer: PreTrainedTokenizerBase, folder: Path) -> PieceCounts:
    """Return what ``student.vocabulary_text`` uses."""
    source = plan.recipe.student.vocabulary_text
    if source is None:
        return PieceCounts()
    every = CorpusSection(min_chars=1, near_duplicates=None)
    text = read_text(source, settings=every, column=None, work=folder / "text")
    return count_pieces(tokenizer, texts_of(text.train, "counting pieces")) + count_pieces(
        tokenizer, texts_of(text.validation)
    )


def _losses(
    before: Counter[int],
    after: Counter[int],
    kept: list[int],
    *,
    tokenizers: tuple[PreTrainedTokenizerBase, PreTrainedTokenizerBase],
) -> Json:
    """Return the share of a split's pieces that are gone, and of those that are unknown before and after."""
    whole, small = (cast(int, each.unk_token_id) for each in tokenizers)  # None occurs nowhere
    still = before.total() - sum(before[index] for index in before.keys() - set(kept))
    return {
        "pieces_lost": round(1 - still / max(before.total(), 1), 6),
        "unknown_before": round(before[whole] / max(before.total(), 1), 6),
        "unknown_after": round(after[small] / max(after.total(), 1), 6),
    }


def with_trimmed(plan: DistillPlan, folder: Path, summary: Json) -> DistillPlan:
    """Return a plan with the trimmed checkpoints in a folder in place of the whole ones."""
    places = cast("dict[str, str]", summary["places"])

    def moved(path: str) -> str:
        return str(folder / places[path]) if path in places else path

    teacher, taught = plan.teacher, plan.taught
    pretrained = None if plan.pretrained is None else moved(plan.pretrained)
    path = moved(teacher.path)
    info = describe(load_config(path)) if teacher.info is not None else None
    if taught is not None and taught.origin is not None:
        taught = replace(taught, origin=moved(taught.origin))
    teacher = replace(teacher, path=path, info=info)
    return replace(plan, source=moved(plan.source), teacher=teacher, pretrained=pretrained, taught=taught)


def restore_teacher(trimmed: Trimmed, data: TextData, path: str, folder: Path) -> Json:
    """Write a teacher that was fine-tuned on the trimmed vocabulary with its whole one.

    Pieces that no training row uses have the embeddings from before fine-tuning. Fine-tuned untrimmed they
    would have the same but for the weight decay, for no row gives them a gradient.

    Args:
        trimmed: What was trimmed.
        data: The rows.
        path: The fine-tuned teacher.
        folder: Gets the checkpoint, as the step of a training has it.
    """
    plan = trimmed.plan
    whole = load_for_labels(plan.teacher.path, plan.task, data.labels, seed=0, new_head=True)
    small = load_for_labels(path, plan.task, data.labels, seed=0, new_head=False)
    tokenizer = load_tokenizer(plan.teacher.path)
    tokenizer.model_max_length = plan.training.max_length
    save_checkpoint(restore_vocabulary(small, whole, trimmed.kept), tokenizer, folder / MODEL)
    return {}


def vocabulary_metrics(trimmed: Trimmed, student: Path) -> Json:
    """Return what ``metrics.json`` says of a trimmed vocabulary.

    Args:
        trimmed: What was trimmed.
        student: The student's checkpoint.
    """
    config = load_config(student)
    num_parameters = count_parameters(config)
    config.vocab_size = load_config(trimmed.plan.source).vocab_size
    said = {name: value for name, value in trimmed.summary.items() if name not in ("kept", "places")}
    return {
        **said,
        "num_parameters": num_parameters,
        "num_parameters_before": count_parameters(config),
        "text": trimmed.plan.recipe.student.vocabulary_text,
    }


def vocabulary_notes(metrics: Json | None) -> list[str]:
    """Return what a report says of a trimmed vocabulary; nothing where it was not trimmed."""
    if metrics is None:
        return []
    more = f" and of {metrics['text']}" if metrics["text"] else ""
    lines = [
        f"Vocabulary: trimmed to the pieces of the training rows{more}: {metrics['num_pieces']:,} of "
        f"{metrics['num_pieces_before']:,} pieces, {metrics['num_parameters']:,} of "
        f"{metrics['num_parameters_before']:,} parameters of the student. The teacher is scored with its "
        "whole vocabulary."
    ]
    for name, split in cast("dict[str, dict[str, float]]", metrics["splits"]).items():
        lines.append(
            f"Vocabulary, {name}: {split['pieces_lost']:.2%} of the pieces are gone, smaller ones instead; "
            f"unknown pieces: {split['unknown_before']:.2%} before, {split['unknown_after']:.2%} after."
        )
    return lines
