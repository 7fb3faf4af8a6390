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

from tinybert.errors import DataError, ModelError

if TYPE_CHECKING:
    from tokenizers import Encoding
    from transformers import PreTrainedTokenizerBase

Columns = dict[str, list[Any]]

NOWHERE = -1
IGNORED = -100
MIN_WINDOW = 16
OVERLAP = 3  # neighbouring windows share a third of their length
OFFSETS = ("piece_starts", "piece_ends")
TRUNCATED = "truncated"
"""Column that says of each encoded row or window whether some piece of its row is never read."""


def encode_windows(
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    contexts: Sequence[str] | None = None,
    *,
    max_length: int,
) -> Columns:
    """Cut rows into windows of at most ``max_length`` pieces.

    With contexts a row is a question (``texts``) and its context: the question is in every window, cut to
    a third of it, and the context is what the windows move over; ``truncated`` says whether it was cut.

    Returns:
        One entry a window: ``input_ids``, ``token_type_ids`` where the tokenizer gives them, ``piece_starts``
        and ``piece_ends``, and ``example``, the row it belongs to. Windows of a row are adjacent, in order.

    Raises:
        DataError: So few pieces leave no room for a window to move.
    """
    overlap = max_length // OVERLAP
    require_room(tokenizer, max_length, is_pair=contexts is not None)
    if not contexts:
        return _encoded(tokenizer, texts, contexts, None, max_length=max_length, overlap=overlap)
    shifts = [(0, len(text) + 1) for text in texts]
    short = [_cut(tokenizer, text, overlap) for text in texts]
    found = _encoded(tokenizer, short, contexts, shifts, max_length=max_length, overlap=overlap)
    return found | {TRUNCATED: [short[row] != texts[row] for row in found["example"]]}


def require_room(tokenizer: PreTrainedTokenizerBase, max_length: int, *, is_pair: bool) -> None:
    """Refuse windows that are too short to move.

    Raises:
        DataError: Beside special tokens, the overlap, and a third for the text that is in every window, no
            piece is left.
    """
    overlap = max_length // OVERLAP
    room = max_length - tokenizer.num_special_tokens_to_add(pair=is_pair)
    if room <= (2 if is_pair else 1) * overlap:
        raise DataError("data.max_length", f"{max_length} tokens make no window; {MIN_WINDOW} always do")


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
    shifts = None if pairs is None else [(0, len(text) + 1) for text in texts]
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
    names = [name for name in ("text", "text_pair") if name in rows]
    sliced = [
        _slices([rows[name][row] for name in names], starts, ends)
        for row, starts, ends in zip(
            windows["example"], windows["piece_starts"], windows["piece_ends"], strict=True
        )
    ]
    found = _encoded(
        tokenizer,
        [texts[0] for texts, _ in sliced],
        [texts[1] for texts, _ in sliced] if len(names) > 1 else None,
        [(begins[0], begins[-1]) for _, begins in sliced],
        max_length=max_length,
        truncation="longest_first",
    )
    del found["example"]
    return found


def _encoded(
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    contexts: Sequence[str] | None,
    shifts: Sequence[tuple[int, int]] | None,
    *,
    max_length: int,
    overlap: int | None = None,
    truncation: str | None = None,
) -> Columns:
    """Encode rows; ``shifts`` says where each row's text begins, and its second text or context."""
    columns: Columns = {"input_ids": [], "piece_starts": [], "piece_ends": [], "example": []}
    if not texts:
        return columns
    require_fast(tokenizer)
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
    for encoding, example in zip(encodings, columns["example"], strict=True):
        starts, ends = places(encoding, shifts[example] if shifts else (0, 0))
        columns["input_ids"].append(encoding.ids)
        columns["piece_starts"].append(starts)
        columns["piece_ends"].append(ends)
    if "token_type_ids" in found:
        columns["token_type_ids"] = [encoding.type_ids for encoding in encodings]
    return columns


def require_fast(tokenizer: PreTrainedTokenizerBase) -> None:
    """Refuse a tokenizer that does not say where a piece is in the text.

    Raises:
        ModelError: It is a slow one.
    """
    if not tokenizer.is_fast:
        raise ModelError(
            type(tokenizer).__name__,
            "a slow tokenizer, which has no offsets; named entities, questions and windows of long texts "
            "need a model with a fast one (tokenizer.json)",
        )


def places(encoding: Encoding, shifts: tuple[int, int]) -> tuple[list[int], list[int]]:
    """Return the offsets of each piece: those of a row's first text moved by the first shift, and so on."""
    starts: list[int] = []
    ends: list[int] = []
    for (start, end), part in zip(encoding.offsets, encoding.sequence_ids, strict=True):
        starts.append(NOWHERE if part is None else start + shifts[part])
        ends.append(NOWHERE if part is None else end + shifts[part])
    return starts, ends


def _cut(tokenizer: PreTrainedTokenizerBase, text: str, num_pieces: int) -> str:
    """Return a text cut to a number of pieces, before the character that the first piece too many is of."""
    require_fast(tokenizer)
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


def _slices(texts: Sequence[str], starts: Sequence[int], ends: Sequence[int]) -> tuple[list[str], list[int]]:
    """Return what a window's pieces lie over of each text of its row, and at which offset that begins."""
    slices: list[str] = []
    begins: list[int] = []
    offset = 0
    for text in texts:
        behind = offset + len(text)
        inside = [place for place in zip(starts, ends, strict=True) if offset <= place[0] <= behind]
        first, last = (min(s for s, _ in inside), max(e for _, e in inside)) if inside else (offset, offset)
        slices.append(text[first - offset : last - offset])
        begins.append(first)
        offset = behind + 1
    return slices, begins
