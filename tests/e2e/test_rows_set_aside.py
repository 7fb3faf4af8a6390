"""Rows that cannot be used are set aside in one form, whichever command meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests import easy
from tests.command import call

FIELDS = ["file", "row", "field", "why", "raw", "unit"]


def bad_rows(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_training_augmentation_and_prediction_set_them_aside_alike(
    tiny_encoder: Path, tiny_teacher: Path, tmp_path: Path, suffix: str
) -> None:
    rows = [*easy.make_rows(40), {"text": "", "label": "positive"}]
    if suffix == ".csv":
        data = tmp_path / "rows.csv"
        data.write_text("text,label\n" + "".join(f"{row['text']},{row['label']}\n" for row in rows))
    else:
        data = easy.write_rows(tmp_path / "rows.jsonl", rows)
    skip = ["--on-bad-row", "skip"]
    fast = [*easy.FAST, "train.num_epochs=1"]
    call("finetune", data, "--model", tiny_encoder, "--out", tmp_path / "run", *skip, *fast)
    call("augment", data, "--out", tmp_path / "more.jsonl", "--copies", 1, "--method", "swap", *skip)
    call("predict", tiny_teacher, "--input", data, "--output", tmp_path / "predictions.jsonl")
    places = ("run/bad_rows.jsonl", "more.bad_rows.jsonl", "predictions.jsonl.bad_rows.jsonl")
    (trained,), (augmented,), (predicted,) = (bad_rows(tmp_path / place) for place in places)
    assert list(trained) == list(augmented) == list(predicted) == FIELDS
    for name in ("row", "field", "raw", "unit"):
        assert trained[name] == augmented[name] == predicted[name]
    assert trained["row"] == 41 + (suffix == ".csv")
    assert trained["field"] == "text"
    assert Path(str(trained["file"])).name == data.name
