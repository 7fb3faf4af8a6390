import copy

import pytest
import torch
from tests.unit.models.tiny import batch, classifier

from tinybert.errors import ModelError
from tinybert.models import Shape, project_start, random_start, slice_start, student_config
from tinybert.models.families import encoder
from tinybert.models.head import SEQUENCE, set_head
from tinybert.models.start.project import adapt_student

SAME = Shape(3, 32, 4, 48)
CALIBRATION = [batch(rows=16, length=12, seed=seed) for seed in range(1, 9)]
HELD_OUT = batch(rows=16, length=12, seed=99)


def project(
    teacher, shape=SAME, layers=(1, 2, 3), *, keep_head=True, batches=CALIBRATION, family="bert", **changes
):
    config = student_config(teacher.config, shape, num_labels=3, family=family)
    return project_start(teacher, config, layers, batches=batches, keep_head=keep_head, **changes)


def error(model, teacher):
    """Squared error of the logits as a share of the teacher's variance."""
    with torch.no_grad():
        expected, found = teacher(**HELD_OUT).logits, model(**HELD_OUT).logits
    return float((expected - found).square().sum() / (expected - expected.mean(0)).square().sum())


@pytest.mark.parametrize("heads", [4, 2])
def test_a_student_of_mpnet_may_keep_the_bias_of_relative_positions(heads):
    teacher = classifier("mpnet", num_attention_heads=heads)
    start = project(teacher, Shape(3, 32, heads, 48), family="mpnet")
    assert type(start.student).__name__ == "MPNetForSequenceClassification"
    with torch.no_grad():
        torch.testing.assert_close(
            start.student(**HELD_OUT).logits, teacher(**HELD_OUT).logits, atol=2e-4, rtol=1e-3
        )


def test_fewer_heads_keep_their_bias_the_same_heads_in_all_layers():
    teacher = classifier("mpnet")
    student = project(teacher, Shape(3, 32, 2, 48), family="mpnet").student
    own, theirs = (model.mpnet.encoder.relative_attention_bias.weight for model in (student, teacher))
    kept = [next(head for head in range(4) if torch.equal(own[:, i], theirs[:, head])) for i in range(2)]
    assert kept == sorted(set(kept))


def test_a_bert_cannot_hold_the_bias_and_starts_further_from_an_mpnet():
    teacher = classifier("mpnet")
    narrow = Shape(3, 24, 4, 48)
    own, bert = (project(teacher, narrow, family=family).student for family in ("mpnet", "bert"))
    assert type(bert).__name__ == "BertForSequenceClassification"
    assert error(own, teacher) < error(bert, teacher) < error(random_start(bert.config, seed=0), teacher)


def test_a_student_of_a_bert_is_no_mpnet():
    with pytest.raises(ModelError, match="a student of a teacher of family bert is a bert"):
        project(classifier("bert"), family="mpnet")


# ELECTRA and DistilBERT answer through gelu and relu, which a BERT's tanh pooler only approaches
@pytest.mark.parametrize("family", ["bert", "roberta", "xlm-roberta", "camembert", "ernie"])
def test_at_the_teachers_own_size_the_student_is_the_teacher(family):
    teacher = classifier(family)
    start = project(teacher)
    assert type(start.student).__name__ == "BertForSequenceClassification"
    assert torch.equal(start.projection, torch.eye(32))
    with torch.no_grad():
        torch.testing.assert_close(
            start.student(**HELD_OUT).logits, teacher(**HELD_OUT).logits, atol=2e-4, rtol=1e-3
        )


def test_distilbert_encoders_project_exactly_too():
    teacher = classifier("distilbert")
    student = project(teacher).student
    real = HELD_OUT["attention_mask"].bool()
    with torch.no_grad():
        expected = encoder(teacher)(**HELD_OUT).last_hidden_state[real]
        found = encoder(student)(**HELD_OUT).last_hidden_state[real]
    torch.testing.assert_close(found, expected, atol=2e-4, rtol=1e-3)
    assert error(student, teacher) < 0.4


@pytest.mark.parametrize(
    ("family", "own"), [("bert", "bert"), ("roberta", "bert"), ("distilbert", "bert"), ("mpnet", "mpnet")]
)
@pytest.mark.parametrize("shape", [Shape(3, 24, 4, 40), Shape(3, 24, 3, 48), Shape(3, 24, 2, 48)])
def test_a_narrower_student_is_far_closer_than_a_random_one(family, own, shape):
    teacher = classifier(family)
    start = project(teacher, shape, family=own)
    random = random_start(start.student.config, seed=0)
    assert start.projection.shape == (32, 24)
    torch.testing.assert_close(start.projection.T @ start.projection, torch.eye(24), atol=1e-5, rtol=0)
    assert error(start.student, teacher) < 0.5 * error(random, teacher)


def test_at_full_width_fitting_closes_part_of_the_gap_that_a_slice_leaves():
    teacher = classifier()
    config = student_config(teacher.config, Shape(2, 32, 4, 48), num_labels=3, family="bert")
    sliced = slice_start(teacher, [1, 3], config)
    assert error(project(teacher, Shape(2, 32, 4, 48), (1, 3)).student, teacher) < 0.7 * error(
        sliced, teacher
    )


def test_a_bare_encoder_is_projected_below_a_new_head():
    teacher = classifier()
    with_head = project(teacher, Shape(3, 24, 4, 48)).student
    first = project(encoder(teacher), Shape(3, 24, 4, 48), keep_head=False, seed=1).student
    second = project(encoder(teacher), Shape(3, 24, 4, 48), keep_head=False, seed=2).student
    torch.testing.assert_close(
        first.bert.encoder.state_dict(), with_head.bert.encoder.state_dict(), atol=1e-6, rtol=1e-5
    )
    assert not torch.equal(first.classifier.weight, second.classifier.weight)


def test_the_teacher_is_left_as_it_was_and_calibration_order_and_labels_do_not_matter():
    teacher = classifier().train()
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    first = project(teacher, Shape(2, 24, 4, 40), (1, 3)).student
    labelled = [
        {**rows, "labels": torch.zeros(16), "row": torch.arange(16)} for rows in reversed(CALIBRATION)
    ]
    second = project(teacher, Shape(2, 24, 4, 40), (1, 3), batches=labelled).student
    assert teacher.training
    torch.testing.assert_close(teacher.state_dict(), before, atol=0, rtol=0)
    torch.testing.assert_close(first(**HELD_OUT).logits, second(**HELD_OUT).logits, atol=1e-2, rtol=1e-2)


@pytest.mark.parametrize("rows", [1, 3])
def test_a_handful_of_rows_gives_finite_weights(rows):
    start = project(classifier(), Shape(2, 24, 4, 40), (1, 3), batches=[batch(rows=rows, length=5)])
    assert all(torch.isfinite(parameter).all() for parameter in start.student.parameters())


def test_a_half_precision_teacher_gives_a_full_precision_student():
    start = project(classifier().bfloat16(), Shape(2, 24, 4, 40), (1, 3))
    assert start.student.dtype == torch.float32


def test_more_tokens_than_needed_are_thinned_out_evenly(monkeypatch):
    monkeypatch.setattr("tinybert.models.start.project.MAX_TOKENS", 150)
    teacher, seen = classifier(), []
    teacher.register_forward_pre_hook(
        lambda _module, _args, inputs: seen.append(inputs["input_ids"]), with_kwargs=True
    )
    given = [batch(rows=4, length=12, seed=seed) for seed in range(9)]  # 42 tokens each
    project(teacher, batches=iter(given))
    assert [next(i for i, rows in enumerate(given) if rows["input_ids"] is ids) for ids in seen] == [0, 3, 6]


def test_what_cannot_be_projected_is_refused_with_all_reasons():
    teacher = classifier()
    config = student_config(teacher.config, Shape(2, 48, 6, 64), num_labels=5)
    with pytest.raises(ModelError) as caught:
        project_start(teacher, config, [1, 2, 9], batches=CALIBRATION, keep_head=True)
    text = str(caught.value)
    for part in (
        "hidden_size = 48",
        "num_attention_heads = 6",
        "intermediate_size = 64",
        "layer 9",
        "3 mapped",
    ):
        assert part in text
    assert "predicts 3 classes, the student 5" in text
    with pytest.raises(ModelError, match="no rows"):
        project(teacher, batches=[])
    with pytest.raises(ModelError, match="no classification head"):
        project(encoder(teacher))
    with pytest.raises(ModelError, match="widens its embeddings"):
        project(classifier("electra"))


def fine_tuned(teacher):
    """The same model, with other feed-forward outputs and another head."""
    tuned = copy.deepcopy(teacher)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, parameter in tuned.named_parameters():
            writes = "output.dense.weight" in name and "attention" not in name
            if writes or name.startswith(("classifier", "bert.pooler")):
                parameter += 0.3 * parameter.std() * torch.randn(parameter.shape, generator=generator)
    return tuned


def test_a_student_that_knows_the_layers_follows_its_teacher_into_a_task():
    teacher = classifier("bert")
    tuned, student = fine_tuned(teacher), project(teacher).student
    before = error(student, tuned)
    maps = adapt_student(teacher, tuned, student, batches=CALIBRATION, layer_map=(1, 2, 3), maps=None)
    assert maps is None
    assert error(student, tuned) < 0.02 * before


@pytest.mark.parametrize("family", ["bert", "roberta", "electra", "distilbert"])
def test_where_nothing_changed_a_student_is_left_as_it_is(family):
    teacher = classifier(family)
    student = copy.deepcopy(teacher)
    set_head(student.config, SEQUENCE)
    adapt_student(teacher, teacher, student, batches=CALIBRATION, layer_map=(1, 2, 3), maps=None)
    assert error(student, teacher) < 1e-6


def test_maps_that_were_not_learnt_are_fitted():
    teacher = classifier("bert")
    tuned, start = fine_tuned(teacher), project(teacher, Shape(3, 16, 4, 48))
    before = error(start.student, tuned)
    maps = adapt_student(teacher, tuned, start.student, batches=CALIBRATION, layer_map=(1, 2, 3), maps=None)
    assert maps is not None
    assert maps.shape == (4, 32, 16)
    with torch.no_grad():
        inputs = {**HELD_OUT, "output_hidden_states": True}
        theirs, own = (encoder(model)(**inputs).hidden_states for model in (tuned, start.student))
    real = HELD_OUT["attention_mask"].bool()
    for map_DS, state, wanted in zip(maps, own, theirs, strict=True):
        missing = wanted[real] - state[real] @ map_DS.T
        assert missing.square().sum() < 0.5 * wanted[real].square().sum()
    assert error(start.student, tuned) < 0.7 * before


def test_a_narrow_students_maps_are_fitted_with_it():
    teacher = classifier("bert")
    tuned = fine_tuned(teacher)
    start = project(teacher, Shape(3, 16, 4, 48))
    maps = torch.stack([start.projection] * 4)
    before = error(start.student, tuned)
    after = adapt_student(teacher, tuned, start.student, batches=CALIBRATION, layer_map=(1, 2, 3), maps=maps)
    assert after is not None
    assert after.shape == maps.shape
    assert error(start.student, tuned) < 0.7 * before
