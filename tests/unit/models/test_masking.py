"""Masks: the right share, whole words, no special tokens, and only the chosen ones reach the head."""

from __future__ import annotations

import pytest
import torch
from tests import easy
from transformers import BertConfig, BertForMaskedLM, ElectraConfig

from tinybert.models.masked_lm import has_masked_lm_head, only_at
from tinybert.models.masking import Masking, word_starts

MASK, SPECIAL = 4, (0, 1, 2, 3, 4)


def masking(share: float = 0.15, *, whole_words: bool = True, vocab_size: int = 1000) -> Masking:
    return Masking(share, whole_words, mask_token_id=MASK, vocab_size=vocab_size, special_ids=SPECIAL)


def batch(rows: int = 400, length: int = 52) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of words of one to three pieces, [CLS] before, [SEP] and padding behind."""
    generator = torch.Generator().manual_seed(3)
    ids = torch.randint(5, 1000, (rows, length), generator=generator)
    ids[:, 0], ids[:, -2], ids[:, -1] = 2, 3, 0
    continues = torch.rand(ids.shape, generator=generator) < 0.4
    continues[:, [0, 1, -2, -1]] = False
    return ids, continues


def test_the_share_and_what_stands_in_their_place() -> None:
    torch.manual_seed(0)
    ids, continues = batch()
    masked, chosen = masking()(ids, continues)
    candidates = ~torch.isin(ids, torch.tensor(SPECIAL))
    assert chosen[candidates].float().mean().item() == pytest.approx(0.15, abs=0.01)
    kept = (masked == ids)[chosen].float().mean().item()
    hidden = (masked == MASK)[chosen].float().mean().item()
    assert hidden == pytest.approx(0.8, abs=0.03)
    assert kept == pytest.approx(0.1, abs=0.03)
    assert torch.equal(masked[~chosen], ids[~chosen])


def test_special_tokens_are_never_chosen_and_never_put_in() -> None:
    torch.manual_seed(0)
    ids, continues = batch()
    masked, chosen = masking(0.9, vocab_size=12)(ids, continues)
    assert not chosen[torch.isin(ids, torch.tensor(SPECIAL))].any()
    put_in = masked[chosen & (masked != MASK)]
    assert not torch.isin(put_in, torch.tensor(SPECIAL)).any()


def test_all_pieces_of_a_word_or_none() -> None:
    torch.manual_seed(0)
    ids, continues = batch()
    _, chosen = masking()(ids, continues)
    assert torch.equal(chosen[:, 1:-1], chosen.gather(1, word_starts(continues))[:, 1:-1])
    _, by_piece = masking(whole_words=False)(ids, continues)
    assert not torch.equal(by_piece, by_piece.gather(1, word_starts(continues)))


def test_draws_are_new_at_every_step_and_follow_the_seed() -> None:
    ids, continues = batch(8)
    torch.manual_seed(5)
    first, second = masking()(ids, continues)[1], masking()(ids, continues)[1]
    torch.manual_seed(5)
    assert torch.equal(masking()(ids, continues)[1], first)
    assert not torch.equal(first, second)


def test_the_head_answers_the_chosen_tokens_only_and_the_same() -> None:
    torch.manual_seed(0)
    model = BertForMaskedLM(easy.make_config()).eval()
    ids = torch.randint(5, 40, (3, 7))
    chosen = torch.zeros(3, 7, dtype=torch.bool)
    chosen[0, 2] = chosen[2, 6] = True
    with torch.no_grad():
        whole = model(input_ids=ids).logits
        with only_at(model, chosen):
            few = model(input_ids=ids).logits
        again = model(input_ids=ids).logits
    assert few.shape == (2, model.config.vocab_size)
    torch.testing.assert_close(few, whole[chosen])
    assert torch.equal(again, whole)


def test_a_discriminator_does_not_fill_in_words() -> None:
    assert has_masked_lm_head(BertConfig(architectures=["BertForPreTraining"]))
    assert has_masked_lm_head(ElectraConfig(architectures=["ElectraForMaskedLM"]))
    assert not has_masked_lm_head(ElectraConfig(architectures=["ElectraForPreTraining"]))
    assert not has_masked_lm_head(BertConfig(architectures=["BertModel"]))
