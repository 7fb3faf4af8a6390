"""What augmentation works with, small: a filler and word vectors that need no model, and a little WordNet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tinybert.augmentation import Tools, WordNet, WordVectors
from tinybert.augmentation.wordnet import FILES

MEANINGS = {
    "noun": [
        ["film", "movie", "motion_picture"],
        ["fun", "merriment"],
        ["bank", "depository"],
        ["bank", "shore"],
    ],
    "adj": [["good", "fine"], ["funny", "comical(p)", "x-rated"]],
}
LETTER_OF = {"noun": "n", "adj": "a"}
LICENCE = "  1 This software and database is being provided to you  \n"
VECTORS = {
    "good": (1.0, 0.0, 0.0),
    "fine": (0.9, 0.1, 0.0),
    "Good": (1.0, 0.01, 0.0),
    "nice": (0.8, 0.3, 0.0),
    "film": (0.0, 1.0, 0.0),
    "movie": (0.0, 0.9, 0.1),
    "ran": (0.0, 0.0, 1.0),
    "walked": (0.1, 0.0, 0.9),
    "##ing": (0.0, 0.0, 1.0),
    "。": (0.9, 0.0, 0.0),
}


class WordList:
    """A filler that proposes the same words everywhere, and notes what it is asked."""

    def __init__(self, words: Sequence[str] = ("red", "blue", "green"), unknown: Sequence[str] = ()) -> None:
        self.words = list(words)
        self.unknown = set(unknown)
        self.asked: list[tuple[tuple[str, ...], tuple[int, ...]]] = []

    def can_fill(self, words: Sequence[str]) -> list[bool]:
        return [word not in self.unknown for word in words]

    def candidates(
        self, sentences: Sequence[Sequence[str]], places: Sequence[Sequence[int]]
    ) -> list[list[list[str]]]:
        self.asked += [(tuple(words), tuple(asked)) for words, asked in zip(sentences, places, strict=True)]
        return [
            [[word for word in self.words if word != words[i].lower()] for i in asked]
            for words, asked in zip(sentences, places, strict=True)
        ]


def make_vectors() -> WordVectors:
    return WordVectors(list(VECTORS), np.array(list(VECTORS.values()), dtype=np.float32))


def write_wordnet(folder: Path) -> Path:
    """Write WordNet's database files with a few meanings."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        (folder / name).write_text("", encoding="utf-8")
    for part, meanings in MEANINGS.items():
        letter, data, places = LETTER_OF[part], LICENCE, dict[str, list[int]]()
        for words in meanings:
            for word in words:
                places.setdefault(word.partition("(")[0], []).append(len(data))
            listed = " ".join(f"{word} 0" for word in words)
            data += f"{len(data):08d} 00 {letter} {len(words):02x} {listed} 000 | a meaning  \n"
        (folder / f"data.{part}").write_text(data, encoding="utf-8")
        lines = [
            f"{word} {letter} {len(found)} 0 {len(found)} 0 {' '.join(f'{at:08d}' for at in found)}  \n"
            for word, found in sorted(places.items())
        ]
        (folder / f"index.{part}").write_text(LICENCE + "".join(lines), encoding="utf-8")
    return folder


def make_tools(folder: Path, **changes: object) -> Tools:
    """Tools for every method."""
    given = {
        "probability": 0.5,
        "num_candidates": 3,
        "language": "en",
        "filler": WordList(),
        "vectors": make_vectors(),
        "wordnet": WordNet(write_wordnet(folder / "wordnet")),
        **changes,
    }
    return Tools(**given)
