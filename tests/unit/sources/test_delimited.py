"""CSV and TSV as spreadsheets, pandas and other writers quote their fields."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinybert.sources.encoding import SourceFile
from tinybert.sources.readers import open_file
from tinybert.sources.text_files import Fault


def rows_of(path: Path, content: str) -> list[Fault | list[object]]:
    path.write_text(content, encoding="utf-8", newline="")
    rows = open_file(SourceFile(path, path.name))[""].rows
    return [row if isinstance(row, Fault) else list(row[1].values()) for row in rows]


def fault_of(path: Path, content: str) -> Fault:
    (fault,) = [row for row in rows_of(path, content) if isinstance(row, Fault)]
    return fault


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        ('text\tlabel\n"one, two"\t1\nthree\t0\n', [["one, two", "1"], ["three", "0"]]),  # Excel
        ('text\tlabel\n"one\ttwo"\t1\n"a\nb"\t0\n', [["one\ttwo", "1"], ["a\nb", "0"]]),  # pandas
        ('text\tlabel\n"say ""x""\nnow"\t1\n""\t0\n', [['say "x"\nnow', "1"], ["", "0"]]),
        ('"text"\t"label"\n"a ""b"""\t1\n"c"\t0\n', [['a "b"', "1"], ["c", "0"]]),
        ("'text'\t'label'\n'it''s'\t1\n", [["it's", "1"]]),
        ('text\tlabel\n"one, two"\t1\nthree, four\t0\n', [['"one, two"', "1"], ["three, four", "0"]]),
        ('text\tlabel\n"Great"\t1\nso "so" it is\t0\n', [['"Great"', "1"], ['so "so" it is', "0"]]),
        ('text\tlabel\n"one\t1\ntwo"\t0\n 3"\t1\n', [['"one', "1"], ['two"', "0"], [' 3"', "1"]]),
    ],
)
def test_a_tsv_is_read_as_csv_where_its_quotes_are_those_of_a_writer_of_csv(
    tmp_path: Path, content: str, wanted: list[list[str]]
) -> None:
    assert rows_of(tmp_path / "a.tsv", content) == wanted


def test_a_tsv_that_may_be_one_row_or_two_is_refused(tmp_path: Path) -> None:
    fault = fault_of(tmp_path / "a.tsv", 'label\ttext\n1\t"He said\n2\tso"\n')
    assert fault.number == 2
    assert "one row with a line break in quotes, or 2 rows?" in fault.why


def test_apostrophes_around_the_header_are_the_quotes_of_the_file(tmp_path: Path) -> None:
    content = "'text','label'\n'it''s, \"so\"','1'\n"
    assert rows_of(tmp_path / "a.csv", content) == [['it\'s, "so"', "1"]]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_apostrophes_as_quotes_are_refused_where_the_header_does_not_tell(tmp_path: Path, name: str) -> None:
    mark = "," if name == "a.csv" else "\t"
    lines = [f"text{mark}label", f"fine{mark}1", f"'it''s'{mark}0", ""]
    fault = fault_of(tmp_path / name, "\n".join(lines))
    assert (fault.number, fault.is_fatal) == (3, True)
    assert "quoted by '" in fault.why


@pytest.mark.parametrize("text", ["'''bold'''", "it's", "rock 'n' roll", "'so'", "''"])
def test_apostrophes_in_texts_are_ordinary(tmp_path: Path, text: str) -> None:
    assert rows_of(tmp_path / "a.csv", f"text,label\n{text},1\n") == [[text, "1"]]


def test_a_text_in_apostrophes_beside_one_with_an_apostrophe_is_ordinary(tmp_path: Path) -> None:
    content = "text,label\n'it''s',1\nit's,0\n"
    assert rows_of(tmp_path / "a.csv", content) == [["'it''s'", "1"], ["it's", "0"]]


def test_a_quote_that_is_escaped_by_a_backslash_is_refused(tmp_path: Path) -> None:
    fault = fault_of(tmp_path / "a.csv", 'text,label\nfine,1\nsay \\"x\\",0\n')
    assert (fault.number, fault.is_fatal) == (3, False)
    assert fault.why == 'a quote is escaped by a backslash; double it: ""'
    ordinary = 'text,label\n"C:\\",1\n"say \\""x""",0\n'
    assert rows_of(tmp_path / "b.csv", ordinary) == [["C:\\", "1"], ['say \\"x"', "0"]]


def test_excel_may_name_a_tab_in_the_first_line(tmp_path: Path) -> None:
    assert rows_of(tmp_path / "a.csv", "sep=\t\r\ntext\tlabel\r\na;b\t1\r\n") == [["a;b", "1"]]


def test_lines_that_end_in_a_carriage_return_may_hold_a_line_feed(tmp_path: Path) -> None:
    assert rows_of(tmp_path / "a.csv", 'text,label\r"a\nb",1\rc,0\r') == [["a\nb", "1"], ["c", "0"]]
    lone = 'text,label\n"a\rb\rc\rd",1\n'  # as many old line ends, but not the first
    assert rows_of(tmp_path / "b.csv", lone) == [["a\rb\rc\rd", "1"]]


def test_an_apostrophe_that_never_closes_is_named(tmp_path: Path) -> None:
    fault = fault_of(tmp_path / "a.csv", "'text','label'\n'a,1\nb,0\n")
    assert "a quote (') opens here and never closes and swallows the 1 lines after it" in fault.why
