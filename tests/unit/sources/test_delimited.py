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


def table_of(path: Path, content: str) -> tuple[list[str], list[int]]:
    path.write_text(content, encoding="utf-8", newline="")
    table = open_file(SourceFile(path, path.name))[""]
    return list(table.columns), [row.number if isinstance(row, Fault) else row[0] for row in table.rows]


def reviews(*quoted: int, text_first: bool = False) -> str:
    """40 rows from line 2 on; a stray quote begins the text at the first line given, the next ends one."""
    rows = [["label", "text"]]
    for line in range(2, 42):
        text = f"A warm cast number {line}."
        if line in quoted:
            text = text + '"' if quoted.index(line) % 2 else '"' + text
        rows.append([("negative", "positive")[line % 2], text])
    return "".join(",".join(row[::-1] if text_first else row) + "\n" for row in rows)


WORDS = "sentence,word,tag\n" + "".join(
    f"{i // 4},{word},{tag}\n"
    for i, (word, tag) in enumerate([('"', "O"), ("Ann", "B-PER"), ('"', "O"), ("left", "O")] * 5)
)


@pytest.mark.parametrize("text_first", [False, True])
def test_rows_between_two_stray_quotes_are_refused(tmp_path: Path, text_first: bool) -> None:
    content = reviews(6, 16, text_first=text_first)
    rows = rows_of(tmp_path / "a.csv", content)
    (fault,) = [row for row in rows if isinstance(row, Fault)]
    assert (fault.number, fault.is_fatal) == (6, False)
    assert fault.why == (
        'one row with a line break in quotes, or 11 rows? double each " that belongs to a text'
    )
    assert [row for row in rows if row != fault] == [
        [f"A warm cast number {line}.", ("negative", "positive")[line % 2]][:: 1 if text_first else -1]
        for line in range(2, 42)
        if not 6 <= line <= 16
    ]


def test_nearly_all_rows_between_two_stray_quotes_are_refused(tmp_path: Path) -> None:
    assert "or 40 rows?" in fault_of(tmp_path / "a.csv", reviews(2, 41)).why
    blank = reviews(6, 16).replace("number 9.\n", "number 9.\n\n")
    assert "or 11 rows?" in fault_of(tmp_path / "b.csv", blank).why


def test_rows_between_two_words_that_are_a_quote_are_refused(tmp_path: Path) -> None:
    rows = rows_of(tmp_path / "a.csv", WORDS)
    faults = [row for row in rows if isinstance(row, Fault)]
    assert [(fault.number, "or 3 rows?" in fault.why) for fault in faults] == [
        (line, True) for line in range(2, 22, 4)
    ]
    assert [row for row in rows if not isinstance(row, Fault)] == [[str(i), "left", "O"] for i in range(5)]


@pytest.mark.parametrize(
    "rows",
    [
        [["1", "Dear all\nRegards, Bob"], ["0", "Thanks\nRegards, Ann"]] * 5,
        [["Ad", "one\nAd, two"], *([name, "x"] for name in ("Ad", "Ad", "A", "B", "C", "D"))],
        [["good", "one\nodd, two"], *([name, "x"] for name in ("good", "bad", "odd", "good", "bad", "good"))],
        [["1", "Good\n0, 1"], ["0", "Bad"], ["1", "Fine"], ["0", "So so"]],
        [["good", "Bad, they say\n\nGood, I say"], ["bad", "no"], ["good", "yes"], ["bad", "never"]],
    ],
)
def test_texts_of_several_lines_with_commas_are_read(tmp_path: Path, rows: list[list[str]]) -> None:
    lines = [f'{label},"{text}"' for label, text in rows]
    assert rows_of(tmp_path / "a.csv", "\n".join(["label,text", *lines, ""])) == rows


def test_lines_that_recur_in_the_only_column_are_read(tmp_path: Path) -> None:
    rows = rows_of(tmp_path / "a.csv", 'text\nyes\nyes\n"yes\nyes"\n')
    assert rows == [["yes"], ["yes"], ["yes\nyes"]]


def test_a_quote_that_never_closes_after_a_text_of_several_lines_cannot_be_set_aside(tmp_path: Path) -> None:
    one = 'label,text\nx,a "b"\ny,"c\nd"\nx,"open\n'
    fault = fault_of(tmp_path / "a.csv", one)
    assert (fault.number, fault.is_fatal) == (5, True)
    assert fault.why.endswith('; an earlier " may have merged rows into one at line 3')
    alone = fault_of(tmp_path / "b.csv", 'label,text\nx,a\nx,"open\n')
    assert (alone.number, alone.is_fatal) == (3, False)
    faults = [row for row in rows_of(tmp_path / "c.csv", reviews(6, 16, 30)) if isinstance(row, Fault)]
    assert [(each.number, each.is_fatal) for each in faults] == [(6, False), (30, True)]


@pytest.mark.parametrize(
    "content",
    ["text,label\na,1\n", "text;label\na;1\n", "sep=;\ntext;label\na;1\n", "sep=\t\ntext\tlabel\na\t1\n"],
)
def test_a_tsv_without_tabs_in_its_header_is_read_as_csv(tmp_path: Path, content: str) -> None:
    assert rows_of(tmp_path / "a.tsv", content) == [["a", "1"]]
    assert table_of(tmp_path / "a.tsv", content)[0] == ["text", "label"]


def test_a_tsv_with_a_tab_and_commas_in_its_header_stays_one(tmp_path: Path) -> None:
    columns, _ = table_of(tmp_path / "a.tsv", "text, raw, long\tlabel\na\t1\n")
    assert columns == ["text, raw, long", "label"]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
@pytest.mark.parametrize("form", ["{0}text{1}label{0}", '{0}"text"{1}"{0}label"', "\n{0}\n{0}text{1}label"])
def test_names_in_a_header_have_no_marks_that_nobody_sees(tmp_path: Path, name: str, form: str) -> None:
    mark = "," if name == "a.csv" else "\t"
    for unseen in ("\ufeff\ufeff", "\u200b", "\u2060\u200d"):
        content = form.format(unseen, mark) + f"\na{mark}1\n"
        assert table_of(tmp_path / name, content)[0] == ["text", "label"]
        assert rows_of(tmp_path / name, content) == [["a", "1"]]


@pytest.mark.parametrize(
    ("name", "content", "wanted"),
    [
        ("a.csv", "\n \r\ntext,label\na,1\n\nb,0\n", [4, 6]),
        ("a.csv", "\nsep=;\n\ntext;label\na;1\nb;0\n", [5, 6]),
        ("a.tsv", "\n\n\ntext\tlabel\na\t1\nb\t0\n", [5, 6]),
        ("a.tsv", '\n\ntext\tlabel\n"a\tb"\t1\nb\t0\n', [4, 5]),
        ("a.tsv", "\n\ntext,label\na,1\nb,0\n", [4, 5]),
        ("a.csv", "\n\ntext,label\na,b,c\nb,0\n", [4, 5]),
    ],
)
def test_blank_lines_before_the_header_are_counted_and_skipped(
    tmp_path: Path, name: str, content: str, wanted: list[int]
) -> None:
    assert table_of(tmp_path / name, content) == (["text", "label"], wanted)
