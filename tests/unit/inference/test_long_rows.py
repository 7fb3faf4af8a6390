"""Rows longer than a model reads, against windows and slices that are cut here by hand."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests import easy
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from tinybert.errors import ModelError
from tinybert.inference import Predictor
from tinybert.tasks import notes_of

MAX_LENGTH = 16
LONG = [" ".join(easy.NOISE[start : start + count]) for start, count in ((0, 40), (5, 3), (9, 14), (2, 31))]
LONG[0] += " lovely"


@pytest.fixture
def saved(tiny_teacher: Path, tmp_path: Path) -> Callable[..., Path]:
    """Save a model as a run does that was trained so."""

    def save(**notes: object) -> Path:
        folder = Path(shutil.copytree(tiny_teacher, tmp_path / "model", dirs_exist_ok=True))
        config = json.loads((folder / "config.json").read_text())
        config["tinybert"] = {"text_pair": False, **notes}
        (folder / "config.json").write_text(json.dumps(config))
        tokenizer = AutoTokenizer.from_pretrained(folder)
        tokenizer.model_max_length = MAX_LENGTH
        tokenizer.save_pretrained(folder)
        return folder

    return save


def plain_logits(folder: Path, rows: Sequence[Sequence[int]]) -> np.ndarray:
    """Return what transformers alone gives for each row of tokens."""
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        return torch.cat([model(torch.tensor([list(row)])).logits for row in rows]).numpy()


def pieces_of(folder: Path, text: str) -> list[int]:
    return AutoTokenizer.from_pretrained(folder)(text, add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_pooled_logits_are_those_of_windows_cut_by_hand(saved: Callable[..., Path], pooling: str) -> None:
    folder = saved(long_text="windows", window_pooling=pooling, max_windows=8)
    found = Predictor(folder, batch_size=3).logits(LONG)
    for text, logits in zip(LONG, found, strict=True):
        pieces, windows = pieces_of(folder, text), list[list[int]]()
        while not windows or len(pieces) > 5:  # a third of 16 is in both neighbours
            windows.append([2, *pieces[:14], 3])
            pieces = pieces[9:]
            if len(windows[-1]) < 16:
                break
        expected = getattr(plain_logits(folder, windows), pooling)(axis=0)
        np.testing.assert_allclose(logits, expected, atol=1e-5)


def test_beginning_and_end_are_one_row_cut_by_hand(saved: Callable[..., Path]) -> None:
    folder = saved(long_text="head_tail")
    predictor = Predictor(folder)
    rows = [pieces_of(folder, text) for text in LONG]
    read = [[2, *(row if len(row) <= 14 else [*row[:3], *row[-11:]]), 3] for row in rows]
    np.testing.assert_allclose(predictor.logits(LONG), plain_logits(folder, read), atol=1e-5)
    assert predictor.num_truncated == 2
    assert predictor([LONG[0]])[0].fields()["label"] == "positive"  # its last word


@pytest.mark.parametrize("rule", ["windows", "head_tail"])
def test_rows_that_fit_are_read_as_by_any_model(
    saved: Callable[..., Path], tiny_teacher: Path, rule: str
) -> None:
    short = [str(row["text"]) for row in easy.make_rows(20, seed=3)]
    plain = Predictor(tiny_teacher).logits(short)
    predictor = Predictor(saved(long_text=rule))
    np.testing.assert_allclose(predictor.logits(short), plain, atol=1e-6)
    assert predictor.num_truncated == 0


def test_rows_read_in_part_are_counted(saved: Callable[..., Path]) -> None:
    predictor = Predictor(saved(long_text="windows", max_windows=2))
    assert len(predictor(LONG)) == 4
    assert predictor.num_truncated == 2
    said = predictor.task.format.truncation(predictor.max_length)
    assert said == "texts were read in part: in windows of 16 tokens, at most 2 of each text"


def test_a_caller_may_read_otherwise_than_the_model_was_trained(
    saved: Callable[..., Path], tiny_teacher: Path
) -> None:
    folder = saved(long_text="windows")
    plain = Predictor(tiny_teacher)
    given = Predictor(folder, format=plain.task.format)
    cut = Predictor(tiny_teacher, max_length=MAX_LENGTH)
    np.testing.assert_array_equal(given.logits(LONG), cut.logits(LONG))


@pytest.mark.parametrize(
    ("notes", "said"),
    [
        ({"long_text": "all"}, r"tinybert\.long_text = 'all': Input should be 'truncate'"),
        ({"long_text": "windows", "max_windows": 0}, r"tinybert\.max_windows = 0"),
    ],
)
def test_damaged_notes_are_refused(saved: Callable[..., Path], notes: dict[str, Any], said: str) -> None:
    folder = saved(**notes)
    with pytest.raises(ModelError, match=said):
        Predictor(folder)


def test_transformers_alone_loads_it(saved: Callable[..., Path]) -> None:
    folder = saved(long_text="windows", window_pooling="max")
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    assert notes_of(model.config)["window_pooling"] == "max"
