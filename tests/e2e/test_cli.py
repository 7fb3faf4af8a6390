"""The command line as people use it: words in; files, lines and exit codes out."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from importlib import import_module
from inspect import isfunction
from pathlib import Path

import pytest
import yaml
from tests import easy
from tests.command import call, metrics_of, refused

import tinybert

TINY = [*easy.TINY_STUDENT, *easy.FAST]


@pytest.fixture(scope="module")
def fine_tuned(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Path:
    """A run of `tinybert finetune` that knows the keyword task."""
    folder = tmp_path_factory.mktemp("fine_tuned")
    rows = easy.write_splits(folder / "rows", easy.make_splits(train=320))
    call(
        "finetune",
        rows,
        "--model",
        tiny_encoder,
        "--out",
        folder / "teacher",
        *easy.FAST,
        "train.num_epochs=3",
        "train.learning_rate=3e-3",
    )
    return folder / "teacher"


@pytest.fixture(scope="module")
def distilled(tmp_path_factory: pytest.TempPathFactory, fine_tuned: Path, easy_rows: Path) -> Path:
    """A run of `tinybert distill` from it, baseline included."""
    out = tmp_path_factory.mktemp("distilled") / "student"
    call("distill", easy_rows, "--teacher", fine_tuned, "--out", out, *TINY)
    return out


def test_the_run_keeps_the_promised_figures(distilled: Path) -> None:
    metrics = metrics_of(distilled)
    for name in ("teacher", "fine_tune_only", "tfidf", "student"):
        assert metrics[name]["test"]["accuracy"] >= 0.4
        assert metrics[name]["num_parameters"] > (100 if name == "tfidf" else 10_000)
        assert metrics[name]["size_mb"] > 0
        assert metrics[name]["latency_ms"] > 0
    assert metrics["student"]["train_seconds"] > 0
    teacher, student = (metrics[name]["test"]["accuracy"] for name in ("teacher", "student"))
    assert teacher >= 0.9
    assert student >= 0.9
    assert metrics["retention"] == pytest.approx(student / teacher, abs=1e-4)
    assert "from the pre-trained weights" in metrics["baseline_start"]
    recipe = yaml.safe_load((distilled / "recipe.yaml").read_text())
    assert recipe["student"]["start"] == "project"
    assert recipe["distill"]["losses"] == {"hidden_state_mse": 1.0, "kl_divergence": 1.0, "hard": 0.1}
    assert (distilled / "learning_curve.png").read_bytes().startswith(b"\x89PNG")
    report = (distilled / "report.md").read_text()
    assert "| **student (distilled)** |" in report
    assert "| TF-IDF + logistic regression |" in report
    assert [caution in report for caution in metrics["cautions"]] == [True] * len(metrics["cautions"])


def test_no_pickle_is_in_a_run(distilled: Path, fine_tuned: Path) -> None:
    for run in (distilled, fine_tuned):
        assert {path.suffix for path in run.rglob("*")} <= {
            ".json",
            ".jsonl",
            ".md",
            ".npy",  # of whole numbers: written, and read, where pickles are not allowed
            ".png",
            ".safetensors",
            ".yaml",
        }


def test_a_student_loads_where_tinybert_was_never_imported(distilled: Path) -> None:
    code = (
        "import sys, torch\n"
        "from transformers import AutoModelForSequenceClassification, AutoTokenizer\n"
        "model = AutoModelForSequenceClassification.from_pretrained(sys.argv[1])\n"
        "tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])\n"
        "batch = tokenizer(['bab del good', 'awful fin bab'], padding=True, return_tensors='pt')\n"
        "print([model.config.id2label[i] for i in model(**batch).logits.argmax(-1).tolist()])\n"
        "assert 'tinybert' not in sys.modules\n"
        "assert not [name for name, _ in model.named_parameters() if 'projection' in name]\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(distilled)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "['positive', 'negative']"
    assert "newly initialized" not in done.stderr


def test_a_finished_run_called_again_returns_at_once(
    distilled: Path, fine_tuned: Path, easy_rows: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in distilled.iterdir()}
    call("distill", easy_rows, "--teacher", fine_tuned, "--out", distilled, *TINY)
    captured = capsys.readouterr()
    assert "retention:" in captured.out
    assert "Epoch" not in captured.err
    assert {path: path.stat().st_mtime_ns for path in distilled.iterdir()} == before
    said = refused(
        capsys, "distill", easy_rows, "--teacher", fine_tuned, "--out", distilled, *TINY, "train.seed=1"
    )
    assert "already exists, made with other settings (train.seed = 42, now 1); choose another --out" in said


def test_a_finished_run_is_not_taken_for_one_on_changed_data(
    fine_tuned: Path, easy_rows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, out = tmp_path / "rows", tmp_path / "run"
    shutil.copytree(easy_rows, rows)
    words = ("distill", rows, "--teacher", fine_tuned, "--out", out, "--no-baseline", *TINY)
    call(*words)
    file = next(rows.glob("test.*"))
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-1]))
    assert "already exists, made with other data; choose another --out" in refused(capsys, *words)


def test_evaluate_agrees_with_the_run(
    distilled: Path, easy_rows: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call("evaluate", distilled, easy_rows, "--json")
    scores = json.loads(capsys.readouterr().out)
    assert scores["split"] == "test"
    assert scores["num_rows"] == 32
    assert scores["accuracy"] == metrics_of(distilled)["student"]["test"]["accuracy"]
    call("evaluate", distilled, easy_rows, "--split", "validation")
    assert "accuracy" in capsys.readouterr().out


def test_the_file_a_run_was_trained_on_is_scored_on_its_held_out_rows(
    tmp_path: Path,
    tiny_encoder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = easy.write_rows(tmp_path / "rows.jsonl", easy.make_rows(120))
    call("finetune", file, "--model", tiny_encoder, "--out", tmp_path / "run", *easy.FAST)
    trained = metrics_of(tmp_path / "run")
    capsys.readouterr()
    call("evaluate", tmp_path / "run", file, "--json")
    scores = json.loads(capsys.readouterr().out)
    assert scores["num_rows"] == trained["num_rows_scored"] < 40
    assert scores["accuracy"] == pytest.approx(trained["model"]["test"]["accuracy"])
    monkeypatch.setenv("HOME", str(tmp_path))
    assert tinybert.evaluate("~/run", file)["num_rows"] == scores["num_rows"]
    said = refused(capsys, "evaluate", tmp_path / "run", file, "--split", "tets")
    assert "'tets': unknown; did you mean 'test'?" in said
    (tmp_path / "run" / "inputs.json").write_text("{")
    assert "inputs.json: damaged" in refused(capsys, "evaluate", tmp_path / "run", file)


def test_rows_without_a_label_are_not_scored(
    tmp_path: Path, tiny_teacher: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [*easy.make_rows(100), *({**row, "label": None} for row in easy.make_rows(60, seed=5))]
    file = easy.write_rows(tmp_path / "rows.jsonl", rows)
    call(
        *("distill", file, "--teacher", tiny_teacher, "--out", tmp_path / "run", "--no-baseline"),
        *easy.TINY_STUDENT,
        *easy.FAST,
    )
    trained = metrics_of(tmp_path / "run")
    capsys.readouterr()
    call("evaluate", tmp_path / "run", file, "--json")
    scores = json.loads(capsys.readouterr().out)
    assert 0 < scores["num_rows"] == trained["num_rows_scored"] < 30
    assert scores["accuracy"] == pytest.approx(trained["student"]["test"]["accuracy"])


def test_predict_piped_gives_one_json_line_a_text(
    distilled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call("predict", distilled, "bab good del", "awful fin")
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [answer["label"] for answer in answers] == ["positive", "negative"]
    assert [answer["text"] for answer in answers] == ["bab good del", "awful fin"]


def test_predict_a_file(distilled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = easy.write_rows(tmp_path / "texts.jsonl", easy.make_rows(9, seed=8))
    call("predict", distilled, "--input", source, "--output", tmp_path / "answers.csv")
    assert len((tmp_path / "answers.csv").read_text().splitlines()) == 10
    assert "either texts or --input" in refused(capsys, "predict", distilled)
    said = refused(capsys, "predict", distilled, "--input", tmp_path / "none.jsonl")
    assert "none.jsonl" in said


def test_doctor_json(fine_tuned: Path, easy_rows: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call("doctor", easy_rows, "--teacher", fine_tuned, "--json", *TINY)
    findings = json.loads(capsys.readouterr().out)
    assert {"labels", "tokenizers", "teacher", "time"} <= {finding["check"] for finding in findings}
    assert {finding["level"] for finding in findings} == {"ok"}


def test_doctor_counts_what_the_tokenizer_does_not_know(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = easy.save_teacher(tmp_path / "raw", num_steps=0)
    rows = [{**row, "text": f"{row['text']} 好"} for row in easy.make_rows(60)]
    easy.write_rows(tmp_path / "zh.jsonl", rows)
    capsys.readouterr()
    call("doctor", tmp_path / "zh.jsonl", "--teacher", raw, *TINY)
    said = capsys.readouterr().out
    (line,) = [line for line in said.splitlines() if "tokenizers" in line]
    assert line.startswith("! tokenizers")
    assert "of pieces are unknown, most often '好': the model cannot tell them apart" in line


def test_doctor_exits_with_2_when_something_must_be_mended(
    tmp_path: Path, easy_rows: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = easy.save_teacher(tmp_path / "raw", num_steps=0)
    said = refused(capsys, "doctor", easy_rows, "--teacher", raw, *TINY)
    assert "✗ teacher" in said
    assert "it does not know this task" in said


@pytest.mark.parametrize("command", ["distill", "finetune", "run"])
def test_dry_run_shows_the_plan_and_writes_nothing(
    tmp_path: Path, tiny_teacher: Path, easy_rows: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "r.yaml"
    recipe.write_text(f"teacher: {{path: {tiny_teacher}}}\ndata: {{path: {easy_rows}}}\n")
    words = {
        "distill": ["distill", easy_rows, "--teacher", tiny_teacher, *TINY],
        "finetune": ["finetune", easy_rows, "--model", tiny_teacher, *easy.FAST],
        "run": ["run", recipe, *TINY],
    }[command]
    call(*words, "--dry-run", "--out", tmp_path / "out")
    shown = capsys.readouterr().out
    assert yaml.safe_load(shown)["train"]["num_epochs"] == 2
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / ".out.partial").exists()


def test_run_a_recipe_with_overrides(
    tmp_path: Path,
    tiny_teacher: Path,
    easy_rows: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tree = {"data": {"path": str(easy_rows)}, "teacher": {"path": str(tiny_teacher)}, "baseline": False}
    (tmp_path / "first.yaml").write_text(yaml.safe_dump(tree))
    monkeypatch.chdir(tmp_path)
    call("run", "first.yaml", "--json", *TINY, "train.num_epochs=1", "distill.losses={mse_logits: 1}")
    shown = json.loads(capsys.readouterr().out)
    assert shown == metrics_of(tmp_path / "runs" / "first")
    assert shown["fine_tune_only"] is None


def write_task(folder: Path, task: str) -> Path:
    rng = random.Random(3)
    rows: dict[str, list[easy.Row]] = {}
    for name, count in (("train", 320), ("validation", 40), ("test", 40)):
        rows[name] = []
        for i in range(count):
            label = easy.LABELS[i % 2]
            text = f"{easy.make_text(rng, label)} {' '.join(rng.sample(easy.NOISE, 2))}"
            tags = [tag for tag, word in (("lovely", "lovely"), ("awful", "awful")) if word in text]
            row: easy.Row = {"text": text, "label": label}
            if task == "multilabel":
                row = {"text": text, "label": tags}
            elif task == "regression":
                row = {"text": text, "score": float(i % 2) + (0.5 if tags else 0.0)}
            elif task == "pairs":
                row = {"sentence1": " ".join(rng.sample(easy.NOISE, 3)), "sentence2": text, "label": label}
            rows[name].append(row)
    return easy.write_splits(folder, rows)


@pytest.mark.parametrize(
    ("task", "metric", "least"),
    [("multilabel", "micro_f1", 0.6), ("regression", "pearson", 0.6), ("pairs", "accuracy", 0.8)],
)
def test_the_other_tasks(
    tmp_path: Path,
    tiny_encoder: Path,
    task: str,
    metric: str,
    least: float,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = write_task(tmp_path / "rows", task)
    name = "classification" if task == "pairs" else task
    call(
        "distill",
        rows,
        "--task",
        name,
        "--teacher",
        tiny_encoder,
        "--out",
        tmp_path / "run",
        "--no-baseline",
        *TINY,
        "train.learning_rate=3e-3",
        "teacher.learning_rate=3e-3",
        "teacher.num_epochs=6",
    )
    metrics = metrics_of(tmp_path / "run")
    assert metrics["main_metric"] == metric
    assert metrics["teacher"]["test"][metric] > least
    assert metrics["student"]["test"][metric] > least - 0.1
    capsys.readouterr()
    words = ["bab good", "--text-pair", "del lovely fin"] if task == "pairs" else ["bab lovely", "gor awful"]
    call("predict", tmp_path / "run", *words)
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    kind = {"multilabel": list, "regression": type(None), "pairs": str}[task]
    assert isinstance(first["label"], kind)
    call("evaluate", tmp_path / "run", rows, "--json")
    assert json.loads(capsys.readouterr().out)[metric] == pytest.approx(metrics["student"]["test"][metric])


def test_unlabelled_rows_are_taught_by_the_teacher(tmp_path: Path, tiny_teacher: Path) -> None:
    splits = easy.make_splits()
    rows = easy.write_splits(tmp_path / "rows", splits)
    easy.write_rows(rows / "unlabelled.jsonl", [{"text": row["text"]} for row in easy.make_rows(64, seed=77)])
    call("distill", rows, "--teacher", tiny_teacher, "--out", tmp_path / "run", *TINY)
    metrics = metrics_of(tmp_path / "run")
    assert metrics["num_train_rows"] == 160
    assert metrics["student"]["test"]["accuracy"] > 0.8
    assert metrics["fine_tune_only"]["test"]["accuracy"] >= 0.4


def test_a_file_of_soft_labels_teaches(tmp_path: Path, tiny_encoder: Path, easy_rows: Path) -> None:
    rows = [json.loads(line) for line in (easy_rows / "train.jsonl").read_text().splitlines()]
    file = easy.write_rows(
        tmp_path / "soft.jsonl",
        [
            {
                "text": row["text"],
                "scores": {name: 4.0 if name == row["label"] else -4.0 for name in easy.LABELS},
            }
            for row in rows
        ],
    )
    call(
        "distill",
        easy_rows,
        "--teacher",
        file,
        "--out",
        tmp_path / "run",
        "--no-baseline",
        *TINY,
        f"teacher.pretrained={tiny_encoder}",
        "train.num_epochs=1",
    )
    metrics = metrics_of(tmp_path / "run")
    assert metrics["teacher"] is None
    assert metrics["student_start"] == "project"


BAD_FILES = {
    "empty text": ('{"text": "", "label": "a"}\n{"text": "x", "label": "b"}\n', ["line 1", "text"]),
    "broken line": ('{"text": "x", "label": "a"}\n{"text": \n', ["line 2"]),
    "one label": ("".join(json.dumps({"text": f"t {i}", "label": "a"}) + "\n" for i in range(30)), ["label"]),
    "no text column": (
        "".join(json.dumps({"words": f"t {i}", "label": i % 2}) + "\n" for i in range(30)),
        ["words"],
    ),
    "empty file": ("", ["rows.jsonl"]),
}


@pytest.mark.parametrize("name", BAD_FILES)
@pytest.mark.parametrize("command", ["finetune", "distill", "doctor"])
def test_bad_rows_cost_no_run(
    tmp_path: Path, tiny_teacher: Path, name: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    content, parts = BAD_FILES[name]
    rows = tmp_path / "rows.jsonl"
    rows.write_text(content)
    model = (
        ["--model", tiny_teacher]
        if command == "finetune"
        else ["--teacher", tiny_teacher, *easy.TINY_STUDENT]
    )
    out = [] if command == "doctor" else ["--out", tmp_path / "run"]
    said = refused(capsys, command, rows, *model, *out)
    assert str(rows.name) in said
    for part in parts:
        assert part in said
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["distill", "ROWS", "--teacher", "TEACHER"], "--out is missing"),
        (["distill", "ROWS", "--teacher", "/no/such/model", "--out", "OUT"], "/no/such/model"),
        (["distill", "/no/such/rows.csv", "--teacher", "TEACHER", "--out", "OUT"], "no such file or folder"),
        (
            ["distill", "ROWS", "--teacher", "TEACHER", "--out", "OUT", "train.num_epoch=3"],
            "did you mean 'num_epochs'?",
        ),
        (["distill", "ROWS", "--teacher", "TEACHER", "--out", "OUT", "--task", "sentiment"], "unknown task"),
        (
            ["distill", "ROWS", "--teacher", "TEACHER", "--out", "OUT", "augment.copies=3"],
            "augment.model is missing",
        ),
        (["finetune", "ROWS", "--out", "OUT"], "--model"),
        (["run", "none.yaml"], "cannot read this recipe"),
        (["evaluate", "/no/such/run", "ROWS"], "/no/such/run"),
        (["evaluate", "TEACHER", "ROWS", "--split", "tset"], "tset"),
        (["predict", "/no/such/run", "a text"], "/no/such/run"),
        (["distil"], "distil"),
    ],
)
def test_a_users_mistake_exits_with_2_and_says_what_to_mend(
    tmp_path: Path,
    tiny_teacher: Path,
    easy_rows: Path,
    words: list[str],
    part: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    places = {"ROWS": str(easy_rows), "TEACHER": str(tiny_teacher), "OUT": str(tmp_path / "run")}
    said = refused(capsys, *[places.get(word, word) for word in words])
    assert part in said
    assert list(tmp_path.iterdir()) == []


def test_debug_shows_the_error_itself(tmp_path: Path) -> None:
    with pytest.raises(tinybert.TinyBertError, match="cannot read this recipe"):
        call("run", tmp_path / "none.yaml", "--debug")


def test_skipped_rows_are_set_aside_in_the_run(tmp_path: Path, tiny_teacher: Path) -> None:
    splits = easy.make_splits()
    rows = easy.write_splits(tmp_path / "rows", splits)
    with (rows / "train.jsonl").open("a") as file:
        file.write('{"text": " ", "label": "positive"}\n{"text": "bab", "label": null\n')
    call(
        "finetune",
        rows,
        "--model",
        tiny_teacher,
        "--out",
        tmp_path / "run",
        "--on-bad-row",
        "skip",
        *easy.FAST,
        "train.num_epochs=1",
    )
    bad = [json.loads(line) for line in (tmp_path / "run" / "bad_rows.jsonl").read_text().splitlines()]
    assert [row["row"] for row in bad] == [97, 98]
    assert (
        "2 rows were refused and set aside in bad_rows.jsonl" in (tmp_path / "run" / "report.md").read_text()
    )


@pytest.mark.slow
def test_trackers_leave_their_curves_in_the_run(tmp_path: Path, tiny_teacher: Path, easy_rows: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "tinybert",
        "finetune",
        str(easy_rows),
        "--model",
        str(tiny_teacher),
        "--out",
        str(tmp_path / "run"),
        *easy.FAST,
        "train.num_epochs=1",
        "train.trackers=[wandb, tensorboard]",
    ]
    surroundings = {**os.environ, "WANDB_MODE": "offline"}
    done = subprocess.run(
        command, env=surroundings, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "run").glob("wandb/offline-run-*/run-*.wandb"))
    assert list((tmp_path / "run").glob("tensorboard/model/**/events.out.tfevents.*"))
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def run_code(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_public_names_are_pinned() -> None:
    assert tinybert.__all__ == [
        "Predictor",
        "Recipe",
        "Run",
        "TextDataset",
        "TinyBertError",
        "augment",
        "bench",
        "distill",
        "doctor",
        "evaluate",
        "export",
        "fetch",
        "finetune",
        "open_run",
        "predict",
        "pretrain",
        "run_recipe",
        "tokenizer",
        "train_model",
        "trim",
    ]
    for name in tinybert.__all__:
        assert getattr(tinybert, name) is not None
    for name in ("export", "trim", "bench", "augment", "tokenizer"):  # stages have modules of these names
        import_module(f"tinybert.stages.{name}")
        assert isfunction(getattr(tinybert, name))
    with pytest.raises(AttributeError, match="has no attribute 'distil'"):
        tinybert.distil  # noqa: B018  # pyright: ignore


@pytest.mark.slow
@pytest.mark.parametrize("before", ["", "import tinybert.stages.export, tinybert.stages.trim"])
def test_functions_keep_their_names_beside_stages_of_the_same_name(before: str) -> None:
    done = run_code(
        f"{before}\n"
        "from tinybert import finetune, distill, evaluate, predict, Recipe\n"
        "import tinybert\n"
        "for one in (finetune, distill, evaluate, predict, tinybert.export, tinybert.trim):\n"
        "    assert type(one).__name__ == 'function', one\n"
        "from tinybert.inference import Predictor\n"
        "from tinybert.evaluation import retention\n"
        "assert tinybert.Predictor is Predictor\n"
    )
    assert done.returncode == 0, done.stderr


def test_the_functions_do_what_the_commands_do(
    distilled: Path, easy_rows: Path, tmp_path: Path, tiny_teacher: Path
) -> None:
    answers = tinybert.predict(distilled, ["bab good del", "awful fin"])
    assert [answer.label for answer in answers] == ["positive", "negative"]
    assert tinybert.evaluate(tinybert.open_run(distilled), easy_rows)["accuracy"] >= 0.9
    run = tinybert.distill(
        easy.make_splits(),
        *TINY,
        "train.num_epochs=1",
        teacher=tiny_teacher,
        out=tmp_path / "run",
        student="4l-384d",
        baseline=False,
    )
    assert run.path == tmp_path / "run"
    assert run.metrics["num_train_rows"] == 96
