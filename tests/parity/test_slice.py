import pytest
import torch
from tests.unit.models.tiny import CONFIGS, batch, classifier

from tinybert.errors import ModelError
from tinybert.models import Shape, describe, slice_start, student_config
from tinybert.models.families import encoder, layers


def _config(teacher, num_layers, **changes):
    shape = {
        "num_hidden_layers": num_layers,
        "hidden_size": 32,
        "num_attention_heads": 4,
        "intermediate_size": 48,
    }
    return student_config(
        teacher.config, Shape(**{**shape, **changes}), num_labels=3, family=teacher.config.model_type
    )


@pytest.mark.parametrize("family", CONFIGS)
def test_a_slice_of_all_layers_answers_exactly_as_the_teacher(family):
    teacher = classifier(family)
    student = slice_start(teacher, [1, 2, 3], _config(teacher, 3))
    assert type(student) is type(teacher)
    with torch.no_grad():
        torch.testing.assert_close(student(**batch()).logits, teacher(**batch()).logits, atol=0, rtol=0)


@pytest.mark.parametrize("family", CONFIGS)
def test_a_slice_is_the_teacher_without_the_other_layers(family):
    teacher = classifier(family)
    student = slice_start(teacher, [1, 3], _config(teacher, 2))
    assert describe(student.config).num_hidden_layers == len(layers(student)) == 2
    shorter = classifier(family)
    del layers_list(shorter)[1]
    with torch.no_grad():
        torch.testing.assert_close(student(**batch()).logits, shorter(**batch()).logits, atol=0, rtol=0)


def layers_list(model):
    base = encoder(model)
    return base.transformer.layer if hasattr(base, "transformer") else base.encoder.layer


def test_a_slice_shares_no_memory_with_its_teacher():
    teacher = classifier()
    student = slice_start(teacher, [1, 2, 3], _config(teacher, 3))
    before = teacher(**batch()).logits
    with torch.no_grad():
        for parameter in student.parameters():
            parameter.zero_()
    torch.testing.assert_close(teacher(**batch()).logits, before, atol=0, rtol=0)


def test_a_bare_encoder_can_be_sliced_below_a_new_head():
    teacher = encoder(classifier())
    first = slice_start(teacher, [2], _config(teacher, 1), keep_head=False, seed=1)
    second = slice_start(teacher, [2], _config(teacher, 1), keep_head=False, seed=2)
    assert not torch.equal(first.classifier.weight, second.classifier.weight)
    torch.testing.assert_close(first.bert.pooler.dense.weight, teacher.pooler.dense.weight, atol=0, rtol=0)
    assert torch.equal(layers(first)[0].output.dense.weight, layers(teacher)[1].output.dense.weight)
    with pytest.raises(ModelError, match="has no head 'classifier'"):
        slice_start(teacher, [2], _config(teacher, 1))


def test_a_head_of_another_size_cannot_be_kept():
    teacher = classifier(num_labels=5)
    with pytest.raises(ModelError, match="cannot be kept"):
        slice_start(teacher, [1, 2, 3], _config(teacher, 3))


def test_wrong_sizes_and_layers_are_all_listed():
    teacher = classifier()
    other = student_config(teacher.config, Shape(2, 16, 2, 48), num_labels=3)
    with pytest.raises(ModelError) as caught:
        slice_start(teacher, [0, 2, 7], other)
    text = str(caught.value)
    for part in (
        "hidden_size = 16",
        "num_attention_heads = 2",
        "3 layers to keep for 2",
        "layer 0",
        "layer 7",
    ):
        assert part in text
    with pytest.raises(ModelError, match="hidden_size = 16: a slice keeps the teacher's 32"):
        slice_start(teacher, [1, 2], _config(teacher, 2, hidden_size=16))
