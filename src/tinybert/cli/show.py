"""Answers as a person reads them on a terminal."""

from __future__ import annotations

import os

from tinybert.tasks import AnyAnswer, Entities, FoundAnswer

COLOURS = (44, 42, 45, 46, 43, 41)
"""Background colours of the terminal, one a type of entity."""
BOLD = 1


def show_answer(text: str, answer: AnyAnswer) -> str:
    """Return one answer as a line, or as a few."""
    if isinstance(answer, Entities):
        return show_entities(answer)
    if isinstance(answer, FoundAnswer):
        return show_found(text, answer)
    if answer.label is None:
        return f"{answer.score:.4f}\t{text}"
    label = ", ".join(answer.label) if isinstance(answer.label, list) else answer.label
    return f"{label}\t{answer.score:.1%}\t{text}"


def show_entities(answer: Entities) -> str:
    """Return the text with its entities coloured, each with its type behind it."""
    kinds = sorted({entity.label for entity in answer.entities})
    parts: list[str] = []
    place = 0
    for entity in answer.entities:
        colour = COLOURS[kinds.index(entity.label) % len(COLOURS)]
        parts += [answer.text[place : entity.start], paint(entity.text, colour), f"[{entity.label}]"]
        place = entity.end
    return "".join([*parts, answer.text[place:]])


def show_found(question: str, answer: FoundAnswer) -> str:
    """Return the answer, how sure it is, its characters, and the sentence with the answer marked."""
    if answer.answer is None or answer.sentence is None:
        return f"{question}\n  no answer in this text\t{answer.score:.1%}"
    assert answer.start is not None
    assert answer.sentence_start is not None
    first = answer.start - answer.sentence_start
    behind = first + len(answer.answer)
    marked = answer.sentence[:first] + paint(answer.answer, COLOURS[1]) + answer.sentence[behind:]
    place = f"characters {answer.start:,}–{answer.end:,}"
    sentence = " ".join(marked.split())
    return f"{question}\n  {paint(answer.answer, BOLD)}\t{answer.score:.1%}\t{place}\n  {sentence}"


def paint(text: str, code: int) -> str:
    """Return a text in a colour; in brackets where the user wants none (NO_COLOR)."""
    return f"[{text}]" if os.environ.get("NO_COLOR") else f"\x1b[{code}m{text}\x1b[0m"
