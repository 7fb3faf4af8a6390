"""Odd encodings, formats and names of files."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from tests.odd.odd import Odd, Refused, Scene, csv, files, lines, rows, twice, write

GOOD = "text,label\none,x\ntwo,y\nthree,x\n"
ONE = [("one", "x"), ("two", "y"), ("three", "x")]
TWO = [("a", "x"), ("b", "y")]
REVIEWS = {
    "gb18030": ("这家店的东西很好吃，服务也不错，下次还会再来", "我觉得这个产品的质量太差了，不想再买第二次"),
    "big5": ("這家店的東西很好吃，服務也不錯，下次還會再來", "我覺得這個產品的品質太差了，不想再買第二次"),
    "shift_jis": (
        "この店の料理はとてもおいしいです。また行きたいと思います",
        "品質が悪くて、二度と買いたくないと思いました",
    ),
    "euc_jp": (
        "この店の料理はとてもおいしいです。また行きたいと思います",
        "品質が悪くて、二度と買いたくないと思いました",
    ),
    "euc_kr": (
        "이 가게의 음식은 정말 맛있고 친절해서 다시 오고 싶어요",
        "품질이 너무 나빠서 다시는 사고 싶지 않습니다 정말로",
    ),
}
NAMES = {
    "gb18030": "GB18030 (GBK)",
    "big5": "Big5",
    "shift_jis": "Shift-JIS",
    "euc_jp": "EUC-JP",
    "euc_kr": "EUC-KR",
}


def encoded(codec: str) -> Odd:
    good, bad = REVIEWS[codec]
    content = f'text,label\n"{good}",x\n"{bad}",y\n'.encode(codec)
    read_as = f"not UTF-8, read as {NAMES[codec]}"
    return Odd(f"a file in {codec}", csv(content), rows(), [(good, "x"), (bad, "y")], "docs", said=read_as)


def with_mark(codec: str, mark: bytes = b"") -> Odd:
    content = mark + "text,label\n很好,x\nb,y\n".encode(codec)
    name = f"a file in {codec}, {'with' if mark else 'without'} a mark"
    return Odd(name, csv(content), rows(), [("很好", "x"), ("b", "y")], "docs")


def workbook() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return stream.getvalue()


def parquet(**columns: object) -> Odd | object:
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
LONG = f"{'b' * 999} " * 1000 + "end"
LATE = [
    {"text": f"t{row}", "label": "xy"[row % 2], "note": None if row < 150 else "seen"} for row in range(200)
]

TABLE = [
    *map(encoded, REVIEWS),
    with_mark("utf-16-le", b"\xff\xfe"),
    with_mark("utf-16-be", b"\xfe\xff"),
    with_mark("utf-32-le", b"\xff\xfe\x00\x00"),
    with_mark("utf-8", b"\xef\xbb\xbf"),
    Odd(
        "UTF-16 without a mark",
        csv("text,label\none,x\ntwo,y\nthree,x\n".encode("utf-16-le")),
        rows(),
        ONE,
        "docs",
    ),
    Odd(
        "too few characters to know the encoding",
        csv("text,label\n很好,x\nb,y\n".encode("gbk")),
        rows(),
        Refused("its encoding cannot be told for sure; the line may read gb18030: '很好,x'"),
        "docs",
    ),
    Odd(
        "an encoding that is named",
        csv("text,label\n很好,x\nb,y\n".encode("gbk")),
        rows(encoding="gbk"),
        [("很好", "x"), ("b", "y")],
        "docs",
    ),
    Odd(
        "a file in Windows-1252",
        csv("text,label\ncafé,x\nnaïve,y\n".encode("cp1252") * 5),
        rows(),
        Refused("give the right one by data.encoding=NAME"),
        "docs",
    ),
    Odd(
        "one byte that is not UTF-8",
        csv("text,label\n很好的电影,x\n".encode() + b"a\xffb,y\nc,y\n"),
        rows(),
        Refused("train.csv, line 3: character 2 (byte 0xff) is not UTF-8"),
        "docs",
    ),
    Odd("a first line sep=;", csv("sep=;\ntext;label\none;x\ntwo;y\nthree;x\n"), rows(), ONE, "docs"),
    Odd("lines that end in a carriage return", csv(GOOD.replace("\n", "\r")), rows(), ONE, "docs"),
    Odd("lines of Windows", csv(GOOD.replace("\n", "\r\n")), rows(), ONE, "docs"),
    Odd(
        "tabs in a .csv",
        csv("text\tlabel\na, b\tx\nc, d\ty\n"),
        rows(),
        [("a, b", "x"), ("c, d", "y")],
        "docs",
    ),
    Odd("commas in a .tsv", twice("tsv", GOOD), rows(), Refused("the columns are: text,label"), "docs"),
    Odd(
        "a NUL byte",
        csv(b"text,label\na\0b,x\nc,y\n"),
        rows(),
        Refused("train.csv, line 2, text: a NUL byte in the text"),
        "docs",
    ),
    Odd(
        "a quote that never closes",
        csv('text,label\na,x\n"open,y\nb,y\n'),
        rows(),
        Refused('train.csv, line 3: a quote (") opens here and never closes and swallows the 1 lines'),
        "docs",
    ),
    Odd(
        "quotes escaped by a backslash",
        csv('text,label\n"2\\" seam, blue",x\nblue,y\n'),
        rows(),
        Refused("train.csv, line 2"),
        "pandas-dev/pandas#21862",
    ),
    Odd(
        "a line break in quotes",
        csv('text,label\n"a\nb",x\nc,y\n'),
        rows(),
        [("a\nb", "x"), ("c", "y")],
        "pola-rs/polars#19078",
    ),
    Odd(
        "a carriage return in quotes",
        csv('text,label\n"a\rb",x\nc,y\n'),
        rows(),
        [("a\rb", "x"), ("c", "y")],
        "huggingface/datasets#622",
    ),
    Odd(
        "a line break in the header",
        csv('text,label,"note\nof it"\na,x,1\nb,y,2\n'),
        rows(),
        TWO,
        "tidyverse/readr#784",
    ),
    Odd(
        "a comma without quotes",
        csv('text,label\n"I ate pie",x\nI ate pie, ice cream,y\n'),
        rows(),
        Refused("train.csv, line 3: 3 fields where the header has 2; quote a text that holds ','"),
        "minimaxir/gpt-2-simple#214",
    ),
    Odd(
        "a row too short",
        csv("id,text,label\n1,a,x\n2,b\n"),
        rows(),
        Refused("train.csv, line 3: 2 fields where the header has 3"),
        "UKGovernmentBEIS/inspect_ai#4549",
    ),
    Odd(
        "quotes at the beginning of texts in a .tsv",
        twice("tsv", 'text\tlabel\n"a b\tx\nc "d\ty\n'),
        rows(),
        [('"a b', "x"), ('c "d', "y")],
        "pandas-dev/pandas#21695",
    ),
    Odd(
        "a line separator of Unicode in JSON lines",
        lines({"text": "one\u2028two", "label": "x"}, {"text": "b", "label": "y"}),
        rows(),
        [("one\u2028two", "x"), ("b", "y")],
        "datalad/datalad#3523",
    ),
    Odd(
        "a next-line character in JSON lines",
        lines({"text": "one\x85two", "label": "x"}, {"text": "b", "label": "y"}),
        rows(),
        [("one\x85two", "x"), ("b", "y")],
        "wbolster/jsonlines#53",
    ),
    Odd(
        "line separators of Unicode in a table",
        csv("text,label\none\u2028two\x85three\x0bfour,x\nb,y\n"),
        rows(),
        [("one\u2028two\x85three\x0bfour", "x"), ("b", "y")],
        "huggingface/datasets#3910",
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
        "a text of a megabyte", csv(f"text,label\n{LONG},x\nb,y\n"), rows(), [(LONG, "x"), ("b", "y")], "docs"
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
    Odd("a folder named like a file", folder_as_file, rows(), Refused("train.csv"), "docs"),
    Odd("links to files", links, rows(), ONE, "docs"),
    Odd("a link to nothing", broken_link, rows(), Refused("no such file or folder"), "docs"),
    Odd(
        "a folder for each class", classes_as_folders, rows(), Refused("no train split"), "pytorch/vision#109"
    ),
]
