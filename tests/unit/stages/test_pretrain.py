"""Pre-training on raw text: it learns, only what may learn changes, and it says what it cannot do."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
import torch
from tests import easy
from tests.command import call, metrics_of, refused
from transformers import AutoModel, AutoModelForMaskedLM

from tinybert.config import build_recipe
from tinybert.errors import RecipeError
from tinybert.models import load_tokenizer
from tinybert.stages import pretrain as pretrain_stage
from tinybert.stages.pipeline import make_plan

FAST = [
    "train.batch_size=16",
    "train.precision=fp32",
    "data.max_length=32",
    "corpus.near_duplicates=null",
    "corpus.held_out=0.1",
]


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return easy.write_documents(tmp_path_factory.mktemp("text") / "text.txt")


def test_a_checkpoint_goes_on_learning_and_can_be_loaded(
    text: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    words = ["train.num_epochs=40", "train.learning_rate=5e-3", "train.eval_steps=70", *FAST]
    call("pretrain", text, "--model", tiny_encoder, "--out", out, *words)
    metrics = metrics_of(out)
    first, last = metrics["first_held_out"], metrics["held_out"]
    assert float(str(last["perplexity"])) < 0.5 * float(str(first["perplexity"]))
    assert metrics["num_steps"] % 70 != 0  # the last step is scored too, though it is no multiple
    model = AutoModelForMaskedLM.from_pretrained(out)
    tokenizer = load_tokenizer(out)
    sentence = " ".join([*easy.NOISE[:6], "[MASK]", *easy.NOISE[7:10]])
    inputs = tokenizer(sentence, return_tensors="pt")
    guesses = model(**inputs).logits[0, 7].topk(12).indices.tolist()
    assert tokenizer.convert_tokens_to_ids(easy.NOISE[6]) in guesses
    rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [70 * i for i in range(1, len(rows))] + [metrics["num_steps"]]
    assert all(row["tokens_per_second"] > 0 for row in rows)
    assert (out / "learning_curve.png").stat().st_size > 5000
    report = (out / "report.md").read_text()
    assert "held-out perplexity" in report
    assert "mask_share" in report
    assert "distill:" not in report  # a section that this stage does not read


def test_a_shape_begins_anew_with_a_vocabulary_of_its_own(
    text: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    call(
        *("pretrain", text, "--model", "2l-128d", "--tokenizer", tiny_encoder, "--out", out),
        *("train.num_steps=2", *FAST),
    )
    model = AutoModelForMaskedLM.from_pretrained(out)
    assert model.config.num_hidden_layers == 2
    assert model.config.vocab_size == len(load_tokenizer(tiny_encoder))
    assert metrics_of(out)["num_steps"] == 2


def test_only_the_head_learns_where_the_encoder_is_frozen(
    text: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    words = ["pretrain.train_only=head", "train.num_steps=60", "train.learning_rate=5e-3", *FAST]
    call("pretrain", text, "--model", tiny_encoder, "--out", out, *words)
    before = AutoModel.from_pretrained(tiny_encoder, add_pooling_layer=False).state_dict()
    after = AutoModel.from_pretrained(out, add_pooling_layer=False).state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    scores = metrics_of(out)
    assert float(str(scores["held_out"]["loss"])) < float(str(scores["first_held_out"]["loss"]))
    assert AutoModel.from_pretrained(out).config.hidden_dropout_prob == 0.1
    whole = AutoModelForMaskedLM.from_pretrained(out)
    assert not torch.equal(whole.get_output_embeddings().weight, whole.get_input_embeddings().weight)


def test_the_same_command_finds_the_finished_run(
    text: Path, tiny_encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    command = ["pretrain", text, "--model", tiny_encoder, "--out", out, "train.num_steps=2", *FAST]
    call(*command)
    before = (out / "model.safetensors").stat().st_mtime_ns
    capsys.readouterr()
    call(*command)
    assert "finished already" in capsys.readouterr().err
    assert (out / "model.safetensors").stat().st_mtime_ns == before
    easy.write_documents(text.with_name("other.txt"), seed=9)
    other = [text.with_name("other.txt") if word == text else word for word in command]
    assert "other data" in refused(capsys, *other)


def test_a_run_that_diverged_is_not_finished(
    text: Path, tiny_encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--out", tmp_path / "run", "train.learning_rate=1e9", "train.num_steps=6"]
    said = refused(capsys, "pretrain", text, "--model", tiny_encoder, *out, *FAST)
    assert "the training has diverged; set train.learning_rate below 1e+09" in said
    assert not (tmp_path / "run").exists()


def problems(*overrides: str, **tree: object) -> tuple[str, ...]:
    with pytest.raises(RecipeError) as caught:
        make_plan(build_recipe({"stage": "pretrain", **tree}, overrides))
    return caught.value.problems


def test_a_shape_needs_a_tokenizer() -> None:
    (problem,) = problems(model="2l-128d")
    assert "pretrain.tokenizer is missing: 2l-128d is a shape" in problem
    assert "tinybert tokenizer TEXT" in problem


def test_a_misspelt_shape_is_not_looked_for_on_the_hub() -> None:
    assert problems(model="4l-312")[0].startswith("model = '4l-312': unknown shape; did you mean '4l-312d'?")


def test_what_is_not_read_is_refused(tiny_encoder: Path) -> None:
    found = problems("teacher.path=x", "data.label=y", "distill.temperature=3", model=str(tiny_encoder))
    assert [problem.partition(":")[0] for problem in found] == [
        "data.label",
        "teacher.path",
        "distill.temperature",
    ]


def test_a_checkpoint_brings_its_own_tokenizer(tiny_encoder: Path) -> None:
    (problem,) = problems("pretrain.tokenizer=runs/other", model=str(tiny_encoder))
    assert "is a checkpoint and has its own" in problem


def test_blocks_are_no_longer_than_the_model_reads(tiny_encoder: Path) -> None:
    plan = make_plan(build_recipe({"stage": "pretrain", "model": str(tiny_encoder)}))
    assert plan.recipe.data.max_length == 64
    (problem,) = problems("data.max_length=100", model=str(tiny_encoder))
    assert "has 64 positions" in problem


def test_a_tokenizer_without_a_mask_is_refused(
    text: Path, tiny_encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tokenizer = easy.make_tokenizer()
    tokenizer.mask_token = None
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    said = refused(
        *(capsys, "pretrain", text, "--model", "2l-128d", "--tokenizer", tmp_path / "tokenizer"),
        *("--out", tmp_path / "run", *FAST),
    )
    assert "no mask token" in said


def pipe(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(file.read_bytes())))


def test_a_pipe_is_not_taken_for_another(
    text: Path,
    tiny_encoder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    other = easy.write_documents(tmp_path / "other.txt", seed=9)
    command = [
        "pretrain",
        "-",
        "--model",
        tiny_encoder,
        "--out",
        tmp_path / "run",
        "train.num_steps=2",
        *FAST,
    ]
    fit = pretrain_stage.fit

    def dies(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pretrain_stage, "fit", dies)
    pipe(monkeypatch, text)
    with pytest.raises(SystemExit):
        call(*command)
    monkeypatch.setattr(pretrain_stage, "fit", fit)
    pipe(monkeypatch, other)
    assert "was begun with other text" in refused(capsys, *command)
    pipe(monkeypatch, text)
    call(*command)
    pipe(monkeypatch, other)
    assert "already exists, maybe from other text" in refused(capsys, *command)
