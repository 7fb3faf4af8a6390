"""Which tokens a masked language model must guess, drawn again at every step.

Shapes: B rows, L tokens.

Source: BERT, arXiv:1810.04805, section 3.1; whole words from its authors' later release.
Differs: BERT drew ten fixed sets of masks beforehand; here they are drawn at each step, as RoBERTa does
(arXiv:1907.11692), and their number is 15 % on average, not exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Masking:
    """How tokens are chosen and what replaces them.

    Of the chosen tokens 80 % become the mask, 10 % any token, and 10 % stay.

    Attributes:
        share: Of the tokens that are chosen, on average.
        whole_words: Choose all pieces of a word or none.
        mask_token_id: The mask.
        vocab_size: What "any token" is drawn from.
        special_ids: Never chosen, and never put in.
    """

    share: float
    whole_words: bool
    mask_token_id: int
    vocab_size: int
    special_ids: tuple[int, ...]

    def __call__(self, input_ids_BL: Tensor, continues_BL: Tensor) -> tuple[Tensor, Tensor]:
        """Return the ids with masks, and which tokens were chosen (bool); both (B, L).

        Draws come from torch's global generator, which the trainer's checkpoints save.

        Args:
            input_ids_BL: Token numbers; padding is a special token too.
            continues_BL: True where a piece belongs to the word of the piece before it.
        """
        draws_BL = _uniform(input_ids_BL)
        if self.whole_words:
            draws_BL = draws_BL.gather(1, word_starts(continues_BL.bool()))
        special = torch.tensor(self.special_ids, device=input_ids_BL.device)
        chosen_BL = (draws_BL < self.share) & ~torch.isin(input_ids_BL, special)
        kind_BL = _uniform(input_ids_BL)
        any_BL = (_uniform(input_ids_BL) * self.vocab_size).long().to(input_ids_BL.dtype)
        any_BL = torch.where(torch.isin(any_BL, special), input_ids_BL, any_BL)
        masked_BL = torch.where(chosen_BL & (kind_BL < 0.8), self.mask_token_id, input_ids_BL)
        return torch.where(chosen_BL & (kind_BL >= 0.9), any_BL, masked_BL), chosen_BL


def word_starts(continues_BL: Tensor) -> Tensor:
    """Return for each piece the index of its word's first piece.

    Example:
        >>> word_starts(torch.tensor([[False, False, True, True, False]])).tolist()
        [[0, 1, 1, 1, 4]]
    """
    places_BL = torch.arange(continues_BL.shape[1], device=continues_BL.device).expand_as(continues_BL)
    return places_BL.masked_fill(continues_BL, 0).cummax(1).values


def _uniform(like: Tensor) -> Tensor:
    return torch.rand(like.shape, device=like.device)
