"""Tags as people write them, IO, IOB1, BIOES, BILOU, BMES or bare types, → BIO (also called IOB2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import regex

from tinybert.data.fields import FieldError

OUTSIDE = "O"
TAG = regex.compile(r"([BIESLUM])[-_](.+)", regex.DOTALL)
BEGINS, ENDS = "BSU", "ESLU"
LOOKS_MARKED = regex.compile(r"[BIESLUM][-_].+|.+[-_][BIESLUM]", regex.DOTALL | regex.IGNORECASE)


@dataclass(frozen=True)
class Scheme:
    """How tags mark where entities begin and end.

    Attributes:
        name: As the field calls it.
        begins: Letters that always begin an entity.
        continues: Letters that only continue one of their type.
        free: Letters that continue an entity of their type and begin one elsewhere; "" is a bare type.
        ends: Letters behind which the entity is over.
        unfinished: Letter → the one that its type has instead for an entity's last word.
        only_parts: What begins an entity is only written behind another of its type.
    """

    name: str
    begins: str = ""
    continues: str = ""
    free: tuple[str, ...] = ()
    ends: str = ""
    unfinished: Mapping[str, str] = field(default_factory=dict[str, str])
    only_parts: bool = False

    @property
    def letters(self) -> set[str]:
        """All letters."""
        return {*self.begins, *self.continues, *self.free}


IOB2 = Scheme("IOB2", begins="B", continues="I")
IOB1 = Scheme("IOB1", begins="B", free=("I",), only_parts=True)
IO = Scheme("IO", free=("I",))
PLAIN = Scheme("plain", free=("",))
BIOES = Scheme("BIOES", begins="BS", continues="IE", ends="ES", unfinished={"B": "S", "I": "E"})
BILOU = Scheme("BILOU", begins="BU", continues="IL", ends="LU", unfinished={"B": "U", "I": "L"})
BMES = Scheme("BMES", begins="BS", continues="ME", ends="ES", unfinished={"B": "S", "M": "E"})


def split_tag(name: str) -> tuple[str, str]:
    """Return a tag's letter and type; O has neither, a bare type no letter.

    Example:
        >>> split_tag("B-PER"), split_tag("PER"), split_tag("O")
        (('B', 'PER'), ('', 'PER'), ('', ''))
    """
    match = TAG.fullmatch(name)
    if match is None:
        return "", "" if name == OUTSIDE else name
    return str(match[1]), str(match[2])


def schemes_of(names: Sequence[str]) -> tuple[Scheme, ...]:
    """Return the schemes that a model's tags may be of; none where they are no tags.

    Two where every type has B- and I-: these are the tags of IOB2 and of IOB1.

    Example:
        >>> [scheme.name for scheme in schemes_of(["B-LOC", "I-LOC", "I-PER", "O"])]
        ['IOB1']
    """
    tags = [split_tag(name) for name in names if name != OUTSIDE]
    letters = {letter for letter, _ in tags}
    if letters == {""} and OUTSIDE in names and not any(LOOKS_MARKED.fullmatch(name) for name in names):
        return (PLAIN,)
    if letters == {"I"}:
        return (IO,)
    if letters <= {"B", "I"}:
        begun, inside = ({kind for mark, kind in tags if mark == letter} for letter in "BI")
        fitting = (IOB2,) * (begun >= inside) + (IOB1,) * (inside >= begun and bool(inside))
        return fitting or (IOB1,)
    return next(((scheme,) for scheme in (BIOES, BILOU, BMES) if letters <= scheme.letters), ())


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


def legal_to_bio(tags: Sequence[str]) -> list[str]:
    """Return legal tags of any scheme as BIO; a bare type continues the one before it.

    Example:
        >>> legal_to_bio(["PER", "PER", "LOC", "O"])
        ['B-PER', 'I-PER', 'B-LOC', 'O']
    """
    return to_bio([f"I-{tag}" if tag != OUTSIDE and not split_tag(tag)[0] else tag for tag in tags])[0]


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
