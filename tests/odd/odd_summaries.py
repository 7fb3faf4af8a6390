"""Odd files of documents and their summaries."""

from __future__ import annotations

from tests.odd.odd_input import Odd, Refused, csv, lines, rows

EXTRACTIVE = rows("extractive")
DOCUMENT = "good bab. bad del. the one."
OTHER = {"document": "one of it. a man.", "summary": "a man"}
AS_READ = ("one of it. a man.", "a man")

TABLE = [
    Odd(
        "a summary that begins with a bracket",
        lines({"document": DOCUMENT, "summary": "[bad] del"}, OTHER),
        EXTRACTIVE,
        [(DOCUMENT, "[bad] del"), AS_READ],
        "docs",
    ),
    Odd(
        "several summaries in a cell",
        csv('article,highlights\ngood bab. bad del.,"[""bad"", ""del""]"\none of it. a man.,a man\n'),
        EXTRACTIVE,
        [("good bab. bad del.", ["bad", "del"]), ("one of it. a man.", ["a man"])],
        "docs",
    ),
    Odd(
        "references beside a summary",
        lines({"text": DOCUMENT, "summary": "good", "references": ["bad del"]}),
        EXTRACTIVE,
        [(DOCUMENT, "bad del")],
        "docs",
        "the summary is read from 'references'; to read 'summary' instead",
    ),
    Odd(
        "a dialogue as a list of its turns",
        lines({"dialogue": ["a: good", "b: bad"], "summary": "bad"}, {"dialogue": "x: y", "summary": "y"}),
        EXTRACTIVE,
        [("a: good\nb: bad", "bad"), ("x: y", "y")],
        "docs",
    ),
    Odd(
        "a document as a list of its sentences",
        lines({"document": ["good bab.", "bad del."], "summary": "bad"}, OTHER),
        EXTRACTIVE,
        [("good bab.\nbad del.", "bad"), AS_READ],
        "docs",
    ),
    Odd(
        "a document without an end of a sentence",
        lines({"document": "good bab bad del", "summary": "bad"}, {"document": "…", "summary": "bad"}),
        EXTRACTIVE,
        [("good bab bad del", "bad"), ("…", "bad")],
        "docs",
        "2 of 2 train documents have one sentence",
    ),
    Odd(
        "a summary without text in a list",
        lines({"document": DOCUMENT, "summary": ["bad", " "]}, OTHER),
        EXTRACTIVE,
        Refused("summary 2: empty; give its text, or leave it out of the list"),
        "docs",
    ),
]
