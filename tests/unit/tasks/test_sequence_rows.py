"""Rows of a source and its targets: references, bad ones, and what is said of long or unknown targets."""

from __future__ import annotations

from pathlib import Path

import pytest
from datasets import Dataset
from tests import easy

from tinybert.config import DataSection
from tinybert.data import TextData, load
from tinybert.errors import DataError
from tinybert.models import load_tokenizer
from tinybert.stages.doctor.lengths import length_finding
from tinybert.stages.doctor.tokenizers import tokenizer_finding
from tinybert.tasks import BUILTIN
from tinybert.tasks.seq2seq.rows import SequenceRows

FORMAT = SequenceRows()


def read(*rows: dict[str, object], task: str = "seq2seq", **settings: object) -> TextData:
    section = DataSection.model_validate(settings)
    return load({"train": list(rows), "validation": [*rows]}, settings=section, format=BUILTIN[task].format)


def problems_of(*rows: dict[str, object], **settings: object) -> list[str]:
    with pytest.raises(DataError) as caught:
        read(*rows, **settings)
    return [each for each in caught.value.problems if "[validation]" not in each]


@pytest.mark.parametrize(
    "row",
    [
        {"target": ["b", "c"]},
        {"target": '["not", "a list"]', "references": ["b"]},
        {"target": "b", "references": ["c", "b"]},
        {"target": "b", "references": '["c"]'},
        {"target": None, "references": ["b", "c"]},
    ],
)
def test_several_references(row):
    label = read({"source": "a", **row}).splits["train"]["label"][0]
    assert label == (['["not", "a list"]', "b"] if "not" in str(row) else ["b", "c"])


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"target": 5}, "target: a whole number where a text is expected; write the text itself, in quotes"),
        ({"target": ""}, "target: no label; give the row its target, or remove the row"),
        ({"target": ["b", 5]}, "target: a whole number where a text is expected"),
        ({"target": ["b", ""]}, "target: empty; a text with at least one visible character"),
        ({"target": "b", "references": 5}, "references: a whole number where a list of texts is expected"),
        ({"target": "b", "references": ["x", None]}, "references: missing; a text is needed"),
        ({"target": "b\0"}, "target: a NUL byte in the text"),
        ({"target": "b\ud83d"}, "target: half of a surrogate pair"),
        ({"source": " ", "target": "b"}, "source: empty; a text with at least one visible character"),
        ({"source": [], "target": "b"}, "source: an empty list"),
    ],
)
def test_a_bad_row_is_named_with_its_field(row, problem):
    found = problems_of({"source": "good", "target": "good"}, {"source": "a", **row})
    assert len(found) == 1
    assert found[0].startswith(f"rows[train], row 2, {problem}")


def test_the_source_is_not_the_target():
    found = problems_of({"a": "x", "b": "y"}, text="a", label="a")
    assert (
        "column 'a' cannot be two things; name another by data.text=COLUMN or data.label=COLUMN" in found[0]
    )


def test_entities_are_left_as_they_are():
    assert read({"source": "a &amp; b", "target": "&lt;b&gt;"}).splits["train"][0] == {
        "text": "a &amp; b",
        "label": ["&lt;b&gt;"],
    }


def test_languages_in_the_translation_of_the_hub():
    rows = [{"id": 1, "translation": {"en": "red", "de": "rot"}}]
    assert read(*rows, text="de").splits["train"][0] == {"text": "rot", "label": ["red"]}
    assert "give data.text=en data.label=de or data.text=de data.label=en" in problems_of(*rows)[0]


def test_languages_as_columns_are_of_this_task_alone():
    found = problems_of({"en": "red", "de": "rot"}, task="classification")
    assert "no column is known as the text" in found[0]


def test_several_replies_to_one_source_are_no_contradiction():
    rows = [{"text": "a", "label": "x"}, {"text": "a", "label": "y"}, {"text": "b", "label": "x"}]
    assert not any("can only be wrong" in each for each in read(*rows).warnings)
    assert any("can only be wrong" in each for each in read(*rows, task="classification").warnings)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return easy.save_encoder(tmp_path_factory.mktemp("sequences"))


def rows_of(*targets: str) -> Dataset:
    return Dataset.from_dict({"text": ["good"] * len(targets), "label": [[each] for each in targets]})


def test_targets_that_are_longer_than_what_is_written_are_counted(encoder):
    rows, tokenizer = rows_of("good", "good bad good", "bad " * 9), load_tokenizer(encoder)
    format = SequenceRows(max_target_length=4)  # three words and the end
    found = length_finding(rows, tokenizer, format, max_length=16)
    assert found.level == "warn"
    assert "1 of 3 train targets (33.3%) are longer than 4 tokens" in found.message
    assert "the longest has 10; raise generation.max_new_tokens" in found.message
    assert length_finding(rows, tokenizer, SequenceRows(max_target_length=10), max_length=16).level == "ok"


def test_no_other_way_to_read_long_sources_is_advised(encoder):
    rows = Dataset.from_dict({"text": ["good " * 30], "label": [["bad"]]})
    found = length_finding(rows, load_tokenizer(encoder), FORMAT, max_length=16)
    assert "raise data.max_length" in found.message
    assert "long_text" not in found.message


def test_unknown_pieces_of_targets_are_told(encoder):
    tokenizer = load_tokenizer(encoder)
    found = tokenizer_finding(rows_of("good 你 好"), tokenizer, FORMAT)
    assert found.level == "warn"
    assert "0.0% of pieces are unknown; 66.7% of targets' pieces are unknown" in found.message
    assert "the model cannot write them" in found.message
    assert tokenizer_finding(rows_of("good"), tokenizer, FORMAT).level == "ok"
