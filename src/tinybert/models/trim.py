"""Fewer pieces, smaller model: keep the part of a vocabulary that a text uses.

A text whose pieces are all kept is cut into the same pieces as before (:mod:`tinybert.models.subwords` says
why), and the model, with fewer rows in its embedding table, predicts the same.

Shapes: V pieces before, K pieces kept.
"""

from __future__ import annotations

import copy
import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import torch
import transformers
from tokenizers import Tokenizer
from torch import nn
from transformers import (
    AutoModel,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)
from transformers.models.auto.auto_factory import _BaseAutoModelClass  # pyright: ignore[reportPrivateUsage]

from tinybert.corpus.batches import batches_of
from tinybert.corpus.wordpiece import write_tokenizer
from tinybert.errors import ModelError
from tinybert.models.families import FAMILIES
from tinybert.models.fit import check_vocabulary
from tinybert.models.load import load_config, load_model, load_tokenizer
from tinybert.models.making import making
from tinybert.models.start.initialise import first_position
from tinybert.models.subwords import BUILTIN as SUBWORDS
from tinybert.models.subwords import SubwordModel, Tree

TOKENIZER_FILE, TOKENIZER_CONFIG = "tokenizer.json", "tokenizer_config.json"


@dataclass
class PieceCounts:
    """What a text uses of a vocabulary.

    Attributes:
        pieces: Id → how often it was produced.
        characters: The characters of the text, as the tokenizer normalises it.
    """

    pieces: Counter[int] = field(default_factory=Counter[int])
    characters: set[str] = field(default_factory=set[str])

    def __add__(self, other: PieceCounts) -> PieceCounts:
        """Return what two texts use together."""
        return PieceCounts(self.pieces + other.pieces, self.characters | other.characters)


def load_for_trimming(path: str | Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a checkpoint with whatever head it has, in the precision it was saved in, and its tokenizer.

    Raises:
        ModelError: It cannot be read, is of an unknown family, or its vocabulary cannot be trimmed.
    """
    config = load_config(path)
    if config.model_type not in FAMILIES:
        raise ModelError(
            str(path),
            f"model_type {config.model_type}: where it keeps its vocabulary is not known "
            f"(supported: {', '.join(FAMILIES)})",
        )
    tokenizer = load_tokenizer(path)
    refuse_other_tokenizers(tokenizer, str(path))
    auto, has_head = _class_of(config)
    dtype = config.dtype if isinstance(config.dtype, torch.dtype) else torch.float32
    model = load_model(auto, path, config, dtype=dtype, seed=0, wants_head=has_head)
    num_rows = cast(nn.Embedding, model.get_input_embeddings()).num_embeddings
    check_vocabulary(path, tokenizer, num_rows=num_rows)
    return model, tokenizer


def _class_of(config: PreTrainedConfig) -> tuple[type[_BaseAutoModelClass], bool]:
    """Return the class that a checkpoint was saved from, and whether it has a head."""
    name = (config.architectures or [""])[0]
    known = getattr(transformers, name, None) if name else None
    if isinstance(known, type) and issubclass(known, PreTrainedModel):
        # a class of its own is called as an auto class is
        return cast("type[_BaseAutoModelClass]", known), "For" in name
    return AutoModel, False


def refuse_other_tokenizers(tokenizer: PreTrainedTokenizerBase, name: str) -> None:
    """Refuse a tokenizer whose vocabulary cannot be trimmed.

    Raises:
        ModelError: It is of another kind than those of :mod:`tinybert.models.subwords`.
    """
    model: Tree = _subword_tree(tokenizer) if tokenizer.is_fast else {"type": "slow"}
    kind = str(model["type"])
    problem = SUBWORDS[kind].problem(model) if kind in SUBWORDS else "how it builds its pieces is not known"
    if problem:
        raise ModelError(
            name,
            f"its tokenizer is {kind}: {problem}; those that can be trimmed: WordPiece (BERT, DistilBERT, "
            "ELECTRA), Unigram (XLM-R, CamemBERT, multilingual E5), BPE whose pieces have no marks (RoBERTa)",
        )


def count_pieces(tokenizer: PreTrainedTokenizerBase, texts: Iterable[str]) -> PieceCounts:
    """Return which pieces of a vocabulary, and which characters, a text uses."""
    counts = PieceCounts()
    normalizer = _backend(tokenizer).normalizer
    for batch in batches_of(texts):
        encoded = tokenizer(
            batch,
            add_special_tokens=False,
            truncation=False,
            return_attention_mask=False,
            return_token_type_ids=False,
            verbose=False,
        )
        for ids in cast("list[list[int]]", encoded["input_ids"]):
            counts.pieces.update(ids)
        whole = "\n".join(batch)
        counts.characters.update(normalizer.normalize_str(whole) if normalizer else whole)
    return counts


def choose_pieces(
    tokenizer: PreTrainedTokenizerBase,
    config: PreTrainedConfig,
    counts: PieceCounts,
    *,
    min_count: int = 1,
    vocab_size: int | None = None,
) -> list[int]:
    """Return the ids to keep, in their old order.

    Kept are all special and added tokens, all characters used, and every piece used at least ``min_count``
    times, with the pieces it is made of; under a cap the most frequent of these that find room.

    Raises:
        ModelError: The cap is lower than the special tokens and characters alone.
    """
    vocabulary = tokenizer.get_vocab()
    always = set(tokenizer.added_tokens_decoder) | set(tokenizer.all_special_ids)
    always |= {*_token_ids(config).values(), *range(first_position(config))} & set(vocabulary.values())
    subwords, model = _subwords(tokenizer)
    spelling = subwords.always(model, _characters(tokenizer, counts))
    always |= {vocabulary[piece] for piece in spelling if piece in vocabulary}
    if vocab_size is not None and vocab_size < len(always):
        raise ModelError(
            "vocabulary",
            f"vocab_size = {vocab_size:,}: the special tokens and the characters of the text alone are "
            f"{len(always):,} pieces; set vocab_size to {len(always):,} or more",
        )
    names = {index: piece for piece, index in vocabulary.items()}
    parts = subwords.parts(model)
    used = sorted((-count, index) for index, count in counts.pieces.items() if count >= min_count)
    kept = set(always)
    for _, index in used:
        missing = {vocabulary[part] for part in parts(names[index]) if part in vocabulary} - kept
        if vocab_size is None or len(kept) + len(missing) <= vocab_size:
            kept |= missing
    return sorted(kept)


def _characters(tokenizer: PreTrainedTokenizerBase, counts: PieceCounts) -> set[str]:
    """Return the characters of a text as the tokenizer's model reads them: a space as ▁, é as two bytes."""
    cut = _backend(tokenizer).pre_tokenizer
    if cut is None:
        return counts.characters
    read = (piece for each in counts.characters for piece, _ in cut.pre_tokenize_str(each))
    return {character for piece in read for character in piece}


def trim_model(model: PreTrainedModel, kept: Sequence[int]) -> PreTrainedModel:
    """Return a copy of a model with these rows of its embedding table, in this order.

    What else has a row for each piece (a decoder back to the vocabulary and its bias, tied to the embeddings
    or not) is cut likewise: it is what has another shape in a model of K pieces.
    """
    rows_K = torch.tensor(kept)
    config = copy.deepcopy(model.config)
    config.vocab_size = len(kept)
    _renumber(config, kept)
    with making(seed=0):  # all that is drawn is replaced
        trimmed = type(model)(config)
    shapes = {name: tensor.shape for name, tensor in trimmed.state_dict().items()}
    state = {
        name: tensor if tensor.shape == shapes[name] else tensor[rows_K]
        for name, tensor in model.state_dict().items()
    }
    nn.Module.to(trimmed, model.dtype).load_state_dict(state)
    trimmed.tie_weights()
    return trimmed.eval()


def restore_vocabulary(
    model: PreTrainedModel, whole: PreTrainedModel, kept: Sequence[int]
) -> PreTrainedModel:
    """Give a trained model the rest of its vocabulary back.

    Args:
        model: Trimmed, then trained.
        whole: The same model before; what has a row for each piece keeps the rows that the trimmed one lacks.
            It is changed in place.
        kept: As it was trimmed.

    Returns:
        The trained model with V pieces.
    """
    rows_K = torch.tensor(kept)
    state = whole.state_dict()
    for name, tensor in model.state_dict().items():
        if tensor.shape == state[name].shape:
            state[name].copy_(tensor)
        else:
            state[name][rows_K] = tensor
    config = copy.deepcopy(model.config)
    config.update({"vocab_size": whole.config.vocab_size, **_token_ids(whole.config)})
    whole.config = config
    return whole


def _token_ids(config: object) -> dict[str, int]:
    """Return the settings that are ids of pieces: pad_token_id, …."""
    return {
        name: value
        for name, value in vars(config).items()
        if name.endswith("_token_id") and isinstance(value, int)
    }


def _renumber(config: object, kept: Sequence[int]) -> None:
    new = {index: new_id for new_id, index in enumerate(kept)}
    for name, index in _token_ids(config).items():
        setattr(config, name, new.get(index))


def trim_tokenizer(tokenizer: PreTrainedTokenizerBase, kept: Sequence[int]) -> PreTrainedTokenizerBase:
    """Return a copy of a tokenizer with these pieces, numbered in this order."""
    new = {index: new_id for new_id, index in enumerate(kept)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tokenizer.save_pretrained(folder)
        tree = _trimmed_tree(_read_tree(folder / TOKENIZER_FILE), new)
        (folder / TOKENIZER_FILE).write_text(json.dumps(tree, ensure_ascii=False), encoding="utf-8")
        settings = _read_tree(folder / TOKENIZER_CONFIG)
        if isinstance(added := settings.get("added_tokens_decoder"), dict):
            settings["added_tokens_decoder"] = {
                str(new[int(index)]): token for index, token in cast("dict[str, object]", added).items()
            }
            (folder / TOKENIZER_CONFIG).write_text(json.dumps(settings, ensure_ascii=False), encoding="utf-8")
        return load_tokenizer(folder)


def _trimmed_tree(tree: Tree, new: Mapping[int, int]) -> Tree:
    """Return the content of a ``tokenizer.json`` with new numbers wherever it names a piece by its number."""
    model = cast(Tree, tree["model"])
    added = cast("list[Tree]", tree["added_tokens"])
    return tree | {
        "model": SUBWORDS[str(model["type"])].cut(model, new),
        "added_tokens": [token | {"id": new[cast(int, token["id"])]} for token in added],
        "post_processor": _renumbered_processor(tree["post_processor"], new),
    }


def _renumbered_processor(processor: object, new: Mapping[int, int]) -> object:
    """Return a post-processor with new numbers: templates, the older kinds with cls and sep, sequences."""
    if not isinstance(processor, dict):
        return processor
    changed = dict(cast(Tree, processor))
    for name in ("cls", "sep"):
        if name in changed:
            piece, index = cast("tuple[str, int]", changed[name])
            changed[name] = [piece, new[index]]
    if "processors" in changed:
        changed["processors"] = [
            _renumbered_processor(each, new) for each in cast("list[object]", changed["processors"])
        ]
    if "special_tokens" in changed:
        changed["special_tokens"] = {
            piece: entry | {"ids": [new[index] for index in cast("list[int]", entry["ids"])]}
            for piece, entry in cast("dict[str, Tree]", changed["special_tokens"]).items()
        }
    return changed


def write_trimmed(folder: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Write an ordinary checkpoint; a WordPiece vocabulary also line by line, as BERT has it."""
    model.save_pretrained(folder)
    if _subword_tree(tokenizer)["type"] == "WordPiece":
        write_tokenizer(tokenizer, folder)
    else:
        tokenizer.save_pretrained(folder)


def _backend(tokenizer: PreTrainedTokenizerBase) -> Tokenizer:
    return cast(PreTrainedTokenizerFast, tokenizer).backend_tokenizer


def _subwords(tokenizer: PreTrainedTokenizerBase) -> tuple[SubwordModel, Tree]:
    """Return how a tokenizer builds its pieces, and the part of its file that says from what."""
    model = _subword_tree(tokenizer)
    return SUBWORDS[str(model["type"])], model


def _subword_tree(tokenizer: PreTrainedTokenizerBase) -> Tree:
    return cast(Tree, cast(Tree, json.loads(_backend(tokenizer).to_str()))["model"])


def _read_tree(path: Path) -> Tree:
    return cast(Tree, json.loads(path.read_text(encoding="utf-8")))
