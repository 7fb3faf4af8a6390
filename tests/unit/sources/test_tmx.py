"""Translation memories: their rows, broken ones, and that few units are in memory at once."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from tinybert.config import DataSection
from tinybert.data import load
from tinybert.errors import DataError
from tinybert.sources.encoding import SourceFile
from tinybert.sources.readers import Table, open_file
from tinybert.sources.text_files import Fault
from tinybert.tasks import BUILTIN

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE tmx SYSTEM "tmx14.dtd">\n'


def unit(**texts: str) -> str:
    variants = "".join(
        f'<tuv xml:lang="{code.replace("_", "-")}"><seg>{text}</seg></tuv>' for code, text in texts.items()
    )
    return f"<tu><prop>x</prop>{variants}</tu>\n"


def memory(*units: str) -> str:
    return f'{HEAD}<tmx version="1.4"><header srclang="en"/><body>\n{"".join(units)}</body></tmx>'


def opened(path: Path, content: str | bytes) -> Table:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return open_file(SourceFile(path, path.name))[""]


def test_units_are_rows_of_their_languages(tmp_path):
    old = '<tu><tuv lang="EN"><seg>a</seg></tuv><tuv lang="DE_de"><seg>b</seg></tuv></tu>'
    units = [unit(en_US="one <hi>red</hi> &amp; blue", de=" eins\n"), old]
    table = opened(tmp_path / "a.tmx", memory(*units))
    assert (table.columns, table.unit) == (["en", "de"], "unit")
    assert list(table.rows) == [
        (1, {"en": "one red & blue", "de": "eins"}),
        (2, {"en": "a", "de": "b"}),
    ]


def test_utf_16_is_read_as_the_xml_says(tmp_path):
    content = memory(unit(en="a", zh="你好")).replace("UTF-8", "UTF-16").encode("utf-16")
    assert list(opened(tmp_path / "a.tmx", content).rows) == [(1, {"en": "a", "zh": "你好"})]


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("<tu/>", "no <tuv> in this <tu>"),
        ("<tu><tuv><seg>a</seg></tuv></tu>", "without its language"),
        (unit(en_US="a", en_GB="b"), "two texts in en (en-GB is read as en)"),
    ],
)
def test_a_bad_unit_is_a_fault_with_its_number(tmp_path, bad, why):
    first, second, third = opened(tmp_path / "a.tmx", memory(unit(en="a"), bad, unit(en="b"))).rows
    assert isinstance(second, Fault)
    assert (second.number, why in second.why) == (2, True)
    assert [first, third] == [(1, {"en": "a"}), (3, {"en": "b"})]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (memory(unit(en="a"), "<tu>"), "line 5, column 7: not valid XML (mismatched tag)"),
        (memory(unit(en="a"))[:-6], "not valid XML (no element found)"),
        ("<html/>", "begins with <html>, not with <tmx>"),
        ('<!DOCTYPE tmx [<!ENTITY a "b">]><tmx>&a;</tmx>', "declares entities of its own"),
        ('<?xml version="1.0" encoding="gb18030"?><tmx/>', "write it in UTF-8"),
    ],
)
def test_what_is_no_translation_memory_is_refused(tmp_path, content, why):
    with pytest.raises(DataError) as caught:
        list(opened(tmp_path / "a.tmx", content).rows)
    assert why in str(caught.value)


def test_few_units_are_in_memory_at_once(tmp_path):
    path = tmp_path / "large.tmx"
    path.write_text(memory(*(unit(en="word " * 50, de="Wort " * 50) for _ in range(2400))))
    tracemalloc.start()
    num_rows = sum(1 for _ in open_file(SourceFile(path, path.name))[""].rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert num_rows == 2400
    assert peak < path.stat().st_size / 2


def test_a_unit_that_lacks_a_language_is_a_bad_row(tmp_path):
    for name in ("train", "validation"):
        units = [unit(en="a", de="b"), unit(en="c"), unit(de="d", fr="e")]
        (tmp_path / f"{name}.tmx").write_text(memory(*units))
    section = DataSection(text="en", label="de")
    with pytest.raises(DataError) as caught:
        load(tmp_path, settings=section, format=BUILTIN["seq2seq"].format)
    found = "\n".join(caught.value.problems)
    assert "train.tmx, unit 2, de: no label; give the row its target" in found
    assert "train.tmx, unit 3, en: missing; a text is needed" in found
    with pytest.raises(DataError) as caught:
        load(tmp_path, settings=DataSection(), format=BUILTIN["seq2seq"].format)
    assert "'en', 'de', 'fr': which is the source, and which the target?" in str(caught.value)
