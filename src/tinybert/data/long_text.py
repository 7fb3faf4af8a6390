"""Rows longer than a model reads: their beginning and end in one row, or overlapping windows over them.

A row is tokenised whole; then its special tokens are kept, and of each text the stretches that are read.
A row that fits is read as it is, whatever the rule.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from tinybert.data.windows import OVERLAP, TRUNCATED, places, require_fast, require_room

if TYPE_CHECKING:
    from tokenizers import Encoding
    from transformers import PreTrainedTokenizerBase

HEAD_SHARE = 4
"""One piece in so many that are read of a long text is of its beginning, the others of its end."""

Columns = dict[str, list[Any]]
Indices = NDArray[np.int64]
Choose = Callable[[Sequence[int], int], list[list[Indices]]]
"""``(pieces of each text, pieces that fit) -> windows``, each the indices that are read of each text."""


def encode_head_tail(
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    pairs: Sequence[str] | None = None,
    *,
    max_length: int,
) -> Columns:
    """Encode texts or pairs, one row each; of what is too long the beginning and the end are read.

    A quarter of a long text's pieces is of its beginning, three quarters of its end. Of a pair the shorter
    text may fill half, the longer one takes the rest; each is cut where it is longer than that.

    Returns:
        One entry a row: ``input_ids``, ``token_type_ids`` where the tokenizer gives them, ``piece_starts``
        and ``piece_ends`` (see :mod:`tinybert.data.windows`), ``example``, and ``truncated``.

    Source: head+tail of arXiv:1905.05583, which reads 128 and 382 of 510 pieces.

    Differs: the same share at any length, and pairs.
    """
    return _encode(tokenizer, texts, pairs, max_length=max_length, choose=head_tail)


def encode_text_windows(
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    pairs: Sequence[str] | None = None,
    *,
    max_length: int,
    max_windows: int,
) -> Columns:
    """Encode texts or pairs in windows of at most ``max_length`` pieces; neighbours share a third of that.

    Of a pair the windows move over the longer text (the second of equals). The other one is in each of
    them, cut at its end to a third of a window, or to what the longer one leaves free.

    Args:
        tokenizer: A fast tokenizer.
        texts: One text a row.
        pairs: The second text of each row, or None.
        max_length: Longest window in tokens.
        max_windows: Most windows of a row; of more, so many are read, spread evenly over the text, the first
            and the last among them.

    Returns:
        One entry a window, as :func:`encode_head_tail`. Windows of a row are adjacent, in order.

    Raises:
        DataError: So few pieces leave no room for a window to move.
    """
    require_room(tokenizer, max_length, is_pair=pairs is not None)
    overlap = max_length // OVERLAP

    def choose(lengths: Sequence[int], room: int) -> list[list[Indices]]:
        return text_windows(lengths, room, overlap=overlap, max_windows=max_windows)

    return _encode(tokenizer, texts, pairs, max_length=max_length, choose=choose)


def head_tail(lengths: Sequence[int], room: int) -> list[list[Indices]]:
    """Choose a quarter from the beginning and the rest from the end of what is too long.

    Example:
        >>> [indices.tolist() for indices in head_tail([10], 8)[0]]
        [[0, 1, 4, 5, 6, 7, 8, 9]]
    """
    shorter = min(min(lengths), room // 2)
    budgets = [room] if len(lengths) == 1 else [room - shorter, shorter]
    if len(lengths) == 2 and lengths[0] <= lengths[1]:
        budgets.reverse()
    return [[_both_ends(length, budget) for length, budget in zip(lengths, budgets, strict=True)]]


def _both_ends(length: int, budget: int) -> Indices:
    if length <= budget:
        return np.arange(length)
    head = budget // HEAD_SHARE
    return np.concatenate([np.arange(head), np.arange(length - budget + head, length)])


def text_windows(lengths: Sequence[int], room: int, *, overlap: int, max_windows: int) -> list[list[Indices]]:
    """Choose overlapping windows over the longer text.

    Example:
        >>> [window[0].tolist() for window in text_windows([9], 5, overlap=2, max_windows=8)]
        [[0, 1, 2, 3, 4], [3, 4, 5, 6, 7], [6, 7, 8]]
    """
    moving = max(range(len(lengths)), key=lambda text: (lengths[text], text))
    length, other = lengths[moving], sum(lengths) - lengths[moving]
    kept = min(other, max(overlap, room - length))
    width = room - kept
    starts = np.arange(0, max(1, length - overlap), width - overlap)
    if len(starts) > max_windows:
        starts = starts[np.linspace(0, len(starts) - 1, max_windows).round().astype(int)]
    stretches = [np.arange(start, min(start + width, length)) for start in starts.tolist()]
    if len(lengths) == 1:
        return [[stretch] for stretch in stretches]
    whole = np.arange(kept)
    return [[whole, stretch] if moving else [stretch, whole] for stretch in stretches]


def num_rows_truncated(windows: Mapping[str, Sequence[Any]]) -> int:
    """Return how many rows are not read whole; 0 where the encoded columns do not say."""
    if TRUNCATED not in windows:
        return 0
    return len({row for row, is_cut in zip(windows["example"], windows[TRUNCATED], strict=True) if is_cut})


def _encode(
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    pairs: Sequence[str] | None,
    *,
    max_length: int,
    choose: Choose,
) -> Columns:
    names = ("input_ids", "piece_starts", "piece_ends", "example", TRUNCATED)
    columns: Columns = {name: [] for name in names}
    if not texts:
        return columns
    require_fast(tokenizer)
    found = tokenizer(
        list(texts),
        None if pairs is None else list(pairs),
        truncation=False,
        padding=False,
        return_attention_mask=False,
        verbose=False,
    )
    if "token_type_ids" in found:
        columns["token_type_ids"] = []
    for row, encoding in enumerate(cast("list[Encoding]", found.encodings)):
        shifts = (0, 0 if pairs is None else len(texts[row]) + 1)
        _add(columns, row, encoding, shifts, max_length=max_length, choose=choose)
    return columns


def _add(
    columns: Columns,
    row: int,
    encoding: Encoding,
    shifts: tuple[int, int],
    *,
    max_length: int,
    choose: Choose,
) -> None:
    """Add the windows of one row."""
    starts, ends = places(encoding, shifts)
    values = {"input_ids": encoding.ids, "piece_starts": starts, "piece_ends": ends}
    if "token_type_ids" in columns:
        values["token_type_ids"] = encoding.type_ids
    windows, truncated = [range(len(encoding))], False
    if len(encoding) > max_length:
        windows, truncated = _windows_of(encoding, max_length, choose)
    for window in windows:
        for name, given in values.items():
            columns[name].append([given[index] for index in window])
    columns["example"] += [row] * len(windows)
    columns[TRUNCATED] += [truncated] * len(windows)


def _windows_of(encoding: Encoding, max_length: int, choose: Choose) -> tuple[Sequence[Sequence[int]], bool]:
    """Return the pieces of each window, and whether some piece is in none."""
    part = np.array([-1 if text is None else text for text in encoding.sequence_ids])
    special = np.flatnonzero(part < 0)
    texts = [np.flatnonzero(part == text) for text in range(int(part.max()) + 1)]
    chosen = choose([len(text) for text in texts], max_length - len(special))
    windows = [
        np.sort(np.concatenate([special, *(text[read] for text, read in zip(texts, window, strict=True))]))
        for window in chosen
    ]
    is_read = np.zeros(len(part), dtype=bool)
    is_read[np.concatenate(windows)] = True
    return [window.tolist() for window in windows], not bool(is_read.all())
