"""Named entities: how many were found, and how many of those found are right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

Span = tuple[int, int, str]
"""First word, the word behind the last, type."""


def entity_metrics(
    found: Sequence[Sequence[Span]], gold: Sequence[Sequence[Span]], *, kinds: Sequence[str]
) -> dict[str, float]:
    """Compare entities, text by text.

    An entity is right when its first word, its last word and its type are. Overlap in part counts half: each
    entity is worth 1 when it is right, ½ when one of the same type on the other side shares a word with it.

    Args:
        found: The entities of each text.
        gold: Those that are there.
        kinds: The types to score one by one.

    Returns:
        ``precision``, ``recall`` and ``f1`` over all entities (micro), ``partial_f1``, ``macro_f1`` (the mean
        over the types), and for each type ``precision/TYPE``, ``recall/TYPE``, ``f1/TYPE``. Where there is
        nothing to divide by, 0.

    Source: as seqeval counts in strict mode (scheme IOB2); overlap in part from SemEval-2013 task 9.1.
    Differs: SemEval gives the half also for another type.

    Example:
        >>> scores = entity_metrics([[(0, 1, "PER")]], [[(0, 2, "PER"), (4, 5, "LOC")]], kinds=["PER", "LOC"])
        >>> scores["f1"], scores["partial_f1"]
        (0.0, 0.3333333333333333)
    """
    right: Counter[str] = Counter()
    num_found: Counter[str] = Counter()
    num_gold: Counter[str] = Counter()
    worth_found = worth_gold = 0.0
    for ours, theirs in zip(found, gold, strict=True):
        num_found.update(kind for _, _, kind in ours)
        num_gold.update(kind for _, _, kind in theirs)
        right.update(kind for _, _, kind in set(ours) & set(theirs))
        worth_found += _worth(ours, theirs)
        worth_gold += _worth(theirs, ours)
    partial = _scores(worth_found, worth_gold, num_found.total(), num_gold.total())
    overall = _scores(right.total(), right.total(), num_found.total(), num_gold.total())
    by_kind = {kind: _scores(right[kind], right[kind], num_found[kind], num_gold[kind]) for kind in kinds}
    return {
        **dict(zip(("precision", "recall", "f1"), overall, strict=True)),
        "partial_f1": partial[2],
        "macro_f1": sum(scores[2] for scores in by_kind.values()) / max(len(by_kind), 1),
        **{
            f"{name}/{kind}": value
            for kind, scores in by_kind.items()
            for name, value in zip(("precision", "recall", "f1"), scores, strict=True)
        },
    }


def _worth(ours: Sequence[Span], theirs: Sequence[Span]) -> float:
    """Return 1 for each of ours that is right, ½ for each that overlaps one of its type."""
    exact = set(theirs)
    return sum(
        1.0
        if span in exact
        else 0.5 * any(kind == span[2] and start < span[1] and span[0] < end for start, end, kind in theirs)
        for span in ours
    )


def _scores(hits_found: float, hits_gold: float, num_found: int, num_gold: int) -> tuple[float, float, float]:
    precision = hits_found / num_found if num_found else 0.0
    recall = hits_gold / num_gold if num_gold else 0.0
    both = precision + recall
    return precision, recall, 2 * precision * recall / both if both else 0.0
