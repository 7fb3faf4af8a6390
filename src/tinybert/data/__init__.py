"""Rows in, batches out: read, check and split text, turn it into tensors.

The names that need torch (batches, samplers, lengths) are imported on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from tinybert.data.encode import encode, encode_split, pad, tokenise
from tinybert.data.findings import BadRow
from tinybert.data.labelled import TextData, load
from tinybert.data.labels import LabelScheme
from tinybert.data.row_format import RowFormat, TextRow
from tinybert.data.row_hashes import row_hashes
from tinybert.data.truncation import count_truncated

if TYPE_CHECKING:
    from tinybert.data.collate import Collator
    from tinybert.data.sampler import LengthGroupedSampler, TokenBatches, lengths_of, sorted_by_length
    from tinybert.data.whole_rows import WholeRows, num_tokens_of, tokens_with_targets

__all__ = [
    "BadRow",
    "Collator",
    "LabelScheme",
    "LengthGroupedSampler",
    "RowFormat",
    "TextData",
    "TextRow",
    "TokenBatches",
    "WholeRows",
    "count_truncated",
    "encode",
    "encode_split",
    "lengths_of",
    "load",
    "num_tokens_of",
    "pad",
    "row_hashes",
    "sorted_by_length",
    "tokenise",
    "tokens_with_targets",
]

_NEEDS_TORCH = {
    "Collator": "tinybert.data.collate",
    "LengthGroupedSampler": "tinybert.data.sampler",
    "TokenBatches": "tinybert.data.sampler",
    "WholeRows": "tinybert.data.whole_rows",
    "lengths_of": "tinybert.data.sampler",
    "num_tokens_of": "tinybert.data.whole_rows",
    "sorted_by_length": "tinybert.data.sampler",
    "tokens_with_targets": "tinybert.data.whole_rows",
}


def __getattr__(name: str) -> object:
    if name in _NEEDS_TORCH:
        return getattr(import_module(_NEEDS_TORCH[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
