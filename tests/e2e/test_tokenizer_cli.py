"""``tinybert tokenizer`` and ``tinybert trim`` as people use them."""

from __future__ import annotations

import io
import json
import random
import shutil
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file
from tests import easy
from tests.command import call, refused
from transformers import AutoTokenizer

from tinybert.models import load_tokenizer
from tinybert.stages import tokenizer as tokenizer_stage
from tinybert.stages import trim as trim_stage
from tinybert.storage import lock

KEEP_ALL = ["corpus.min_chars=1", "corpus.near_duplicates=null"]
FORMS = ["painting", "painter", "paints", "walking", "walker", "walks", "singing", "singer", "sings"]
WORDS = [*FORMS, "Ärger", "slowly", "quickly", "the", "a", "and", "with"]


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A column named otherwise, and enough sentences to hold some out."""
    rng = random.Random(0)
    rows = [{"id": i, "sentence": " ".join(rng.choices(WORDS, k=12))} for i in range(400)]
    return easy.write_rows(tmp_path_factory.mktemp("text") / "text.jsonl", rows)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, text: Path) -> Path:
    out = tmp_path_factory.mktemp("trained") / "tokenizer"
    call("tokenizer", text, "--vocab-size", 60, "--out", out, "--text", "sentence")
    return out


def listing(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_a_tokenizer_is_made_and_read(trained: Path, text: Path) -> None:
    assert set(listing(trained)) == {
        *("tokenizer.json", "tokenizer_config.json", "vocab.txt", "tokenizer_report.json"),
        "checksums.json",
    }
    assert [path.name for path in trained.parent.iterdir()] == ["tokenizer"]
    pieces = (trained / "vocab.txt").read_text().splitlines()
    assert len(pieces) == 60
    assert pieces[:5] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    for tokenizer in (AutoTokenizer.from_pretrained(trained), load_tokenizer(trained)):
        assert "".join(tokenizer.tokenize("ÄRGER")).replace("#", "") == "arger"
        assert tokenizer("arger", "a")["token_type_ids"][-2:] == [1, 1]
    report = json.loads((trained / "tokenizer_report.json").read_text())
    assert report["num_pieces"] == 60
    assert report["documents"]["held_out"] == 4
    assert report["held_out"]["unknown"] == 0
    assert 0.2 < report["held_out"]["words_in_one_piece"] < 0.9
    assert 1.1 < report["held_out"]["pieces_per_word"] < 4
    assert report["settings"]["text"] == "sentence"


def test_what_a_tokenizer_says(text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call("tokenizer", text, "--vocab-size", 70, "--out", tmp_path / "t", "--cased", "--text", "sentence")
    captured = capsys.readouterr()
    assert "words in one piece" in captured.out
    assert "→" in captured.out
    assert "counting words: 396/396 documents" in captured.err
    assert "Ä" in (tmp_path / "t" / "vocab.txt").read_text()
    call("tokenizer", text, "--vocab-size", 70, "--out", tmp_path / "u", "--text", "sentence", "--json")
    assert json.loads(capsys.readouterr().out) == json.loads(
        (tmp_path / "u" / "tokenizer_report.json").read_text()
    )


def test_the_same_again_is_finished_already_and_another_is_refused(
    trained: Path, text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("tokenizer", text, "--out", trained, "--text", "sentence", "--vocab-size")
    before = listing(trained)
    call(*words, 60)
    captured = capsys.readouterr()
    assert "finished already" in captured.err
    assert "words in one piece" in captured.out
    said = refused(capsys, *words, 61)
    assert "already exists, made with other settings (vocab_size = 60, now 61); choose another --out" in said
    for override in ("corpus.min_chars=3", "corpus.near_duplicates=null"):
        assert "other settings" in refused(capsys, *words, 60, override)
    changed = tmp_path / "text.jsonl"
    changed.write_text(text.read_text() + '{"id": 400, "sentence": "and one sentence more"}\n')
    assert "other text" in refused(capsys, "tokenizer", changed, *words[2:], 60)
    assert listing(trained) == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("keep me")
    said = refused(capsys, "tokenizer", text, "--vocab-size", 60, "--out", tmp_path / "mine")
    assert "mine: already exists; choose another --out" in said
    assert listing(tmp_path / "mine").keys() == {"letter.txt"}


def test_standard_input_is_never_known_to_be_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def pipe(words: list[str]) -> None:
        rng = random.Random(1)
        lines = "\n".join(" ".join(rng.choices(words, k=9)) for _ in range(50))
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines.encode())))

    words = ("tokenizer", "-", "--vocab-size", 40, "--out", tmp_path / "t")
    pipe(FORMS)
    call(*words)
    pipe(easy.NOISE)
    assert "already exists" in refused(capsys, *words)


def test_what_cannot_be_is_refused_and_leaves_nothing(
    text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "t"
    words = ("tokenizer", text, "--text", "sentence", "--out", out, "--vocab-size")
    assert "set vocab_size to" in refused(capsys, *words, 9000)
    assert "set vocab_size to" in refused(capsys, *words, 9)
    said = refused(capsys, *words, 60, "train.seed=3", "corpus.min_chars=3", "corpus.cross_documents=true")
    assert "train.seed: stage tokenizer does not use it" in said
    assert "corpus.cross_documents: stage tokenizer does not use it" in said
    assert "did you mean 'min_chars'" in refused(capsys, *words, 60, "corpus.min_char=3")
    assert "sentense" in refused(
        capsys, "tokenizer", text, "--text", "sentense", "--out", out, "--vocab-size", 60
    )
    assert "give --out a name" in refused(capsys, "tokenizer", text, "--vocab-size", 60, "--out", ".")
    assert not list(tmp_path.iterdir())


def test_dry_run_writes_nothing(
    text: Path, tiny_teacher: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call("tokenizer", text, "--vocab-size", 60, "--out", tmp_path / "t", "--dry-run", "corpus.min_chars=5")
    captured = capsys.readouterr().out
    assert "vocab_size: 60" in captured
    assert "min_chars: 5" in captured
    call("trim", tiny_teacher, text, "--out", tmp_path / "t", "--dry-run")
    captured = capsys.readouterr().out
    assert "min_chars: 1\n" in captured
    assert "near_duplicates: null" in captured
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["tokenizer", "trim"])
def test_what_stops_midway_leaves_nothing_half(
    command: str, text: Path, tiny_teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, last = {
        "tokenizer": (tokenizer_stage, "coverage_of"),
        "trim": (trim_stage, "examples_of"),
    }[command]
    size = ("--vocab-size", 60) if command == "tokenizer" else ()
    model = (tiny_teacher,) if command == "trim" else ()
    words = (command, *model, text, "--text", "sentence", "--out", tmp_path / "new" / "out", *size)
    left = tmp_path / "new" / ".out.partial"  # as a kill leaves it
    left.mkdir(parents=True)
    (left / "half.json").write_text("{")

    def stop(*_: object) -> None:
        assert (left / "tokenizer.json").exists()
        assert not (left / "half.json").exists()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(stage, last, stop)
        with pytest.raises(SystemExit) as caught:
            call(*words)
    assert caught.value.code == 130
    assert not list((tmp_path / "new").iterdir())
    call(*words)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["out"]


def test_a_trimmed_classifier_answers_as_before(
    tiny_teacher: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = easy.make_rows(60, seed=9)
    known = {word for row in rows[:12] for word in str(row["text"]).split()}
    rows = [row for row in rows if {*str(row["text"]).split()} <= known]
    assert len(rows) > 12
    text = easy.write_rows(tmp_path / "text.jsonl", rows)
    out = tmp_path / "small"
    call("trim", tiny_teacher, text, "--out", out)
    captured = capsys.readouterr()
    assert "before" in captured.out
    assert "held-out documents cut into the same pieces as before" in captured.out
    report = json.loads((out / "trim_report.json").read_text())
    before, after = report["before"], report["after"]
    assert before["num_pieces"] == len(easy.WORDS) + 5
    assert after["num_pieces"] == len(known) + 5 == len((out / "vocab.txt").read_text().splitlines())
    gone = before["num_pieces"] - after["num_pieces"]
    assert gone > 0
    assert before["num_parameters"] - after["num_parameters"] == gone * easy.SIZE["hidden_size"]
    weights = load_file(out / "model.safetensors")
    assert sum(tensor.numel() for tensor in weights.values()) == after["num_parameters"]
    assert json.loads((out / "config.json").read_text())["vocab_size"] == after["num_pieces"]

    def predicted(model: Path) -> list[dict[str, object]]:
        call("predict", model, *(row["text"] for row in rows))
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert predicted(out) == predicted(tiny_teacher)


def test_trimming_again(
    tiny_teacher: Path, easy_rows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    teacher, out = tmp_path / "teacher", tmp_path / "small"
    shutil.copytree(tiny_teacher, teacher)
    words = ("trim", teacher, easy_rows, "--out", out)
    call(*words, "--json")
    assert json.loads(capsys.readouterr().out) == json.loads((out / "trim_report.json").read_text())
    before = listing(out)
    call(*words)
    assert "finished already" in capsys.readouterr().err
    assert "other settings" in refused(capsys, *words, "--min-count", 2)
    easy.save_teacher(teacher, num_steps=1)
    assert "other model" in refused(capsys, *words)
    assert listing(out) == before


def test_a_cap_drops_the_rare_words(
    tiny_teacher: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = [{"text": f"good bad {easy.NOISE[i % 20]} {easy.NOISE[i % 3]}"} for i in range(40)]
    text = easy.write_rows(tmp_path / "text.jsonl", texts)
    words = ("trim", tiny_teacher, text, "--out", tmp_path / "small", "--vocab-size")
    call(*words, 10)
    pieces = (tmp_path / "small" / "vocab.txt").read_text().splitlines()
    assert sorted(pieces[5:]) == sorted(["good", "bad", *easy.NOISE[:3]])
    said = refused(capsys, *words[:4], tmp_path / "less", "--vocab-size", 4)
    assert "trim.vocab_size = 4: must be greater than or equal to 6" in said
    assert not (tmp_path / "less").exists()


def test_a_wrong_model_is_said_before_the_text_is_read(
    text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(capsys, "trim", tmp_path / "none", text, "--out", tmp_path / "out")
    assert "none" in said
    assert "documents" not in said
    assert not list(tmp_path.iterdir())


def test_numbers_that_no_text_can_meet_are_refused_before_it_is_read(
    text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("tokenizer", text, "--out", tmp_path / "t", "--vocab-size")
    said = refused(capsys, *words, 10**14, "--min-frequency", -3)
    assert "2 problems" in said
    assert "tokenizer.min_frequency = -3: must be greater than or equal to 1" in said
    assert "tokenizer.vocab_size = 0: must be greater than" in refused(capsys, *words, 0)
    assert not list(tmp_path.iterdir())


def test_nothing_is_written_among_the_text(
    text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(text.parent, tmp_path / "texts")
    words = ("tokenizer", tmp_path / "texts", "--vocab-size", 60, "--text", "sentence", "--out")
    assert "lies in the folder of its own data" in refused(capsys, *words, tmp_path / "texts" / "inside")
    call(*words, tmp_path / "beside")


def test_a_second_command_waits_outside(
    text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".out.partial").mkdir()
    held = lock(tmp_path / ".out.partial", subject="a test")
    assert held is not None
    words = ("tokenizer", text, "--vocab-size", 60, "--text", "sentence", "--out", tmp_path / "out")
    assert "another process is making this" in refused(capsys, *words)
    held.close()
    call(*words)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
