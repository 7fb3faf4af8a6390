"""Odd rows and labels of texts."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import numpy as np
from tests.odd.odd_input import Odd, Refused, Scene, csv, given, lines, rows, twice


def class_numbers(scene: Scene) -> Path:
    from datasets import ClassLabel, Dataset

    for split in ("train", "validation"):
        data = Dataset.from_dict({"text": ["a", "b", "c"], "label": [0, 1, 5]})
        named = data.cast_column("label", ClassLabel(names=["bad", "good", "fair"]))
        named.to_parquet(scene.folder / f"{split}.parquet")
    return scene.folder


MULTI = rows("multilabel")
ONE = [("one", "x"), ("two", "y"), ("three", "x")]
GLAD = [("one", ["glad", "sad"]), ("two", ["glad"]), ("three", ["angry", "sad"])]
NUMPY = [{"text": "a", "label": np.int64(1)}, {"text": "b", "label": np.int32(0)}]
PAIRS = [*permutations(("joy", "fear", "awe", "anger"), 2), ("joy",)]
VECTORS = Refused("lists of 3 numbers 0 and 1, which do not say what the labels are called")

TABLE = [
    Odd(
        "labels parted by an ideographic comma",
        csv("text,label\none,喜、怒\ntwo,喜\nthree,怒、哀\n"),
        MULTI,
        [("one", ["喜", "怒"]), ("two", ["喜"]), ("three", ["哀", "怒"])],
        "docs",
    ),
    Odd(
        "labels parted by a comma of full width",
        csv("text,label\none,喜，怒\ntwo,喜\nthree,怒，哀\n"),
        MULTI,
        [("one", ["喜", "怒"]), ("two", ["喜"]), ("three", ["哀", "怒"])],
        "docs",
    ),
    Odd(
        "labels parted by a semicolon of full width",
        csv("text,label\none,glad；sad\ntwo,glad\nthree,sad；angry\n"),
        MULTI,
        GLAD,
        "docs",
    ),
    Odd(
        "labels parted by slashes",
        csv("text,label\n1,joy/fear\n2,joy/anger\n3,fear/anger\n4,joy/awe\n5,awe/fear\n"),
        MULTI,
        [
            *(("1", ["fear", "joy"]), ("2", ["anger", "joy"]), ("3", ["anger", "fear"])),
            *(("4", ["awe", "joy"]), ("5", ["awe", "fear"])),
        ],
        "docs",
        said="labels are split at '/'",
    ),
    Odd(
        "a slash in a name",
        csv("text,label\none,Sci/Tech\ntwo,World\nthree,Sci/Tech|World\n"),
        MULTI,
        [("one", ["Sci/Tech"]), ("two", ["World"]), ("three", ["Sci/Tech", "World"])],
        "docs",
    ),
    Odd(
        "lists as Python writes them",
        csv("text,label\none,\"['glad', 'sad']\"\ntwo,['glad']\nthree,\"['angry', 'sad']\"\n"),
        MULTI,
        GLAD,
        "docs",
    ),
    Odd(
        "lists as numpy writes them",
        csv("text,label\none,['glad' 'sad']\ntwo,['glad']\nthree,['angry' 'sad']\n"),
        MULTI,
        GLAD,
        "docs",
    ),
    Odd(
        "one row with another separator",
        csv("text,label\n1,a|b\n2,b|c\n3,a|c\n4,a|b\n5,b;c\n"),
        MULTI,
        Refused("line 6, label: unknown to train: label 'b;c'; labels are split at '|', not ';'"),
        "docs",
    ),
    Odd(
        "a column of 0 and 1 for each label",
        csv("text,glad,sad,angry\none,1,1,0\ntwo,1,0,0\nthree,0,1,1\n"),
        MULTI,
        GLAD,
        "docs",
        said="the columns glad, sad, angry hold 0 and 1 only",
    ),
    Odd(
        "columns of 0 and 1 where one label is expected",
        csv("text,glad,sad\none,1,0\ntwo,0,1\n"),
        rows(),
        Refused("if each is a label, --task multilabel reads them"),
        "docs",
    ),
    Odd(
        "one-hot lists of several labels",
        lines({"text": "a", "label": [1, 0, 0]}, {"text": "b", "label": [0, 1, 1]}),
        MULTI,
        VECTORS,
        "huggingface/setfit#191",
    ),
    Odd(
        "one-hot lists in the cells of a table",
        csv('text,label\na,"[1, 0, 0]"\nb,[0. 1. 1.]\n'),
        MULTI,
        VECTORS,
        "huggingface/setfit#337",
    ),
    Odd(
        "one-hot lists of one label",
        lines({"text": "a", "label": [1, 0]}, {"text": "b", "label": [0, 1]}),
        rows(),
        Refused("a list where one label is expected"),
        "huggingface/setfit#403",
    ),
    Odd(
        "zero-width space in a label",
        csv("text,label\none,x\ntwo,y\nthree,x\u200b\n"),
        rows(),
        ONE,
        "docs",
    ),
    Odd("byte-order mark in a label", csv("text,label\none,\ufeffx\ntwo,y\nthree,x\n"), rows(), ONE, "docs"),
    Odd(
        "labels in two Unicode forms",
        csv("text,label\none,cafe\u0301\ntwo,bar\nthree,caf\u00e9\n"),
        rows(),
        [("one", "caf\u00e9"), ("two", "bar"), ("three", "caf\u00e9")],
        "docs",
    ),
    Odd(
        "labels that differ by case",
        csv("text,label\none,Pos\ntwo,pos\n"),
        rows(),
        [("one", "Pos"), ("two", "pos")],
        "docs",
        said="differ by letter case or character width only are labels of their own: 'Pos', 'pos'",
    ),
    Odd(
        "white space behind a label",
        csv("text,label\none,x\ntwo,y\nthree,x \n"),
        rows(),
        ONE,
        "apple/turicreate#1531",
    ),
    Odd(
        "white space in a label",
        csv("text,label\none,very good\ntwo,bad\n"),
        rows(),
        [("one", "very good"), ("two", "bad")],
        "yam-ai/fasttext-multilabel-classifier#9",
    ),
    Odd(
        "whole numbers with a point",
        csv("text,label\none,1.0\ntwo,2\nthree,1\n"),
        rows(),
        [("one", "1"), ("two", "2"), ("three", "1")],
        "docs",
    ),
    Odd(
        "zeros at the beginning of a label",
        csv('text,label\none,"007"\ntwo,7\nthree,010\n'),
        rows(),
        [("one", "007"), ("two", "7"), ("three", "010")],
        "apache/arrow#46853",
    ),
    Odd(
        "words that pandas takes for a missing value",
        csv("text,label\nnull,None\nNA,NA\nnan,nan\nn/a,None\n"),
        rows(),
        [("null", "None"), ("NA", "NA"), ("nan", "nan"), ("n/a", "None")],
        "huggingface/datasets#4467",
    ),
    Odd(
        "numbers and texts in one column of labels",
        lines({"text": "a", "label": 1}, {"text": "b", "label": "1a"}, {"text": "c", "label": "1"}),
        rows(),
        [("a", "1"), ("b", "1a"), ("c", "1")],
        "huggingface/datasets#6324",
    ),
    Odd(
        "labels of numpy",
        given({"train": NUMPY, "validation": NUMPY}),
        rows(),
        [("a", "1"), ("b", "0")],
        "huggingface/sentence-transformers#418",
    ),
    Odd(
        "truth values",
        lines({"text": "a", "label": True}, {"text": "b", "label": False}, {"text": "c", "label": "True"}),
        rows(),
        [("a", "true"), ("b", "false"), ("c", "True")],
        "docs",
        said="'True', 'true'",
    ),
    Odd(
        "a class of the number -1",
        csv("text,label\na,-1\nb,0\nc,1\nd,10\n"),
        rows(),
        [("a", "-1"), ("b", "0"), ("c", "1"), ("d", "10")],
        "EricFillion/happy-transformer#248",
    ),
    Odd(
        "labels held back as -1",
        csv("text,label\na,-1\nb,-1\n"),
        rows(),
        Refused("all 2 labelled rows have the label '-1'"),
        "docs",
    ),
    Odd(
        "a class number without a name",
        class_numbers,
        rows(),
        Refused("row 3, label: class 5, but the file names 3"),
        "huggingface/datasets#8494",
    ),
    Odd("one class only", csv("text,label\na,x\nb,x\n"), rows(), Refused("have the label 'x'"), "docs"),
    Odd(
        "a class seen once",
        csv("text,label\na,x\nb,x\nc,y\n"),
        rows(),
        [("a", "x"), ("b", "x"), ("c", "y")],
        "docs",
        said="'y' has 1; judge by macro_f1",
    ),
    Odd(
        "numbers with a fraction as classes",
        lines(*({"text": f"t{number}", "label": number + 0.5} for number in range(3))),
        rows(),
        Refused("0.5 is a number with a fraction, not a class; for numbers set task=regression"),
        "docs",
    ),
    Odd(
        "numbers of a regression as texts",
        lines(
            {"sentence1": "a", "sentence2": "b", "label": "1.8"},
            {"sentence1": "c", "sentence2": "d", "label": "0.0"},
        ),
        rows("regression"),
        [("a", "b", 1.8), ("c", "d", 0.0)],
        "yahoojapan/JGLUE#3",
    ),
    Odd(
        "a decimal comma",
        csv("text;label\na;1,8\nb;0,5\n"),
        rows("regression"),
        Refused("'1,8' is not a number; write a decimal point"),
        "docs",
    ),
    Odd(
        "rows without a label among others",
        lines({"text": "a", "label": "x"}, {"text": "b", "label": None}, {"text": "c", "label": "y"}),
        rows(),
        Refused("validation.jsonl, line 2, label: no label"),
        "huggingface/setfit#296",
    ),
    Odd(
        "a label in an object",
        lines({"text": "a", "label": {"name": "x"}}, {"text": "b", "label": {"name": "y"}}),
        rows(),
        Refused("a mapping where one label is expected"),
        "docs",
    ),
    Odd(
        "a space before a label in quotes",
        csv('text, label\n"one, or so", "x"\ntwo, "y"\n'),
        rows(),
        [("one, or so", "x"), ("two", "y")],
        "JoshClose/CsvHelper#204",
    ),
    Odd(
        "a space before a label in quotes in .tsv",
        twice("tsv", 'text\tlabel\none\t "x"\ntwo\t "y"\n'),
        rows(),
        [("one", '"x"'), ("two", '"y"')],
        "docs",
        said='labels with quotes around them: "x", "y"',
    ),
    Odd(
        "a space before a text in quotes",
        csv('label, text\nx, "one, or so"\ny, two\n'),
        rows(),
        [("one, or so", "x"), ("two", "y")],
        "python/cpython#117286",
    ),
    Odd(
        "several choices in a cell",
        csv(
            'text,sentiment\none,"{""choices"":[""glad"",""sad""]}"\ntwo,glad\nthree,"{""choices"":[""sad"",""angry""]}"\n'
        ),
        MULTI,
        GLAD,
        "HumanSignal/label-studio-converter#59",
    ),
    Odd(
        "several choices where one label is expected",
        csv('text,sentiment\none,"{""choices"":[""glad"",""sad""]}"\ntwo,glad\n'),
        rows(),
        Refused("a list where one label is expected; for several labels set task=multilabel"),
        "docs",
    ),
    Odd(
        "an object in a cell",
        csv('text,label\none,"{""name"": ""x""}"\ntwo,{y}\n'),
        rows(),
        Refused("line 2, label: a mapping where one label is expected"),
        "docs",
    ),
    Odd(
        "one text with two labels",
        csv("text,label\na,x\na,y\nb,y\n"),
        rows(),
        [("a", "x"), ("a", "y"), ("b", "y")],
        "docs",
        said="repeat an earlier text with another label",
    ),
    Odd(
        "a label that somebody rejected",
        lines(
            {"text": "good", "label": "POS", "answer": "accept", "_task_hash": 1},
            {"text": "awful", "label": "POS", "answer": "reject", "_task_hash": 2},
        ),
        rows(),
        Refused("line 2, answer: Prodigy's answer is 'reject': its label was not accepted"),
        "kororo/excelcy#5",
    ),
    Odd(
        "a column called answer that is not of Prodigy",
        lines({"text": "a", "label": "x", "answer": "reject"}, {"text": "b", "label": "y"}),
        rows(),
        [("a", "x"), ("b", "y")],
        "docs",
    ),
    Odd(
        "0 and 1 with spaces between them",
        csv("text,label\none,1 0 1\ntwo,0 1 0\n"),
        MULTI,
        Refused("train.csv, line 2, label: '1 0 1': the labels are lists of 3 numbers 0 and 1"),
        "docs",
    ),
    Odd(
        "0 and 1 with commas between them",
        csv('text,label\none,"1,0,1"\ntwo,"0,1,0"\n'),
        MULTI,
        VECTORS,
        "docs",
    ),
    Odd("0 and 1 side by side", csv("text,label\none,101\ntwo,010\n"), MULTI, VECTORS, "docs"),
    Odd(
        "0 and 1, one too few in a row",
        csv("text,label\none,1 0 1\ntwo,0 1\n"),
        MULTI,
        VECTORS,
        "docs",
    ),
    Odd(
        "truth values with bars between them",
        csv("text,label\none,True|False|True\ntwo,False|True|False\n"),
        MULTI,
        VECTORS,
        "docs",
    ),
    Odd(
        "numbers of 0 and 1 that are names",
        csv('text,label\none,"[""101"", ""010""]"\ntwo,"[""010""]"\n'),
        MULTI,
        [("one", ["010", "101"]), ("two", ["010"])],
        "docs",
    ),
    Odd(
        "two separators in one cell",
        csv("text,label\none,a;b|c\ntwo,a\nthree,b\n"),
        MULTI,
        Refused("line 2, label: unknown to train: label 'b|c'; labels are split at ';', not '|'"),
        "docs",
    ),
    Odd(
        "a separator between names that are nowhere else",
        csv("text,label\none,x;y|c\ntwo,a|b\nthree,b|c\nfour,a|c\n"),
        MULTI,
        [("one", ["c", "x;y"]), ("two", ["a", "b"]), ("three", ["b", "c"]), ("four", ["a", "c"])],
        "docs",
        said="each is read as one label: 'x;y'; where it is several, write '|' between them, or a list",
    ),
    Odd(
        "a name with another mark in it, in many rows",
        csv("text,label\none,a|b\ntwo,b\n" + "".join(f"text {i},Politics; World\n" for i in range(9))),
        MULTI,
        [("one", ["a", "b"]), ("two", ["b"]), *((f"text {i}", ["Politics; World"]) for i in range(9))],
        "docs",
        said="each is read as one label: 'Politics; World'",
    ),
    Odd(
        "commas and semicolons between labels",
        csv('text,label\none,"joy, fear; anger"\ntwo,joy; awe\nthree,"fear, anger"\n'),
        MULTI,
        [("one", ["anger", "joy, fear"]), ("two", ["awe", "joy"]), ("three", ["fear, anger"])],
        "docs",
        said="each is read as one label: 'fear, anger', 'joy, fear'; where it is several, write ';'",
    ),
    Odd(
        "an entity of HTML in a name",
        csv("text,label\none,R&amp;B|Pop\ntwo,Rock|Pop\n"),
        MULTI,
        [("one", ["Pop", "R&amp;B"]), ("two", ["Pop", "Rock"])],
        "docs",
    ),
    Odd(
        "0 and 1 in one row among names",
        csv("text,label\none,joy|fear\ntwo,1 0 1\nthree,joy\n"),
        MULTI,
        Refused("train.csv, line 3, label: '1 0 1' is a list of 0 and 1, which do not say what the labels"),
        "docs",
    ),
    Odd(
        "a name among 0 and 1",
        csv("text,label\none,1 0 1\ntwo,0 1 1\nthree,none\n"),
        MULTI,
        Refused("train.csv, line 2, label: '1 0 1' is a list of 0 and 1"),
        "docs",
    ),
    Odd(
        "labels in arrays of PostgreSQL",
        csv('text,label\none,"{glad,sad}"\ntwo,{glad}\nthree,"{""sad"", angry}"\nfour,{}\n'),
        MULTI,
        [*GLAD, ("four", [])],
        "docs",
    ),
    Odd(
        "labels in the tags of Stack Overflow",
        csv("text,label\none,<glad><sad>\ntwo,<glad>\nthree,<sad><angry>\n"),
        MULTI,
        GLAD,
        "docs",
    ),
    Odd(
        "labels in brackets of full width",
        csv("text,label\none,【glad】【sad】\ntwo,【glad】\nthree,【sad】 【angry】\n"),
        MULTI,
        GLAD,
        "docs",
    ),
    Odd(
        "lists as Python prints them within their types",
        csv(
            "text,label\none,\"array(['glad', 'sad'], dtype=object)\"\ntwo,frozenset({'glad'})\n"
            "three,\"Index(['sad', 'angry'], dtype='object')\"\n"
        ),
        MULTI,
        GLAD,
        "docs",
    ),
    Odd(
        "parentheses around several labels",
        csv("text,label\none,(glad;sad)\ntwo,glad\nthree,sad\n"),
        MULTI,
        Refused('line 2, label: \'(glad;sad)\': marks around several names; write ["joy", "fear"]'),
        "docs",
    ),
    Odd(
        "curly quotes around several labels",
        csv('text,label\none,"“glad,sad”"\ntwo,glad\nthree,"sad,glad"\n'),
        MULTI,
        Refused("line 2, label: '“glad,sad”': marks around several names"),
        "docs",
    ),
    Odd(
        "braces around labels with semicolons between them",
        csv("text,label\none,{glad;sad}\ntwo,glad\nthree,sad\n"),
        MULTI,
        Refused("line 2, label: '{glad;sad}' is no list of names"),
        "docs",
    ),
    Odd(
        "names with parentheses, and a mark at the end of others",
        csv("text,label\none,(a) b;c (d)\ntwo,C++;C#\nthree,<3\nfour,R&B (soul)\n"),
        MULTI,
        [("one", ["(a) b", "c (d)"]), ("two", ["C#", "C++"]), ("three", ["<3"]), ("four", ["R&B (soul)"])],
        "docs",
    ),
    Odd(
        "tags in angle brackets where one label is expected",
        csv("text,label\n1,<joy><fear>\n2,<joy><awe>\n3,<fear><awe>\n4,<joy>\n5,<fear><joy>\n6,<awe><joy>\n"),
        rows(),
        [
            *(("1", "<joy><fear>"), ("2", "<joy><awe>"), ("3", "<fear><awe>"), ("4", "<joy>")),
            *(("5", "<fear><joy>"), ("6", "<awe><joy>")),
        ],
        "docs",
        said="labels look like several in a list ('<awe><joy>'",
    ),
    *(
        Odd(
            f"{name} where several labels are expected",
            lines({"text": "a", "label": label}, {"text": "b", "label": ["joy"]}),
            MULTI,
            Refused(f'label: a {kind} where the name of a label is expected; write ["joy", "fear"], or'),
            "docs",
        )
        for name, kind, label in (
            ("a mapping", "mapping", {"joy": True}),
            ("a list of mappings", "mapping", [{"label": "joy"}]),
            ("a list of lists", "list", [["joy"]]),
        )
    ),
    Odd(
        "a mapping in a cell of labels",
        csv('text,label\na,"{""joy"": true}"\nb,joy\n'),
        MULTI,
        Refused("label: a mapping where the name of a label is expected; write"),
        "docs",
    ),
    *(
        Odd(
            f"labels with {mark!r} between them, task {task}",
            csv("text,label\n" + "".join(f"{a},{mark.join(b)}\n" for a, b in enumerate(PAIRS))),
            rows(task),
            [
                (f"{a}", mark.join(b) if task == "classification" else [mark.join(b)])
                for a, b in enumerate(PAIRS)
            ],
            "docs",
            said=f"labels look like several with {mark!r} between them",
        )
        for mark in ("+", "・", "~", "-", ":", "\\n", "&", "和")
        for task in ("classification", "multilabel")
    ),
    *(
        Odd(
            f"labels with {mark!r} between them are split at the space",
            csv("text,label\n" + "".join(f"{a},{mark.join(b)}\n" for a, b in enumerate(PAIRS))),
            MULTI,
            [(f"{a}", sorted(b)) for a, b in enumerate(PAIRS)],
            "docs",
            said="labels are split at ' ', which leaves 4: anger, awe, fear, joy;",
        )
        for mark in (" & ", " and ", " und ", " 和 ")
    ),
    *(
        Odd(
            f"labels such as {first!r}, task {task}",
            csv(f"text,label\none,{first}\ntwo,{second}\nthree,x\n"),
            rows(task),
            [("one", first), ("two", second), ("three", "x")]
            if task == "classification"
            else [("one", [first]), ("two", [second]), ("three", ["x"])],
            "docs",
            said=said,
        )
        for first, second, said in (
            ("01", "1", "equal as numbers or truth values are labels of their own: '01', '1'; write"),
            ("true", "1", "equal as numbers or truth values are labels of their own: '1', 'true'; write"),
            ("NaN", "joy", "labels that look like missing values: 'NaN'; where a row has no label"),
            ("#N/A", "None", "labels that look like missing values: '#N/A', 'None'; where a row"),
            ("“joy”", "joy", "labels with curly quotes around them: “joy”; where they are none"),
        )
        for task in ("classification", "multilabel")
    ),
    Odd(
        "few numbers with a fraction as classes",
        csv("text,label\n1,0.5\n2,1.0\n3,1.5\n4,0.5\n5,1.0\n6,1.5\n"),
        rows(),
        [("1", "0.5"), ("2", "1.0"), ("3", "1.5"), ("4", "0.5"), ("5", "1.0"), ("6", "1.5")],
        "docs",
        said="labels that are numbers with a fraction: 0.5, 1.5; each is a class of its own here, and --task",
    ),
    Odd(
        "numbers with a fraction in JSON as classes",
        lines({"text": "a", "label": 0.5}, {"text": "b", "label": 1.0}),
        rows(),
        Refused("0.5 is a number with a fraction, not a class; for numbers set"),
        "docs",
    ),
    *(
        Odd(
            f"a column for each label, {name}",
            csv(f"text,glad,sad,angry\n{content}"),
            MULTI,
            Refused(message),
            "docs",
        )
        for name, content, message in (
            (
                "x or empty",
                "a,x,,\nb,,x,x\nc,,x,\n",
                "write 0 or 1 in each of their cells; 'x' (train.csv, line 2",
            ),
            (
                "yes and no",
                "a,yes,no,no\nb,no,yes,yes\n",
                "the columns glad, sad, angry is a label, write 0 or 1",
            ),
            (
                "1 and -1",
                "a,1,-1,-1\nb,-1,1,1\n",
                "write 0 or 1 in each of their cells; '-1' (train.csv, line 2",
            ),
            ("an empty cell", "a,1,0,0\nb,,1,1\n", "line 3: glad: '' where 0 or 1 is expected; write 0 or 1"),
        )
    ),
    Odd(
        "a 2 in a column of a label",
        csv("text,glad,sad,angry\none,1,0,0\ntwo,2,1,0\nthree,0,1,1\n"),
        MULTI,
        [("one", []), ("two", ["sad"]), ("three", ["angry", "sad"])],
        "docs",
        said="if glad is one too, write 0 or 1 in each: '2' (train.csv, line 3, glad) is neither",
    ),
]
