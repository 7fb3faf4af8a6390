"""Odd sources and targets of texts that are written from texts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.odd.odd_input import Odd, Refused, Scene, csv, files, lines, rows, twice

TEXTS = rows("seq2seq")
DIRECTED = rows("seq2seq", text="en", label="de")
GOOD = {"source": "good", "target": "bad"}


def side_by_side(**sides: str) -> Callable[[Scene], Path]:
    """Train and dev have the same content."""
    return files(**{f"{split}__{side}": text for split in ("train", "dev") for side, text in sides.items()})


def tmx(*units: str) -> str:
    return f'<tmx version="1.4"><header srclang="en"/><body>{"".join(units)}</body></tmx>'


def unit(**texts: str) -> str:
    variants = "".join(f'<tuv xml:lang="{code}"><seg>{text}</seg></tuv>' for code, text in texts.items())
    return f"<tu>{variants}</tu>"


TABLE = [
    Odd(
        "an empty source",
        lines(GOOD, {"source": "", "target": "bad"}),
        TEXTS,
        Refused("train.jsonl, line 2, source: empty; a text with at least one visible character is needed"),
        "docs",
    ),
    Odd(
        "an empty target",
        csv("source,target\ngood,bad\ngood bad,\n"),
        TEXTS,
        Refused("validation.csv, line 3, target: no label; give the row its target, or remove the row"),
        "docs",
    ),
    Odd(
        "a source that is the target",
        csv("source,target\ngood,bad\n"),
        rows("seq2seq", text="source", label="source"),
        Refused("column 'source' cannot be two things; name another by"),
        "docs",
    ),
    Odd(
        "a number as the target",
        lines(GOOD, {"source": "good", "target": 5}),
        TEXTS,
        Refused("target: a whole number where a text is expected; write the text itself, in quotes"),
        "docs",
    ),
    Odd(
        "references that are no list",
        lines({**GOOD, "references": "good"}),
        TEXTS,
        Refused("references: a text where a list of texts is expected"),
        "docs",
    ),
    Odd(
        "references as JSON in a cell",
        csv('source,target,references\ngood,bad,"[""bad"", ""good""]"\n'),
        TEXTS,
        [("good", "bad", ["bad", "good"])],
        "docs",
    ),
    Odd(
        "entities of HTML",
        lines({"source": "good &amp; bad", "target": "&lt;good&gt;"}),
        TEXTS,
        [("good &amp; bad", "&lt;good&gt;")],
        "docs",
    ),
    Odd(
        "a NUL byte in a target",
        lines(GOOD, {"source": "good", "target": "b\0"}),
        TEXTS,
        Refused("line 2, target: a NUL byte in the text"),
        "docs",
    ),
    Odd(
        "half a surrogate pair in a target",
        twice("jsonl", '{"source": "good", "target": "\\ud83d"}\n'),
        TEXTS,
        Refused("line 1, target: half of a surrogate pair"),
        "docs",
    ),
    Odd(
        "a target longer than what is written",
        lines({"source": "good", "target": "bad " * 200}),
        TEXTS,
        [("good", "bad " * 200)],
        "docs",
        said="1 of 1 train targets (100.0%) are longer than 128 tokens",
    ),
    Odd(
        "targets in letters that nobody knows",
        lines({"source": "good", "target": "\u0f56\u0f7c\u0f51 \u0f61\u0f72\u0f42"}),
        TEXTS,
        [("good", "\u0f56\u0f7c\u0f51 \u0f61\u0f72\u0f42")],
        "docs",
        said="of targets' pieces are unknown",
    ),
    Odd(
        "two languages without a direction",
        side_by_side(en="good\n", de="bad\n"),
        TEXTS,
        Refused("'de', 'en': which is the source, and which the target? give"),
        "docs",
    ),
    Odd(
        "a file that is a line short",
        side_by_side(src="good\nbad\n", tgt="bad\n"),
        TEXTS,
        Refused("train.src has 2 lines, train.tgt has 1 line;"),
        "docs",
    ),
    Odd(
        "a line that is empty on one side",
        side_by_side(en="good\n\n", de="bad\ngood\n"),
        DIRECTED,
        Refused("train.de and train.en, line 2: empty in train.en, and not in train.de"),
        "docs",
    ),
    Odd(
        "a line that is empty on both sides",
        side_by_side(en="good\n\nbad\n", de="bad\n\ngood\n"),
        DIRECTED,
        [("good", "bad"), ("bad", "good")],
        "docs",
        said="train.de and train.en: 1 line is empty on every side, and skipped",
    ),
    Odd(
        "one side alone",
        side_by_side(en="good\n"),
        DIRECTED,
        Refused("train.en is not read: the file of its other side is not there"),
        "docs",
    ),
    Odd(
        "a translation unit in one language",
        twice("tmx", tmx(unit(en="good", de="bad"), unit(de="bad"))),
        DIRECTED,
        Refused("train.tmx, unit 2, en: missing; a text is needed"),
        "docs",
    ),
    Odd(
        "a translation memory that ends early",
        twice("tmx", tmx(unit(en="good", de="bad"))[:-6]),
        DIRECTED,
        Refused("not valid XML (no element found); mend it there"),
        "docs",
    ),
    Odd(
        "a translation memory with tags and a country",
        twice("tmx", tmx('<tu><tuv lang="EN_us"><seg>good <hi>bad</hi></seg></tuv>' + unit(de="bad")[4:])),
        DIRECTED,
        [("good bad", "bad")],
        "docs",
    ),
    Odd(
        "a history that is a number",
        lines({**GOOD, "history": 5}),
        TEXTS,
        Refused("history: a whole number where turns are expected"),
        "docs",
    ),
    Odd(
        "a history that is not there",
        lines(GOOD),
        rows("seq2seq", history="before"),
        Refused("no such column"),
        "docs",
    ),
    Odd(
        "a turn without its text",
        lines({"messages": [{"role": "user", "content": "good"}, {"role": "assistant"}]}),
        TEXTS,
        Refused("messages, turn 2: an object with the keys role; one of text, value, content, utterance"),
        "docs",
    ),
    Odd(
        "whole dialogues",
        lines({"messages": [{"role": "user", "content": "good"}, {"role": "assistant", "content": "bad"}]}),
        TEXTS,
        [("good", "bad")],
        "docs",
    ),
]
