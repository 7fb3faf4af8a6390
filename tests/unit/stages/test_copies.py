"""Which copies are kept, who labels them, and what a killed command does not do twice."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from datasets import Dataset
from tests import easy
from tests.command import call, refused

from tinybert.augmentation import Augmenter, build_method
from tinybert.config import AugmentSection
from tinybert.errors import RecipeError
from tinybert.inference import Predictor
from tinybert.stages.steps import near_copies as stage
from tinybert.stages.steps.near_copies import near_copies, scores_on_disk
from tinybert.tasks.classification import CLASSIFICATION

SWAP = ["--method", "swap"]


class Fixed:
    """A teacher with scores by text; it notes what it was asked."""

    task = CLASSIFICATION

    def __init__(self, scores: dict[str, list[float]]) -> None:
        self.scores = scores
        self.asked: list[str] = []

    def outputs(self, rows: Dataset) -> np.ndarray:
        assert rows.column_names == ["text"]
        self.asked += rows["text"][:]
        return np.array([self.scores[text] for text in rows["text"]])


def test_copies_are_kept_up_to_the_largest_shift(tmp_path: Path) -> None:
    logit = float(np.log(4))  # probabilities 0.8 and 0.2
    teacher = Fixed({"sure": [logit, 0], "near": [0.0, 0.0], "far": [0, logit]})
    rows = Dataset.from_dict({"text": ["sure"]})
    copies = Dataset.from_dict({"text": ["near", "far", "sure"], "source_row": [0, 0, 0]})
    scores = np.array([[0.0, 0.0], [0, logit], [logit, 0]], dtype=np.float32)
    for max_shift, kept in ((0.29, [2]), (0.31, [0, 2]), (0.59, [0, 2]), (0.61, [0, 1, 2])):
        found = near_copies(rows, copies, scores, teacher, tmp_path, max_shift=max_shift)  # type: ignore[arg-type]
        assert found.tolist() == kept


def test_a_teacher_is_asked_once_about_each_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "ROWS_A_FILE", 3)
    texts = [f"text {number}" for number in range(8)]
    rows = Dataset.from_dict({"text": texts, "label": [0] * 8})
    teacher = Fixed({text: [number, 1.0] for number, text in enumerate(texts)})
    whole = scores_on_disk(teacher, rows, tmp_path, name="copies")  # type: ignore[arg-type]
    assert whole[:, 0].tolist() == list(range(8))
    (tmp_path / "copies-000000003.npy").unlink()
    again = Fixed(teacher.scores)
    assert np.array_equal(scores_on_disk(again, rows, tmp_path, name="copies"), whole)  # type: ignore[arg-type]
    assert again.asked == texts[3:6]


def test_the_label_of_a_copy_is_what_the_teacher_answers(
    tmp_path: Path, easy_rows: Path, tiny_teacher: Path
) -> None:
    out = tmp_path / "more.jsonl"
    call("augment", easy_rows, "--out", out, "--copies", 2, "--teacher", tiny_teacher, *SWAP)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    copies = [row for last, row in itertools.pairwise(rows) if last["source_row"] == row["source_row"]]
    answers = Predictor(tiny_teacher)([copy["text"] for copy in copies])
    assert [copy["label"] for copy in copies] == [answer.label for answer in answers]  # type: ignore[union-attr]
    assert len({copy["label"] for copy in copies}) == 2


def test_the_same_command_again_finds_its_file_and_another_leaves_it_alone(
    tmp_path: Path, easy_rows: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["augment", easy_rows, "--out", tmp_path / "more.jsonl", "--json", *SWAP]
    call(*words, "--copies", 1)
    first = capsys.readouterr().out
    written = (tmp_path / "more.jsonl").read_text()
    assert json.loads((tmp_path / "more.report.json").read_text()) == json.loads(first)
    call(*words, "--copies", 1)
    said = capsys.readouterr()
    assert said.out == first
    assert "finished already" in said.err
    assert "made with other settings (augment.copies = 1, now 2); choose another" in refused(
        capsys, *words, "--copies", 2
    )
    assert (tmp_path / "more.jsonl").read_text() == written


def test_rows_of_tags_given_as_texts_stay_texts(tmp_path: Path) -> None:
    text = "  Yesterday  Ann Lee-Smith went to mid-Paris."
    spans = [{"start": 13, "end": 26, "label": "PER"}, {"start": 39, "end": 44, "label": "LOC"}]
    assert [text[span["start"] : span["end"]] for span in spans] == ["Ann Lee-Smith", "Paris"]
    data = easy.write_rows(tmp_path / "rows.jsonl", [{"text": text, "spans": spans}])
    words = ["--task", "ner", "--copies", 4, "--method", "drop", "augment.probability=0.6"]
    call("augment", data, "--out", tmp_path / "more.jsonl", *words)
    first, *copies = [json.loads(line) for line in (tmp_path / "more.jsonl").read_text().splitlines()]
    assert (first["text"], first["spans"]) == (text, spans)
    assert copies
    for copy in copies:
        found = [(copy["text"][span["start"] : span["end"]], span["label"]) for span in copy["spans"]]
        assert found == [("Ann Lee-Smith", "PER"), ("Paris", "LOC")]


def test_bad_rows_are_set_aside_beside_the_file(
    tmp_path: Path, easy_rows: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = easy.write_rows(tmp_path / "rows.jsonl", [*easy.make_rows(6), {"text": "", "label": "positive"}])
    call("augment", data, "--out", tmp_path / "more.jsonl", "--on-bad-row", "skip", *SWAP)
    assert str(tmp_path / "more.bad_rows.jsonl") in capsys.readouterr().err
    assert len((tmp_path / "more.bad_rows.jsonl").read_text().splitlines()) == 1


def test_after_rows_that_cannot_be_changed_another_method_may_follow(
    tmp_path: Path, tiny_encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = easy.write_rows(tmp_path / "rows.jsonl", [{"text": "12 34 !", "label": "positive"}])
    words = ["augment", data, "--out", tmp_path / "more.jsonl"]
    neighbours = ["--method", "neighbours", "--model", tiny_encoder]
    assert "no row could be changed" in refused(capsys, *words, *neighbours)
    call(*words, "--method", "swap")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--out", "OUT.jsonl", "--processes", "0"],
            "augment.processes = 0: must be greater than or equal to 1",
        ),
        (["--out", "DATA/more.jsonl"], "lies in the folder of its own data"),
        (["--out", "OUT.jsonl", "augment.num_candidates=100000"], "augment.num_candidates"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing(
    words: list[str], said: str, tmp_path: Path, easy_rows: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [word.replace("OUT", str(tmp_path / "out")).replace("DATA", str(easy_rows)) for word in words]
    assert said in refused(capsys, "augment", easy_rows, *given, *SWAP)
    assert not list(tmp_path.iterdir())
    assert not list(easy_rows.glob("*more*"))


def test_a_single_file_is_not_thinned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = easy.write_rows(tmp_path / "rows.jsonl", easy.make_rows(6))
    words = ["augment", data, "--out", tmp_path / "more.jsonl", *SWAP]
    said = refused(capsys, *words, "data.max_train_rows=2", "--group", "text")
    assert "data.max_train_rows: a single file is augmented whole" in said
    assert "data.group: a single file is augmented whole" in said


def test_rows_of_two_languages_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = ["The food was good", "I liked the film and the music", "这家餐厅的菜很好吃", "服务也很周到"]
    rows = [{"text": text, "label": "positive"} for text in texts]
    call(
        "augment",
        easy.write_rows(tmp_path / "rows.jsonl", rows),
        "--out",
        tmp_path / "more.jsonl",
        "--method",
        "swap",
    )
    assert "2 of 4 texts looked at are Chinese" in capsys.readouterr().err


def failing(*_: object, **__: object) -> list[object]:
    """Stand for a method of the user's own with a mistake in it."""
    raise ZeroDivisionError("division by zero")


def test_what_a_method_of_ones_own_raises_is_said_with_its_name() -> None:
    method = build_method(AugmentSection(method=f"{__name__}:failing"), language="en")
    with pytest.raises(RecipeError, match=r"test_copies:failing raised ZeroDivisionError: division by zero"):
        Augmenter(method, num_copies=1, language="en").copies_of(
            [{"text": "a film"}], format=CLASSIFICATION.format, seed=0
        )
