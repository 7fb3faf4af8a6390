"""Named entities and questions through the command line: rows in; runs, lines and exit codes out."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file
from tests import easy, tokens
from tests.command import call, kill_after_first_checkpoint, metrics_of, refused
from transformers import BertModel

from tinybert.cli import main
from tinybert.tasks.ner.tags import entities_of
from tinybert.tasks.ner.words import join_words

FAST = [
    *easy.NARROW_STUDENT,
    "train.num_epochs=4",
    "train.batch_size=16",
    "train.learning_rate=3e-3",
    "train.precision=fp32",
]
COUNT = {"train": 192, "validation": 32, "test": 32}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Teachers that know the tasks, the weights before, and rows."""
    folder = tmp_path_factory.mktemp("tokens")
    tokens.save_entity_teacher(folder / "ner-teacher")
    tokens.save_question_teacher(folder / "qa-teacher")
    tokens.save_question_teacher(folder / "qa2-teacher", unanswerable=True)
    torch.manual_seed(1)
    tokens.save(BertModel(tokens.make_config(tokens.TAGS)), folder / "pretrained")
    easy.write_splits(folder / "ner-rows", tokens.make_splits(tokens.make_entity_rows, **COUNT))
    easy.write_splits(folder / "qa-rows", tokens.make_splits(tokens.make_question_rows, **COUNT))
    easy.write_splits(
        folder / "qa2-rows", tokens.make_splits(tokens.make_question_rows, **COUNT, unanswerable=True)
    )
    return folder


def distilled(home: Path, name: str, *words: object) -> Path:
    task, out = name.removesuffix("2"), home / f"{name}-student"
    call(
        *("distill", home / f"{name}-rows", "--task", task, "--teacher", home / f"{name}-teacher"),
        *("--out", out, *words, *FAST),
    )
    return out


@pytest.fixture(scope="module")
def entity_run(home: Path) -> Path:
    return distilled(home, "ner", f"teacher.pretrained={home / 'pretrained'}")


@pytest.fixture(scope="module")
def question_run(home: Path) -> Path:
    return distilled(home, "qa", f"teacher.pretrained={home / 'pretrained'}")


def test_a_run_of_entities_is_whole_and_keeps_its_figures(entity_run: Path) -> None:
    metrics = metrics_of(entity_run)
    assert metrics["task"] == "ner"
    assert metrics["main_metric"] == "f1"
    assert metrics["labels"] == list(tokens.TAGS)
    for name in ("teacher", "fine_tune_only", "student"):
        scores = metrics[name]["test"]
        assert {"f1", "precision", "recall", "f1/PER", "f1/LOC", "partial_f1", "macro_f1"} <= scores.keys()
        assert metrics[name]["num_parameters"] > 5_000
        assert metrics[name]["latency_ms"] > 0
    assert metrics["teacher"]["test"]["f1"] > 0.9
    assert metrics["student"]["test"]["f1"] > 0.6
    assert metrics["retention"] == pytest.approx(
        metrics["student"]["test"]["f1"] / metrics["teacher"]["test"]["f1"], abs=1e-3
    )
    assert {path.name for path in entity_run.iterdir()} >= {
        *("model.safetensors", "config.json", "tokenizer.json", "recipe.yaml", "metrics.json"),
        *("report.md", "learning_curve.png"),
    }
    assert "F1 by type" in (entity_run / "report.md").read_text()
    assert "| PER |" in (entity_run / "report.md").read_text()
    recipe = yaml.safe_load((entity_run / "recipe.yaml").read_text())
    assert recipe["task"] == "ner"
    assert recipe["distill"]["losses"] == {"hidden_state_mse": 1.0, "kl_divergence": 1.0, "hard": 0.1}
    config = json.loads((entity_run / "config.json").read_text())
    assert [config["id2label"][str(i)] for i in range(5)] == list(tokens.TAGS)
    assert config["architectures"] == ["BertForTokenClassification"]
    assert not list(entity_run.parent.glob(".*.partial"))


def test_a_run_of_questions_is_whole_and_keeps_its_figures(question_run: Path) -> None:
    metrics = metrics_of(question_run)
    assert metrics["task"] == "qa"
    assert metrics["main_metric"] == "f1"
    for name in ("teacher", "fine_tune_only", "student"):
        assert {"f1", "exact_match"} == metrics[name]["test"].keys()
    assert metrics["teacher"]["test"]["f1"] > 0.9
    assert metrics["student"]["test"]["f1"] > 0.6
    config = json.loads((question_run / "config.json").read_text())
    assert config["architectures"] == ["BertForQuestionAnswering"]
    assert "null_threshold" not in config  # every question has an answer
    assert (question_run / "learning_curve.png").read_bytes().startswith(b"\x89PNG")
    assert "| **student (distilled)** |" in (question_run / "report.md").read_text()


def test_where_questions_have_no_answer_the_run_keeps_a_threshold(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = distilled(home, "qa2", "--no-baseline")
    scores = metrics_of(run)["student"]["test"]
    assert {"f1", "exact_match", "f1_answerable", "no_answer_accuracy"} == scores.keys()
    assert scores["f1"] > 0.6
    assert isinstance(json.loads((run / "config.json").read_text())["null_threshold"], float)
    capsys.readouterr()
    call("predict", run, "which colour", "--context", "bab animal fox bel food rice bin")
    none = json.loads(capsys.readouterr().out)
    assert none["n_best"][-1]["text"] == "" or any(each["text"] == "" for each in none["n_best"])
    rows = tokens.make_question_rows(30, seed=77, unanswerable=True)
    file = easy.write_rows(run.parent / "asked.jsonl", rows)
    call("predict", run, "--input", file, "--output", run.parent / "said.jsonl")
    answers = [json.loads(line)["answer"] for line in (run.parent / "said.jsonl").read_text().splitlines()]
    assert any(answer is None for answer in answers)
    assert any(answer is not None for answer in answers)


@pytest.mark.slow
def test_runs_load_where_tinybert_was_never_imported(entity_run: Path, question_run: Path) -> None:
    code = (
        "import sys, torch\n"
        "from transformers import AutoModelForQuestionAnswering, AutoModelForTokenClassification\n"
        "from transformers import AutoTokenizer\n"
        "ner = AutoModelForTokenClassification.from_pretrained(sys.argv[1])\n"
        "batch = AutoTokenizer.from_pretrained(sys.argv[1])('bab mister ada bel', return_tensors='pt')\n"
        "print([ner.config.id2label[i] for i in ner(**batch).logits.argmax(-1)[0].tolist()][3])\n"
        "qa = AutoModelForQuestionAnswering.from_pretrained(sys.argv[2])\n"
        "tokenizer = AutoTokenizer.from_pretrained(sys.argv[2])\n"
        "batch = tokenizer('which colour', 'bab colour red bel animal fox', return_tensors='pt')\n"
        "print(tokenizer.decode(batch['input_ids'][0, qa(**batch).start_logits.argmax()]))\n"
        "assert 'tinybert' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(entity_run), str(question_run)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["B-PER", "red"]
    assert "newly initialized" not in done.stderr


def test_entities_are_printed_as_json_with_their_places(
    entity_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    text = "bab  mister ADA bel 😀 rome"
    call("predict", entity_run, text, "bab")
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert first["text"] == text
    assert ("ADA", "PER") in [(each["text"], each["label"]) for each in first["entities"]]
    assert all(text[each["start"] : each["end"]] == each["text"] for each in first["entities"])
    assert second == {"text": "bab", "entities": []}


def test_questions_are_asked_of_a_context_or_of_a_file(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    context = "bab colour red bel animal fox bin food rice"
    (tmp_path / "book.txt").write_text(context)
    said: list[list[dict[str, object]]] = []
    for words in (["--context", context], ["--context-file", tmp_path / "book.txt"]):
        capsys.readouterr()
        call("predict", home / "qa-teacher", "which colour", "who animal", *words)
        said.append([json.loads(line) for line in capsys.readouterr().out.splitlines()])
    assert said[0] == said[1]
    for answer, question in zip(said[0], ("which colour", "who animal"), strict=True):
        assert answer["question"] == question
        assert answer["answer"] == context[answer["start"] : answer["end"]]
        assert answer["sentence"] == context
        assert sum(each["score"] for each in answer["n_best"]) <= 1 + 1e-9
    assert [answer["answer"] for answer in said[0]] == ["red", "fox"]


def test_questions_and_contexts_that_do_not_go_together_are_refused(
    question_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty.txt").write_text(" \n")
    assert "context" in refused(capsys, "predict", question_run, "which colour")
    ask = ("predict", question_run, "which colour")
    assert "holds no text" in refused(capsys, *ask, "--context-file", tmp_path / "empty.txt")
    assert "no such file" in refused(capsys, *ask, "--context-file", tmp_path / "none.txt")
    both = ("--context", "red", "--context-file", tmp_path / "empty.txt")
    assert "give either --context or --context-file" in refused(capsys, *ask, *both)


@pytest.mark.parametrize("task", ["ner", "qa"])
def test_a_teacher_with_another_tokenizer_teaches(home: Path, tmp_path: Path, task: str) -> None:
    words = tokens.other_words()
    torch.manual_seed(2)
    config = tokens.make_config(
        tokens.TAGS, words=words, num_hidden_layers=2, hidden_size=16, intermediate_size=32, **tokens.STEADY
    )
    start = tokens.save(BertModel(config), tmp_path / "start", words=words)
    call(
        *("distill", home / f"{task}-rows", "--task", task, "--teacher", home / f"{task}-teacher"),
        *("--no-baseline", "--out", tmp_path / "run", f"student.shape={start}"),
        *("distill.losses={hidden_state_mse: 1, kl_divergence: 1}", "train.num_epochs=8"),
        *("train.batch_size=16", "train.learning_rate=1e-2", "train.precision=fp32"),
    )
    metrics = metrics_of(tmp_path / "run")
    assert metrics["teacher"]["test"]["f1"] > 0.9
    assert metrics["student"]["test"]["f1"] > (0.6 if task == "ner" else 0.25)
    assert json.loads((tmp_path / "run" / "config.json").read_text())["vocab_size"] == len(words) + 5
    losses = yaml.safe_load((tmp_path / "run" / "recipe.yaml").read_text())["distill"]["losses"]
    assert losses == {"hidden_state_mse": 1.0, "kl_divergence": 1.0}


@pytest.mark.slow
def test_a_killed_run_of_entities_equals_an_undisturbed_one(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def words(out: Path) -> list[str]:
        given = ["distill", home / "ner-rows", "--task", "ner", "--teacher", home / "ner-teacher"]
        return [str(word) for word in [*given, "--no-baseline", "--out", out, *FAST, "train.batch_size=4"]]

    killed, whole = tmp_path / "killed", tmp_path / "whole"
    monkeypatch.setenv("TINYBERT_CACHE", str(tmp_path / "cache"))
    kill_after_first_checkpoint(words(killed), killed)
    capsys.readouterr()
    main(words(killed))
    said = capsys.readouterr().err
    assert "Epoch 1," not in said
    assert "Epoch 4," in said
    monkeypatch.setenv("TINYBERT_CACHE", str(tmp_path / "another cache"))
    main(words(whole))
    assert metrics_of(killed)["student"]["test"] == metrics_of(whole)["student"]["test"]
    ours, theirs = load_file(killed / "model.safetensors"), load_file(whole / "model.safetensors")
    assert ours.keys() == theirs.keys()
    for name, weight in ours.items():
        torch.testing.assert_close(weight, theirs[name], atol=1e-6, rtol=1e-5)


# mistakes

ADA = "ada smith in rome"
COLOUR = {"question": "which colour", "context": "colour red"}
BAD_ROWS = {
    "tags of another length": (
        "ner",
        {"tokens": ["ada", "smith"], "tags": ["B-PER"]},
        "1 tags for 2 tokens; give each token one tag",
    ),
    "a tag of no form": ("ner", {"tokens": ["ada"], "tags": ["PER"]}, "tag 'PER': a tag is O, or a letter"),
    "a word that is empty": ("ner", {"tokens": ["ada", ""], "tags": ["O", "O"]}, "token 2 is ''"),
    "an answer not where it says": (
        "qa",
        COLOUR | {"answers": {"text": ["red"], "answer_start": [3]}},
        "the answer 'red' is not at character 3; it is at 7",
    ),
    "an answer that is nowhere": (
        "qa",
        COLOUR | {"answers": {"text": ["blue"], "answer_start": [3]}},
        "it is nowhere in the context",
    ),
    "a question that is empty": (
        "qa",
        {"question": " ", "context": "colour red", "answers": {"text": ["red"], "answer_start": [7]}},
        "question",
    ),
}


@pytest.mark.parametrize("what", BAD_ROWS)
def test_a_bad_row_is_named_with_its_file_and_line(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    task, row, why = BAD_ROWS[what]
    rows = shutil.copytree(home / f"{task}-rows", tmp_path / "rows")
    with (rows / "train.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")
    said = refused(
        capsys,
        *("distill", rows, "--task", task, "--teacher", home / f"{task}-teacher", "--out", tmp_path / "out"),
        *FAST,
    )
    assert why in said
    assert "train.jsonl" in said
    assert f"line {COUNT['train'] + 1}" in said
    assert not (tmp_path / "out").exists()


def test_overlapping_spans_are_refused_with_both_of_them(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = {"start": 0, "end": 9, "label": "PER"}, {"start": 4, "end": 9, "label": "LOC"}
    good = [{"text": f"{ADA} {word}", "spans": [one]} for word in easy.NOISE]
    easy.write_rows(tmp_path / "rows" / "train.jsonl", [*good, {"text": ADA, "spans": [one, other]}])
    said = refused(
        capsys,
        *("distill", tmp_path / "rows", "--task", "ner", "--teacher", home / "ner-teacher"),
        *("--out", tmp_path / "out", *FAST),
    )
    assert "'ada smith' (PER, 0–9) and 'smith' (LOC, 4–9) overlap" in " ".join(said.split())
    assert f"line {len(good) + 1}" in said


@pytest.mark.parametrize("task", ["ner", "qa"])
def test_a_file_of_soft_labels_is_no_teacher_of_tokens(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], task: str
) -> None:
    soft = easy.write_rows(tmp_path / "soft.jsonl", [{"text": "bab", "scores": {"a": 1.0, "b": 0.0}}])
    said = refused(
        capsys,
        *("distill", home / f"{task}-rows", "--task", task, "--teacher", soft, "--out", tmp_path / "out"),
        *FAST,
    )
    assert "a file of soft labels has none for single tokens" in " ".join(said.split())


def test_a_tag_that_only_the_test_rows_have_is_refused(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = shutil.copytree(home / "ner-rows", tmp_path / "rows")
    with (rows / "test.jsonl").open("a") as file:
        file.write(json.dumps({"tokens": ["acme", "bab"], "tags": ["B-ORG", "O"]}) + "\n")
    said = refused(
        capsys,
        *("distill", rows, "--task", "ner", "--teacher", home / "ner-teacher", "--out", tmp_path / "out"),
        *FAST,
    )
    assert "B-ORG" in said
    assert "test.jsonl" in said
    assert f"line {COUNT['test'] + 1}" in said


def test_a_teacher_of_other_types_is_refused_with_both_lists(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    splits = tokens.make_splits(tokens.make_entity_rows, train=40, validation=10, test=10)
    for rows in splits.values():
        for row in rows:
            row["tags"] = [tag.replace("LOC", "ORG") for tag in row["tags"]]
    easy.write_splits(tmp_path / "rows", splits)
    said = refused(
        capsys,
        *("distill", tmp_path / "rows", "--task", "ner", "--teacher", home / "ner-teacher"),
        *("--out", tmp_path / "out", *FAST),
    )
    assert "B-LOC" in said
    assert "B-ORG" in said


def word_table(file: Path, *, with_sentences: bool) -> Path:
    """One word a row, its sentence named where it begins."""
    lines = ["Sentence #,Word,POS,Tag" if with_sentences else "Word,POS,Tag"]
    for number, row in enumerate(tokens.make_entity_rows(40, seed=3)):
        words = enumerate(zip(row["tokens"], row["tags"], strict=True))
        for index, (word, tag) in words:
            sentence = f"Sentence: {number}" if index == 0 else ""
            lines.append(f"{sentence},{word},NN,{tag}" if with_sentences else f"{word},NN,{tag}")
    file.write_text("\n".join(lines) + "\n")
    return file


def test_a_table_with_one_word_a_row(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = word_table(tmp_path / "words.csv", with_sentences=True)
    call("evaluate", home / "ner-teacher", file, "--json")
    scores = json.loads(capsys.readouterr().out)
    assert scores["f1"] > 0.9  # the teacher reads whole sentences
    file = word_table(tmp_path / "alone.csv", with_sentences=False)
    said = refused(capsys, "evaluate", home / "ner-teacher", file, "--text", "Word", "--label", "Tag")
    assert "alone.csv, line 2: one word a row (Word) with its tag (Tag), and no column says where" in said


def test_spans_counted_in_utf_16(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = []
    for row in tokens.make_entity_rows(40, seed=3):
        joined = join_words(["\N{GRINNING FACE}", *row["tokens"]])
        found = entities_of(["O", *row["tags"]])
        spans = [[joined.starts[a] + 1, joined.ends[b - 1] + 1, kind] for a, b, kind in found]
        rows.append({"text": joined.text, "spans": spans})
    easy.write_rows(tmp_path / "spans.jsonl", rows)
    call("evaluate", home / "ner-teacher", tmp_path / "spans.jsonl", "--json")
    printed = capsys.readouterr()
    assert json.loads(printed.out)["f1"] > 0.8
    assert "spans.jsonl: its spans are counted in UTF-16 code units, and are read so" in printed.err
