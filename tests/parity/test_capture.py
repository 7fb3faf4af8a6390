import time

import pytest
import torch
from tests.unit.models.tiny import CONFIGS, batch, classifier
from torch import nn

from tinybert.models import Capture, capture
from tinybert.models.families import blocks, encoder


def _eager(model, inputs):
    if model.config._attn_implementation != "eager":  # MPNet has only this
        model.set_attn_implementation("eager")
    with torch.no_grad():
        return model(**inputs, output_attentions=True, output_hidden_states=True)


@pytest.mark.parametrize("family", CONFIGS)
def test_captured_scores_and_hidden_states_are_the_eager_models_own(family):
    model, inputs = classifier(family), batch()
    real = inputs["attention_mask"].bool()
    expected = _eager(classifier(family), inputs)
    with torch.no_grad(), capture(model, scores=[1, 2, 3], hidden=range(4), vectors=[2]) as taken:
        answer = model(**inputs)
    added = torch.where(real, 0.0, torch.finfo(torch.float32).min)[:, None, None, :]
    for layer in (1, 2, 3):
        probabilities = torch.softmax(taken.scores[layer] + added, dim=-1)
        torch.testing.assert_close(probabilities, expected.attentions[layer - 1], atol=1e-6, rtol=1e-5)
    for index in range(4):
        torch.testing.assert_close(
            taken.hidden[index][real], expected.hidden_states[index][real], atol=1e-5, rtol=1e-4
        )
    torch.testing.assert_close(answer.logits, expected.logits, atol=1e-5, rtol=1e-4)
    query, key, _ = taken.vectors[2]
    bias = blocks(model)[1].position_bias
    products = query @ key.transpose(2, 3) * query.shape[-1] ** -0.5
    torch.testing.assert_close(products if bias is None else products + bias(9), taken.scores[2])


def test_padding_is_not_attended_to_while_capturing():
    model, inputs = classifier(), batch(rows=2, length=8)
    shorter = {name: value[1:, :7] for name, value in inputs.items()}
    assert inputs["attention_mask"][1].tolist() == [1] * 7 + [0]
    with torch.no_grad(), capture(model, scores=[1]):
        torch.testing.assert_close(model(**inputs).logits[1:], model(**shorter).logits, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("what", ["scores", "hidden", "vectors"])
def test_gradients_flow_through_what_is_captured(what):
    model = classifier()
    with capture(model, **{what: [2]}) as taken:
        model(**batch())
    found = getattr(taken, what)[2]
    (found[0] if what == "vectors" else found).square().sum().backward()
    assert blocks(model)[0].q.weight.grad.abs().sum() > 0
    assert blocks(model)[2].q.weight.grad is None


def test_teacher_and_student_are_captured_at_the_same_time():
    teacher, student, inputs = classifier(seed=1), classifier(seed=2), batch()
    with torch.no_grad():
        with capture(teacher, scores=[3]) as alone:
            teacher(**inputs)
        with capture(teacher, scores=[3]) as theirs, capture(student, scores=[2]) as ours:
            student(**inputs)
            teacher(**inputs)
    assert list(theirs.scores) == [3]
    assert list(ours.scores) == [2]
    torch.testing.assert_close(theirs.scores[3], alone.scores[3], atol=0, rtol=0)


def test_the_model_is_restored_even_after_an_error():
    model = classifier()
    model.set_attn_implementation("eager")
    with pytest.raises(RuntimeError, match="stop"), capture(model, scores=[1], hidden=[0, 3]):
        raise RuntimeError("stop")
    assert model.config._attn_implementation == "eager"
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    with capture(model, scores=[1]) as taken:
        pass
    model(**batch())
    assert not taken.scores


def test_works_below_autocast_and_a_wrapper():
    class Wrapper(nn.Module):
        def __init__(self, module):
            super().__init__()
            self.module = module

        def forward(self, **inputs):
            return self.module(**inputs)

    wrapped = Wrapper(classifier())
    with torch.autocast("cpu", dtype=torch.bfloat16), capture(wrapped, scores=[1], hidden=[3]) as taken:
        wrapped(**batch())
    assert taken.scores[1].dtype == torch.bfloat16
    assert taken.hidden[3].shape == (3, 9, 32)


def test_a_saved_config_knows_nothing_of_the_capture(tmp_path):
    model = classifier()
    with capture(model, scores=[1]):
        model.save_pretrained(tmp_path)
    assert "tinybert_capture" not in (tmp_path / "config.json").read_text()


def test_entering_and_leaving_is_cheap():
    model = classifier(num_hidden_layers=12)
    reused = Capture(model, scores=[4, 8, 12], hidden=[0, 4, 8, 12])
    durations = []
    for _ in range(50):
        start = time.perf_counter()
        with reused:
            pass
        durations.append(time.perf_counter() - start)
    assert min(durations) < 5e-4
    assert encoder(model).config._attn_implementation == "sdpa"
