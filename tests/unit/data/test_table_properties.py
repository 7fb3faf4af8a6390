"""Tables as others write them: the same rows are read, or the file is refused by name; never other rows."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st
from tests.unit.data.made_up import read

from tinybert.data.labels import tidy
from tinybert.errors import TinyBertError
from tinybert.sources.encoding import SourceFile
from tinybert.sources.readers import open_file
from tinybert.sources.text_files import Fault

pd = pytest.importorskip("pandas")

Row = tuple[str, object]

UNICODE = ("utf-8", "utf-8-sig", "utf-16", "utf-32")
LINE_ENDS = ("\n", "\r\n", "\r")
DELIMITERS = ",;\t|"
NAMES = ("a.csv", "a.tsv")
QUOTINGS = (csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC, csv.QUOTE_NONE)
SPECIAL = (
    *("NA", "null", "None", "nan", "N/A", "true", "007", "1.5", "1,5", "=1+1", "-", "#a", "'q'", '"q"', '""'),
    *("sep=;", " lead", "trail ", "a\r\nb", 'say "x", he said', "rock 'n' roll", "'''bold'''", "C:\\new"),
)
LABELS = {
    "text": st.sampled_from(
        ["good", "bad", "NA", "null", " a ", "a,b", 'say "x"', "it's", "北", "x;y", "=a"]
    ),
    "text with gaps": st.sampled_from(["good", "bad", None]),
    "whole": st.sampled_from([0, 1, -1, 10]),
    "whole with gaps": st.sampled_from([0, 1, None]),
    "float": st.sampled_from([0.0, 1.0, 2.0]),
    "truth": st.booleans(),
    "truth with gaps": st.sampled_from([True, False, None]),
}
CHARACTERS = st.sampled_from("aB1 ,;\t|\"'\n\r\\=北京é한あ\u3000\u2028\xa0😀")
TEXTS = (st.sampled_from(SPECIAL) | st.text(CHARACTERS, min_size=1, max_size=8)).filter(str.strip)
GB = ("这家店的味道很好，下次还会再来", "送餐太慢了，菜都凉了", "好评", "服务态度很差，不推荐")
BIG5 = ("這家餐廳的味道很好，服務也很親切", "價格有點貴，等了很久", "好吃")
JAPANESE = ("この店の料理はとても美味しかったです", "値段が少し高いです", "テレビ", "また来たい")
KOREAN = ("음식이 정말 맛있었어요", "가격이 조금 비싸지만 양이 많아요", "최고예요")
RUSSIAN = ("Очень вкусная еда", "Больше не приду", "НЕ ПОНРАВИЛОСЬ СОВСЕМ")
THAI = ("อาหารอร่อยมาก", "บริการแย่มากไม่แนะนำ")
GREEK = ("Πολύ καλό φαγητό", "ΔΕΝ ΜΟΥ ΑΡΕΣΕ ΚΑΘΟΛΟΥ")
FRENCH = ("très bon café", "déçu par la qualité", "à éviter", "ÉÈÀÇ ÉÈÀÇ")
SENTENCES = {
    **{"gb18030": GB, "gbk": GB, "big5": BIG5, "shift_jis": JAPANESE, "euc-jp": JAPANESE, "euc-kr": KOREAN},
    **{"cp1251": RUSSIAN, "koi8-r": RUSSIAN, "iso8859-5": RUSSIAN, "cp874": THAI, "cp1253": GREEK},
    **{"latin-1": FRENCH, "cp1252": (*FRENCH, "“quoted” – naïve")},
}
"""Encoding → what people write in it."""


@st.composite
def tables(draw: st.DrawFn, texts: st.SearchStrategy[str] = TEXTS) -> list[Row]:
    labels = LABELS[draw(st.sampled_from(list(LABELS)))]
    return draw(st.lists(st.tuples(texts, labels), min_size=1, max_size=6))


def normalised(rows: Sequence[tuple[str, object]]) -> list[tuple[str, str | None]]:
    """Return rows as the documentation says they are read; truth values in any case."""
    return [(text, name_of(label)) for text, label in rows]


def name_of(label: object) -> str | None:
    if label is None or (isinstance(label, float) and math.isnan(label)):
        return None
    if isinstance(label, bool):
        return str(label).lower()
    return str(int(label)) if isinstance(label, float) else tidy(str(label)) or None


def is_read_or_refused(path: Path, rows: Sequence[Row], *, must_read: bool = False, **options: str) -> None:
    try:
        data = read(path, need=["test"], allow_unlabelled=True, **options)
    except TinyBertError as error:
        problems = " ".join(error.problems) if hasattr(error, "problems") else str(error)
        assert str(path.name) in str(error)
        no_labels = "labelled rows have the label" in problems or "no row has a label" in problems
        assert not must_read or no_labels or "labels are numbers" in problems, problems
        event("refused")
        return
    event("read")
    given = data.splits["test"]
    found = [None if label is None else data.labels.names[label] for label in given["label"][:]]
    if any(isinstance(label, bool) for _, label in rows):  # True in a CSV file, true in others
        found = [None if name is None else name.lower() for name in found]
    assert list(zip(given["text"][:], found, strict=True)) == normalised(rows)


def frame(rows: Sequence[Row], *, label_first: bool) -> pd.DataFrame:
    made = pd.DataFrame({"text": [text for text, _ in rows], "label": [label for _, label in rows]})
    return made[["label", "text"]] if label_first else made


def is_end_hidden(rows: Sequence[Row]) -> bool:
    """Say that a text ends in a line break, which may be written as if it ended the row."""
    return any(str(cell).endswith(("\r", "\n")) for row in rows for cell in row)


def write(folder: Path, name: str, content: str | bytes, encoding: str = "utf-8") -> Path:
    try:
        data = content if isinstance(content, bytes) else content.encode(encoding)
    except UnicodeEncodeError:
        assume(False)
    assume(encoding.startswith("utf") or not is_utf8_of_another_text(data, content))
    path = folder / name
    path.write_bytes(data)
    return path


def is_utf8_of_another_text(data: bytes, content: str | bytes) -> bool:
    """By accident, which nobody can tell: 模 in GBK is the letter ģ in UTF-8."""
    try:
        return data.decode() != content
    except UnicodeDecodeError:
        return False


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables")


@given(tables(), st.booleans(), st.sampled_from(DELIMITERS), st.sampled_from(UNICODE), st.data())
def test_csv_of_pandas(folder, rows, label_first, delimiter, encoding, data) -> None:
    end, quoting = data.draw(st.sampled_from(LINE_ENDS)), data.draw(st.sampled_from([0, 1, 2]))
    is_sound = quoting == csv.QUOTE_ALL or not any("\r" in str(cell) for row in rows for cell in row)
    assume(is_sound or end == "\n")
    assume(quoting == csv.QUOTE_ALL or not is_end_hidden(rows))
    text = frame(rows, label_first=label_first).to_csv(
        sep=delimiter, quoting=quoting, lineterminator=end, index=data.draw(st.booleans())
    )
    must_read = is_sound and end != "\r"
    is_read_or_refused(write(folder, "a.csv", text, encoding), rows, must_read=must_read)


@given(tables(), st.booleans(), st.sampled_from(UNICODE), st.sampled_from([0, 1, 2]))
def test_tsv_of_pandas(folder, rows, label_first, encoding, quoting) -> None:
    text = frame(rows, label_first=label_first).to_csv(sep="\t", index=False, quoting=quoting)
    assume(quoting == csv.QUOTE_ALL or not is_end_hidden(rows))
    breaks = any(mark in str(cell) for row in rows for cell in row for mark in "\n\r")
    is_read_or_refused(write(folder, "a.tsv", text, encoding), rows, must_read=not breaks)


def excel_cell(cell: object, marks: str) -> str:
    text = "" if cell is None else str(cell).upper() if isinstance(cell, bool) else str(cell)
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in marks) else text


@given(tables(), st.booleans(), st.sampled_from(["", "sep=;\r\n"]), st.sampled_from(["utf-8", "utf-8-sig"]))
def test_csv_of_excel(folder, rows, label_first, first, encoding) -> None:
    """Fields are parted by semicolons where numbers have a decimal comma; Alt+Enter writes a line feed."""
    rows = [(text.replace("\r\n", "\n").replace("\r", "\n"), label) for text, label in rows]
    table = [("text", "label"), *rows]
    table = [(label, text) for text, label in table] if label_first else table
    lines = [";".join(excel_cell(cell, ';"\n') for cell in row) + "\r\n" for row in table]
    path = write(folder, "a.csv", first + "".join(lines), encoding)
    is_read_or_refused(path, rows, must_read=True)


@given(tables(), st.booleans(), st.sampled_from(NAMES))
def test_unicode_text_of_excel(folder, rows, label_first, name) -> None:
    """Parted by tabs, in UTF-16; a field with a comma is quoted too."""
    rows = [(text.replace("\r\n", "\n").replace("\r", "\n"), label) for text, label in rows]
    table = [("text", "label"), *rows]
    table = [(label, text) for text, label in table] if label_first else table
    lines = ["\t".join(excel_cell(cell, '\t"\n,') for cell in row) + "\r\n" for row in table]
    path = write(folder, name, "".join(lines), "utf-16")
    is_read_or_refused(path, rows, must_read=name == "a.csv")


@st.composite
def dialects(draw: st.DrawFn) -> dict[str, object]:
    dialect = {
        "delimiter": draw(st.sampled_from(DELIMITERS)),
        "quotechar": draw(st.sampled_from('""\'')),
        "quoting": draw(st.sampled_from(QUOTINGS)),
        "doublequote": draw(st.booleans()),
        "lineterminator": draw(st.sampled_from(LINE_ENDS)),
    }
    needs_escape = not dialect["doublequote"] or dialect["quoting"] == csv.QUOTE_NONE
    return dialect | {"escapechar": "\\" if needs_escape else None}


def can_be_told(rows: Sequence[Row], dialect: dict[str, object], name: str) -> bool:
    """Say whether the file shows its dialect: it does not where what is special to it does not occur.

    A backslash is an ordinary character, and so is an apostrophe, unless the header is in apostrophes, and
    in a TSV file a quote.
    """
    cells = [str(cell) for row in rows for cell in row]
    has_quoted_header = dialect["quoting"] in (csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC)
    hidden = ("\\" + '"' * (name == "a.tsv")) if dialect["escapechar"] else ""
    hidden += "'" if dialect["escapechar"] and dialect["quotechar"] == "'" else ""
    hidden += '"' if dialect["quotechar"] == "'" and not has_quoted_header else ""
    hidden += "\r\n" if dialect["quoting"] == csv.QUOTE_NONE or dialect["lineterminator"] == "\r" else ""
    in_quotes = dialect["quotechar"] == "'" and any(cell.strip("'") != cell for cell in cells)
    if dialect["quoting"] != csv.QUOTE_ALL and is_end_hidden(rows):
        return False
    return not in_quotes and not any(mark in cell for cell in cells for mark in hidden)


@given(tables(), st.booleans(), dialects(), st.sampled_from(NAMES), st.sampled_from(UNICODE))
def test_csv_in_any_dialect(folder, rows, label_first, dialect, name, encoding) -> None:
    assume(name == "a.csv" or dialect["delimiter"] == "\t")
    assume(can_be_told(rows, dialect, name))
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, **dialect)
    table = [("text", "label"), *((text, "" if label is None else label) for text, label in rows)]
    try:
        writer.writerows([(label, text) for text, label in table] if label_first else table)
    except csv.Error:
        assume(False)
    is_read_or_refused(write(folder, name, stream.getvalue(), encoding), rows)


@given(tables(), st.booleans(), st.sampled_from(["records", "lines", "table", "split", "columns"]), st.data())
def test_json_of_pandas(folder, rows, label_first, orient, data) -> None:
    form = {"orient": "records", "lines": True} if orient == "lines" else {"orient": orient}
    ascii_only, encoding = data.draw(st.booleans()), data.draw(st.sampled_from(UNICODE))
    text = frame(rows, label_first=label_first).to_json(force_ascii=ascii_only, **form)
    name = data.draw(st.sampled_from(["a.jsonl", "a.json"])) if orient == "lines" else "a.json"
    path = write(folder, name, text, encoding)
    is_read_or_refused(path, rows, must_read=orient in ("records", "lines", "table"))


@given(tables(), st.booleans())
def test_parquet_of_pandas(folder, rows, label_first) -> None:
    path = folder / "a.parquet"
    frame(rows, label_first=label_first).to_parquet(path)
    is_read_or_refused(path, rows, must_read=True)


@given(st.sampled_from(list(SENTENCES)), st.sampled_from(["csv", "jsonl"]), st.data())
def test_other_encodings(folder, encoding, form, data) -> None:
    sentences = st.lists(st.sampled_from(SENTENCES[encoding]), min_size=1, max_size=5).map(" ".join)
    rows = data.draw(tables(sentences))
    text = frame(rows, label_first=False).to_csv(index=False)
    if form == "jsonl":
        text = "".join(json.dumps({"text": t, "label": v}, ensure_ascii=False) + "\n" for t, v in rows)
    path = write(folder, f"a.{form}", text, encoding)
    is_read_or_refused(path, rows)
    is_read_or_refused(path, rows, must_read=True, encoding=encoding)


@given(st.lists(TEXTS, min_size=1, max_size=5), st.sampled_from(DELIMITERS), st.sampled_from(NAMES))
def test_one_column_of_texts(folder, texts, delimiter, name) -> None:
    assume(name == "a.csv" or delimiter == "\t")
    assume(not any("\r" in text for text in texts))
    text = pd.DataFrame({"text": texts}).to_csv(index=False, sep=delimiter)
    try:
        rows = list(open_file(SourceFile(write(folder, name, text), name))[""].rows)
    except TinyBertError as error:
        assert name in str(error)
        return
    if not any(isinstance(row, Fault) for row in rows):
        assert [values["text"] for _, values in rows] == texts
