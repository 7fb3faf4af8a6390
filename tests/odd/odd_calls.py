"""Odd calls from Python."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from enum import Enum

import numpy as np
import pandas as pd
from tests.odd.odd_input import Odd, Refused, given, labels_of, rows

NOTHING = given(None)


def texts(name: str, make: Callable[[], object], right: object, source: str = "docs") -> Odd:
    return Odd(f"predict: {name}", NOTHING, labels_of(make), right, source)


FRAME = pd.DataFrame({"text": ["one", "two", "three"], "label": ["x", "y", "x"]}, index=[7, 9, 9])
ONE = [("one", "x"), ("two", "y"), ("three", "x")]


def data(name: str, value: object, right: object, source: str = "docs") -> Odd:
    return Odd(f"data: {name}", given({"train": value, "validation": value}), rows(), right, source)


Mood = Enum("Mood", ["GOOD", "BAD"])


def labelled(*labels: object) -> pd.DataFrame:
    return FRAME.assign(label=pd.Series(labels, index=FRAME.index, dtype=object).to_numpy())


def one_table(name: str, rows_of: object, message: str) -> Odd:
    return Odd(f"data: {name}", given(rows_of), rows(), Refused(message), "docs")


TABLE = [
    data(
        "labels of an Enum",
        labelled(Mood.GOOD, Mood.BAD, Mood.GOOD),
        Refused(
            "a Mood where one label is expected; write its name or its value, such as frame[COLUMN].map("
        ),
    ),
    data(
        "labels that are timestamps",
        labelled(*[pd.Timestamp("2026-01-01")] * 3),
        Refused("a Timestamp where one label is expected; write what is to be predicted of it"),
    ),
    data(
        "labels that are dates",
        labelled(*[date(2026, 1, 1)] * 3),
        Refused("such as frame[COLUMN].map(lambda each: each.year)"),
    ),
    data(
        "labels that are intervals",
        labelled(*[pd.Interval(0, 1)] * 3),
        Refused("write it as text or as a number, such as frame[COLUMN].astype(str)"),
    ),
    one_table(
        "one text in all rows",
        [{"text": "one", "label": name} for name in "xyxyxy"],
        "the train split is empty: only one text in 6 rows, and equal texts are in one split; 3 different",
    ),
    one_table(
        "two texts in all rows",
        [{"text": text, "label": name} for text, name in [("one", "x"), ("two", "y")] * 4],
        "only 2 different texts in 8 rows",
    ),
    data("a table of pandas with an index", FRAME, ONE),
    data("a table of pandas with categories", FRAME.astype({"label": "category"}), ONE),
    data("a table of pandas with a gap", FRAME.assign(label=[1, None, 0]), Refused("row 2, label: no label")),
    data(
        "rows that are texts",
        ["one", "two"],
        Refused("no column is known as the label (the columns are: text)"),
    ),
    data("no rows", [], Refused("rows[train]: no row in it")),
    Odd(
        "data: a mapping without splits",
        given({"text": ["a"], "label": ["x"]}),
        rows(),
        Refused("a mapping with the keys 'text', 'label': not a split"),
        "docs",
    ),
    texts("a column of pandas", lambda: pd.Series(["good", "bad"], index=[5, 5]), ["positive", "negative"]),
    texts("an array of numpy", lambda: np.array(["good", "bad"]), ["positive", "negative"]),
    texts(
        "one text", lambda: "good film", Refused("expected a list of texts; put the one text into brackets")
    ),
    texts("one run of bytes", lambda: b"good film", Refused("expected a list of texts")),
    texts("a mapping", lambda: {"text": ["good film"]}, Refused("expected a list of texts")),
    texts("a generator", lambda: (text for text in ["good", "bad"]), ["positive", "negative"]),
    texts("a tuple of texts", lambda: ("good", "bad"), ["positive", "negative"]),
    texts("no text", lambda: [], []),
    texts(
        "None among texts",
        lambda: ["good", None],
        Refused("row 2, text: None; give a text, a str with a visible character"),
    ),
    texts("a number among texts", lambda: ["good", 3], Refused("row 2, text: 3")),
    texts("an empty text", lambda: ["good", ""], Refused("row 2, text: ''"), "huggingface/transformers#3809"),
    texts("white space alone", lambda: ["  \t \n"], Refused("row 1, text"), "clarinsi/classla#37"),
    texts("half of an emoji", lambda: ["good \ud83d"], Refused("row 1, text")),
    texts("mappings", lambda: [{"text": "good"}, {"Review": "bad"}], ["positive", "negative"]),
    texts("a hundred thousand characters", lambda: ["bad " * 25_000], ["negative"]),
    texts(
        "emoji, right to left, control characters",
        lambda: ["good 😀👩‍👩‍👧", "\u202ebad שלום", "\x07bad\x1b[31m"],
        ["positive", "negative", "negative"],
    ),
    texts(
        "characters that the tokenizer drops",
        lambda: ["go\u00adod", "b\u200bad", "\ufffdbad"],
        ["positive", "negative", "negative"],
        "huggingface/tokenizers#1077",
    ),
    texts("letters of full width and accents", lambda: ["góod", "BÀD"], ["positive", "negative"]),
]
