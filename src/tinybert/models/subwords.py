"""How each kind of tokenizer builds its pieces, as far as a vocabulary without some of them must know it.

A kind says which pieces spell a text that the vocabulary has never seen, which pieces another one is made of,
and how its part of ``tokenizer.json`` looks with fewer pieces. Cut this way, a text whose pieces are all kept
is cut into the same pieces as before:

- *WordPiece* takes the longest piece that fits, then the next. A piece that a text never produced was never
  the longest that fits there.
- *Unigram* takes the pieces with the highest sum of scores. Without a piece there are fewer ways to cut a
  text, and the best one is still there.
- *BPE* joins neighbours in the order of its merges. The merges that lead to a piece are the same in every
  text; without others, nothing comes before them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

from tokenizers.pre_tokenizers import ByteLevel

from tinybert.corpus.wordpiece import PREFIX

Tree = dict[str, object]


@dataclass(frozen=True)
class SubwordModel:
    """One kind of vocabulary, as ``model`` of a ``tokenizer.json`` holds it.

    Attributes:
        always: From the model and the characters of a text, to the pieces that stay whatever the text uses:
            they spell these characters, and what the kind itself relies on.
        parts: From the model, to a function from a piece to the pieces on its way, itself included.
        cut: From the model and the new id of each kept one, to the model with these pieces only.
        problem: From the model, to why it cannot be trimmed; empty where it can.
    """

    always: Callable[[Tree, Collection[str]], Iterable[str]]
    parts: Callable[[Tree], Callable[[str], Collection[str]]]
    cut: Callable[[Tree, Mapping[int, int]], Tree]
    problem: Callable[[Tree], str] = lambda model: ""


def _itself(model: Tree) -> Callable[[str], Collection[str]]:
    return lambda piece: (piece,)


def _spell_words(model: Tree, characters: Collection[str]) -> Iterable[str]:
    """Return the characters as they begin and as they continue a word."""
    return [form for character in characters for form in (character, PREFIX + character)]


def _cut_numbered(model: Tree, new: Mapping[int, int]) -> Tree:
    """Cut a vocabulary that is a piece → id table."""
    vocabulary = cast("dict[str, int]", model["vocab"])
    kept = {piece: new[index] for piece, index in vocabulary.items() if index in new}
    return model | {"vocab": dict(sorted(kept.items(), key=lambda item: item[1]))}


def _spell_scored(model: Tree, characters: Collection[str]) -> Iterable[str]:
    """Return the characters, the bytes, the piece with the lowest score and those up to the unknown one.

    An unknown character costs ten less than the lowest score of all: without that piece it would cost less,
    and words that contain one would be cut otherwise. Classes of ``transformers`` build a tokenizer with the
    unknown piece at a number of theirs (XLM-R: 3).
    """
    pieces = cast("list[tuple[str, float]]", model["vocab"])
    unknown = cast("int | None", model.get("unk_id"))
    first = [] if unknown is None else [piece for piece, _ in pieces[: unknown + 1]]
    lowest = min(pieces, key=lambda entry: entry[1])[0]
    return [*characters, *_fallback_bytes(model), *first, lowest]


def _cut_scored(model: Tree, new: Mapping[int, int]) -> Tree:
    """Cut a list of pieces and scores; a piece's place in it is its id."""
    unknown = cast("int | None", model.get("unk_id"))
    pieces = [entry for index, entry in enumerate(cast("list[object]", model["vocab"])) if index in new]
    return model | {"vocab": pieces, "unk_id": None if unknown is None else new[unknown]}


def _spell_merged(model: Tree, characters: Collection[str]) -> Iterable[str]:
    """Return the characters and the bytes: of a byte-level vocabulary, all 256."""
    return [*characters, *_fallback_bytes(model), *ByteLevel.alphabet()]


def _merge_parts(model: Tree) -> Callable[[str], Collection[str]]:
    """Return a function from a piece to the pieces that BPE joins on its way to it."""
    ranks = {pair: rank for rank, pair in enumerate(_merges(model))}

    def parts(piece: str) -> Collection[str]:
        symbols, found = list(piece), {piece, *piece}
        while len(symbols) > 1:
            pairs = list(pairwise(symbols))
            place = min(range(len(pairs)), key=lambda at: ranks.get(pairs[at], len(ranks)))
            if pairs[place] not in ranks:
                break
            symbols[place : place + 2] = ["".join(pairs[place])]
            found.add(symbols[place])
        return found

    return parts


def _cut_merged(model: Tree, new: Mapping[int, int]) -> Tree:
    """Cut a vocabulary and its merges: those whose parts and result are kept, in their old order."""
    cut = _cut_numbered(model, new)
    kept = cast("dict[str, int]", cut["vocab"])
    merges = [list(pair) for pair in _merges(model) if kept.keys() >= {*pair, "".join(pair)}]
    return cut | {"merges": merges}


def _merges(model: Tree) -> list[tuple[str, str]]:
    """Return the merges; older files write a pair as one string."""
    given = cast("list[str | list[str]]", model["merges"])
    pairs = [pair.split(" ") if isinstance(pair, str) else pair for pair in given]
    return [(left, right) for left, right in pairs]


def _marked_words(model: Tree) -> str:
    marks = {name: model.get(name) for name in ("continuing_subword_prefix", "end_of_word_suffix")}
    return "; ".join(f"it marks its pieces by {name} {mark!r}" for name, mark in marks.items() if mark)


def _fallback_bytes(model: Tree) -> list[str]:
    """Return the pieces that spell a character without a piece byte by byte."""
    return [f"<0x{byte:02X}>" for byte in range(256)] if model.get("byte_fallback") else []


BUILTIN: dict[str, SubwordModel] = {
    "WordPiece": SubwordModel(_spell_words, _itself, _cut_numbered),
    "Unigram": SubwordModel(_spell_scored, _itself, _cut_scored),
    "BPE": SubwordModel(_spell_merged, _merge_parts, _cut_merged, _marked_words),
}
"""Kinds of vocabulary that can be trimmed, as ``tokenizers`` names them."""
