"""How long the rows are that a predictor reads, and what truncates them."""

from __future__ import annotations

from tokenizers import Tokenizer
from transformers import PreTrainedConfig, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from tinybert.errors import ModelError
from tinybert.models import num_positions
from tinybert.tasks import Task


def length_of_rows(
    given: int | None,
    tokenizer: PreTrainedTokenizerBase,
    config: PreTrainedConfig,
    task: Task,
    *,
    path: str,
) -> int:
    """Return the longest row in tokens: as given, else what the model was trained with.

    Raises:
        ModelError: The model has fewer positions than are asked for.
    """
    positions = num_positions(config)
    if given is not None:
        if given < 1 or (positions is not None and given > positions):
            raise ModelError(path, f"max_length = {given}: allowed are 1 to {positions or 'any number'}")
        return given
    longest = min(limit for limit in (tokenizer.model_max_length, positions) if limit is not None)
    is_set = isinstance(tokenizer.init_kwargs.get("model_max_length"), int)
    return longest if is_set else min(longest, task.longest_unset or longest)


def truncating(tokenizer: PreTrainedTokenizerBase, max_length: int) -> Tokenizer | None:
    """Return a copy of a tokenizer that truncates, whose settings are never changed again.

    None where it is not a fast one.
    """
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        return None
    pieces = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    pieces.enable_truncation(max_length, strategy="longest_first", direction=tokenizer.truncation_side)
    return pieces
