"""The recipes of texts that are written, and the example of a translation, run on something tiny."""

from __future__ import annotations

import json
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
from tests import command, writing

ROOT = Path(__file__).parents[2]
TINY = [
    *("teacher.num_epochs=1", "teacher.learning_rate=3e-3", "generation.num_decoder_layers=1"),
    *("student.num_hidden_layers=1", "student.hidden_size=48", "student.num_attention_heads=4"),
    *("student.intermediate_size=96", "student.start=random"),
    *("train.num_epochs=1", "train.precision=fp32", "baseline=false"),
    *("data.max_length=16", "generation.max_new_tokens=8", "generation.no_repeat_ngram_size=0"),
]
METRICS = {"translation": "bleu", "summarisation": "rougeL", "dialogue": "token_f1"}


@pytest.fixture(scope="module")
def example() -> ModuleType:
    """The file of the example as a module."""
    spec = spec_from_file_location("translate", ROOT / "examples" / "translate.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize("name", METRICS)
def test_a_recipe_runs_from_an_encoder_to_a_student_that_writes(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = writing.write_splits(tmp_path / "rows", train=300, backwards=False)
    encoder = writing.save_encoder(tmp_path / "encoder")
    out = tmp_path / "run"
    words = ["run", ROOT / "recipes" / f"{name}.yaml", f"data.path={rows}", f"teacher.path={encoder}"]
    command.call(*words, *TINY, "--out", out)
    metrics = json.loads((out / "metrics.json").read_text())
    assert next(iter(metrics["student"]["test"])) == METRICS[name]
    assert metrics["teacher"]["test"].keys() == metrics["student"]["test"].keys()
    assert metrics["teacher"]["num_parameters"] > metrics["student"]["num_parameters"]
    capsys.readouterr()
    command.call("predict", out, "red fox", "--json")
    assert set(json.loads(capsys.readouterr().out)["prediction"].split()) <= set(writing.WORDS)


def test_numbers_of_the_example_are_right_in_both_languages(example: ModuleType) -> None:
    pairs = {
        1: ("one", "eins"),
        17: ("seventeen", "siebzehn"),
        21: ("twenty-one", "einundzwanzig"),
        101: ("one hundred and one", "einhunderteins"),
        305: ("three hundred and five", "dreihundertfünf"),
        670: ("six hundred and seventy", "sechshundertsiebzig"),
        1031: ("one thousand and thirty-one", "eintausendeinunddreißig"),
    }
    assert {n: (example.english(n), example.german(n)) for n in pairs} == pairs


def test_days_of_the_example_are_right_in_both_languages(example: ModuleType) -> None:
    days = {
        2: "second zweiten",
        7: "seventh siebten",
        16: "sixteenth sechzehnten",
        19: "nineteenth neunzehnten",
    }
    days |= {20: "twentieth zwanzigsten", 21: "twenty-first einundzwanzigsten"}
    assert {day: " ".join(example.rank(day)) for day in days} == days


def test_half_an_hour_names_the_next_hour_in_german(example: ModuleType) -> None:
    rows = {row["source"]: row["target"] for row in example.write(1500)}
    assert rows["half past twelve"] == "halb eins"
    assert rows["one o'clock"] == "ein Uhr"
    assert rows["twenty-five past four"] == "fünf vor halb fünf"
    assert rows["quarter to one"] == "Viertel vor eins"


@pytest.mark.slow
def test_the_example_runs(example: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # chrF tells a teacher of one epoch from one that knows nothing
    example.main(str(tmp_path), 600, "train.num_epochs=1", "train.precision=fp32", "generation.metric=chrf")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines if "BLEU" in line and "exactly" in line] == [
        "teacher",
        "student",
    ]
    assert lines[-3].startswith("three hundred and five → ")
