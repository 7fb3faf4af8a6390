"""A finished run knows the rows that it was trained on, in whatever data they come again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests import easy
from tests.command import call
from tests.damage import flip

import tinybert
from tinybert.data.fields import hash_texts
from tinybert.errors import TinyBertError
from tinybert.runs import Run, is_run

ROWS = easy.make_rows(90, seed=4)
NEW = {"text": "bab good fin", "label": "positive"}
FAST = [*easy.FAST, "train.num_epochs=1", "head_start=random"]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return easy.write_rows(tmp_path_factory.mktemp("rows") / "rows.jsonl", ROWS)


@pytest.fixture(scope="module")
def run(file: Path, tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    tinybert.finetune(file, *FAST, model=tiny_encoder, out=out)
    return out


def num_trained(run: Path) -> int:
    return int(str(Run(run).metrics["num_train_rows"]))


def test_a_run_keeps_a_hash_of_each_training_row_and_no_text(run: Path) -> None:
    hashes = np.load(run / "train_rows.npy")
    known = {int.from_bytes(hash_texts([str(row["text"])]), "little") for row in ROWS}
    assert len(hashes) == num_trained(run) == len(set(hashes.tolist()))
    assert set(hashes.tolist()) < known
    assert (run / "train_rows.npy").stat().st_size < 128 + 8 * len(hashes) + 1
    assert "train_rows.npy" in json.loads((run / "checksums.json").read_text())


@pytest.mark.parametrize(
    ("given", "num_new"),
    [
        (lambda folder: easy.write_rows(folder / "more.jsonl", [*ROWS, NEW]), 1),
        (lambda folder: pd.DataFrame(ROWS), 0),
        (lambda folder: pd.DataFrame(ROWS[:80]), -10),
        (lambda folder: pd.DataFrame([{**row, "text": f" {row['text']}  ".upper()} for row in ROWS]), 0),
        (lambda folder: easy.write_splits(folder / "splits", {"test": ROWS, "train": [NEW]}), 0),
    ],
    ids=["one line more", "DataFrame", "part of it", "capitals and spaces", "a folder"],
)
def test_rows_of_train_are_counted_in_other_data(
    given: Callable[[Path], object],
    num_new: int,
    run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    scores = tinybert.evaluate(run, given(tmp_path))  # type: ignore[arg-type]
    num_seen = num_trained(run) if num_new >= 0 else int(str(scores["num_rows_leaked"]))
    assert scores["num_rows"] == 90 + num_new
    assert scores["num_rows_leaked"] == num_seen >= num_trained(run) - 10
    said = capsys.readouterr().err
    assert f"warning: test: {num_seen} of {90 + num_new} rows (" in said
    assert "was trained on, and are predicted from memory\n" in said
    seen = set(np.load(run / "train_rows.npy").tolist())
    rows = [*ROWS[: 90 + num_new], NEW][: 90 + num_new]
    new = [row for row in rows if int.from_bytes(hash_texts([str(row["text"])]), "little") not in seen]
    alone = tinybert.evaluate(run, new)
    assert "num_rows_leaked" not in alone
    assert scores["accuracy_without_leakage"] == alone["accuracy"]


def test_the_runs_own_file_is_split_as_before(
    run: Path, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = tinybert.evaluate(run, file)
    assert scores["num_rows"] == Run(run).metrics["num_rows_scored"]
    assert "num_rows_leaked" not in scores
    assert "memory" not in capsys.readouterr().err


def test_where_all_rows_are_known_no_score_counts(
    run: Path, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = set(np.load(run / "train_rows.npy").tolist())
    rows = [row for row in ROWS if int.from_bytes(hash_texts([str(row["text"])]), "little") in seen]
    scores = tinybert.evaluate(run, rows)
    assert scores["num_rows"] == scores["num_rows_leaked"] == len(seen)
    assert "accuracy_without_leakage" not in scores
    assert "memory; none of them is new" in capsys.readouterr().err


@pytest.mark.parametrize("spoil", [Path.unlink, flip], ids=["missing", "damaged"])
def test_a_run_that_does_not_know_says_so(
    spoil: Callable[[Path], object], run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "run"))
    spoil(copy / "train_rows.npy")
    assert Run(copy).train_rows is None
    assert "num_rows_leaked" not in tinybert.evaluate(copy, ROWS)
    assert "keeps no record of its training rows, or a damaged one" in capsys.readouterr().err


def test_a_model_in_the_folder_of_a_run_has_read_its_rows(run: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "run"))
    inner = Path(shutil.copytree(run, copy / "teacher"))
    for name in ("recipe.yaml", "metrics.json", "inputs.json", "train_rows.npy"):
        (inner / name).unlink()
    assert not is_run(inner)
    assert tinybert.evaluate(inner, ROWS)["num_rows_leaked"] == num_trained(run)


def test_bench_reports_them_for_each_run(
    run: Path,
    tiny_teacher: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise TinyBertError("stopped", "before anything is measured")

    monkeypatch.setattr("tinybert.stages.bench.measure_all", stop)
    rows = easy.write_rows(tmp_path / "rows.jsonl", [*ROWS, NEW])
    with pytest.raises(SystemExit):
        call("bench", tiny_teacher, "--against", run, "--data", rows)
    said = capsys.readouterr().err
    assert said.count("predicted from memory") == 1
    assert f"{num_trained(run)} of 91 rows" in said
    assert f"that {run} was trained on" in said
