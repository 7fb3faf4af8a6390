"""What a tokenizer does not know of some texts, and whether it treats capitals as its vocabulary does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import regex
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

CANDIDATES = 50
LETTERS = regex.compile(r"[\p{L}\p{N}]+")
CAPITAL = regex.compile(r"\p{Lu}")
WORD = regex.compile(r"[\p{Lu}\p{Ll}]{2,}")
MIN_WORDS = 20
CASED, UNCASED = 0.1, 0.001
"""Of the words of a vocabulary, the share with a capital: at least in a cased one, at most in another."""
MIN_CAPITALS = 0.001


@dataclass(frozen=True)
class UnknownPieces:
    """What a tokenizer does not know of some texts.

    Attributes:
        num_pieces: Pieces of the texts.
        num_unknown: Of these, unknown ones; letters that leave no piece at all count as one.
        examples: What is unknown most often: characters, or words where each of their characters is known.
    """

    num_pieces: int
    num_unknown: int
    examples: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """The share of unknown pieces."""
        return self.num_unknown / max(self.num_pieces, 1)


def count_unknown(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> UnknownPieces:
    """Count the pieces of texts that a tokenizer does not know, and find what they are.

    A tokenizer of bytes knows all; one without an unknown piece may drop what it does not know. One that is
    not fast does not say where its pieces are: then there are no examples.
    """
    unknown = tokenizer.unk_token_id
    if not tokenizer.is_fast:
        rows = tokenizer(list(texts), add_special_tokens=False, truncation=False, verbose=False)["input_ids"]
        return UnknownPieces(sum(map(len, rows)), sum(ids.count(unknown) for ids in rows))
    lost: Counter[str] = Counter()
    found = tokenizer(
        list(texts), add_special_tokens=False, truncation=False, return_offsets_mapping=True, verbose=False
    )
    num_pieces = 0
    for text, ids, offsets in zip(texts, found["input_ids"], found["offset_mapping"], strict=True):
        dropped = _dropped(text, offsets)
        num_pieces += len(ids) + len(dropped)
        lost.update(dropped)
        if unknown in ids:
            spots = zip(ids, offsets, strict=True)
            lost.update(text[start:end] for piece, (start, end) in spots if piece == unknown)
    return UnknownPieces(num_pieces, lost.total(), _examples(tokenizer, lost))


def _dropped(text: str, offsets: Sequence[tuple[int, int]]) -> list[str]:
    """Return the letters of a text that no piece covers."""
    dropped: list[str] = []
    covered = 0
    for start, end in [*offsets, (len(text), len(text))]:
        if start > covered:
            dropped += LETTERS.findall(text[covered:start])
        covered = max(covered, end)
    return dropped


def _examples(tokenizer: PreTrainedTokenizerBase, lost: Counter[str], *, limit: int = 5) -> tuple[str, ...]:
    """Return the characters that are unknown by themselves, or else what is unknown as a whole."""
    characters: Counter[str] = Counter()
    for unknown, times in lost.items():
        characters.update(dict.fromkeys(unknown, times))
    often = [character for character, _ in characters.most_common(CANDIDATES) if not character.isspace()]
    alone = tokenizer(often, add_special_tokens=False, verbose=False)["input_ids"] if often else []
    guilty = [
        character
        for character, ids in zip(often, alone, strict=True)
        if tokenizer.unk_token_id in ids or not ids
    ]
    return tuple(guilty[:limit] or [unknown for unknown, _ in lost.most_common(limit)])


def case_problem(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> str | None:
    """Say that a tokenizer lower-cases for a cased vocabulary, or keeps the capitals that another lacks."""
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        return None
    added = tokenizer.get_added_vocab()
    words = [piece for piece in tokenizer.get_vocab() if piece not in added and WORD.search(piece)]
    if len(words) < MIN_WORDS:
        return None
    share = sum(CAPITAL.search(word) is not None for word in words) / len(words)
    normalizer = tokenizer.backend_tokenizer.normalizer
    lowers = normalizer is not None and "A" not in normalizer.normalize_str("A")
    if lowers and share >= CASED:
        return f"its vocabulary is cased, but it lower-cases all text: {_fix(lowers=False)}"
    if not lowers and share <= UNCASED and _capitals(texts) >= MIN_CAPITALS:
        return (
            "its vocabulary has no capitals, but it does not lower-case text, so words with a capital "
            f"become unknown or single letters: {_fix(lowers=True)}"
        )
    return None


def _capitals(texts: Sequence[str]) -> float:
    """Return the share of capitals among letters and digits."""
    num_letters = sum(len(run) for text in texts for run in LETTERS.findall(text))
    return sum(len(CAPITAL.findall(text)) for text in texts) / max(num_letters, 1)


def _fix(*, lowers: bool) -> str:
    value = str(lowers).lower()
    return (
        f'set "do_lower_case": {value} in its tokenizer_config.json, and "lowercase": {value} in the '
        "normalizer of its tokenizer.json"
    )
