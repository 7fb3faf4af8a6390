"""Tags as people write them, BIO, IOB1, BIOES, BILOU or BMES, → BIO (also called IOB2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import regex

from tinybert.data.fields import FieldError

OUTSIDE = "O"
TAG = regex.compile(r"([BIESLUM])[-_](.+)", regex.DOTALL)
BEGINS, ENDS = "BSU", "ESLU"


def to_bio(tags: Sequence[str], column: str = "tags") -> tuple[list[str], int]:
    """Return the tags as BIO, and how many entities began with a tag that should only continue one.

    Raises:
        FieldError: A tag is of no known scheme.

    Example:
        >>> to_bio(["S-LOC", "O", "B-PER", "E-PER"])
        (['B-LOC', 'O', 'B-PER', 'I-PER'], 0)
        >>> to_bio(["I-PER", "I-PER", "B-PER"])
        (['B-PER', 'I-PER', 'B-PER'], 1)
    """
    bio: list[str] = []
    open_type: str | None = None
    num_orphans = 0
    for tag in tags:
        match = TAG.fullmatch(tag)
        if match is None and tag != OUTSIDE:
            raise FieldError(
                column,
                f"tag {tag!r}: a tag is O, or a letter (B, I; M, E, S; L, U), "
                "a hyphen and a type: B-PER, I-PER",
            )
        if match is None:
            bio.append(OUTSIDE)
            open_type = None
            continue
        letter, kind = str(match[1]), str(match[2])
        goes_on = letter not in BEGINS and open_type == kind
        num_orphans += letter not in BEGINS and not goes_on
        bio.append(f"{'I' if goes_on else 'B'}-{kind}")
        open_type = None if letter in ENDS else kind
    return bio, num_orphans


def is_tag(word: str) -> bool:
    """Return whether a word is O or a tag such as B-PER."""
    return word == OUTSIDE or TAG.fullmatch(word) is not None


def tag_names(tags: Iterable[str]) -> tuple[str, ...]:
    """Return the tags that a model of these tags needs: O, and for each type B- and I-.

    An odd number begins an entity and the next continues it.

    Example:
        >>> tag_names(["B-PER", "O", "B-LOC"])
        ('O', 'B-LOC', 'I-LOC', 'B-PER', 'I-PER')
    """
    kinds = sorted({tag[2:] for tag in tags if tag != OUTSIDE})
    return (OUTSIDE, *(f"{letter}-{kind}" for kind in kinds for letter in "BI"))


def orphan_message(tags: Sequence[str]) -> str:
    """Name the first tag that continues an entity which has not begun."""
    open_type = None
    for index, tag in enumerate(tags):
        match = TAG.fullmatch(tag)
        if match and match[1] not in BEGINS and match[2] != open_type:
            return f"tag {index + 1} is {tag!r} without a B-{match[2]} before it; write B-{match[2]}"
        open_type = match[2] if match and match[1] not in ENDS else None
    raise AssertionError("an orphan was counted")
