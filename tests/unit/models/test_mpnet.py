import copy

import pytest
import torch
from tests.unit.models.tiny import batch, classifier
from torch import nn
from transformers import AutoModelForSequenceClassification
from transformers.models.mpnet.modeling_mpnet import MPNetSelfAttention

from tinybert.models import capture, load_classifier, num_positions
from tinybert.models.dropout import set_dropout
from tinybert.models.families import blocks
from tinybert.models.kernel import training_attention
from tinybert.models.mpnet import DistanceTable, KernelSelfAttention, switch_kernel

FAR = 200  # beyond the 128 tokens from where on all distances are alike


@pytest.fixture
def model():
    return classifier("mpnet", max_position_embeddings=FAR + 2)


@pytest.fixture
def inputs():
    return batch(rows=2, length=FAR - 1)


def attention_modules(model):
    return [module for module in model.modules() if isinstance(module, MPNetSelfAttention)]


def test_our_kernel_gives_what_transformers_own_code_gives(model, inputs):
    with torch.no_grad():
        expected = model(**inputs).logits
        assert switch_kernel(model.mpnet, on=True) is False
        assert all(type(module) is KernelSelfAttention for module in attention_modules(model))
        torch.testing.assert_close(model(**inputs).logits, expected, atol=1e-5, rtol=0)
        assert switch_kernel(model.mpnet, on=False) is True
    assert all(type(module) is MPNetSelfAttention for module in attention_modules(model))


def test_probabilities_can_still_be_asked_for(model, inputs):
    switch_kernel(model.mpnet, on=True)
    with torch.no_grad():
        found = model(**inputs, output_attentions=True).attentions
    torch.testing.assert_close(found[0].sum(-1), torch.ones(2, 4, FAR - 1))


def test_captured_scores_are_products_and_bias_by_hand(model, inputs):
    with torch.no_grad(), capture(model, scores=[1], hidden=[0]) as taken:
        model(**inputs)
    layer, table = blocks(model)[0], model.mpnet.encoder.relative_attention_bias.weight
    q, k = (part(taken.hidden[0][0]).unflatten(1, (4, 8))[:, 3] for part in (layer.q, layer.k))
    # bucket 5 is five tokens back, 16 + 5 five ahead; 8 + 2 sixteen back, 16 + 15 as far ahead as may be
    for i, j, bucket in ((50, 45, 5), (50, 55, 21), (50, 34, 10), (0, 190, 31)):
        expected = q[i] @ k[j] / 8**0.5 + table[bucket, 3]
        torch.testing.assert_close(taken.scores[1][0, 3, i, j], expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("bf16", [False, True])
def test_the_bias_and_all_else_learns_through_our_kernel(model, inputs, bf16):
    def gradients(net):
        net.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            net(**inputs).logits.float().square().sum().backward()
        of_bias = net.mpnet.encoder.relative_attention_bias.weight.grad.clone()
        return of_bias, torch.cat([part.grad.flatten() for part in net.parameters()])

    expected = gradients(model)
    with training_attention(model):
        found = gradients(model)
    for ours, theirs in zip(found, expected, strict=True):
        assert theirs.norm() > 0
        assert (ours - theirs).norm() < (0.1 if bf16 else 1e-4) * theirs.norm()


def test_a_loaded_model_has_our_kernel_and_another_of_its_class_has_not(model, tmp_path):
    model.save_pretrained(tmp_path)
    loaded = load_classifier(tmp_path)
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    assert {type(module) for module in attention_modules(loaded)} == {KernelSelfAttention}
    assert {type(module) for module in attention_modules(copy.deepcopy(loaded))} == {KernelSelfAttention}
    assert {type(module) for module in attention_modules(plain)} == {MPNetSelfAttention}
    with capture(loaded, scores=[1]):
        pass
    assert {type(module) for module in attention_modules(loaded)} == {KernelSelfAttention}


@pytest.mark.parametrize("num_tokens", [1, 7, FAR])
def test_a_table_of_distances_is_the_bias_at_any_length(model, num_tokens):
    bias = blocks(model)[0].position_bias
    torch.testing.assert_close(DistanceTable(bias(FAR))(num_tokens), bias(num_tokens), atol=0, rtol=0)


def test_positions_begin_behind_the_padding(model):
    assert num_positions(model.config) == FAR
    model(input_ids=torch.full((1, FAR), 7))
    with pytest.raises(IndexError):
        model(input_ids=torch.full((1, FAR + 1), 7))


def test_dropout_is_off_at_the_probabilities_only(model):
    set_dropout(model, 0.25)
    rates = {name: part.p for name, part in model.named_modules() if isinstance(part, nn.Dropout)}
    assert rates["mpnet.encoder.layer.0.attention.attn.dropout"] == 0.0
    assert rates["mpnet.encoder.layer.0.attention.dropout"] == 0.25
    assert set(rates.values()) == {0.0, 0.25}
    assert (model.config.attention_probs_dropout_prob, model.config.hidden_dropout_prob) == (0.0, 0.25)
