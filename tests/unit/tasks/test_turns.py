"""Dialogues: turns before a source, files of whole dialogues, and what is cut of long ones."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests import easy
from transformers import BertConfig

from tinybert.config import DataSection
from tinybert.data import TextData, load
from tinybert.data.fields import FieldError
from tinybert.errors import DataError
from tinybert.inference import Predictor
from tinybert.inference.lengths import truncating
from tinybert.inference.text_columns import texts_in
from tinybert.models import load_tokenizer
from tinybert.models.head import set_head
from tinybert.tasks import BUILTIN, task_of_config
from tinybert.tasks.seq2seq.rows import SequenceRows
from tinybert.tasks.seq2seq.turns import (
    TURN,
    encode_turns,
    from_dialogue,
    source_of_turns,
    turns_in,
)

FORMAT = BUILTIN["seq2seq"].format


def read(*rows: dict[str, object], **settings: object) -> TextData:
    """Read rows that are train as a whole."""
    section = DataSection.model_validate(settings)
    return load({"train": list(rows), "validation": [*rows]}, settings=section, format=FORMAT)


def sources(data: TextData) -> list[list[str]]:
    return [text.split(TURN) for text in data.splits["train"]["text"]]


@pytest.mark.parametrize(
    ("given", "turns"),
    [
        (["hi", " hello "], ["hi", "hello"]),
        ("hi\n\nhello\n", ["hi", "hello"]),
        ('["hi", "hello"]', ["hi", "hello"]),
        ([{"speaker": "Ann", "text": "hi"}, {"speaker": "", "text": "hello"}], ["Ann: hi", "hello"]),
        ([{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}], ["hi", "hello"]),
        ([{"from": "human", "value": "hi"}, {"from": "Bob", "value": "hello"}], ["hi", "Bob: hello"]),
        (["", "hi"], ["hi"]),
        (None, []),
    ],
)
def test_forms_of_turns(given, turns):
    assert turns_in(given, "history") == turns


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (5, "history: a whole number where turns are expected"),
        (["hi", 5], "history, turn 2: a whole number where a text is expected"),
        ([{"role": "user"}], "history, turn 1: an object with the keys role; one of text, value"),
        (["a\0b"], "history, turn 1: a NUL byte"),
        (["a\ud800"], "history, turn 1: half of a surrogate pair"),
    ],
)
def test_what_is_no_turn(given, why):
    with pytest.raises(FieldError) as caught:
        turns_in(given, "history")
    assert why in f"{caught.value.field}: {caught.value}"


def test_the_newest_turns_stand_before_the_source():
    assert source_of_turns(["a", "b", "c"], max_turns=1) == f"b{TURN}c"
    assert source_of_turns(["a", "b", "c"], max_turns=0) == "c"
    assert source_of_turns(["a"], max_turns=3) == "a"


def test_history_is_read_before_the_source():
    rows = [{"history": ["one", "two"], "text": "three", "reply": "four"}, {"text": "five", "reply": "six"}]
    assert sources(read(*rows)) == [["one", "two", "three"], ["five"]]
    assert sources(read(*rows, max_turns=1)) == [["two", "three"], ["five"]]
    assert sources(read(*rows, max_turns=0)) == [["three"], ["five"]]


def test_context_is_history_where_it_is_a_list_or_named():
    assert sources(read({"context": ["one"], "text": "two", "reply": "three"})) == [["one", "two"]]
    row = {"context": "one\nmore", "text": "two", "reply": "three"}
    assert sources(read(row)) == [["two"]]
    assert sources(read(row, history="context")) == [["one", "more", "two"]]
    with pytest.raises(DataError, match=r"data\.history=contxt: no such column; did you mean 'context'"):
        read(row, history="contxt")


CHAT = [
    {"role": "system", "content": "be kind"},
    {"role": "user", "content": "hi"},
    {"role": "assistant", "content": "hello"},
    {"role": "user", "content": "bye"},
    {"role": "assistant", "content": "see you"},
]


def unpacked(**raw: object) -> list[tuple[object, ...]]:
    rows = from_dialogue(raw, 1) or []
    return [tuple(dict(row)[name] for name in ("history", "source", "target")) for _, row in rows]


def test_a_chat_is_a_row_for_each_reply_of_the_assistant():
    assert unpacked(messages=CHAT) == [
        (["be kind"], "hi", "hello"),
        (["be kind", "hi", "hello"], "bye", "see you"),
    ]


def test_without_roles_every_turn_replies_to_the_one_before():
    assert unpacked(dialog=["a", "b", "c"]) == [([], "a", "b"), (["a"], "b", "c")]
    speakers = [{"speaker": "Ann", "text": "a"}, {"speaker": "Bob", "utterance": "b"}]
    assert unpacked(turns=speakers) == [([], "Ann: a", "b")]


def test_the_system_replies_where_no_assistant_does():
    turns = [{"role": "USER", "text": "a"}, {"role": "SYSTEM", "text": "b"}, {"role": "USER", "text": "c"}]
    assert unpacked(utterances=turns) == [([], "a", "b")]


def test_a_dialogue_that_waits_for_its_reply_is_a_row_without_a_target():
    assert unpacked(messages=CHAT[:2]) == [(["be kind"], "hi", None)]


def test_a_text_and_a_dialogue_to_sum_up_are_no_dialogues():
    assert from_dialogue({"dialogue": "[Ann] hi", "summary": "x"}, 1) is None
    assert from_dialogue({"dialogue": ["a", "b"], "summary": "x"}, 1) is None


def test_a_dialogue_stays_in_one_split(tmp_path):
    file = tmp_path / "chats.jsonl"
    chats = [
        {"messages": [{**turn, "content": f"{turn['content']} {n}"} for turn in CHAT]} for n in range(60)
    ]
    file.write_text("".join(json.dumps(chat) + "\n" for chat in chats))
    data = load(file, settings=DataSection(), format=FORMAT)
    numbers = {name: {text.split(TURN)[0] for text in rows["text"]} for name, rows in data.splits.items()}
    assert data.group == "dialogue_id"
    assert sum(map(len, numbers.values())) == 60
    assert all(len(rows) == 2 * len(numbers[name]) for name, rows in data.splits.items())


def test_rows_are_written_in_columns_that_are_read_again():
    data = read({"history": ["one"], "text": "two", "reply": ["three", "3"]}, {"text": "a", "reply": "b"})
    write = FORMAT.writer(data.splits["train"], data.labels)
    written = [write(row) for row in data.splits["train"]]
    again = read(*written)
    assert sources(again) == sources(data) == [["one", "two"], ["a"]]
    assert list(again.splits["train"]["label"]) == [["three", "3"], ["b"]]


def test_rows_to_predict_are_read_as_in_training():
    format = SequenceRows(max_turns=1, history="before")
    rows = [{"before": ["a", "b"], "text": "c"}, "plain", {"text": ["d", "e", "f"]}]
    assert format.columns_of(rows)["text"] == [f"b{TURN}c", "plain", f"e{TURN}f"]
    with pytest.raises(DataError, match="row 1, before: a whole number where turns are expected"):
        format.columns_of([{"before": 5, "text": "c"}])


def test_a_copy_changes_the_last_turn_only():
    row = {"text": f"one{TURN}two", "label": ["x"]}
    (part,) = FORMAT.parts(row)
    assert part.text == "two"
    assert FORMAT.copy(row, [type(part)("2")]) == {"text": f"one{TURN}2", "label": None}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return easy.save_encoder(tmp_path_factory.mktemp("turns"))


def test_of_turns_the_beginning_is_cut_and_of_a_text_the_end(folder):
    tokenizer = load_tokenizer(folder)
    sep, good, bad = tokenizer.sep_token_id, *tokenizer.convert_tokens_to_ids(["good", "bad"])
    texts = ["bad good good good good", source_of_turns(["good good good", "good", "bad"], max_turns=3)]
    found = encode_turns(tokenizer, texts, max_length=6)["input_ids"]
    cls = tokenizer.cls_token_id
    assert found == [[cls, bad, good, good, good, sep], [cls, sep, good, sep, bad, sep]]
    assert tokenizer.truncation_side == "right"
    assert encode_turns(tokenizer, texts[:1], max_length=6)["input_ids"] == found[:1]


def test_plain_sources_need_no_format_to_be_encoded():
    assert FORMAT.truncates
    assert FORMAT.is_cut_at_its_end({"text": ["a", "b"]})
    assert not FORMAT.is_cut_at_its_end({"text": ["a", f"b{TURN}c"]})


def test_a_predictor_cuts_turns_as_a_training_does(folder):
    tokenizer = load_tokenizer(folder)
    own = {"tokenizer": tokenizer, "max_length": 6, "lock": threading.RLock(), "num_truncated": 0}
    predictor = SimpleNamespace(pieces=None, task=BUILTIN["seq2seq"], **own)
    predictor.pieces = truncating(tokenizer, 6)
    rows = {"text": ["bad", source_of_turns(["good good good", "good", "bad"], max_turns=3)]}
    found = Predictor.encode(predictor, rows)["input_ids"]
    assert found == encode_turns(tokenizer, rows["text"], max_length=6)["input_ids"]
    assert Predictor.encode(predictor, {"text": rows["text"][:1]})["input_ids"] == found[:1]


def test_rows_with_another_name_of_the_text_keep_their_history(monkeypatch):
    monkeypatch.setattr("tinybert.inference.text_columns._own_columns", lambda path: DataSection(text="said"))
    rows = list(texts_in([{"said": "b", "history": ["a"]}], FORMAT, path="run"))
    assert FORMAT.columns_of(rows)["text"] == [f"a{TURN}b"]


def test_a_saved_model_keeps_how_many_turns_it_reads():
    assert FORMAT.settings_kept == ("history", "max_turns")
    config = BertConfig(tinybert={"task": "seq2seq", "history": "before", "max_turns": 1})
    set_head(config, BUILTIN["seq2seq"].head)
    format = task_of_config(config).format
    assert (format.history, format.max_turns) == ("before", 1)
