"""Odd formats and names of files."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from tests.odd.odd_input import Odd, Refused, Scene, csv, files, lines, rows, twice, write

GOOD = "text,label\none,x\ntwo,y\nthree,x\n"
ONE = [("one", "x"), ("two", "y"), ("three", "x")]
TWO = [("a", "x"), ("b", "y")]


def workbook() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return stream.getvalue()


def parquet(**columns: object) -> Callable[[Scene], Path]:
    def make(scene: Scene) -> Path:
        for split in ("train", "validation"):
            pq.write_table(pa.table(columns), scene.folder / f"{split}.parquet")
        return scene.folder

    return make


def folder_as_file(scene: Scene) -> Path:
    (scene.folder / "train.csv").mkdir()
    return scene.folder


def links(scene: Scene) -> Path:
    kept = write(scene.folder / "kept" / "2024.csv", GOOD)
    for split in ("train", "validation"):
        (scene.folder / f"{split}.csv").symlink_to(kept)
    return scene.folder


def broken_link(scene: Scene) -> Path:
    (scene.folder / "all.csv").symlink_to(scene.folder / "gone.csv")
    return scene.folder / "all.csv"


def classes_as_folders(scene: Scene) -> Path:
    for label in ("neg", "pos"):
        write(scene.folder / "train" / label / "1.txt", "a text")
    return scene.folder


PANDAS = {
    "records": '[{"text":"a","label":"x"},{"text":"b","label":"y"}]',
    "table": '{"schema":{},"data":[{"index":0,"text":"a","label":"x"},{"index":1,"text":"b","label":"y"}]}',
    "columns": '{"text":{"0":"a","1":"b"},"label":{"0":"x","1":"y"}}',
    "split": '{"columns":["text","label"],"index":[0,1],"data":[["a","x"],["b","y"]]}',
}
LONG = "b" * 1_000_000
LATE = [
    {"text": f"t{row}", "label": "xy"[row % 2], "note": None if row < 150 else "seen"} for row in range(200)
]

GROUPED = "".join(f"text {row},{'xy'[row % 2]},{'ab'[row > 5]}\n" for row in range(12))

TABLE = [
    Odd(
        "two groups in one file",
        lambda scene: write(scene.folder / "all.csv", f"text,label,doc\n{GROUPED}"),
        rows(group="doc"),
        Refused("three different groups (doc) in one file"),
        "docs",
    ),
    Odd(
        "a group that is no column",
        lambda scene: write(scene.folder / "all.csv", f"text,label,doc\n{GROUPED}"),
        rows(group="dco"),
        Refused("data.group=dco: no such column; did you mean 'doc'?"),
        "docs",
    ),
    Odd(
        "a list in a file of JSON lines",
        twice("jsonl", PANDAS["records"]),
        rows(),
        Refused("line 1: not an object"),
        "docs",
    ),
    Odd(
        "a list printed over many lines",
        twice("json", json.dumps(json.loads(PANDAS["records"]), indent=2)),
        rows(),
        TWO,
        "docs",
    ),
    Odd("a table of pandas as records", twice("json", PANDAS["records"]), rows(), TWO, "docs"),
    Odd("a table of pandas with its schema", twice("json", PANDAS["table"]), rows(), TWO, "docs"),
    Odd(
        "a table of pandas by columns",
        twice("json", PANDAS["columns"]),
        rows(),
        Refused("expected a list of objects"),
        "docs",
    ),
    Odd(
        "a table of pandas in parts",
        twice("json", PANDAS["split"]),
        rows(),
        Refused("expected a mapping of column to value, got ['a', 'x']"),
        "docs",
    ),
    Odd(
        "a comma behind each line of JSON",
        twice("jsonl", '{"text":"a","label":"x"},\n{"text":"b","label":"y"}\n'),
        rows(),
        Refused("train.jsonl, line 1: not valid JSON: Extra data"),
        "docs",
    ),
    Odd(
        "NaN in JSON",
        twice("jsonl", '{"text":"a","label":NaN}\n{"text":"b","label":"y"}\n'),
        rows(),
        Refused("validation.jsonl, line 1, label: no label"),
        "docs",
    ),
    Odd(
        "rows below a key of another name",
        twice("json", '{"rows":[{"text":"a","label":"x"}]}'),
        rows(),
        Refused("an object with the keys train, validation, test"),
        "docs",
    ),
    Odd(
        "a column that changes its type",
        lines({"text": "a", "label": "x", "note": 1}, {"text": "b", "label": "y", "note": ["late"]}),
        rows(),
        TWO,
        "RUC-NLPIR/FlashRAG#132",
    ),
    Odd(
        "a column that is empty at first",
        lines(*LATE),
        rows(),
        [(row["text"], row["label"]) for row in LATE],
        "huggingface/datasets#7222",
    ),
    Odd(
        "an empty table",
        csv(""),
        rows(),
        Refused("train.csv: the file is empty; expected a header line"),
        "docs",
    ),
    Odd(
        "an empty file of JSON lines",
        twice("jsonl", ""),
        rows(),
        Refused("train.jsonl: no row in it"),
        "docs",
    ),
    Odd("a header alone", csv("text,label\n"), rows(), Refused("there is nothing below the header"), "docs"),
    Odd(
        "no header",
        csv('"3","Wall St.","Reuters"\n"4","Oil","Prices"\n'),
        rows(),
        Refused("no column is known as the text (the columns are: 3, Wall St., Reuters)"),
        "ThilinaRajapakse/simpletransformers#25",
    ),
    Odd(
        "columns that have to be named",
        csv("Class Index,Title,Description\n3,Wall St.,Reuters\n4,Oil,Prices\n"),
        rows(text="Description", label="Class Index"),
        [("Reuters", "3"), ("Prices", "4")],
        "ThilinaRajapakse/simpletransformers#414",
    ),
    Odd(
        "a column twice",
        csv("text,label,label\na,x,1\n"),
        rows(),
        Refused("column 'label' is there twice"),
        "docs",
    ),
    Odd(
        "two columns that may be the text",
        csv("review,content,label\na,b,x\nc,d,y\n"),
        rows(),
        Refused("'review' and 'content' could each be the text; say which with data.text=review"),
        "docs",
    ),
    Odd(
        "a text of a megabyte",
        files(train__csv=f"text,label\n{LONG},x\nb,y\n", validation__csv=GOOD),
        rows(),
        [(LONG, "x"), ("b", "y")],
        "docs",
    ),
    Odd(
        "ten thousand columns",
        csv(
            f"text,label,{','.join(f'c{i}' for i in range(10_000))}\na,x{',1' * 10_000}\nb,y{',0' * 10_000}\n"
        ),
        rows(),
        TWO,
        "docs",
    ),
    Odd(
        "a packed table",
        files(train__csv__gz=gzip.compress(GOOD.encode())),
        rows(),
        Refused("no train split"),
        "docs",
    ),
    Odd(
        "a packed table named .csv",
        csv(gzip.compress(GOOD.encode())),
        rows(),
        Refused("not text, but packed by gzip"),
        "docs",
    ),
    Odd(
        "an xz file named .jsonl",
        twice("jsonl", lzma.compress(b"{}")),
        rows(),
        Refused("not text, but packed by xz"),
        "docs",
    ),
    Odd(
        "a workbook named .csv",
        csv(workbook()),
        rows(),
        Refused("not text, but a ZIP archive, as .xlsx is too"),
        "docs",
    ),
    Odd("a workbook", files(train__xlsx=workbook()), rows(), Refused("the folder holds: train.xlsx"), "docs"),
    Odd(
        "a PDF named .txt",
        twice("txt", b"%PDF-1.7\n%\xe2\xe3\n"),
        rows("ner"),
        Refused("not text, but a PDF"),
        "docs",
    ),
    Odd(
        "categories in Parquet",
        parquet(text=["a", "b"], label=pa.array(["x", "y"]).dictionary_encode()),
        rows(),
        TWO,
        "huggingface/datasets#5706",
    ),
    Odd(
        "an index of pandas in Parquet",
        parquet(text=["a", "b"], glad=[1, 0], sad=[1, 1], __index_level_0__=[7, 9]),
        rows("multilabel"),
        [("a", ["glad", "sad"]), ("b", ["sad"])],
        "pandas-dev/pandas#51664",
    ),
    Odd(
        "numbers with gaps in Parquet",
        parquet(text=["a", "b"], label=[1.0, 0.0]),
        rows(),
        [("a", "1"), ("b", "0")],
        "docs",
    ),
    Odd(
        "files of a Mac and of editors beside the data",
        files(
            train__csv=GOOD,
            validation__csv=GOOD,
            **{
                "._train__csv": b"\x00\x05\x16\x07",
                "__DS_Store": b"\0",
                "train__csv~": "old",
                "~$train__csv": b"\0",
            },
        ),
        rows(),
        ONE,
        "awslabs/gluonts#2263",
    ),
    Odd("a split called dev", files(train__csv=GOOD, dev__csv=GOOD), rows(), ONE, "docs"),
    Odd("a split called Valid", files(Train__csv=GOOD, Valid__csv=GOOD), rows(), ONE, "docs"),
    Odd(
        "two files of one split",
        files(train__csv=GOOD, dev__csv=GOOD, val__csv=GOOD),
        rows(),
        Refused("dev.csv, val.csv: each could be the validation split; keep one"),
        "docs",
    ),
    Odd(
        "a test split without labels",
        files(train__csv=GOOD, validation__csv=GOOD, test__csv="text\nfour\n"),
        rows(),
        Refused("test.csv: no column is known as the label"),
        "docs",
    ),
    Odd(
        "a label in validation that train does not know",
        files(train__csv=GOOD, validation__csv="text,label\nfour,z\n"),
        rows(),
        Refused("validation.csv, line 2, label: unknown to train: label 'z' (allowed: x, y)"),
        "docs",
    ),
    Odd(
        "a folder named like a file",
        folder_as_file,
        rows(),
        Refused("train.csv: cannot read this file: Is a directory"),
        "docs",
    ),
    Odd("links to files", links, rows(), ONE, "docs"),
    Odd("a link to nothing", broken_link, rows(), Refused("no such file or folder"), "docs"),
    Odd(
        "a folder for each class", classes_as_folders, rows(), Refused("no train split"), "pytorch/vision#109"
    ),
]
