"""New pairs of the sentences of old ones, without labels, for a teacher to label.

    python benchmarks/pairs.py DATA/stsb --neighbours 2 --chance 1 --out OUT/stsb-with-pairs

Each sentence of the training rows is paired with those nearest to it by TF-IDF, and with some at random, where
they are no pair yet. OUT gets the data set's files and ``unlabelled.jsonl``.

Source: Augmented SBERT, arXiv:2010.08240.

Differs: TF-IDF instead of BM25 or a trained encoder, and all pairs are labelled, by a teacher of any kind.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

NAMES = ("text", "text_pair")
AT_ONCE = 1000
Pair = tuple[int, int]


def new_pairs(
    sentences: list[str], old: set[Pair], *, neighbours: int, chance: int, rng: np.random.Generator
) -> set[Pair]:
    """Return pairs of indices, the smaller first, that are not among the old ones."""
    vectors = TfidfVectorizer(sublinear_tf=True).fit_transform(sentences)
    found: set[Pair] = set()
    for start in range(0, len(sentences), AT_ONCE):
        likeness = (vectors[start : start + AT_ONCE] @ vectors.T).toarray()
        for one, row in enumerate(likeness, start):
            row[one] = -1
            nearest = np.argpartition(-row, neighbours)[:neighbours]
            others = [*nearest.tolist(), *rng.integers(0, len(sentences), chance).tolist()]
            found |= {(min(one, other), max(one, other)) for other in others if other != one}
    return found - old


def write(source: Path, out: Path, *, neighbours: int, chance: int) -> int:
    """Write a data set with new pairs beside it; return how many there are."""
    lines = (source / "train.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [tuple(json.loads(line)[name] for name in NAMES) for line in lines]
    sentences = list(dict.fromkeys(sentence for row in rows for sentence in row))
    index = {sentence: number for number, sentence in enumerate(sentences)}
    old = {(min(pair), max(pair)) for pair in ((index[one], index[other]) for one, other in rows)}
    rng = np.random.default_rng(0)
    pairs = sorted(new_pairs(sentences, old, neighbours=neighbours, chance=chance, rng=rng))
    rng.shuffle(pairs)
    out.mkdir(parents=True, exist_ok=True)
    for split in ("train", "validation", "test"):
        shutil.copyfile(source / f"{split}.jsonl", out / f"{split}.jsonl")
    with (out / "unlabelled.jsonl").open("w", encoding="utf-8") as file:
        for pair in pairs:
            one, other = reversed(pair) if rng.random() < 0.5 else pair
            row = dict(zip(NAMES, (sentences[one], sentences[other]), strict=True))
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return len(pairs)


def main() -> None:
    """Write the folder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path)
    parser.add_argument("--neighbours", type=int, default=2)
    parser.add_argument("--chance", type=int, default=1, help="random partners of a sentence")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    count = write(options.source, options.out, neighbours=options.neighbours, chance=options.chance)
    print(f"{count:,} new pairs: {options.out}")


if __name__ == "__main__":
    main()
