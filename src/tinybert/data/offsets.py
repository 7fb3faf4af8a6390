"""How offsets in a text were counted: in characters from 0, as here, or as other programs count."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Literal

import regex

Unit = Literal["characters", "UTF-16 code units", "bytes of UTF-8", "grapheme clusters"]
WHOLE_NUMBER = regex.compile(r"([0-9]{1,15})(\.0+)?")
GRAPHEME = regex.compile(r"\X")


@dataclass(frozen=True)
class Reading:
    """A way to count.

    Attributes:
        unit: What is counted; a character is one of Unicode's code points, as in Python.
        first: The number of the first one.
        is_inclusive: An end is the number of the last one, not of the one behind it.
    """

    unit: Unit = "characters"
    first: int = 0
    is_inclusive: bool = False

    def __str__(self) -> str:
        """Name it behind "counted"."""
        first = f" from {self.first}" if self.first else ""
        return f"in {self.unit}{first}" + (", the end being the last one itself" if self.is_inclusive else "")

    def character(self, text: str, offset: int) -> int | None:
        """Return the index of the character at an offset; None where there is none, or it is amid one."""
        offset -= self.first
        if self.unit == "characters":
            return offset if 0 <= offset <= len(text) else None
        characters, offsets = _borders(text, self.unit)
        index = bisect_left(offsets, offset)
        return characters[index] if index < len(offsets) and offsets[index] == offset else None

    def span(self, text: str, start: int, end: int) -> tuple[int, int] | None:
        """Return a span that holds something in characters; None where there is no such span.

        Example:
            >>> Reading("UTF-16 code units").span("😀 Ann", 3, 6)
            (2, 5)
        """
        found = self.character(text, start), self.character(text, end + self.is_inclusive)
        if found[0] is None or found[1] is None or found[0] >= found[1]:
            return None
        return found[0], found[1]


AS_WRITTEN = Reading()
OTHER_UNITS = tuple(Reading(unit) for unit in ("UTF-16 code units", "bytes of UTF-8", "grapheme clusters"))
INCLUSIVE = tuple(Reading(each.unit, is_inclusive=True) for each in (AS_WRITTEN, *OTHER_UNITS))
SHIFTED = (Reading(first=1), Reading(first=-1))

Place = int | tuple[int, int] | None
Claim = Callable[[Reading], tuple[Place, bool]]
"""``(reading) -> (place, whether it is right there)``: where something is by a reading."""


def as_offset(given: object) -> object:
    """Return an offset as a whole number where it is one written otherwise; anything else unchanged.

    Example:
        >>> as_offset("7"), as_offset(7.0), as_offset("7.0"), as_offset(7.5), as_offset("seven")
        (7, 7, 7, 7.5, 'seven')
    """
    if isinstance(given, float) and given.is_integer():
        return int(given)
    if isinstance(given, str) and (found := WHOLE_NUMBER.fullmatch(given.strip())):
        return int(found[1])
    return given


@lru_cache(maxsize=8)
def _borders(text: str, unit: Unit) -> tuple[Sequence[int], Sequence[int]]:
    """Return where units may begin, in characters, and their offsets; the end is the last one."""
    if unit == "grapheme clusters":
        characters = [*(match.start() for match in GRAPHEME.finditer(text)), len(text)]
        return characters, range(len(characters))
    widths = (1 + (char > "\uffff") for char in text) if unit == "UTF-16 code units" else _num_bytes(text)
    return range(len(text) + 1), list(accumulate(widths, initial=0))


def _num_bytes(text: str) -> Iterable[int]:
    return (len(char.encode("utf-8", "surrogatepass")) for char in text)


@dataclass(frozen=True)
class Verdict:
    """How the offsets of a table are counted.

    Attributes:
        reading: The reading.
        num_wrong: Of the first offsets, those that are wrong as written.
        num_claims: The first offsets.
    """

    reading: Reading = AS_WRITTEN
    num_wrong: int = 0
    num_claims: int = 0


def find_reading(claims: Sequence[Claim], readings: Sequence[Reading]) -> Verdict:
    """Find the reading by which all is right that is elsewhere as written; of several, that which mends most.

    What is written counts where nothing is wrong with it, where no reading makes all right, and where two
    that differ mend as much. A reading that moves every offset must mend at least half of them.
    """
    written = [claim(AS_WRITTEN) for claim in claims]
    wrong = [index for index, (_, fits) in enumerate(written) if not fits]
    left: dict[tuple[Place, ...], tuple[int, Reading]] = {}
    for reading in readings if wrong else ():
        if (reading.first or reading.is_inclusive) and 2 * len(wrong) < len(claims):
            continue
        if not any(claims[index](reading)[1] for index in wrong):
            continue
        places = [claim(reading) for claim in claims]
        if all(new[1] for new, old in zip(places, written, strict=True) if new[0] != old[0]):
            num_left = sum(not fits for _, fits in places)
            left.setdefault(tuple(place for place, _ in places), (num_left, reading))
    fewest = min((num_left for num_left, _ in left.values()), default=0)
    best = [reading for num_left, reading in left.values() if num_left == fewest]
    return Verdict(best[0] if len(best) == 1 else AS_WRITTEN, len(wrong), len(claims))
