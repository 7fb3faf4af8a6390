"""``tinybert augment`` as a user gives it, and copies made on the fly in a distillation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests import easy, tokens
from tests.command import call, metrics_of, refused
from transformers import BertForMaskedLM

from tinybert.augmentation import vectors
from tinybert.config import DataSection
from tinybert.data import load
from tinybert.stages import augment as augment_stage
from tinybert.stages.steps import copies as copying
from tinybert.storage import lock
from tinybert.tasks.classification import CLASSIFICATION

NEIGHBOURS = ["augment.method=neighbours", "augment.language=other"]

Rows = list[dict[str, object]]


def read(path: Path) -> Rows:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def filler(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filler")
    BertForMaskedLM(easy.make_config()).save_pretrained(folder)
    easy.make_tokenizer().save_pretrained(folder)
    return folder


def test_copies_stand_behind_their_row_and_a_teacher_labels_them(
    tmp_path: Path, easy_rows: Path, tiny_teacher: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "more.jsonl"
    capsys.readouterr()
    call("augment", easy_rows, "--out", out, "--copies", 3, "--teacher", tiny_teacher, "--json", *NEIGHBOURS)
    facts = json.loads(capsys.readouterr().out)
    rows = read(out)
    originals = read(easy_rows / "train.jsonl")
    assert facts["num_rows"] == len(originals)
    assert facts["num_rows"] + facts["num_copies"] == len(rows)
    assert facts["labels_of_copies"] == "teacher"
    assert 2 * len(originals) < facts["num_copies"] <= 3 * len(originals)
    seen: dict[object, Rows] = {}
    for row in rows:
        seen.setdefault(row["source_row"], []).append(row)
    for number, original in enumerate(originals):
        first, *copies = seen[number]
        assert (first["text"], first["label"]) == (original["text"], original["label"])
        assert original["text"] not in [copy["text"] for copy in copies]
        assert all(copy["label"] in easy.LABELS for copy in copies)
    (tmp_path / "more").mkdir()
    out.replace(tmp_path / "more" / "train.jsonl")
    for split in ("validation", "test"):
        (tmp_path / "more" / f"{split}.jsonl").write_bytes((easy_rows / f"{split}.jsonl").read_bytes())
    assert load(tmp_path / "more", settings=DataSection(), format=CLASSIFICATION.format).splits["train"]


def test_without_a_teacher_copies_have_no_label(tmp_path: Path, easy_rows: Path, tiny_encoder: Path) -> None:
    out = tmp_path / "more.jsonl"
    call("augment", easy_rows, "--out", out, "--copies", 1, "--model", tiny_encoder, *NEIGHBOURS)
    rows = read(out)
    labels = [row["label"] for row in rows if row["source_row"] == 0]
    assert labels[0] in easy.LABELS
    assert labels[1:] == [None]


def test_rare_words_of_the_rows_keep_their_vectors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "MOST_FREQUENT", 2)
    rows = [{"text": "plain quokka", "label": "a"}, {"text": "plain plain", "label": "b"}]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "vectors.txt").write_text("plain 1 0\nwallaby 0 1\nzebra 0.1 1\nquokka 0 1\n")
    out, file = tmp_path / "more.jsonl", f"augment.word_vectors={tmp_path / 'vectors.txt'}"
    call(
        "augment",
        tmp_path / "rows.jsonl",
        "--out",
        out,
        "--copies",
        4,
        *NEIGHBOURS,
        file,
        "augment.probability=1",
    )
    texts = [str(row["text"]) for row in read(out) if row["source_row"] == 0]
    assert any("quokka" not in text for text in texts)
    assert not any("zebra" in text for text in texts)


def test_the_papers_method_with_a_masked_language_model(
    tmp_path: Path, easy_rows: Path, filler: Path
) -> None:
    first, again = tmp_path / "first.jsonl", tmp_path / "again.jsonl"
    words = ["--copies", 2, "--model", filler, "train.precision=fp32"]  # auto may differ on a busy machine
    for out in (first, again):
        call("augment", easy_rows, "--out", out, *words)
    assert first.read_text() == again.read_text()
    other = tmp_path / "other.jsonl"
    call("augment", easy_rows, "--out", other, *words, "train.seed=7")
    assert other.read_text() != first.read_text()


def test_copies_are_not_cut_into_splits(
    tmp_path: Path, easy_rows: Path, tiny_encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "more.jsonl"
    call("augment", easy_rows, "--out", out, "--copies", 1, "--model", tiny_encoder, *NEIGHBOURS)
    said = refused(capsys, "finetune", out, "--model", tiny_encoder, "--out", tmp_path / "run")
    assert "more.jsonl: holds rows and their copies (column source_row)" in said


def test_another_command_leaves_a_killed_ones_blocks_alone(
    tmp_path: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, out = easy.write_rows(tmp_path / "rows.jsonl", easy.make_rows(30)), tmp_path / "more.jsonl"
    words = ["augment", rows, "--out", out, "--model", tiny_encoder, *NEIGHBOURS, "--copies"]

    def dies(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(augment_stage, "_written", dies)
    with pytest.raises(SystemExit):
        call(*words, 1)
    monkeypatch.undo()
    assert "unfinished one with other settings" in refused(capsys, *words, 2)
    held = lock(tmp_path / ".more.jsonl.partial", subject="a test")
    assert "another process is making this" in refused(capsys, *words, 1)
    assert held is not None
    held.close()
    call(*words, 1)
    assert len(read(out)) > 30


def test_a_single_file_is_augmented_whole(tmp_path: Path, easy_rows: Path) -> None:
    out = tmp_path / "more.jsonl"
    call("augment", easy_rows / "validation.jsonl", "--out", out, "--copies", 1, "--method", "swap")
    originals = [row for row in read(out) if row["label"] is not None]
    assert [row["text"] for row in originals] == [row["text"] for row in read(easy_rows / "validation.jsonl")]


def test_tags_and_answers_stay_with_their_words(tmp_path: Path) -> None:
    teacher = tokens.save_entity_teacher(tmp_path / "tagger")
    ner = easy.write_splits(tmp_path / "ner", {"train": tokens.make_entity_rows(12)})
    qa = easy.write_splits(tmp_path / "qa", {"train": tokens.make_question_rows(12)})
    for task, rows in (("ner", ner), ("qa", qa)):
        out = tmp_path / f"{task}.jsonl"
        words = ["--method", "swap", "--copies", 2, "--task", task]
        call("augment", rows / "train.jsonl", "--out", out, *words)
    for row in read(tmp_path / "ner.jsonl"):
        words, tags = row["tokens"], row["tags"]
        assert isinstance(words, list)
        assert isinstance(tags, list)
        people = [word for word, tag in zip(words, tags, strict=True) if tag == "B-PER"]
        assert set(people) <= set(tokens.NAMES)
    for row in read(tmp_path / "qa.jsonl"):
        answers = row["answers"]
        assert isinstance(answers, dict)
        for text, start in zip(answers["text"], answers["answer_start"], strict=True):
            assert str(row["context"])[start : start + len(text)] == text
    out = tmp_path / "run"
    call(
        *("distill", easy.write_splits(tmp_path / "all", tokens.make_splits(tokens.make_entity_rows))),
        *("--task", "ner", "--teacher", teacher, "--out", out, "--no-baseline"),
        *("student.num_hidden_layers=2", "student.hidden_size=32", "student.num_attention_heads=4"),
        *("student.intermediate_size=64", "train.num_epochs=1", "train.precision=fp32"),
        *("augment.copies=1", "augment.method=drop"),
    )
    assert {"student", "not_augmented"} <= metrics_of(out).keys()


def test_a_distillation_says_what_copies_brought(tmp_path: Path, easy_rows: Path, tiny_teacher: Path) -> None:
    out = tmp_path / "run"
    call(
        *("distill", easy_rows, "--teacher", tiny_teacher, "--out", out, *easy.NARROW_STUDENT, *easy.FAST),
        *("augment.copies=2", *NEIGHBOURS),
    )
    metrics = metrics_of(out)
    assert metrics["num_train_rows"] > 2 * 96
    report = (out / "report.md").read_text()
    assert "student without augmentation (as many steps)" in report
    log = read(out / "log.jsonl")
    steps = {
        name: max(int(str(row["step"])) for row in log if row["training"] == name)
        for name in ("student", "not_augmented", "fine_tune_only")
    }
    assert steps["not_augmented"] == steps["student"]
    assert steps["student"] <= steps["fine_tune_only"] <= 3 * steps["student"]
    assert [row["training"] for row in log].count("not_augmented") == 2  # scored as often as the student


def test_copies_that_change_the_teachers_mind_are_left_out(
    tmp_path: Path, easy_rows: Path, tiny_teacher: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    counts = []
    for number, shift in enumerate(([], ["augment.max_shift=0.02"])):
        capsys.readouterr()
        words = ["--copies", 3, "--teacher", tiny_teacher, "--json", "augment.probability=0.9", *shift]
        call("augment", easy_rows, "--out", tmp_path / f"{number}.jsonl", *words, *NEIGHBOURS)
        counts.append(json.loads(capsys.readouterr().out)["num_copies"])
    assert 0 < counts[1] < counts[0]


def test_a_killed_command_goes_on_behind_its_last_block(
    tmp_path: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = easy.write_rows(tmp_path / "rows.jsonl", easy.make_rows(600))
    words = ["--copies", 1, "--model", tiny_encoder, *NEIGHBOURS]
    whole, killed = tmp_path / "whole.jsonl", tmp_path / "killed.jsonl"
    call("augment", rows, "--out", whole, *words)
    write, written = copying.write_text, []

    def dies_in_the_second_block(path: Path, text: str) -> None:
        if path.name.startswith("block-"):
            if len(written) == 1:
                raise KeyboardInterrupt
            written.append(path)
        write(path, text)

    monkeypatch.setattr(copying, "write_text", dies_in_the_second_block)
    with pytest.raises(SystemExit):
        call("augment", rows, "--out", killed, *words)
    assert not killed.exists()
    monkeypatch.undo()
    made: list[str] = []

    def note(path: Path, text: str) -> None:
        made.append(path.name)
        write(path, text)

    monkeypatch.setattr(copying, "write_text", note)
    call("augment", rows, "--out", killed, *words)
    assert [name for name in made if name.startswith("block-")] == ["block-000001.json", "block-000002.json"]
    assert killed.read_text() == whole.read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--out", "OUT.jsonl"], "augment.model is missing: method tinybert asks a masked language model"),
        (["--out", "OUT.jsonl", "--model", "ENCODER"], "has no masked-LM head"),
        (["--out", "OUT.jsonl", "--method", "sinonyms"], "did you mean 'synonyms'?"),
        (["--out", "OUT.jsonl", "--method", "neighbours"], "augment.word_vectors is missing"),
        (["--out", "OUT.csv", "--method", "swap"], "a name that ends in .jsonl"),
        (["--out", "ROWS/train.jsonl", "--method", "swap"], "lies in the folder of its own data"),
        (["--out", "OUT.jsonl", "--method", "swap", "augment.max_shift=0.5"], "needs a teacher to ask"),
        (
            ["--out", "OUT.jsonl", "--method", "swap", "distill.temperature=3"],
            "stage augment does not use it",
        ),
        (["--out", "OUT.jsonl", "--method", "swap", "--teacher", "ENCODER"], "has no head for"),
        (
            ["--out", "OUT.jsonl", "--method", "swap", "--model", "ENCODER"],
            "augment.model: method swap does not use it",
        ),
        (["--out", "OUT.jsonl", "--method", "neighbours", "augment.word_vectors=none.txt"], "no such file"),
        (["--out", "OUT.jsonl", "--method", "synonyms", "augment.wordnet=nowhere"], "augment.wordnet: "),
        (["--out", "OUT.jsonl", "--method", "insert", "augment.wordnet=nowhere"], "augment.wordnet: "),
        (["--out", "OUT.jsonl", "--method", "insert", "augment.language=zh"], "word_vectors is missing"),
    ],
)
def test_mistakes(
    words: list[str],
    said: str,
    tmp_path: Path,
    easy_rows: Path,
    tiny_encoder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = {"OUT": str(tmp_path / "out"), "ROWS": str(easy_rows), "ENCODER": str(tiny_encoder)}
    for name, path in names.items():
        words = [word.replace(name, path) for word in words]
    assert said in refused(capsys, "augment", easy_rows, *words)


def test_soft_labels_in_a_file_cannot_answer_copies(
    tmp_path: Path, easy_rows: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = read(easy_rows / "train.jsonl")
    soft = easy.write_rows(
        tmp_path / "soft.jsonl", [{"text": row["text"], "positive": 0.5, "negative": 0.5} for row in rows]
    )
    words = ["--teacher", soft, "--out", tmp_path / "run", "augment.copies=2", "augment.method=swap"]
    assert "has none for copies" in refused(capsys, "distill", easy_rows, *words)


@pytest.mark.parametrize(("copies", "said"), [("0", "makes nothing"), ("1000000000", "augment.copies")])
def test_copies_that_cannot_be_are_refused(
    copies: str, said: str, tmp_path: Path, easy_rows: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("augment", easy_rows, "--out", tmp_path / "more.jsonl", "--method", "swap", "--copies", copies)
    assert said in refused(capsys, *words)
    assert [*tmp_path.iterdir()] == []
