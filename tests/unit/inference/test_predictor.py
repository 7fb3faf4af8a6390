from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests import easy

from tinybert.data import LabelScheme, encode
from tinybert.errors import DataError, ModelError, RunError
from tinybert.inference import Predictor, predictor
from tinybert.inference.batches import batches_of

TEXTS = [str(row["text"]) for row in easy.make_rows(23, seed=5)]


@pytest.fixture(scope="module")
def teacher(tiny_teacher: Path) -> Predictor:
    return Predictor(tiny_teacher)


def test_answers_come_in_the_order_of_the_texts(teacher: Predictor) -> None:
    gold = [row["label"] for row in easy.make_rows(23, seed=5)]
    answers = teacher(TEXTS)
    assert [answer.label for answer in answers] == gold
    for answer in answers:
        assert answer.scores.keys() == {"negative", "positive"}
        assert sum(answer.scores.values()) == pytest.approx(1)
        assert answer.score == max(answer.scores.values())


@pytest.mark.parametrize("batch_size", [1, 4, 64])
def test_how_rows_are_cut_into_batches_changes_nothing(
    teacher: Predictor, tiny_teacher: Path, batch_size: int
) -> None:
    logits = Predictor(tiny_teacher, batch_size=batch_size).logits(list(TEXTS))
    np.testing.assert_allclose(logits, teacher.logits(list(TEXTS)), atol=1e-5)


def test_how_rows_are_cut_into_windows_changes_nothing(
    teacher: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = teacher(TEXTS)
    monkeypatch.setattr(predictor, "CHUNK_ROWS", 5)
    for one, other in zip(teacher(iter(TEXTS)), whole, strict=True):
        assert one.label == other.label
        assert one.score == pytest.approx(other.score, abs=1e-5)


def test_a_stream_is_read_a_window_at_a_time(teacher: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictor, "CHUNK_ROWS", 5)
    source = iter(TEXTS)
    next(teacher.stream(source))
    assert list(source) == TEXTS[5:]


@pytest.mark.parametrize(
    ("rows", "part"),
    [
        (TEXTS[0], "put the one text into brackets"),
        (TEXTS[0].encode(), "put the one text into brackets"),
        ({"text": TEXTS[0]}, "put the one row into brackets"),
        ({"test": [TEXTS[0]]}, r"give one split, such as data\['test'\]"),
    ],
)
def test_one_text_is_not_read_by_letters(teacher: Predictor, rows: object, part: str) -> None:
    with pytest.raises(DataError, match=part):
        teacher(rows)  # pyright: ignore[reportArgumentType]


def test_no_texts_give_no_answers(teacher: Predictor) -> None:
    assert teacher([]) == []


def test_pairs_and_mappings_are_rows_too(teacher: Predictor) -> None:
    pairs = [(text, "good bab") for text in TEXTS[:4]]
    mappings = [{"text": text, "text_pair": pair} for text, pair in pairs]
    np.testing.assert_array_equal(teacher.logits(list(pairs)), teacher.logits(list(mappings)))
    assert not np.allclose(teacher.logits(list(pairs)), teacher.logits(TEXTS[:4]))


def test_all_bad_rows_are_listed(teacher: Predictor) -> None:
    with pytest.raises(DataError) as caught:
        teacher(["good", "", "  ", {"label": "x"}, "bad"])
    assert [problem.split(",")[0] for problem in caught.value.problems] == ["row 2", "row 3", "row 4"]
    with pytest.raises(DataError, match="some rows have a text_pair and some have none"):
        teacher(["good", ("bad", "good")])


def test_long_texts_are_cut_at_the_length_asked_for(tiny_teacher: Path) -> None:
    short = Predictor(tiny_teacher, max_length=6)
    np.testing.assert_array_equal(
        short.logits(["bab del fin gor good"]), short.logits(["bab del fin gor bad"])
    )


def test_answers_can_be_asked_for_in_another_label_order(teacher: Predictor, tiny_teacher: Path) -> None:
    swapped = Predictor(tiny_teacher, labels=LabelScheme(("positive", "negative")))
    np.testing.assert_allclose(swapped.logits(list(TEXTS)), teacher.logits(list(TEXTS))[:, ::-1], atol=1e-6)
    assert [a.label for a in swapped(TEXTS)] == [a.label for a in teacher(TEXTS)]


def test_other_labels_are_refused(tiny_teacher: Path) -> None:
    with pytest.raises(ModelError, match="predicts the labels negative, positive, the data has no, yes"):
        Predictor(tiny_teacher, labels=LabelScheme(("no", "yes")))


def test_an_encoder_cannot_predict(tiny_encoder: Path) -> None:
    with pytest.raises(ModelError, match="has no task head, so it cannot predict"):
        Predictor(tiny_encoder)


def test_bf16_answers_nearly_the_same(teacher: Predictor, tiny_teacher: Path) -> None:
    half = Predictor(tiny_teacher, backend="torch-bf16").logits(list(TEXTS))
    assert half.dtype == np.float32
    np.testing.assert_allclose(half, teacher.logits(list(TEXTS)), atol=0.15)


def test_an_unfinished_run_is_named_as_such(tmp_path: Path) -> None:
    (tmp_path / ".student.partial").mkdir()
    with pytest.raises(RunError, match="this run is not finished"):
        Predictor(tmp_path / "student")


def test_a_text_is_cut_on_the_side_that_the_tokenizer_says(tiny_teacher: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_teacher, tmp_path / "left"))
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | {"truncation_side": "left"}))
    text = {"text": ["good " + "bab " * 9]}
    left, right = (Predictor(path, max_length=6).encode(text) for path in (folder, tiny_teacher))
    good = easy.make_tokenizer().convert_tokens_to_ids("good")
    assert good in right["input_ids"][0]
    assert good not in left["input_ids"][0]
    trained = encode(Predictor(folder).tokenizer, text["text"], max_length=6)
    assert trained["input_ids"] == left["input_ids"]


@pytest.mark.parametrize("max_length", [0, -1, 65])
def test_a_length_that_the_model_cannot_read_is_refused(tiny_teacher: Path, max_length: int) -> None:
    with pytest.raises(ModelError, match=f"max_length = {max_length}: allowed are 1 to 64"):
        Predictor(tiny_teacher, max_length=max_length)


def test_long_rows_make_small_batches() -> None:
    batches = list(batches_of(np.array([512, 512, 512, 512, 512, 3, 3]), batch_size=16))
    assert [len(batch) for batch in batches] == [4, 3]
    assert list(batches_of(np.array([100_000]), batch_size=2)) == [[0]]


def test_the_fast_way_of_encoding_is_the_way_of_training(teacher: Predictor) -> None:
    texts, pairs = list(TEXTS), list(reversed(TEXTS))
    for columns in ({"text": texts}, {"text": texts, "text_pair": pairs}):
        trained = encode(teacher.tokenizer, *columns.values(), max_length=8)
        assert Predictor(teacher.place, max_length=8).encode(columns) == trained
