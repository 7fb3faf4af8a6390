"""Plain files side by side: which they are, their rows, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinybert.config import DataSection
from tinybert.data import TextData, load
from tinybert.errors import DataError
from tinybert.runs.inputs import digest_input
from tinybert.tasks import BUILTIN

ENGLISH, GERMAN = "red\nblue\ngreen\n", "rot\nblau\ngrün\n"
GOOD = {"dev.en": "x\n", "dev.de": "y\n"}


def made(folder: Path, **files: str) -> Path:
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")
    return folder


def read(folder: Path, *, task: str = "seq2seq", unlabelled: bool = False, **settings: object) -> TextData:
    section = DataSection.model_validate(settings)
    return load(folder, settings=section, format=BUILTIN[task].format, allow_unlabelled=unlabelled)


def pairs(data: TextData, split: str = "train") -> list[tuple[str, str]]:
    rows = data.splits[split]
    return [(text, label and label[0]) for text, label in zip(rows["text"], rows["label"], strict=True)]


def problems_of(folder: Path, **settings: object) -> str:
    with pytest.raises(DataError) as caught:
        read(folder, **settings)
    return "\n".join(caught.value.problems)


@pytest.mark.parametrize(
    ("source", "target"), [("src", "tgt"), ("source", "target"), ("SRC", "TGT"), ("en-de.src", "en-de.tgt")]
)
@pytest.mark.parametrize("dev", ["dev", "valid", "validation"])
def test_files_named_by_what_they_are_need_no_setting(tmp_path, source, target, dev):
    files = {f"train.{source}": ENGLISH, f"train.{target}": GERMAN, f"{dev}.{source}": "x\n"}
    data = read(made(tmp_path, **files, **{f"{dev}.{target}": "y\n"}))
    assert pairs(data) == [("red", "rot"), ("blue", "blau"), ("green", "grün")]
    assert pairs(data, "validation") == [("x", "y")]


def test_languages_are_named_by_text_and_label(tmp_path):
    folder = made(tmp_path, **{"train.en": ENGLISH, "train.de": GERMAN}, **GOOD)
    assert pairs(read(folder, text="de", label="en"))[0] == ("rot", "red")
    assert pairs(read(folder, text="en"))[0] == ("red", "rot")  # the other one is the target
    assert pairs(read(folder, text="en", unlabelled=True))[0] == ("red", "rot")


def test_languages_without_a_direction_are_refused_with_both(tmp_path):
    found = problems_of(made(tmp_path, **{"train.en": ENGLISH, "train.de": GERMAN}, **GOOD))
    assert "give data.text=de data.label=en or data.text=en data.label=de" in found
    assert "no column" not in found


def test_three_languages_are_named_too(tmp_path):
    train = {"train.en": ENGLISH, "train.de": GERMAN, "train.fr": "rouge\nbleu\nvert\n"}
    folder = made(tmp_path, **train, **GOOD)
    assert "'de', 'en', 'fr': which is the source" in problems_of(folder)
    assert pairs(read(folder, text="en", label="de"))[1] == ("blue", "blau")


def test_other_numbers_of_lines_are_refused(tmp_path):
    folder = made(
        tmp_path, **{"train.src": ENGLISH, "train.tgt": "rot\n", "dev.src": "x\n", "dev.tgt": "y\n"}
    )
    assert "train.src has 3 lines, train.tgt has 1 line;" in problems_of(folder)


def test_a_line_that_is_empty_on_one_side_is_a_bad_row_and_on_both_none(tmp_path, capsys):
    train = {"train.src": "a\n\n\n \nd\n", "train.tgt": "A\n\nC\n\nD\n"}
    folder = made(tmp_path, **train, **{"dev.src": "x\n", "dev.tgt": "y\n"})
    assert "train.src and train.tgt, line 3: empty in train.src, and not in train.tgt" in problems_of(folder)
    data = read(folder, on_bad_row="skip")
    assert pairs(data) == [("a", "A"), ("d", "D")]
    assert [row.row for row in data.bad_rows] == [3]
    assert "2 lines are empty on every side" in capsys.readouterr().err


def test_two_files_of_one_side_are_refused(tmp_path):
    folder = made(tmp_path, **{"train.en": ENGLISH, "train.clean.en": ENGLISH, "train.de": GERMAN})
    assert "train.clean.en, train.en: each could be the en side of train; keep one" in problems_of(folder)


def test_one_side_alone_is_refused_and_of_unlabelled_rows_it_is_enough(tmp_path):
    folder = made(tmp_path, **{"train.en": ENGLISH})
    assert "train.en is not read: the file of its other side is not there" in problems_of(folder)
    made(tmp_path, **{"train.de": GERMAN, "unlabelled.en": "more\n"}, **GOOD)
    assert pairs(read(folder, text="en", unlabelled=True))[-1] == ("more", None)


def test_a_table_beside_them_keeps_its_meaning(tmp_path):
    table = "text,label\na,x\nb,y\nc,x\n"
    folder = made(
        tmp_path, **{"train.csv": table, "validation.csv": table, "train.en": "1\n", "train.de": "2\n"}
    )
    assert read(folder, task="classification").splits["train"]["text"][:] == ["a", "b", "c"]


def test_a_changed_side_is_another_input(tmp_path):
    folder = made(tmp_path, **{"train.en": ENGLISH, "train.de": GERMAN}, **GOOD)
    before = digest_input(folder)
    made(tmp_path, **{"train.de": GERMAN.upper()})
    assert digest_input(folder) != before


def test_a_byte_of_another_encoding_sets_its_line_aside(tmp_path):
    folder = made(tmp_path, **{"train.src": ENGLISH, "dev.src": "x\n", "dev.tgt": "y\n"})
    (folder / "train.tgt").write_bytes("grün schön übel\n".encode() * 2 + b"gr\xfcn\n")
    assert "line 3: train.tgt: character 3 (byte 0xfc) is not UTF-8" in problems_of(folder)
