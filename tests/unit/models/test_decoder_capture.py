import pytest
import torch
from tests import easy, writing

from tinybert.errors import ModelError
from tinybert.models.decoder_capture import DecoderCapture


def batch():
    return {
        "input_ids": torch.tensor([[2, 5, 6, 7, 3], [2, 8, 3, 0, 0]]),
        "attention_mask": torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]),
        "decoder_input_ids": torch.tensor([[2, 5, 6], [2, 9, 10]]),
    }


@torch.no_grad()
def test_captured_states_and_scores_are_the_models_own():
    model = writing.make_pair(num_decoder_layers=2).eval()
    with DecoderCapture(model, hidden=[1, 2], cross=[2]) as taken:
        captured = model(**batch()).logits
    assert not model.decoder.bert.encoder.layer[0]._forward_hooks
    model.set_attn_implementation("eager")
    output = model(**batch(), output_hidden_states=True, output_attentions=True)
    torch.testing.assert_close(captured, output.logits, atol=1e-5, rtol=1e-4)
    for layer in (1, 2):
        torch.testing.assert_close(
            taken.decoder_hidden[layer], output.decoder_hidden_states[layer], atol=1e-5, rtol=1e-4
        )
    masked = taken.cross_scores[2].masked_fill(batch()["attention_mask"][:, None, None] == 0, -1e30)
    torch.testing.assert_close(masked.softmax(-1), output.cross_attentions[1], atol=1e-5, rtol=1e-4)


def test_layers_that_do_not_exist_and_models_without_a_decoder_are_refused():
    with pytest.raises(ModelError, match="decoder layer 3: this decoder has 1 to 1"):
        DecoderCapture(writing.make_pair(), hidden=[3])
    with pytest.raises(ModelError, match="the layers of its decoder are not known"):
        DecoderCapture(easy.seeded_classifier(), hidden=[1])
