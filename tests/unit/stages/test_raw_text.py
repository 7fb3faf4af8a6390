"""What trainings on raw text share: which tokens are targets, how many steps, what a score leaves alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from datasets import Dataset
from tests import easy
from tests.command import call, metrics_of
from torch import Tensor, nn
from transformers import BertForMaskedLM

from tinybert.config import Recipe, build_recipe
from tinybert.corpus.blocks import encode_blocks
from tinybert.corpus.corpus import Corpus
from tinybert.data import Collator
from tinybert.errors import DataError, ModelError
from tinybert.evaluation import BlocksEvaluator
from tinybert.models.masking import Masking
from tinybert.objectives import GeneralObjective, MaskedLMObjective
from tinybert.runs import CHECKPOINTS, RunInProgress
from tinybert.stages.general import _start
from tinybert.stages.pipeline import make_plan
from tinybert.stages.steps.raw_text import Blocks, load_blocks, masking_of, pace_of
from tinybert.stages.steps.start import calibration

FAST = ["train.batch_size=16", "train.precision=fp32", "data.max_length=32", "corpus.near_duplicates=null"]


def documents(count: int) -> Dataset:
    return Dataset.from_dict({"text": easy.make_documents(count)})


def blocks_of(count: int = 40) -> Blocks:
    tokenizer = easy.make_tokenizer()
    rows = encode_blocks(documents(count), tokenizer, max_length=32, language="en")
    corpus = Corpus(documents(count), documents(4), "en", "text", "key", {}, [])
    return Blocks(rows, Collator(tokenizer), tokenizer, corpus, rows.select(range(8)), [])


def masking(share: float = 0.3) -> Masking:
    return masking_of(build_recipe({"pretrain": {"mask_share": share}}), easy.make_tokenizer())


def evaluator_of(blocks: Blocks, masking: Masking) -> BlocksEvaluator:
    return BlocksEvaluator(
        MaskedLMObjective(masking).held_out,
        blocks.held_out,
        collator=blocks.collator,
        source="text",
        batch_size=4,
        main_metric="perplexity",
    )


class Seen:
    """Stands for the losses between layers: keeps the batch it is given."""

    def __call__(self, model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        self.batch = batch
        return {"hard": torch.zeros(())}


def test_the_targets_are_the_words_that_stood_there_not_the_masks() -> None:
    blocks, teaching, model = blocks_of(), Seen(), BertForMaskedLM(easy.make_config())
    batch = blocks.collator([blocks.train[row] for row in range(16)])
    torch.manual_seed(0)
    terms = GeneralObjective(teaching, masking())(model, batch)  # type: ignore[arg-type]
    changed = teaching.batch["input_ids"] != batch["input_ids"]
    targets = teaching.batch["labels"]
    assert set(terms) == {"masked_lm"}
    assert changed.any()
    assert 4 not in targets.tolist()
    assert len(targets) >= int(changed.sum())
    torch.manual_seed(0)
    _, chosen = masking()(batch["input_ids"], batch["continues"])
    assert torch.equal(targets, batch["input_ids"][chosen])


def test_special_tokens_are_never_masked_nor_put_in() -> None:
    blocks = blocks_of()
    batch = blocks.collator([blocks.train[row] for row in range(16)])
    ids, special = batch["input_ids"], torch.tensor([0, 1, 2, 3, 4])
    is_special = torch.isin(ids, special)
    for _ in range(20):
        masked, chosen = masking(0.9)(ids, batch["continues"])
        assert not chosen[is_special].any()
        assert set(masked[torch.isin(masked, special) & ~is_special].tolist()) <= {4}


@pytest.mark.parametrize(("accumulated", "num_steps"), [(1, 8), (2, 4), (5, 2)])
def test_batches_that_are_accumulated_make_one_step(accumulated: int, num_steps: int) -> None:
    blocks = blocks_of()
    changes = {"batch_size": 16}
    recipe = build_recipe({"train": {**changes, "gradient_accumulation_steps": accumulated}})
    assert 48 < len(blocks.train) <= 64  # four batches
    assert pace_of(recipe, blocks, num_epochs=2)["max_steps"] == num_steps


def test_a_score_leaves_the_trainings_draws_alone() -> None:
    blocks, model = blocks_of(), BertForMaskedLM(easy.make_config())
    validate = evaluator_of(blocks, masking())
    torch.manual_seed(5)
    without = torch.rand(3)
    torch.manual_seed(5)
    with torch.no_grad():
        first = validate(model.eval())
        assert torch.equal(torch.rand(3), without)
        assert validate(model) == first  # the same masks each time


def test_a_score_without_a_masked_token_is_none() -> None:
    blocks, model = blocks_of(), BertForMaskedLM(easy.make_config())
    few = Masking(1e-9, whole_words=True, mask_token_id=4, vocab_size=60, special_ids=(0, 1, 2, 3, 4))
    with pytest.raises(DataError, match="no held-out token is masked"), torch.no_grad():
        evaluator_of(blocks, few)(model.eval())


@pytest.mark.parametrize("frozen", [True, False])
def test_a_frozen_encoder_has_no_dropout_and_its_head_does(frozen: bool) -> None:
    blocks, model = blocks_of(), BertForMaskedLM(easy.make_config())
    batch = blocks.collator([blocks.train[row] for row in range(4)])
    MaskedLMObjective(masking(), frozen_encoder=frozen)(model.train(), batch)
    assert model.bert.training is not frozen
    assert model.cls.training


def test_a_masked_lm_student_begins_with_the_projected_encoder(tiny_encoder: Path) -> None:
    plans = [
        make_plan(
            build_recipe(
                {"task": "general", "teacher": {"path": str(tiny_encoder)}, "distill": {"losses": losses}},
                easy.NARROW_STUDENT,
            )
        )
        for losses in ({"hidden_state_mse": 1.0}, {"hidden_state_mse": 1.0, "masked_lm": 1.0})
    ]
    blocks = blocks_of()
    (alone, _), (below, _) = (_start(plan, blocks) for plan in plans)
    theirs = alone.state_dict()
    ours = below.base_model.state_dict()
    assert isinstance(below, BertForMaskedLM)
    assert len(ours) > 30
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def loaded(tmp_path: Path, words: tuple[str, ...]) -> Blocks:
    recipe = build_recipe({}, ["data.max_length=16", "corpus.near_duplicates=null"])
    with RunInProgress(tmp_path / "run", recipe) as run:
        return load_blocks(easy.make_documents(60), recipe, easy.make_tokenizer(words), run, max_length=16)


def test_text_that_the_vocabulary_cannot_read_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert loaded(tmp_path / "known", tuple(easy.WORDS)).warnings == []
    [warning] = loaded(tmp_path / "unknown", tuple(easy.KEYWORDS["positive"])).warnings
    assert "of the held-out tokens are [UNK]: this vocabulary cannot read the text" in warning
    assert warning in capsys.readouterr().err


def test_a_kill_before_a_step_is_done_costs_no_training(
    tmp_path: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = easy.write_documents(tmp_path / "text.txt")
    words = ["pretrain", text, "--model", tiny_encoder, "--out", tmp_path / "run", "train.num_steps=8", *FAST]

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("tinybert.stages.steps.fit.save_checkpoint", dies)
        with pytest.raises(SystemExit):
            call(*words)
    assert "Step 8/8" in capsys.readouterr().err
    call(*words)
    assert "Step 1/8" not in capsys.readouterr().err
    assert metrics_of(tmp_path / "run")["num_steps"] == 8


def test_a_tokenizer_with_more_pieces_than_embeddings_is_refused(tmp_path: Path) -> None:
    easy.save_encoder(tmp_path / "model")
    easy.make_tokenizer([*easy.WORDS, "one", "more"]).save_pretrained(tmp_path / "model")
    recipe = build_recipe({"stage": "pretrain", "model": str(tmp_path / "model")}, ["data.max_length=16"])
    with (
        pytest.raises(ModelError, match="71 pieces, its embedding table 69 rows"),
        RunInProgress(tmp_path / "run", recipe) as run,
    ):
        stage_pretrain(recipe, run)


def stage_pretrain(recipe: Recipe, run: RunInProgress) -> None:
    from tinybert.stages.pretrain import pretrain

    pretrain(make_plan(recipe), run, easy.make_documents(60))


def test_steps_that_are_done_leave_no_checkpoints(tmp_path: Path) -> None:
    with RunInProgress(tmp_path / "run", Recipe()) as run:

        def make(folder: Path) -> dict[str, object]:
            (folder / CHECKPOINTS / "checkpoint-3").mkdir(parents=True)
            return {}

        folder, _ = run.step("model", make)
        assert not (folder / CHECKPOINTS).exists()


def test_rows_to_calibrate_with_come_from_all_over_the_split() -> None:
    rows = easy.encode_rows(easy.make_rows(1300))
    chosen = [
        row for batch in calibration(rows, Collator(easy.make_tokenizer())) for row in batch["row"].tolist()
    ]
    assert sorted(chosen) == list(range(0, 1200, 3))
