"""Files in other encodings than UTF-8: read where one is recognised for sure, else refused with readings."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tinybert.errors import DataError
from tinybert.sources.encoding import SourceFile
from tinybert.sources.readers import open_file
from tinybert.sources.text_files import Fault, RawRow

SIMPLIFIED = [
    "这家店的味道很好，下次还会再来",
    "送餐太慢了，菜都凉了",
    "价格便宜，分量也足",
    "服务态度很差，不推荐",
]
TRADITIONAL = [
    "這家餐廳的味道很好，服務也很親切",
    "價格有點貴，等了很久",
    "東西不新鮮，送來已經涼了",
    "老闆人很好，份量足",
]
JAPANESE = [
    "この店の料理はとても美味しかったです",
    "値段が少し高いです",
    "店員さんの対応が悪かった",
    "また来たい",
]
KOREAN = ["음식이 정말 맛있었어요", "가격이 조금 비싸지만 양이 많아요", "직원이 불친절했습니다", "최고예요"]
WRITTEN = [
    ("gb18030", SIMPLIFIED),
    ("gbk", SIMPLIFIED),
    ("big5", TRADITIONAL),
    ("shift_jis", JAPANESE),
    ("euc_jp", JAPANESE),
    ("euc_kr", KOREAN),
    ("utf-8", SIMPLIFIED),
    ("utf-8-sig", SIMPLIFIED),
    ("utf-16", SIMPLIFIED),
    ("utf-16-le", ["a fine film", "naïve and dull"]),
    ("utf-16-be", ["a fine film", "naïve and dull"]),
    ("utf-32", JAPANESE),
]
"""Encoding, and texts in it."""


def csv_of(texts: list[str], end: str = "\r\n") -> str:
    return end.join(["text,label", *(f"{text},{i % 2}" for i, text in enumerate(texts)), ""])


def jsonl_of(texts: list[str]) -> str:
    rows = ({"text": text, "label": str(i % 2)} for i, text in enumerate(texts))
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def json_of(texts: list[str]) -> str:
    rows = [{"text": text, "label": str(i % 2)} for i, text in enumerate(texts)]
    return json.dumps(rows, ensure_ascii=False)


FORMATS = {
    "rows.csv": csv_of,
    "rows.tsv": lambda texts: csv_of([text.replace(",", " ") for text in texts]).replace(",", "\t"),
    "rows.jsonl": jsonl_of,
    "rows.json": json_of,
}


def opened(path: Path, **more: str) -> Iterator[RawRow | Fault]:
    return open_file(SourceFile(path, path.name, setting="data.encoding", **more))[""].rows


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(("encoding", "texts"), WRITTEN, ids=[encoding for encoding, _ in WRITTEN])
def test_a_file_in_a_known_encoding_is_read(encoding: str, texts: list[str], name: str, tmp_path: Path):
    path = tmp_path / name
    path.write_bytes(FORMATS[name](texts).encode(encoding))
    rows = [row[1]["text"] for row in opened(path) if not isinstance(row, Fault)]
    assert rows == texts


def test_an_encoding_that_is_recognised_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "rows.csv"
    path.write_bytes(csv_of(SIMPLIFIED).encode("gbk"))
    list(opened(path))
    said = "rows.csv: not UTF-8, read as GB18030 (GBK); data.encoding=NAME sets another\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(
    ("encoding", "texts", "reading"),
    [
        ("cp1252", ["très bon café", "déçu par la qualité"], "cp1252"),
        ("cp1251", ["Очень вкусная еда", "Больше не приду"], "cp1251"),
        ("gbk", ["好评", "差评"], "gb18030"),
    ],
)
def test_an_encoding_that_is_not_sure_is_refused_with_readings(
    encoding: str, texts: list[str], reading: str, tmp_path: Path
):
    path = tmp_path / "rows.csv"
    path.write_bytes(csv_of(texts).encode(encoding))
    with pytest.raises(DataError) as caught:
        list(opened(path))
    (problem,) = caught.value.problems
    assert problem.startswith("line 2: the file is not UTF-8")
    assert reading.partition(":")[0] in problem
    assert texts[0][:4] in problem
    assert "data.encoding=NAME" in problem


def test_the_encoding_that_is_given_is_taken(tmp_path: Path):
    path = tmp_path / "rows.csv"
    path.write_bytes(csv_of(["très bon café"]).encode("cp1252"))
    assert [row[1]["text"] for row in opened(path, encoding="cp1252")] == ["très bon café"]  # pyright: ignore


@pytest.mark.parametrize("encoding", ["gb2313", "base64", "ut\0f"])
def test_a_name_that_is_no_encoding_is_refused(encoding: str, tmp_path: Path):
    path = tmp_path / "rows.csv"
    path.write_text(csv_of(["a", "b"]), encoding="utf-8")
    with pytest.raises(DataError, match="no encoding of text; allowed: auto, utf-8"):
        list(opened(path, encoding=encoding))


@pytest.mark.parametrize("name", FORMATS)
def test_a_broken_byte_sets_its_row_aside(name: str, tmp_path: Path):
    texts = [f"naïve film {i}" for i in range(40)]
    whole = FORMATS[name](texts).encode()
    path = tmp_path / name
    path.write_bytes(whole.replace("naïve film 7".encode(), b"na\xefve film 7"))
    found = list(opened(path))
    (fault,) = [row for row in found if isinstance(row, Fault)]
    assert "(byte 0xef) is not UTF-8" in fault.why
    assert "na\ufffdve film 7" in json.dumps(fault.raw, ensure_ascii=False)
    assert len(found) == 40


def test_a_broken_byte_in_another_encoding_sets_its_row_aside(tmp_path: Path):
    path = tmp_path / "rows.csv"
    path.write_bytes(csv_of(SIMPLIFIED * 9).encode("gb18030").replace(b",0\r", b"\xff,0\r", 1))
    found = list(opened(path))
    faults = [row for row in found if isinstance(row, Fault)]
    assert [fault.number for fault in faults] == [2]
    assert "(byte 0xff) is not GB18030" in faults[0].why
    assert len(found) == 36


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("first", ["", "sep=;\n", '"sep=;"\n'])
def test_line_ends_and_the_first_line_of_excel(end: str, first: str, tmp_path: Path):
    path = tmp_path / "rows.csv"
    text = first.replace("\n", end) + end.join(["text;label", "good, even fine;1", "bad;0", ""])
    path.write_bytes(codecs.BOM_UTF8 + text.encode())
    found = [(row[0], dict(row[1])) for row in opened(path) if not isinstance(row, Fault)]
    shift = bool(first)
    assert found == [
        (2 + shift, {"text": "good, even fine", "label": "1"}),
        (3 + shift, {"text": "bad", "label": "0"}),
    ]


def test_a_header_may_have_line_breaks_in_quotes(tmp_path: Path):
    path = tmp_path / "rows.csv"
    path.write_text('"the\ntext",label\n"good\nfilm",1\nbad,0\n', encoding="utf-8")
    assert [row[1] for row in opened(path)] == [  # pyright: ignore
        {"the\ntext": "good\nfilm", "label": "1"},
        {"the\ntext": "bad", "label": "0"},
    ]
