"""Texts of any length → windows that a model can read, with the offsets of every piece in the text.

A *piece* is what a tokenizer cuts; a *window* is a stretch of pieces between special tokens. Neighbouring
windows overlap, so that each word is somewhere with words around it.

The offsets of a piece are in characters from the beginning of the row: of the text, or of the question,
then one character, then the context. Special tokens, and padding, have the offset -1. Two tokenizers cut the
same characters differently: the offsets say which pieces of one lie over which of the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from tinybert.errors import DataError

if TYPE_CHECKING:
    from tokenizers import Encoding
    from transformers import PreTrainedTokenizerBase

Columns = dict[str, list[Any]]

NOWHERE = -1
IGNORED = -100
MIN_WINDOW = 16
OVERLAP = 3  # neighbouring windows share a third of their length
OFFSETS = ("piece_starts", "piece_ends")


def encode_windows(
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    contexts: Sequence[str] | None = None,
    *,
    max_length: int,
) -> Columns:
    """Cut rows into windows of at most ``max_length`` pieces.

    With contexts a row is a question (``texts``) and its context: the question is in every window, cut to
    a third of it, and the context is what the windows move over.

    Returns:
        One entry a window: ``input_ids``, ``token_type_ids`` where the tokenizer gives them, ``piece_starts``
        and ``piece_ends``, and ``example``, the row it belongs to. Windows of a row are adjacent, in order.

    Raises:
        DataError: So few pieces leave no room for a window to move.
    """
    shifts = None
    overlap = max_length // OVERLAP
    room = max_length - tokenizer.num_special_tokens_to_add(pair=contexts is not None)
    if room <= (1 if contexts is None else 2) * overlap:
        raise DataError("data.max_length", f"{max_length} tokens make no window; {MIN_WINDOW} always do")
    if contexts is not None:
        shifts = [len(text) + 1 for text in texts]
        texts = [_cut(tokenizer, text, overlap) for text in texts]
    return _encoded(tokenizer, texts, contexts, shifts, max_length=max_length, overlap=overlap)


def encode_whole(
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    pairs: Sequence[str] | None = None,
    *,
    max_length: int,
) -> Columns:
    """Encode texts or pairs, one row each, with the offsets of every piece; what is too long is cut.

    Returns:
        As :func:`encode_windows`, without ``example``.
    """
    shifts = None if pairs is None else [len(text) + 1 for text in texts]
    found = _encoded(tokenizer, texts, pairs, shifts, max_length=max_length, truncation="longest_first")
    del found["example"]
    return found


def encode_same_windows(
    tokenizer: PreTrainedTokenizerBase,
    rows: Mapping[str, Sequence[Any]],
    windows: Mapping[str, Sequence[Any]],
    *,
    max_length: int,
) -> Columns:
    """Let another tokenizer read exactly the characters of given windows.

    Args:
        tokenizer: The other one.
        rows: ``text``, and ``text_pair`` where a row is a question and its context.
        windows: Of these rows, as :func:`encode_windows` cut them; ``example`` counts from 0.
        max_length: What does not fit is cut off.

    Returns:
        One entry a window, without ``example``.
    """
    chosen = [int(row) for row in windows["example"]]
    contexts = rows.get("text_pair")
    texts = [rows["text"][row] for row in chosen]
    starts = [0] * len(chosen) if contexts is None else [len(text) + 1 for text in texts]
    bodies = texts if contexts is None else [contexts[row] for row in chosen]
    ranges = [
        _range(windows["piece_starts"][index], windows["piece_ends"][index], start)
        for index, start in enumerate(starts)
    ]
    slices = [body[first:last] for body, (first, last) in zip(bodies, ranges, strict=True)]
    shifts = [start + first for start, (first, _) in zip(starts, ranges, strict=True)]
    if contexts is None:
        found = _encoded(tokenizer, slices, None, shifts, max_length=max_length)
    else:
        texts = [_cut(tokenizer, text, max_length // OVERLAP) for text in texts]
        found = _encoded(tokenizer, texts, slices, shifts, max_length=max_length)
    del found["example"]
    return found


def _encoded(
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    contexts: Sequence[str] | None,
    shifts: Sequence[int] | None,
    *,
    max_length: int,
    overlap: int | None = None,
    truncation: str | None = None,
) -> Columns:
    """Encode rows; ``shifts`` says where the text, or the context of a question, begins."""
    columns: Columns = {"input_ids": [], "piece_starts": [], "piece_ends": [], "example": []}
    if not texts:
        return columns
    in_windows: dict[str, Any] = (
        {} if overlap is None else {"stride": overlap, "return_overflowing_tokens": True}
    )
    found = tokenizer(
        list(texts),
        None if contexts is None else list(contexts),
        truncation=truncation or ("only_first" if contexts is None else "only_second"),
        max_length=max_length,
        padding=False,
        return_attention_mask=False,
        verbose=False,
        **in_windows,
    )
    encodings = cast("list[Encoding]", found.encodings)
    columns["example"] = list(found.get("overflow_to_sample_mapping") or range(len(encodings)))
    body = 0 if contexts is None else 1
    for encoding, example in zip(encodings, columns["example"], strict=True):
        shift = shifts[example] if shifts else 0
        starts, ends = _places(encoding, body, shift)
        columns["input_ids"].append(encoding.ids)
        columns["piece_starts"].append(starts)
        columns["piece_ends"].append(ends)
    if "token_type_ids" in found:
        columns["token_type_ids"] = [encoding.type_ids for encoding in encodings]
    return columns


def _places(encoding: Encoding, body: int, shift: int) -> tuple[list[int], list[int]]:
    starts: list[int] = []
    ends: list[int] = []
    for (start, end), part in zip(encoding.offsets, encoding.sequence_ids, strict=True):
        moved = shift if part == body else 0
        starts.append(NOWHERE if part is None else start + moved)
        ends.append(NOWHERE if part is None else end + moved)
    return starts, ends


def _cut(tokenizer: PreTrainedTokenizerBase, text: str, num_pieces: int) -> str:
    """Return a text cut to a number of pieces, before the character that the first piece too many is of."""
    found = tokenizer(
        text,
        add_special_tokens=False,
        truncation=False,
        padding=False,
        return_offsets_mapping=True,
        verbose=False,
    )
    offsets = found["offset_mapping"]
    return text if len(offsets) <= num_pieces else text[: offsets[num_pieces][0]].rstrip()


def _range(starts: Sequence[int], ends: Sequence[int], shift: int) -> tuple[int, int]:
    """Return the first and the last character of a window, counted in its text or context."""
    inside = [(start, end) for start, end in zip(starts, ends, strict=True) if start >= shift]
    return (min(s for s, _ in inside) - shift, max(e for _, e in inside) - shift) if inside else (0, 0)
