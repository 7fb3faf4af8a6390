import pytest
import torch
from tests.unit.models.tiny import CONFIGS, batch, classifier
from transformers import BertConfig, GPT2Config, GPT2Model

from tinybert.errors import ModelError
from tinybert.models.capture import capture
from tinybert.models.families import FAMILIES, blocks, describe, embeddings, encoder, layers
from tinybert.models.start.flat import run_block


def test_every_family_has_a_tiny_model_here():
    assert set(CONFIGS) == set(FAMILIES)


@pytest.mark.parametrize("family", CONFIGS)
def test_describe_reads_the_same_size_from_every_family(family):
    info = describe(CONFIGS[family])
    assert (info.num_hidden_layers, info.hidden_size, info.num_attention_heads) == (3, 32, 4)
    assert (info.intermediate_size, info.vocab_size, info.model_type) == (48, 60, family)


@pytest.mark.parametrize("family", CONFIGS)
def test_blocks_name_the_parts_of_every_layer(family):
    model = classifier(family)
    for block, layer in zip(blocks(model), layers(model), strict=True):
        assert block.module is layer
        assert block.num_heads == 4
        assert block.ffn_in.out_features == block.ffn_out.in_features == 48
        parts = (block.q, block.k, block.v, block.o, block.ffn_in, block.ffn_out)
        assert len({id(part) for part in parts}) == 6
        named = sum(p.numel() for part in (*parts, block.norm1, block.norm2) for p in part.parameters())
        assert named == sum(p.numel() for p in layer.parameters())
    assert embeddings(model).word_embeddings.num_embeddings == 60
    assert encoder(encoder(model)) is encoder(model)


@pytest.mark.parametrize("family", CONFIGS)
def test_running_a_block_over_real_tokens_gives_the_models_own_hidden_states(family):
    model, inputs = classifier(family), batch()
    real = inputs["attention_mask"].bool()
    with torch.no_grad(), capture(model, hidden=[1, 2], vectors=[2]) as taken:
        model(**inputs)
    with torch.no_grad():
        steps = run_block(blocks(model)[1], taken.hidden[1][real], [real])
    torch.testing.assert_close(steps.hidden, taken.hidden[2][real], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(steps.q, taken.vectors[2][0].transpose(1, 2).flatten(2)[real])


def test_an_unknown_family_is_refused_with_what_still_works():
    model = GPT2Model(GPT2Config(n_embd=8, n_layer=1, n_head=2, vocab_size=10))
    for ask in (layers, blocks, embeddings):
        with pytest.raises(ModelError, match="teacher of predictions only"):
            ask(model)
    with pytest.raises(ModelError, match="supported: bert, roberta"):
        describe(model.config)


def test_describe_needs_no_model():
    assert describe(BertConfig()).hidden_size == 768
