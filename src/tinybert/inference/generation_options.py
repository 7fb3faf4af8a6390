"""Settings of decoding that are given over those of a model: names, ranges, what goes together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any, cast

from tinybert.errors import RecipeError
from tinybert.lookup import nearest
from tinybert.models.generation import GenerationSettings

SUBJECT = "settings of generation"
FLAG = "do_sample"
OF_SAMPLING = ("temperature", "top_p", "seed")
OF_OURS = ("seed", "num_return")
"""What is no setting of the model's."""


@dataclass(frozen=True)
class Allowed:
    """The numbers that a setting may be.

    Attributes:
        lowest: The least.
        highest: The greatest.
        is_whole: Only whole ones.
    """

    lowest: float
    highest: float
    is_whole: bool = True

    def holds(self, value: object) -> bool:
        """Say whether a value is one of them."""
        kind = Integral if self.is_whole else Real
        if isinstance(value, bool) or not isinstance(value, kind):
            return False
        number = float(cast(float, value))
        return math.isfinite(number) and self.lowest <= number <= self.highest

    def __str__(self) -> str:
        """Return the range as a message names it."""
        kind = "whole numbers" if self.is_whole else "numbers"
        return f"allowed are {kind} from {self.lowest:,g} to {self.highest:,.12g}"


ALLOWED = {
    "max_new_tokens": Allowed(1, 4096),
    "num_beams": Allowed(1, 64),
    "length_penalty": Allowed(0, 10, is_whole=False),
    "no_repeat_ngram_size": Allowed(0, 100),
    "temperature": Allowed(0.01, 100, is_whole=False),
    "top_p": Allowed(0, 1, is_whole=False),
    "seed": Allowed(0, 2**32 - 1),
    "num_return": Allowed(1, 64),
}
NAMES = (*ALLOWED, FLAG)


@dataclass(frozen=True)
class Writing:
    """How a predictor writes.

    Attributes:
        settings: Of decoding.
        seed: Of what is drawn: a text depends on it and on its source, not on the rows beside it.
        num_return: Texts a row.
        given: What was set by the caller.
    """

    settings: GenerationSettings
    seed: int
    num_return: int
    given: Mapping[str, object]


def given_settings(given: Mapping[str, object] | None) -> dict[str, object]:
    """Return what is given: without what is None, or false."""
    return {name: value for name, value in (given or {}).items() if not (value is None or value is False)}


def refuse_settings(given: Mapping[str, object] | None, *, model: str, task: str) -> None:
    """Refuse settings of decoding for a model that writes no text.

    Raises:
        RecipeError: There are some; all are named.
    """
    if names := ", ".join(given_settings(given)):
        raise RecipeError(
            SUBJECT,
            f"{names}: {model} writes no texts (its task is {task}); omit them, or "
            "give a run of task seq2seq",
        )


def writing_of(
    settings: GenerationSettings, given: Mapping[str, object] | None, *, num_positions: int | None
) -> Writing:
    """Return how a predictor writes: as its model does, but for what is given.

    Sampling takes one beam where no number is given.

    Args:
        settings: The model's.
        given: Name → value; None: the model's.
        num_positions: Of its decoder, which has no more tokens; None: as many as one likes.

    Raises:
        RecipeError: A name or a value is wrong, or two contradict each other; all are listed.
    """
    chosen = given_settings(given)
    wrong = _wrong(chosen, num_positions)
    right = {name: value for name, value in chosen.items() if name not in wrong}
    changes: dict[str, Any] = {name: value for name, value in right.items() if name not in OF_OURS}
    is_drawn = bool(chosen.get(FLAG, settings.do_sample))
    if is_drawn:
        changes = {"num_beams": 1, **changes}
    beams = cast(int, changes.get("num_beams", settings.num_beams))
    problems = [*wrong.values(), *_at_odds(right, beams=beams, is_drawn=is_drawn)]
    if problems:
        raise RecipeError(SUBJECT, problems)
    num_return, seed = cast(int, right.get("num_return", 1)), cast(int, right.get("seed", 0))
    return Writing(replace(settings, **changes), seed, num_return, chosen)


def streamed(writing: Writing | None, *, model: str, task: str) -> Writing:
    """Return how one text is written token by token: with one beam.

    Raises:
        RecipeError: The model writes no texts, or several beams or texts were asked for.
    """
    if writing is None:
        raise RecipeError(
            model, f"writes no texts (its task is {task}); give a run of task seq2seq, or: tinybert predict"
        )
    several = [name for name in ("num_beams", "num_return") if cast(int, writing.given.get(name, 1)) > 1]
    if several:
        what = " and ".join(f"{name} = {writing.given[name]}" for name in several)
        raise RecipeError(SUBJECT, f"{what}: a text is streamed with one beam; omit {' and '.join(several)}")
    return replace(writing, settings=replace(writing.settings, num_beams=1))


def cut_texts(num_cut: int, settings: GenerationSettings | None) -> str:
    """Say how many rows were cut, and what sets the length."""
    assert settings is not None
    return (
        f"{num_cut:,} {'row was' if num_cut == 1 else 'rows were'} cut: not at an end after "
        f"{settings.max_new_tokens} tokens; give more with --max-new-tokens (max_new_tokens)"
    )


def _wrong(given: Mapping[str, object], num_positions: int | None) -> dict[str, str]:
    """Return what is wrong with each setting that is unknown, or whose value is not allowed."""
    problems: dict[str, str] = {}
    for name, value in given.items():
        allowed = ALLOWED.get(name)
        if name == "max_new_tokens" and num_positions is not None:
            allowed = Allowed(1, min(num_positions, ALLOWED[name].highest))
        if name not in NAMES:
            problems[name] = f"{name}: unknown{nearest(name, NAMES)} (allowed: {', '.join(NAMES)})"
        elif allowed is None and not isinstance(value, bool):
            problems[name] = f"{name} = {value!r:.60}: allowed are true and false"
        elif allowed is not None and not allowed.holds(value):
            problems[name] = f"{name} = {value!r:.60}: {allowed}"
    return problems


def _at_odds(given: Mapping[str, object], *, beams: int, is_drawn: bool) -> list[str]:
    """Name settings that contradict each other, or that nothing reads."""
    num_return = cast(int, given.get("num_return", 1))
    problems: list[str] = []
    if is_drawn and beams > 1:
        problems.append(
            f"num_beams = {beams} with {FLAG} (--sample): sampling has one beam; give num_beams of 1, "
            f"or no {FLAG}"
        )
    if not is_drawn and (unread := [name for name in OF_SAMPLING if name in given]):
        problems.append(f"{', '.join(unread)}: read in sampling only; give {FLAG} (--sample) too, or omit it")
    if not is_drawn and num_return > beams:
        problems.append(
            f"num_return = {num_return} of num_beams = {beams}: give num_beams of {num_return} or more, "
            f"or {FLAG} (--sample)"
        )
    return problems
