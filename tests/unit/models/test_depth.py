import pytest
import torch
from tests import easy
from tests.unit.models import tiny
from torch import nn
from transformers import AlbertConfig, AlbertModel, DebertaV2Config, DebertaV2ForSequenceClassification

from tinybert.errors import ModelError
from tinybert.models.depth import count_layers, depths, freeze_layers, gradient_checkpointing, layer_stack
from tinybert.models.families import FAMILIES, layers

SIZE = {
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "vocab_size": 50,
}


@pytest.mark.parametrize("family", FAMILIES)
def test_the_layers_are_those_of_the_family(family):
    model = tiny.classifier(family)
    assert list(layer_stack(model)) == layers(model)
    assert count_layers(model.config) == len(layers(model))
    found = depths(model)
    assert found.keys() == dict(model.named_parameters()).keys()
    names = [name for name, _ in model.named_parameters()]
    for name in names:
        inside = [depth for depth, layer in enumerate(layers(model), 1) if is_of(layer, model, name)]
        if inside:
            assert [found[name]] == inside
        elif "embeddings" in name or "relative_attention_bias" in name:  # the latter every layer reads
            assert found[name] == 0
        else:
            assert found[name] == len(layers(model)) + 1  # the classifier, the pooler


def is_of(layer: nn.Module, model: nn.Module, name: str) -> bool:
    return any(each is model.get_parameter(name) for each in layer.parameters())


def test_a_family_that_is_not_known_has_depths_too():
    model = DebertaV2ForSequenceClassification(DebertaV2Config(**SIZE, relative_attention=True))
    found = depths(model)
    assert found["deberta.encoder.layer.2.output.dense.weight"] == 3
    assert found["deberta.encoder.rel_embeddings.weight"] == 0  # every layer reads it
    assert found["pooler.dense.weight"] == found["classifier.weight"] == 4


def test_layers_that_share_their_weights_are_refused():
    config = AlbertConfig(**SIZE, embedding_size=8)
    with pytest.raises(ModelError, match="model_type albert: its layers cannot be told apart"):
        layer_stack(AlbertModel(config))
    with pytest.raises(ModelError, match="model_type albert"):
        count_layers(config)


@pytest.mark.parametrize("num_layers", [0, 1, 4])
def test_frozen_are_the_embeddings_and_the_lowest_layers(num_layers):
    model = easy.seeded_classifier()
    freeze_layers(model, num_layers)
    trained = {name for name, each in model.named_parameters() if each.requires_grad}
    lowest = (
        ["embeddings.", *(f"encoder.layer.{layer}." for layer in range(num_layers))] if num_layers else []
    )
    expected = {name for name, _ in model.named_parameters() if not any(part in name for part in lowest)}
    assert trained == expected
    assert {"bert.pooler.dense.weight", "classifier.bias"} <= trained


@pytest.mark.parametrize("num_frozen", [0, 1])
def test_checkpointing_keeps_less_and_changes_nothing(num_frozen):
    batch = {"input_ids": torch.arange(5, 25).view(2, 10), "attention_mask": torch.ones(2, 10).long()}
    found = []
    for is_on in (False, True):
        model = easy.seeded_classifier().train()
        freeze_layers(model, num_frozen)
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.2
        before = [layer.forward for layer in layer_stack(model)]
        torch.manual_seed(0)
        kept = gradients_of(model, batch, is_on=is_on)
        found.append((kept, [each.grad for each in model.parameters() if each.requires_grad]))
        assert [layer.forward for layer in layer_stack(model)] == before
    (plain, expected), (checkpointed, gradients) = found
    assert checkpointed < 0.4 * plain
    assert all(torch.equal(one, other) for one, other in zip(gradients, expected, strict=True))


def gradients_of(model: nn.Module, batch: dict[str, torch.Tensor], *, is_on: bool) -> int:
    """Return how many numbers the forward keeps for the backward."""
    kept: list[int] = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        if is_on:
            with gradient_checkpointing(model):
                loss = model(**batch).logits.square().sum()
                count = sum(kept)
                loss.backward()
        else:
            loss = model(**batch).logits.square().sum()
            count = sum(kept)
            loss.backward()
    return count
