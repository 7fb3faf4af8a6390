import pytest
import torch
from tests import easy, writing
from transformers import AutoModelForSeq2SeqLM, BertConfig, BertModel, RobertaConfig, RobertaModel, T5Config

from tinybert.errors import ModelError
from tinybert.models import load_config, load_encoder, load_seq2seq
from tinybert.models.attention import NAME
from tinybert.models.families import blocks, decoders, encoder
from tinybert.models.generation import NewDecoder
from tinybert.models.kernel import switch_attention, training_attention
from tinybert.models.load import count_parameters
from tinybert.models.seq2seq import (
    DECODER_TABLE,
    ENCODER_TABLE,
    PARTS,
    join_decoder,
    special_tokens,
    whole_state,
)


def batch():
    return {
        "input_ids": torch.tensor([[2, 5, 6, 7, 3], [2, 8, 3, 0, 0]]),
        "attention_mask": torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]),
        "decoder_input_ids": torch.tensor([[2, 5, 6], [2, 9, 10]]),
    }


def reader(**changes):
    torch.manual_seed(3)
    return BertModel(BertConfig(vocab_size=13, **(writing.SIZE | changes))).eval()


def joined(start="encoder", **changes):
    return join_decoder(reader(**changes), writing.SPECIAL, num_layers=2, start=start, seed=0)


def test_encoder_decoder_and_output_share_one_table():
    model = joined()
    table = model.encoder.embeddings.word_embeddings.weight
    assert model.decoder.bert.embeddings.word_embeddings.weight is table
    assert model.decoder.get_output_embeddings().weight is table
    names = [name for name, _ in model.named_parameters()]
    assert ENCODER_TABLE in names
    assert DECODER_TABLE not in names


def test_a_decoder_begins_as_a_copy_of_the_encoders_layers_but_for_cross_attention():
    model, other = joined(), joined("random")
    for layer, given in zip(model.decoder.bert.encoder.layer, blocks(model), strict=True):
        for path, part in PARTS.items():
            weight = layer.get_submodule(path).weight
            assert torch.equal(weight, getattr(given, part).weight)
    own, drawn = (each.decoder.bert.encoder.layer[0] for each in (model, other))
    assert not torch.equal(own.attention.self.query.weight, drawn.attention.self.query.weight)
    assert torch.equal(own.crossattention.self.query.weight, drawn.crossattention.self.query.weight)
    assert encoder(model) is model.encoder
    assert decoders(model) == [model.decoder]


def test_a_saved_pair_generates_alike_in_plain_transformers(tmp_path):
    folder = writing.save_pair(tmp_path)
    own = load_seq2seq(folder)
    plain = AutoModelForSeq2SeqLM.from_pretrained(folder)
    assert type(plain).__name__ == "EncoderDecoderModel"
    with torch.inference_mode():
        torch.testing.assert_close(own(**batch()).logits, plain.eval()(**batch()).logits)
    inputs = {name: batch()[name] for name in ("input_ids", "attention_mask")}
    texts = [model.generate(**inputs, max_new_tokens=6, num_beams=2) for model in (own, plain)]
    assert torch.equal(*texts)
    assert count_parameters(load_config(folder)) == sum(each.numel() for each in plain.parameters())
    config = load_config(folder)
    config.tinybert = {}  # of ours: the table is one
    assert count_parameters(config) == sum(each.numel() for each in own.parameters())


def test_tables_that_differ_are_not_tied(tmp_path):
    model = writing.make_pair()
    state = whole_state(model)
    state[DECODER_TABLE] = state[DECODER_TABLE] + 1
    model.save_pretrained(tmp_path, state_dict=state)
    loaded = load_seq2seq(tmp_path)
    assert not torch.equal(
        loaded.encoder.embeddings.word_embeddings.weight, loaded.decoder.get_input_embeddings().weight
    )


def test_training_changes_the_one_table_on_all_sides():
    model = joined()
    model.train()
    loss = model(**batch()).logits.square().mean()
    loss.backward()
    torch.optim.SGD(model.parameters(), lr=0.1).step()
    assert torch.equal(
        model.encoder.embeddings.word_embeddings.weight, model.decoder.get_output_embeddings().weight
    )


def test_positions_behind_the_padding_are_not_copied():
    torch.manual_seed(0)
    config = RobertaConfig(vocab_size=13, **(writing.SIZE | {"max_position_embeddings": 18}))
    source = RobertaModel(config).eval()
    model = join_decoder(source, writing.SPECIAL, num_layers=1, start="encoder", seed=0)
    own = model.decoder.bert.embeddings.position_embeddings.weight
    given = source.embeddings.position_embeddings.weight
    first = config.pad_token_id + 1
    assert torch.equal(own, given[first : first + len(own)])


def test_the_encoder_of_a_pair_can_be_loaded_alone(tmp_path):
    folder = writing.save_pair(tmp_path)
    alone = load_encoder(folder)
    assert isinstance(alone, BertModel)
    whole = load_seq2seq(folder)
    assert easy.same_weights(alone, encoder(whole))


def test_a_decoder_is_put_beside_an_encoder_with_a_third_of_its_layers(tmp_path):
    folder = writing.save_encoder(tmp_path, num_hidden_layers=6)
    assert len(load_seq2seq(folder, decoder=NewDecoder()).decoder.bert.encoder.layer) == 2
    assert len(load_seq2seq(folder, decoder=NewDecoder(5)).decoder.bert.encoder.layer) == 5
    with pytest.raises(ModelError, match="has no decoder, so it cannot write texts"):
        load_seq2seq(folder)


def test_what_is_missing_of_a_tokenizer_is_named():
    tokenizer = easy.make_tokenizer(writing.WORDS)
    tokenizer.sep_token = tokenizer.eos_token = None
    with pytest.raises(ModelError, match="has no sep_token or eos_token"):
        special_tokens(tokenizer)


def test_other_families_have_no_decoder_put_beside_them():
    torch.manual_seed(0)
    other = reader()
    other.config = T5Config()
    with pytest.raises(ModelError, match="no decoder can be put beside it"):
        join_decoder(other, writing.SPECIAL, num_layers=1, start="random", seed=0)


def test_the_layers_of_both_sides_read_the_config_of_their_side(tmp_path):
    for model in (joined(), load_seq2seq(writing.save_pair(tmp_path))):
        before = switch_attention(model, NAME)
        attentions = [each.attention.self for each in blocks_of_both(model)]
        assert before == "sdpa"
        assert {each.config._attn_implementation for each in attentions} == {NAME}
        switch_attention(model, before)
        assert {each.config._attn_implementation for each in attentions} == {"sdpa"}


def blocks_of_both(model):
    return [*(each.module for each in blocks(model)), *model.decoder.bert.encoder.layer]


@torch.no_grad()
def test_our_kernel_masks_what_is_to_come_in_bf16_training_too():
    model = joined().train()
    texts = torch.tensor([[2, 5, 6, 7], [2, 5, 9, 8]])  # equal up to their second token
    read = {"input_ids": texts[:1].repeat(2, 1), "decoder_input_ids": texts}
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    with training_attention(model), torch.autocast("cpu", dtype=torch.bfloat16), torch.enable_grad():
        logits = model(**read).logits.detach()
    assert torch.equal(logits[0, :2], logits[1, :2])
    assert not torch.allclose(logits[0, 2], logits[1, 2], atol=1e-3)
