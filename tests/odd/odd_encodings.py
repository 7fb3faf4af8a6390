"""Odd encodings, and odd tables as text."""

from __future__ import annotations

from tests.odd.odd_input import Odd, Refused, command, csv, lines, rows, twice, write

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


def without_mark(name: str, order: str) -> Odd:
    content = csv(GOOD.encode(f"{name}-{order}"))
    return Odd(f"{name} that is named, without a mark, {order}", content, rows(encoding=name), ONE, "docs")


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
    *(without_mark("utf-16", order) for order in ("le", "be")),
    *(without_mark("utf-32", order) for order in ("le", "be")),
    Odd(
        "UTF-16 that is named, with a mark",
        csv(b"\xff\xfe" + GOOD.encode("utf-16-le")),
        rows(encoding="utf-16-le"),
        ONE,
        "docs",
    ),
    Odd(
        "UTF-16 that is named, for a file in UTF-8",
        csv(GOOD),
        rows(encoding="utf-16"),
        Refused("does not begin with the mark of UTF-16"),
        "docs",
    ),
    Odd(
        "UTF-32 that is named, for a file in UTF-8",
        csv(GOOD),
        rows(encoding="utf-32"),
        Refused("data.encoding=utf-32-le or data.encoding=utf-32-be"),
        "docs",
    ),
    Odd(
        "an encoding of host names",
        csv(GOOD),
        rows(encoding="punycode"),
        Refused("data.encoding=punycode: no encoding of text"),
        "docs",
    ),
    Odd(
        "texts to predict that are not in the encoding named",
        lambda scene: (write(scene.folder / "in.txt", "good bab\n"), scene.classifier)[1],
        lambda scene, model: command("predict", "--input", scene.folder / "in.txt", "--encoding", "utf-16")(
            scene, model
        ),
        Refused("does not begin with the mark of UTF-16"),
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
    Odd("commas in a .tsv", twice("tsv", GOOD), rows(), ONE, "docs"),
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
    *(
        Odd(
            f"the header again among the rows of a .{ending}, with {mark!r}",
            twice(ending, GOOD.replace(",", mark) * 2),
            rows(),
            Refused(f"train.{ending}, line 5: the header again, as where two files were joined; delete"),
            "docs",
        )
        for ending, mark in (("csv", ","), ("tsv", "\t"), ("csv", ";"))
    ),
    Odd(
        "a text that is the name of its column",
        csv("text,label\ntext,x\nb,label\n"),
        rows(),
        [("text", "x"), ("b", "label")],
        "docs",
    ),
    Odd(
        "dashes for what is missing",
        csv("text,label\n---,---\na,x\nb,---\n"),
        rows(),
        [("---", "---"), ("a", "x"), ("b", "---")],
        "docs",
    ),
    Odd(
        "a table of Markdown",
        csv("| text | label |\n|---|:---|\n| a | x |\n| b | y |\n"),
        rows(),
        Refused("table in Markdown; save the table as CSV"),
        "docs",
    ),
]
