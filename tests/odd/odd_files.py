"""Odd formats and names of files."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from tests.odd.odd_input import Odd, Refused, Scene, command, csv, files, given, lines, rows, twice, write

GOOD = "text,label\none,x\ntwo,y\nthree,x\n"
ONE = [("one", "x"), ("two", "y"), ("three", "x")]
TWO = [("a", "x"), ("b", "y")]


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 12\n"


def archive(member: str, content: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        packed.writestr(member, content)
    return stream.getvalue()


def workbook() -> bytes:
    return archive("xl/workbook.xml", "<workbook/>")


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
    (scene.folder / "all.csv").symlink_to("gone.csv")
    return scene.folder / "all.csv"


def broken_link_in_folder(scene: Scene) -> Path:
    (scene.folder / "train.csv").symlink_to("gone.csv")
    return scene.folder


def whole(name: str, file: str, content: bytes, message: str) -> Odd:
    """A file that is no rows, given by its name."""

    def make(scene: Scene) -> Path:
        return write(scene.folder / file, content)

    return Odd(name, make, rows(), Refused(message), "docs")


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


def second_text(header: str, *, right: list[tuple[str, ...]], said: str, **settings: str) -> Odd:
    """A table whose second column may be a text too."""
    content = f"{header},label\na,b,x\nc,d,y\n"
    given = "".join(f", {name} given" for name in settings)
    return Odd(f"columns {header}{given}", csv(content), rows(**settings), right, "docs", said=said)


def pipe(scene: Scene) -> Path:
    os.mkfifo(scene.folder / "rows.csv")
    return scene.folder / "rows.csv"


def predicted_from(name: str) -> Callable[[Scene, object], object]:
    """Predict a file with the classifier."""
    return lambda scene, _: command("predict", "--input", name)(scene, scene.classifier)


BY_COLUMNS = 'df.to_json(FILE, orient="records") writes rows'
ADDRESS = "is an address; download it first, and give the path here"
NO_FILE = "is no regular file (a pipe or a device)"

TABLE = [
    second_text(
        "question,answer",
        right=[("a", "x"), ("c", "y")],
        said="column 'answer' is not read (as the second text: data.text_pair=answer)",
    ),
    second_text(
        "title,text",
        right=[("b", "x"), ("d", "y")],
        said="only 'text' is read as the text; column 'title' is not read",
    ),
    second_text("question,answer", right=[("a", "b", "x"), ("c", "d", "y")], said="", text_pair="answer"),
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
        Refused("seems to be a JSON array; let its name end in .json"),
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
        Refused("seems to hold the columns of a table, not its rows; df.to_json(FILE"),
        "docs",
    ),
    Odd(
        "a table of pandas in parts",
        twice("json", PANDAS["split"]),
        rows(),
        Refused("seems to hold the columns of a table, not its rows; df.to_json(FILE"),
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
        Refused("not text, but an Excel workbook; save it as CSV"),
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
    Odd(
        "a link to nothing",
        broken_link,
        rows(),
        Refused("all.csv: no such file or folder; it is a link to 'gone.csv', which is not there"),
        "docs",
    ),
    Odd(
        "a folder for each class", classes_as_folders, rows(), Refused("no train split"), "pytorch/vision#109"
    ),
    Odd(
        "an object with a key twice in JSON lines",
        twice("jsonl", '{"text":"a","text":"b","label":"x"}\n{"text":"c","label":"y"}\n'),
        rows(),
        Refused("train.jsonl, line 1: the key 'text' is there twice ('a', then 'b'); keep one"),
        "docs",
    ),
    Odd(
        "an object with a key twice in a list",
        twice("json", '[{"text":"a","text":"b","label":"x"},{"text":"c","label":"y"}]'),
        rows(),
        Refused("train.json, row 1: the key 'text' is there twice"),
        "docs",
    ),
    Odd(
        "an object with a key twice in splits",
        files(all__json='{"train":[{"text":"a","text":"b","label":"x"}],"validation":[]}'),
        lambda scene, folder: rows()(scene, folder / "all.json"),  # type: ignore[operator]
        Refused("all.json: the key 'text' is there twice"),
        "docs",
    ),
    Odd(
        "a key twice with one value",
        twice("jsonl", '{"text":"a","text":"a","label":"x"}\n{"text":"b","label":"y"}\n'),
        rows(),
        TWO,
        "docs",
    ),
    Odd(
        "a number of five thousand digits",
        twice("jsonl", '{"text":"a","n":%s,"label":"x"}\n{"text":"b","label":"y"}\n' % ("1" * 5000)),
        rows(),
        Refused("train.jsonl, line 1: not valid JSON: Exceeds the limit"),
        "docs",
    ),
    Odd("a space before each quote", csv('"text", "label"\n"a", "x"\n"b", "y"\n'), rows(), TWO, "docs"),
    Odd("a space before quotes in the header alone", csv('text, "label"\na,x\nb,y\n'), rows(), TWO, "docs"),
    Odd(
        "a space before names, and before quotes below",
        csv('text, label\n"a", "x, z"\n"b", y\n'),
        rows(),
        [("a", "x, z"), ("b", "y")],
        "docs",
    ),
    Odd(
        "a space before one quote",
        csv('text,label\na, "x"\nb,y\n'),
        rows(),
        Refused("train.csv, line 2: a space between ',' and a quote (' \"x\"'); remove it"),
        "docs",
    ),
    Odd(
        "a space and a quote in quotes",
        csv('text,label\n"a, ""b""",x\nb,y\n'),
        rows(),
        [('a, "b"', "x"), ("b", "y")],
        "docs",
    ),
    whole(
        "a workbook under its own ending",
        "all.xlsx",
        workbook(),
        "not rows, but an Excel workbook; save it as CSV",
    ),
    whole(
        "an old workbook",
        "all.xls",
        b"\xd0\xcf\x11\xe0\xa1",
        "a file of an old Excel or Word; save it as CSV",
    ),
    whole(
        "a workbook of LibreOffice",
        "all.ods",
        archive("mimetype", "application/vnd.oasis.opendocument.spreadsheet"),
        "a workbook of LibreOffice (ODS); save it as CSV",
    ),
    whole(
        "a Word document", "all.docx", archive("word/document.xml", ""), "a Word document; write its texts"
    ),
    whole("an archive", "all.zip", archive("all.csv", GOOD), "a ZIP archive; unpack it"),
    whole("a PDF", "all.pdf", b"%PDF-1.7", "a PDF; write its texts as CSV"),
    whole("a packed file", "all.csv.gz", gzip.compress(GOOD.encode()), "packed by gzip; unpack it"),
    whole("a packed Parquet file", "all.parquet.gz", gzip.compress(b"PAR1"), "packed by gzip; unpack it"),
    whole("a database", "all.sqlite", b"SQLite format 3\0", "a SQLite database; export the table as CSV"),
    whole("an unknown ending", "all.foo", GOOD.encode(), ".foo: unknown format (allowed: .csv, .tsv"),
    whole(
        "a pointer of Git LFS named .csv", "all.csv", LFS, "a pointer of Git LFS in place of the file; run"
    ),
    whole("a pointer of Git LFS named .parquet", "all.parquet", LFS, "but a pointer of Git LFS"),
    whole(
        "a page of HTML named .csv", "all.csv", b"<!DOCTYPE html>\n<html>", "a page of HTML, such as a log-in"
    ),
    whole(
        "a page of HTML named .json", "all.json", b"\n<html lang='en'>", "a page of HTML, such as a log-in"
    ),
    Odd(
        "a text in quotes that begins with a space and a quote",
        csv('text,label\n" ""Well,"" he said, ""come in.""",x\nb,y\n'),
        rows(),
        [(' "Well," he said, "come in."', "x"), ("b", "y")],
        "docs",
    ),
    Odd(
        "a text that is HTML",
        csv("text,label\n<html>,x\n<b>b</b>,y\n"),
        rows(),
        [("<html>", "x"), ("<b>b</b>", "y")],
        "docs",
    ),
    Odd(
        "a workbook where the test split is expected",
        files(train__csv=GOOD, validation__csv=GOOD, test__xlsx=workbook()),
        rows(),
        ONE,
        "docs",
        said="test.xlsx is not read: an Excel workbook; save it as CSV",
    ),
    Odd(
        "control characters in the header",
        csv("te\0xt,\x1b[31mlabel\na,x\n"),
        rows(),
        Refused(r"(the columns are: te\x00xt, \x1b[31mlabel)"),
        "docs",
    ),
    Odd(
        "twenty thousand columns, none of them known",
        csv(f"{','.join(f'c{i}' for i in range(20_000))}\n"),
        rows(),
        Refused("c28, c29, … and 19,970 more); set data.text=COLUMN"),
        "docs",
    ),
    Odd(
        "a link to nothing in a folder",
        broken_link_in_folder,
        rows(),
        Refused("train.csv: cannot read this file: No such file or directory; it is a link to"),
        "docs",
    ),
    Odd(
        "rows without a header",
        csv("a,x\nb,y\n"),
        rows(),
        Refused("train.csv: where its first line is a row: put a header line such as text,label above it"),
        "docs",
    ),
    Odd(
        "a sep= that is not that of the header",
        csv("sep=,\ntext;label\na;x\nb;y\n"),
        rows(),
        Refused("train.csv: its first line is sep=,, but the names in the header are parted by ';'; write"),
        "docs",
    ),
    Odd("one column below a sep=", csv("sep=;\ntext\na\nb\n"), rows(), Refused("as the label"), "docs"),
    Odd(
        "rows with names that the header lacks, as R writes them",
        csv('"text","label"\n"1","a","x"\n"2","b","y"\n'),
        rows(),
        Refused("train.csv: the header has 2 names, and every row 3 fields: the header lacks a name"),
        "docs",
    ),
    Odd(
        "rows with names that the header of a .tsv lacks",
        twice("tsv", "text\tlabel\n1\ta\tx\n2\tb\ty\n"),
        rows(),
        Refused("train.tsv: the header has 2 names, and every row 3 fields: the header lacks a name"),
        "docs",
    ),
    Odd(
        "a comma at the end of every row",
        csv("text,label\na,x,\nb,y,\n"),
        rows(),
        Refused("train.csv: every row ends in ',', and the header does not; end it so too, or remove them"),
        "docs",
    ),
    Odd(
        "a lone carriage return in a row with a field too many",
        csv("text,label\na,x,1\nb\rc,y,2\n"),
        rows(),
        Refused("train.csv, line 2: 3 fields where the header has 2"),
        "docs",
    ),
    Odd(
        "a row of one field",
        csv("text,label\na,x\nb\n"),
        rows(),
        Refused("train.csv, line 3: 1 field where the header has 2"),
        "docs",
    ),
    *(
        Odd(f"the address {name} as data", given(name), rows(), Refused(f"{name}: {ADDRESS}"), "docs")
        for name in ("https://example.com/train.csv", "https://example.com/train", "s3://bucket/train")
    ),
    Odd(
        "an address to predict",
        given(None),
        predicted_from("https://example.com/a.txt"),
        Refused(ADDRESS),
        "docs",
    ),
    Odd(
        "an address as a model",
        given("https://example.com/model"),
        command("predict", "a text"),
        Refused(ADDRESS),
        "docs",
    ),
    Odd("a device as data", given("/dev/null"), rows(), Refused(f"/dev/null: {NO_FILE}"), "docs"),
    Odd("a device to predict", given(None), predicted_from("/dev/null"), Refused(NO_FILE), "docs"),
    Odd("a pipe as data", pipe, rows(), Refused(NO_FILE), "docs"),
    Odd(
        "spaces around the names in a header, of a file to predict",
        lambda scene: write(scene.folder / "in.csv", "text, note\ngood bab,1\n").parent,
        lambda scene, folder: (
            "note"
            in json.loads(
                command("predict", "--input", scene.folder / "in.csv")(scene, scene.classifier).splitlines()[
                    0
                ]
            )
        ),
        True,
        "docs",
    ),
    *(
        Odd(name, twice(ending, content), rows(), Refused(message), "docs")
        for name, ending, content, message in (
            ("a table by columns", "json", '{"text": ["a", "b"], "label": ["x", "y"]}', BY_COLUMNS),
            ("a table as to_json writes it", "json", '{"text": {"0": "a"}, "label": {"0": "x"}}', BY_COLUMNS),
            (
                "a table as orient=split",
                "json",
                '{"columns": ["text"], "index": [0], "data": [["a"]]}',
                BY_COLUMNS,
            ),
            (
                "JSON lines in a .csv",
                "csv",
                '{"text": "a", "label": "x"}\n',
                "seems to be JSON; let its name",
            ),
            ("an array in a .csv", "csv", '[{"text": "a", "label": "x"}]\n', "seems to be a JSON array; let"),
            (
                "an array in a .jsonl",
                "jsonl",
                '[\n{"text": "a", "label": "x"}]\n',
                "let its name end in .json",
            ),
            ("CSV in a .jsonl", "jsonl", GOOD, "train.jsonl: seems to be CSV, not JSON; let its name end in"),
            (
                "CSV in a .json",
                "json",
                GOOD,
                "train.json: seems to be CSV, not JSON; let its name end in .csv",
            ),
            ("an empty .json", "json", "", "train.json: the file is empty"),
        )
    ),
]
