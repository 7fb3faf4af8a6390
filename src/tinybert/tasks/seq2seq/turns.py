"""Turns of a dialogue: the source of a reply is the last turn, and the earlier ones stand before it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from tinybert.data.encode import encode
from tinybert.data.fields import FieldError, text_in, unpacked
from tinybert.data.labels import kind_of
from tinybert.data.row_format import Converter, Record, find_name
from tinybert.sources.objects import plain
from tinybert.sources.text_files import RawRow

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TURN = "\x1e"
"""Stands between the turns of a source, where an encoded row has the tokenizer's separator."""
HISTORY, MAYBE_HISTORY = "history", "context"
"""Columns of earlier turns; the second where it is a list, as a text may be called so too."""
DIALOGUES = ("messages", "turns", "utterances", "dialogue", "dialog", "conversations", "conversation")
"""Columns that hold a whole dialogue, where they hold a list."""
DIALOGUE_ID = "dialogue_id"
SPEAKER_NAMES, SAID_NAMES = ("speaker", "from", "role", "name"), ("text", "value", "content", "utterance")
REPLY_ROLES = ("assistant", "gpt", "bot", "model")
ROLES = (*REPLY_ROLES, "system", "user", "human")
"""Who speaks in chat formats. The order of turns says as much, so these are not written before a turn."""
OTHER_TASKS = ("target", "summary", "highlights")
"""Columns beside a dialogue that say what is written of it as a whole."""

Turn = tuple[str, str]
"""Who speaks, perhaps nobody, and what is said."""


def source_of_turns(turns: Sequence[str], *, max_turns: int) -> str:
    """Return the source of a reply to the last of these turns.

    Args:
        turns: The newest last, each with ``NAME: `` before it where speakers have names.
        max_turns: Most earlier turns that stand before the last one.

    Example:
        >>> source_of_turns(["hi", "hello", "how are you?"], max_turns=1).split(TURN)
        ['hello', 'how are you?']
    """
    return TURN.join(turn.replace(TURN, " ") for turn in turns[-1 - max_turns :])


def encode_turns(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], *, max_length: int
) -> dict[str, list[list[int]]]:
    """Encode sources; of one in turns the beginning is cut where it is too long, of others the end."""
    found = encode(tokenizer, texts, max_length=max_length)
    in_turns = [row for row, text in enumerate(texts) if TURN in text]
    if not in_turns:
        return found
    mark = f" {tokenizer.sep_token or tokenizer.eos_token or ''} "
    side, tokenizer.truncation_side = tokenizer.truncation_side, "left"
    try:
        joined = [texts[row].replace(TURN, mark) for row in in_turns]
        newest = encode(tokenizer, joined, max_length=max_length)
    finally:
        tokenizer.truncation_side = side
    for name, rows in newest.items():
        for row, ids in zip(in_turns, rows, strict=True):
            found[name][row] = ids
    return found


def earlier_turns(raw: Record, named: str | None) -> list[str]:
    """Return the earlier turns of a row: of the column that is named, else of a usual one.

    Raises:
        FieldError: It holds no turns.
    """
    if named is not None:
        return turns_in(raw.get(named), named)
    if column := find_name(raw, (HISTORY,)):
        return turns_in(raw[column], column)
    column = find_name(raw, (MAYBE_HISTORY,))
    value = None if column is None else _list_in(raw[column])
    return [] if column is None or value is None else turns_in(value, column)


def turns_in(value: object, column: str) -> list[str]:
    """Return the turns in a list, or in a text with a line a turn; ``NAME: `` is put before one of a speaker.

    Raises:
        FieldError: It holds something else.
    """
    value = plain(unpacked(value, column))
    if isinstance(value, str):
        value = [line.strip() for line in value.splitlines() if line.strip()]
    return [] if value is None else [_written(*turn) for turn in _turns(value, column)]


def _written(speaker: str, text: str) -> str:
    return f"{speaker}: {text}" if speaker and speaker.lower() not in ROLES else text


def _turns(value: object, column: str) -> list[Turn]:
    if not isinstance(value, list):
        raise FieldError(
            column,
            f"a {kind_of(value)} where turns are expected: a list of texts, or a text with a line a turn",
        )
    turns = [_turn(each, column, number) for number, each in enumerate(cast("list[object]", value), 1)]
    return [(speaker, text) for speaker, text in turns if text]


def _turn(given: object, column: str, number: int) -> Turn:
    """Return who says what; nothing is said in an empty turn."""
    place = f"{column}, turn {number}"
    row = cast(Record, given) if isinstance(given, Mapping) else {"text": given}
    said, speaker = find_name(row, SAID_NAMES), find_name(row, SPEAKER_NAMES)
    if said is None:
        allowed = ", ".join(SAID_NAMES)
        raise FieldError(place, f"an object with the keys {', '.join(row)}; one of {allowed} holds its text")
    if isinstance(row[said], str) and not str(row[said]).strip():
        return "", ""
    text = text_in({place: row[said]}, place).strip()
    who = row[speaker] if speaker else None
    return ("" if who is None or not str(who).strip() else text_in({place: str(who)}, place).strip()), text


def _list_in(value: object) -> list[object] | None:
    """Return the list that a field holds, also as JSON in a cell; None where it holds another value."""
    try:
        found = plain(unpacked(value, ""))
    except FieldError:
        return None
    return cast("list[object]", found) if isinstance(found, list) else None


def from_dialogue(raw: Record, number: int) -> list[RawRow] | None:
    """Unpack a whole dialogue: a row for each reply, and one without a target where none is a reply.

    Raises:
        FieldError: One of its turns is none.
    """
    column = find_name(raw, DIALOGUES)
    turns = None if column is None else _list_in(raw[column])
    if column is None or turns is None or find_name(raw, OTHER_TASKS):
        return None
    said = _turns(turns, column)
    written = [_written(*turn) for turn in said]
    if not written:
        raise FieldError(column, "no turn in it; at least two are needed, one and the reply to it")
    digest = hashlib.blake2b(json.dumps(written).encode(errors="surrogatepass"), digest_size=8).hexdigest()
    rows: list[RawRow] = [
        (number, _row(written[:reply], digest) | {"target": said[reply][1]}) for reply in _replies(said)
    ]
    return rows or [(number, _row(written, digest) | {"target": None})]


def _row(turns: Sequence[str], digest: str) -> dict[str, object]:
    return {DIALOGUE_ID: digest, "history": list(turns[:-1]), "source": turns[-1]}


def _replies(turns: Sequence[Turn]) -> list[int]:
    """Return which turns are replies: those of the side that replies, else all but the first."""
    roles = [speaker.lower() for speaker, _ in turns]
    sides = [name for name in (REPLY_ROLES, ("system",)) if any(role in name for role in roles)]
    replying = sides[0] if sides else roles
    return [index for index, role in enumerate(roles) if index and role in replying]


def from_translation(raw: Record, number: int) -> list[RawRow] | None:
    """Unpack ``{"translation": {"en": …, "de": …}}``, as data sets of the hub have it."""
    value: Any = plain(raw.get("translation"))
    return [(number, cast(Record, value))] if isinstance(value, Mapping) else None


CONVERTERS: dict[str, Converter] = {"dialogue": from_dialogue, "translation": from_translation}
