from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from datasets import Dataset
from safetensors.torch import load_file, save_file
from tests import easy

from tinybert.data import Collator, encode_split
from tinybert.teachers import (
    ModelTeacher,
    TeacherShape,
    TeacherStore,
    Wanted,
    estimate_mb,
    make_room,
    store,
    store_key,
)

EVERYTHING = Wanted(hidden=(0, 2, 4), scores=(1, 4), vectors=(4,))
NUM_ROWS = 20


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "SHARD_ROWS", 8)
    monkeypatch.setattr(store, "BATCH_ROWS", 3)


@pytest.fixture(scope="module")
def rows() -> Dataset:
    return easy.encode_rows(easy.make_rows(NUM_ROWS))


@pytest.fixture(scope="module")
def collator() -> Collator:
    return Collator(easy.make_tokenizer())


def live(wanted: Wanted = EVERYTHING) -> ModelTeacher:
    return ModelTeacher(easy.seeded_classifier(), wanted)


def filled(folder: Path, rows: Dataset, collator: Collator, wanted: Wanted = EVERYTHING) -> TeacherStore:
    made = TeacherStore(folder, num_rows=len(rows), wanted=wanted)
    made.fill(live(wanted), rows, collator)
    return made


def test_stored_answers_equal_live_ones(tmp_path: Path, rows: Dataset, collator: Collator) -> None:
    stored = filled(tmp_path / "store", rows, collator)
    batch = collator([rows[i] for i in (19, 0, 7, 8, 12)])  # from all three shards
    ours, theirs = stored.answer(batch), live().answer(batch)
    tokens = batch["attention_mask"].bool()
    pairs = tokens[:, None, :, None] & tokens[:, None, None, :]
    assert not tokens.all()
    torch.testing.assert_close(ours.logits, theirs.logits, atol=1e-5, rtol=1e-5)
    assert ours.hidden.keys() == theirs.hidden.keys() == {0, 2, 4}
    for index, hidden in ours.hidden.items():
        assert hidden.shape == theirs.hidden[index].shape
        torch.testing.assert_close(hidden[tokens].float(), theirs.hidden[index][tokens], atol=4e-3, rtol=2e-3)
        assert not hidden[~tokens].any()
    assert ours.scores.keys() == {1, 4}
    for layer, scores in ours.scores.items():
        where = pairs.expand_as(scores)
        torch.testing.assert_close(scores[where].float(), theirs.scores[layer][where], atol=4e-3, rtol=2e-3)
        assert not scores[~where].any()
    where = tokens[:, None, :, None].expand_as(ours.vectors[4][0])
    for own, its in zip(ours.vectors[4], theirs.vectors[4], strict=True):
        torch.testing.assert_close(own[where].float(), its[where], atol=4e-3, rtol=2e-3)
        assert not own[~where].any()


def test_logits_are_kept_in_full(tmp_path: Path, rows: Dataset, collator: Collator) -> None:
    stored = filled(tmp_path / "store", rows, collator, Wanted())
    answer = stored.answer(collator([rows[i] for i in range(3)]))
    assert answer.logits.dtype == torch.float32
    assert not (answer.hidden or answer.scores or answer.vectors)


def test_a_killed_filling_goes_on_after_its_whole_shards(
    tmp_path: Path, rows: Dataset, collator: Collator
) -> None:
    whole = filled(tmp_path / "store", rows, collator)
    shards = sorted(whole.folder.glob("shard-*"))
    assert [path.name for path in shards] == [f"shard-0000{i}.safetensors" for i in range(3)]
    before = load_file(shards[1])
    shards[1].unlink()
    shards[1].with_name(f"{shards[1].name}.partial").write_bytes(b"half a sha")
    teacher = easy.Counting(live())
    counts: list[int] = []
    again = TeacherStore(whole.folder, num_rows=NUM_ROWS, wanted=EVERYTHING)
    again.fill(teacher, rows, collator, on_rows=counts.append)
    assert sorted(teacher.asked) == list(range(8, 16))
    assert counts == [8, 8, 4]
    after = load_file(shards[1])
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert not list(whole.folder.glob("*.partial"))


def test_values_beyond_half_precision_are_cut_not_infinite() -> None:
    assert store._stored(torch.tensor([1e9, -1e9])).isfinite().all()


@pytest.mark.parametrize("change", ["weights", "wanted", "text", "order", "prefix"])
def test_the_key_is_of_the_whole_question(rows: Dataset, change: str) -> None:
    both = Dataset.from_dict({"input_ids": rows["input_ids"], "teacher_input_ids": [[2, 3]] * NUM_ROWS})
    key = store_key("weights", both, EVERYTHING)
    assert key == store_key("weights", both, EVERYTHING)
    other_text = encode_split(
        easy.make_dataset(easy.make_rows(NUM_ROWS, seed=9)), easy.make_tokenizer(), max_length=32
    )
    others = {
        "weights": lambda: store_key("other weights", both, EVERYTHING),
        "wanted": lambda: store_key("weights", both, Wanted(hidden=(0, 2))),
        "text": lambda: store_key("weights", other_text, EVERYTHING),
        "order": lambda: store_key("weights", both.select(range(NUM_ROWS - 1, -1, -1)), EVERYTHING),
        "prefix": lambda: store_key("weights", both, EVERYTHING, prefix="teacher_"),
    }
    assert others[change]() != key


def test_where_a_row_ends_is_part_of_the_question() -> None:
    one = Dataset.from_dict({"input_ids": [[1, 2], [3]]})
    other = Dataset.from_dict({"input_ids": [[1], [2, 3]]})
    assert store_key("w", one, Wanted()) != store_key("w", other, Wanted())


def test_the_estimate_is_what_the_disk_takes(tmp_path: Path, rows: Dataset, collator: Collator) -> None:
    stored = filled(tmp_path / "store", rows, collator)
    shape = TeacherShape(num_labels=2, hidden_size=32, num_attention_heads=4)
    estimate = estimate_mb(np.asarray(rows["length"]), shape, EVERYTHING)
    taken = sum(path.stat().st_size for path in stored.folder.iterdir()) / 1e6
    assert taken == pytest.approx(estimate, rel=0.05)


def store_of_size(folder: Path, megabytes: float, age_s: float) -> Path:
    folder.mkdir(parents=True)
    save_file({"x": torch.zeros(int(megabytes * 1e6 / 4))}, folder / "shard-00000.safetensors")
    moment = 1_700_000_000 - age_s
    os.utime(folder / "shard-00000.safetensors", (moment, moment))
    os.utime(folder, (moment, moment))
    return folder


def test_room_is_made_by_what_was_longest_unused(tmp_path: Path) -> None:
    old, middle, new = (
        store_of_size(tmp_path / name, 1, age) for name, age in [("a", 9), ("b", 99), ("c", 1)]
    )
    mine = tmp_path / "mine"
    assert make_room(tmp_path, 1, 3.1, keep=mine)
    assert [path.exists() for path in (old, middle, new)] == [True, False, True]


def test_reading_a_store_again_counts_as_use(tmp_path: Path, rows: Dataset, collator: Collator) -> None:
    mine = filled(tmp_path / "mine", rows, collator)
    os.utime(mine.folder, (1, 1))
    other = store_of_size(tmp_path / "other", 1, 1)
    TeacherStore(mine.folder, num_rows=NUM_ROWS, wanted=EVERYTHING).fill(live(), rows, collator)
    assert make_room(tmp_path, 1, 1.5, keep=tmp_path / "new")
    assert mine.folder.exists()
    assert not other.exists()


def test_a_store_in_use_is_never_its_own_room(tmp_path: Path) -> None:
    mine = store_of_size(tmp_path / "mine", 1, 999)
    other = store_of_size(tmp_path / "other", 1, 1)
    assert make_room(tmp_path, 1.5, 2, keep=mine)
    assert mine.exists()
    assert not other.exists()


def test_what_never_fits_deletes_nothing(tmp_path: Path) -> None:
    other = store_of_size(tmp_path / "other", 1, 1)
    assert not make_room(tmp_path, 5, 4, keep=tmp_path / "mine")
    assert other.exists()


def test_no_stores_yet_is_room_enough(tmp_path: Path) -> None:
    assert make_room(tmp_path / "none", 5, 10, keep=tmp_path / "none" / "mine")


def test_the_key_knows_which_text_a_token_belongs_to() -> None:
    ids, one, two = [[2, 5, 3, 6, 3]], [[0, 0, 0, 0, 0]], [[0, 0, 0, 1, 1]]
    single, pair = (Dataset.from_dict({"input_ids": ids, "token_type_ids": types}) for types in (one, two))
    assert store_key("w", single, Wanted()) != store_key("w", pair, Wanted())


def test_a_damaged_shard_is_asked_for_again(tmp_path: Path, rows: Dataset, collator: Collator) -> None:
    stored = TeacherStore(tmp_path / "s", num_rows=NUM_ROWS, wanted=EVERYTHING)
    stored.fill(live(), rows, collator)
    shard = tmp_path / "s" / "shard-00001.safetensors"
    whole = shard.read_bytes()
    shard.write_bytes(whole[: len(whole) // 2])
    teacher = easy.Counting(live())
    TeacherStore(tmp_path / "s", num_rows=NUM_ROWS, wanted=EVERYTHING).fill(teacher, rows, collator)
    assert sorted(set(teacher.asked)) == list(range(8, 16))
    assert len(shard.read_bytes()) == len(whole)


def test_a_store_that_is_being_read_is_not_deleted(tmp_path: Path, rows: Dataset, collator: Collator) -> None:
    stored = TeacherStore(tmp_path / "read", num_rows=NUM_ROWS, wanted=EVERYTHING)
    stored.fill(live(), rows, collator)
    assert not make_room(tmp_path, 1, 1, keep=tmp_path / "new")
    assert (tmp_path / "read" / "shard-00000.safetensors").exists()
    del stored
    assert make_room(tmp_path, 1, 1, keep=tmp_path / "new")
    assert not (tmp_path / "read").exists()
