"""A run knows whether it was trained on pairs of texts, and refuses what it was not trained on."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import pytest
from tests import easy
from tests.command import call, refused

from tinybert.cli.results import show
from tinybert.errors import DataError
from tinybert.inference import Predictor
from tinybert.runs import Run

PAIR, SINGLE = ("good", "bad"), "good"


@pytest.fixture(scope="module", params=["pairs", "texts"])
def run(request: pytest.FixtureRequest, tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    rows = [
        {**row, **({"text_pair": "bab del"} if request.param == "pairs" else {})}
        for row in easy.make_rows(40)
    ]
    data = easy.write_rows(folder / "rows.jsonl", rows)
    words = [*easy.FAST, "train.num_epochs=1"]
    call("finetune", data, "--model", tiny_encoder, "--out", folder / request.param, *words)
    return folder / request.param


def test_the_hint_is_a_command_that_works(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    show(Run(run), Run(run).recipe, as_json=False)
    hint = capsys.readouterr().out.splitlines()[-1]
    program, *words = shlex.split(hint.removeprefix("try: "))
    assert program == "tinybert"
    call(*words)


def test_the_config_says_which(run: Path) -> None:
    assert json.loads((run / "config.json").read_text())["tinybert"] == {"text_pair": run.name == "pairs"}


def test_the_other_kind_is_refused(run: Path) -> None:
    right, wrong = (PAIR, SINGLE) if run.name == "pairs" else (SINGLE, PAIR)
    assert len(Predictor(run)([right])) == 1
    with pytest.raises(DataError, match=r"trained on (pairs of texts; give|single texts; omit) the second"):
        Predictor(run)([wrong])


def test_the_command_refuses_it(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [] if run.name == "pairs" else ["--text-pair", "bad"]
    said = refused(capsys, "predict", run, "good", *words)
    assert "the model was trained on" in said


def test_rows_of_a_file_that_are_not_of_this_kind_are_named(run: Path, tmp_path: Path) -> None:
    pair, single = {"text": "good", "text_pair": "bad"}, {"text": "good"}
    rows = [pair, single, pair, single]
    data, out = easy.write_rows(tmp_path / "rows.jsonl", rows), tmp_path / "predictions.jsonl"
    call("predict", run, "--input", data, "--output", out)
    bad = [
        json.loads(line) for line in (tmp_path / "predictions.jsonl.bad_rows.jsonl").read_text().splitlines()
    ]
    assert [row["row"] for row in bad] == ([2, 4] if run.name == "pairs" else [1, 3])


@pytest.mark.parametrize(
    "command",
    [
        ["evaluate", "{run}", "{rows}"],
        ["bench", "{run}", "--data", "{rows}"],
        ["export", "{run}", "--data", "{rows}"],
        ["distill", "{rows}", "--teacher", "{run}", "--out", "{out}", *easy.TINY_STUDENT, *easy.FAST],
    ],
    ids=lambda words: words[0],
)
def test_labelled_rows_of_the_other_kind_are_refused_before_anything_is_made(
    command: list[str], run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = {} if run.name == "pairs" else {"text_pair": "bab del"}
    rows = easy.write_rows(tmp_path / "rows.jsonl", [row | other for row in easy.make_rows(60)])
    words = [word.format(run=run, rows=rows, out=tmp_path / "out") for word in command]
    assert "the model was trained on" in refused(capsys, *words)
    assert not (tmp_path / "out").exists()
    assert not list(run.glob("exports/*"))


def test_a_checkpoint_that_does_not_say_takes_both(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "before"
    shutil.copytree(run, folder)
    config = json.loads((folder / "config.json").read_text())
    del config["tinybert"]
    (folder / "config.json").write_text(json.dumps(config))
    predictor = Predictor(folder)
    assert len(predictor([PAIR])) == len(predictor([SINGLE])) == 1
