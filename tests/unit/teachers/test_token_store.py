"""The teacher store, where every token has an answer of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from datasets import Dataset
from tests import easy, tokens
from transformers import BertForQuestionAnswering, BertForTokenClassification

from tinybert.data import Collator, encode_split
from tinybert.tasks import BUILTIN
from tinybert.teachers import (
    ModelTeacher,
    TeacherOutput,
    TeacherShape,
    TeacherStore,
    Wanted,
    estimate_mb,
    store,
)

NUM_ROWS = 21
WANTED = Wanted(hidden=(0, 4), scores=(2,), vectors=(4,))
KINDS = pytest.mark.parametrize("kind", ["ner", "qa"])
MODELS = {"ner": BertForTokenClassification, "qa": BertForQuestionAnswering}


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "SHARD_ROWS", 8)
    monkeypatch.setattr(store, "BATCH_ROWS", 3)


def rows_of(kind: str) -> Dataset:
    columns = (
        tokens.entity_columns(tokens.make_entity_rows(NUM_ROWS))
        if kind == "ner"
        else tokens.question_columns(tokens.make_question_rows(NUM_ROWS))
    )
    rows = encode_split(
        tokens.make_dataset(columns), tokens.make_tokenizer(), max_length=64, format=BUILTIN[kind].format
    )
    assert len(rows) == NUM_ROWS
    assert len(set(rows["length"])) > 3
    return rows


def live(kind: str, wanted: Wanted = WANTED) -> ModelTeacher:
    return ModelTeacher(tokens.random_model(MODELS[kind]), wanted)


COLLATOR = Collator(tokens.make_tokenizer())


def filled(folder: Path, rows: Dataset, kind: str, wanted: Wanted = WANTED) -> TeacherStore:
    made = TeacherStore(folder, num_rows=len(rows), wanted=wanted)
    made.fill(live(kind, wanted), rows, COLLATOR)
    return made


@KINDS
def test_stored_answers_to_tokens_equal_live_ones(tmp_path: Path, kind: str) -> None:
    rows = rows_of(kind)
    stored = filled(tmp_path / "store", rows, kind)
    for chosen in ((20, 0, 7, 8, 13), (5,), range(NUM_ROWS)):
        batch = COLLATOR([rows[i] for i in chosen])
        ours, theirs = stored.answer(batch), live(kind).answer(batch)
        real = batch["attention_mask"].bool()
        assert ours.logits.shape == theirs.logits.shape == (*real.shape, 5 if kind == "ner" else 2)
        torch.testing.assert_close(ours.logits[real], theirs.logits[real], atol=2e-5, rtol=1e-5)
        assert not ours.logits[~real].any()
        for index, hidden in ours.hidden.items():
            torch.testing.assert_close(hidden[real].float(), theirs.hidden[index][real], atol=4e-3, rtol=2e-3)
        pairs = (real[:, None, :, None] & real[:, None, None, :]).expand_as(ours.scores[2])
        torch.testing.assert_close(
            ours.scores[2][pairs].float(), theirs.scores[2][pairs], atol=8e-3, rtol=2e-3
        )


@KINDS
def test_answers_to_tokens_are_kept_in_full_and_nothing_else_where_nothing_else_is_read(
    tmp_path: Path, kind: str
) -> None:
    rows = rows_of(kind)
    answer = filled(tmp_path / "store", rows, kind, Wanted()).answer(COLLATOR([rows[i] for i in range(3)]))
    assert answer.logits.dtype == torch.float32
    assert not (answer.hidden or answer.scores or answer.vectors)


def test_a_killed_filling_of_tokens_goes_on_and_answers_the_same(tmp_path: Path) -> None:
    rows = rows_of("ner")

    class Killed(easy.Counting):
        def answer(self, batch: dict[str, torch.Tensor]) -> TeacherOutput:
            if len(self.asked) > 12:
                raise KeyboardInterrupt
            return super().answer(batch)

    killed = TeacherStore(tmp_path / "store", num_rows=NUM_ROWS, wanted=WANTED)
    with pytest.raises(KeyboardInterrupt):
        killed.fill(Killed(live("ner")), rows, COLLATOR)
    assert len(list((tmp_path / "store").glob("shard-*.safetensors"))) == 1
    again = TeacherStore(tmp_path / "store", num_rows=NUM_ROWS, wanted=WANTED)
    teacher = easy.Counting(live("ner"))
    again.fill(teacher, rows, COLLATOR)
    assert sorted(teacher.asked) == list(range(8, NUM_ROWS))
    whole = filled(tmp_path / "whole", rows, "ner")
    batch = COLLATOR([rows[i] for i in range(NUM_ROWS)])
    ours, theirs = again.answer(batch), whole.answer(batch)
    assert torch.equal(ours.logits, theirs.logits)
    assert torch.equal(ours.hidden[4], theirs.hidden[4])
    assert torch.equal(ours.scores[2], theirs.scores[2])


@KINDS
@pytest.mark.parametrize("wanted", [Wanted(), WANTED])
def test_the_estimate_for_tokens_is_what_the_disk_takes(tmp_path: Path, kind: str, wanted: Wanted) -> None:
    rows = rows_of(kind)
    stored = filled(tmp_path / "store", rows, kind, wanted)
    shape = TeacherShape(
        num_labels=5 if kind == "ner" else 2, hidden_size=32, num_attention_heads=4, every_token=True
    )
    estimate = estimate_mb(np.asarray(rows["length"]), shape, wanted)
    shards = list(stored.folder.glob("shard-*"))
    taken = sum(path.stat().st_size for path in shards) / 1e6
    headers = len(shards) * 1e-3 + NUM_ROWS * 24e-6  # names and shapes, and three places a row
    assert estimate <= taken <= estimate * 1.02 + headers
