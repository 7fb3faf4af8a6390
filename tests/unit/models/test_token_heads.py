"""Heads that answer every token: loading, slicing, projecting."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests import easy, tokens
from transformers import (
    BertForMaskedLM,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
    DistilBertConfig,
    DistilBertForQuestionAnswering,
    DistilBertForTokenClassification,
    MPNetConfig,
    MPNetForQuestionAnswering,
    MPNetForTokenClassification,
    PreTrainedModel,
    RobertaConfig,
    RobertaForQuestionAnswering,
    RobertaForTokenClassification,
)

from tinybert.errors import ModelError
from tinybert.models import (
    Shape,
    has_task_head,
    load_classifier,
    load_encoder,
    project_start,
    random_start,
    slice_start,
    student_config,
)
from tinybert.models.families import encoder
from tinybert.models.head import QUESTION, SEQUENCE, TOKEN, Head, head_of, logits_layer
from tinybert.models.inputs import logits_of, run_model

SIZE = Shape(4, 32, 4, 64)
CLASSES = {TOKEN: BertForTokenClassification, QUESTION: BertForQuestionAnswering}
WIDTHS = {TOKEN: 5, QUESTION: 2}
HEADS = pytest.mark.parametrize("head", [TOKEN, QUESTION], ids=["token", "question"])
IDS = 60


def rows(count: int, *, length: int = 14, seed: int = 0) -> dict[str, torch.Tensor]:
    """Rows of unequal length, padded on the right."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(5, IDS, (count, length), generator=generator)
    lengths = torch.randint(5, length + 1, (count, 1), generator=generator)
    lengths[0] = length
    mask = (torch.arange(length)[None] < lengths).long()
    return {"input_ids": torch.where(mask.bool(), ids, 1), "attention_mask": mask}


def checkpoint(folder: Path, kind: type[PreTrainedModel], **changes: object) -> Path:
    tokens.random_model(kind, **changes).save_pretrained(folder)
    return folder


def model_of(family: str, head: Head) -> PreTrainedModel:
    sizes = {"vocab_size": IDS, "num_labels": WIDTHS[head]}
    roberta = RobertaConfig(**sizes, **{**easy.SIZE, "max_position_embeddings": 40})
    mpnet = MPNetConfig(**sizes, **{**easy.SIZE, "max_position_embeddings": 40})
    distilbert = DistilBertConfig(
        **sizes, dim=32, n_layers=4, n_heads=4, hidden_dim=64, max_position_embeddings=40
    )
    bert = tokens.make_config([str(i) for i in range(WIDTHS[head])], vocab_size=IDS)
    kinds = {
        "bert": (bert, BertForTokenClassification, BertForQuestionAnswering),
        "roberta": (roberta, RobertaForTokenClassification, RobertaForQuestionAnswering),
        "mpnet": (mpnet, MPNetForTokenClassification, MPNetForQuestionAnswering),
        "distilbert": (distilbert, DistilBertForTokenClassification, DistilBertForQuestionAnswering),
    }
    config, token, question = kinds[family]
    torch.manual_seed(0)
    model = (token if head == TOKEN else question)(config).eval()
    model.config.architectures = [type(model).__name__]
    for parameter in model.parameters():
        parameter.data += 0.15 * torch.randn_like(parameter)
    return model


def scores(model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    with torch.no_grad():
        return run_model(model, batch)[batch["attention_mask"].bool()]


def error(model: PreTrainedModel, teacher: PreTrainedModel) -> float:
    """Squared error of the scores on rows not seen, as a share of the teacher's variance."""
    held_out = rows(16, seed=99)
    expected, found = scores(teacher, held_out), scores(model, held_out)
    return float((expected - found).square().sum() / (expected - expected.mean(0)).square().sum())


@HEADS
def test_a_bare_encoder_gets_a_new_head_of_the_kind_asked_for(tmp_path: Path, head: Head) -> None:
    easy.save_encoder(tmp_path / "bare", words=tokens.WORDS)
    first, again, other = (
        load_classifier(tmp_path / "bare", head=head, num_labels=WIDTHS[head], seed=seed)
        for seed in (1, 1, 2)
    )
    assert type(first) is CLASSES[head]
    assert not first.training
    assert logits_layer(first).out_features == WIDTHS[head]
    assert easy.same_weights(first, again)
    assert not torch.equal(logits_layer(first).weight, logits_layer(other).weight)
    own, bare = encoder(first).state_dict(), load_encoder(tmp_path / "bare").state_dict()
    assert all(torch.equal(weight, bare[name]) for name, weight in own.items())


@HEADS
def test_a_checkpoint_with_that_head_comes_back_as_it_was(tmp_path: Path, head: Head) -> None:
    folder = checkpoint(tmp_path / "model", CLASSES[head])
    before = tokens.random_model(CLASSES[head])
    for model in (
        load_classifier(folder),
        load_classifier(folder, head=head),
        load_classifier(folder, head=head, num_labels=WIDTHS[head]),
    ):
        assert type(model) is CLASSES[head]
        assert easy.same_weights(model, before)


def test_a_head_with_another_number_of_tags_is_refused_by_name(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "model", BertForTokenClassification)
    with pytest.raises(ModelError, match="its head predicts 5 classes, the data has 7"):
        load_classifier(folder, head=TOKEN, num_labels=7)
    assert load_classifier(folder, head=TOKEN, num_labels=7, new_head=True).num_labels == 7


OLD = {
    SEQUENCE: BertForSequenceClassification,
    TOKEN: BertForTokenClassification,
    QUESTION: BertForQuestionAnswering,
    "mask": BertForMaskedLM,
}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (SEQUENCE, TOKEN),
        (TOKEN, SEQUENCE),
        (SEQUENCE, QUESTION),
        (QUESTION, TOKEN),
        (TOKEN, QUESTION),
        ("mask", TOKEN),
        ("mask", QUESTION),
    ],
)
def test_another_head_is_not_taken_for_the_one_asked_for_though_the_sizes_agree(
    tmp_path: Path, old: object, new: Head
) -> None:
    names = {"num_labels": 2, "id2label": {0: "a", 1: "b"}, "label2id": {"a": 0, "b": 1}}
    folder = checkpoint(tmp_path / "model", OLD[old], **names)
    before = tokens.random_model(OLD[old], **names)
    one, again, other = (load_classifier(folder, head=new, num_labels=2, seed=seed) for seed in (1, 1, 2))
    assert type(one) is OLD[new]
    assert head_of(one.config) == new
    fresh = logits_layer(one)
    assert fresh.weight.shape == (2, 32)
    own_layer = logits_layer(before)
    if own_layer is not None:
        assert fresh.weight.shape == own_layer.weight.shape
        assert not torch.isclose(fresh.weight, own_layer.weight).any()
        assert not torch.isclose(fresh.bias, own_layer.bias).any()
    assert torch.equal(fresh.weight, logits_layer(again).weight)
    assert not torch.equal(fresh.weight, logits_layer(other).weight)
    ours = {name: weight for name, weight in encoder(one).state_dict().items() if "pooler" not in name}
    theirs = encoder(before).state_dict()
    assert ours
    assert all(torch.equal(weight, theirs[name]) for name, weight in ours.items())


def test_a_new_head_on_request_is_no_part_of_the_old_one(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "model", BertForTokenClassification)
    old = tokens.random_model(BertForTokenClassification).classifier.weight
    new = load_classifier(folder, head=TOKEN, num_labels=5, new_head=True).classifier.weight
    assert not torch.isclose(new, old).any()


def test_has_task_head_tells_the_kinds_apart(tmp_path: Path) -> None:
    kinds = (SEQUENCE, TOKEN, QUESTION)
    for own in kinds:
        folder = checkpoint(tmp_path / own.class_ending, OLD[own])
        assert has_task_head(folder)
        assert [kind for kind in kinds if has_task_head(folder, kind)] == [own]
    for bare in (
        easy.save_encoder(tmp_path / "bare"),
        checkpoint(tmp_path / "mask", BertForMaskedLM),
    ):
        assert not has_task_head(bare)
        assert not any(has_task_head(bare, kind) for kind in kinds)


def same_config(teacher: PreTrainedModel, shape: Shape, head: Head, *, same_family: bool):
    family = teacher.config.model_type if same_family else "bert"
    return student_config(teacher.config, shape, num_labels=WIDTHS[head], head=head, family=family)


@HEADS
@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert", "mpnet"])
def test_a_slice_of_all_layers_answers_every_token_exactly_as_the_teacher(family: str, head: Head) -> None:
    teacher = model_of(family, head)
    student = slice_start(teacher, [1, 2, 3, 4], same_config(teacher, SIZE, head, same_family=True))
    assert type(student) is type(teacher)
    torch.testing.assert_close(scores(student, rows(5)), scores(teacher, rows(5)), atol=0, rtol=0)


@HEADS
def test_a_bare_encoder_is_sliced_below_a_new_head_of_that_kind(head: Head) -> None:
    teacher = model_of("bert", head)
    bare = encoder(teacher)
    config = same_config(teacher, SIZE, head, same_family=True)
    one = slice_start(bare, [1, 2, 3, 4], config, keep_head=False, seed=1)
    assert type(one) is CLASSES[head]
    assert not torch.isclose(logits_layer(one).weight, logits_layer(teacher).weight).any()
    with pytest.raises(ModelError, match="so it cannot be kept"):
        slice_start(bare, [1, 2, 3, 4], config)


@HEADS
@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert", "mpnet"])
def test_a_projection_at_the_teachers_own_size_answers_as_the_teacher(family: str, head: Head) -> None:
    teacher = model_of(family, head)
    start = project_start(
        teacher,
        same_config(teacher, SIZE, head, same_family=family == "mpnet"),
        [1, 2, 3, 4],
        batches=[rows(16, seed=seed) for seed in range(1, 9)],
        keep_head=True,
    )
    assert type(start.student) is (type(teacher) if family == "mpnet" else CLASSES[head])
    held_out = rows(16, seed=99)
    torch.testing.assert_close(
        scores(start.student, held_out), scores(teacher, held_out), atol=2e-3, rtol=2e-3
    )


@HEADS
def test_a_narrower_projection_agrees_far_better_than_a_random_start(head: Head) -> None:
    teacher = model_of("bert", head)
    config = same_config(teacher, Shape(4, 24, 4, 48), head, same_family=False)
    start = project_start(
        teacher, config, [1, 2, 3, 4], batches=[rows(16, seed=seed) for seed in range(1, 9)], keep_head=True
    )
    assert error(start.student, teacher) < 0.5 * error(random_start(config, seed=0), teacher)
    without = project_start(
        teacher, config, [1, 2, 3, 4], batches=[rows(16, seed=seed) for seed in range(1, 9)], keep_head=False
    )
    assert not torch.isclose(logits_layer(without.student).weight, logits_layer(start.student).weight).any()


def test_a_teacher_without_a_head_for_tokens_cannot_keep_it() -> None:
    teacher = model_of("bert", TOKEN)
    config = same_config(teacher, SIZE, TOKEN, same_family=False)
    with pytest.raises(ModelError, match="no classification head"):
        project_start(encoder(teacher), config, [1, 2, 3, 4], batches=[rows(4)], keep_head=True)


def test_scores_have_the_shape_of_the_head() -> None:
    batch = rows(3)
    length = batch["input_ids"].shape[1]
    with torch.no_grad():
        assert run_model(model_of("bert", TOKEN), batch).shape == (3, length, 5)
        question = model_of("bert", QUESTION)
        found = run_model(question, {**batch, "labels": torch.zeros(3), "row": torch.arange(3)})
        output = question(**batch)
        assert found.shape == (3, length, 2)
        assert torch.equal(found[..., 0], output.start_logits)
        assert torch.equal(found[..., 1], output.end_logits)
        assert torch.equal(logits_of(output), found)
        sequence = tokens.random_model(BertForSequenceClassification)
        assert run_model(sequence, batch).shape == (3, 2)


def test_the_teachers_own_tokens_are_read_under_their_prefix() -> None:
    batch, other = rows(3), rows(3, length=9, seed=5)
    model = model_of("bert", TOKEN)
    both = batch | {f"teacher_{name}": value for name, value in other.items()}
    with torch.no_grad():
        assert torch.equal(run_model(model, both, prefix="teacher_"), run_model(model, other))
        assert torch.equal(run_model(model, both), run_model(model, batch))
