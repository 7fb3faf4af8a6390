"""Which column is the text, the second text and the label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinybert.config import DataSection
from tinybert.data.labels import LabelKind
from tinybert.lookup import nearest
from tinybert.sources.columns import TEXT_NAMES

# the first name wins outright; two of the others together are ambiguous
PAIR_NAMES = ("text_pair", "sentence2", "sentence_b", "text2", "text_b", "hypothesis", "question2")
LABEL_NAMES = (
    *("label", "labels", "intent", "category", "class", "target", "score", "sentiment", "rating", "stars"),
    *("emotion", "topic", "similarity", "tags"),
)

TOKEN_NAMES = ("tokens", "words", *TEXT_NAMES)
TAG_NAMES = ("tags", "ner_tags", "spans", "entities", "label", "labels", "ner")
QUESTION_NAMES = ("question", "query")
CONTEXT_NAMES = ("context", "passage", "paragraph", "document", "text", "text_pair")
ANSWER_NAMES = ("answers", "answer", "label")

# kind of label → names of the text, the second text and the label
_KNOWN: dict[LabelKind, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "single": (TEXT_NAMES, PAIR_NAMES, LABEL_NAMES),
    "multi": (TEXT_NAMES, PAIR_NAMES, LABEL_NAMES),
    "value": (TEXT_NAMES, PAIR_NAMES, LABEL_NAMES),
    "tags": (TOKEN_NAMES, (), TAG_NAMES),
    "span": (QUESTION_NAMES, CONTEXT_NAMES, ANSWER_NAMES),
}


@dataclass(frozen=True)
class Columns:
    """The columns that are read; ``text_pair`` and ``label`` may be None."""

    text: str
    text_pair: str | None
    label: str | None


@dataclass(frozen=True)
class _Wish:
    setting: str
    name: str | None
    known: tuple[str, ...]
    what: str


def find_columns(
    present: Sequence[str], settings: DataSection, *, label_required: bool, kind: LabelKind = "single"
) -> tuple[Columns | None, list[str]]:
    """Choose the columns; return them (None when the text or a needed label is not found) and the problems.

    What the settings name must be there. Else known names are looked for, in any case. A second text is
    looked for only when the settings do not name the first: naming ``data.text`` alone means single texts.

    Example:
        >>> find_columns(["idx", "Sentence", "label"], DataSection(), label_required=True)[0]
        Columns(text='Sentence', text_pair=None, label='label')
    """
    problems: list[str] = []
    texts, pairs, labels = _KNOWN[kind]
    is_question = kind == "span"
    text_wish = _Wish("data.text", settings.text, texts, "question" if is_question else "text")
    text = _find(text_wish, present, problems, required=True)
    pair_names = () if settings.text and not is_question else pairs
    pair_wish = _Wish(
        "data.text_pair", settings.text_pair, pair_names, "context" if is_question else "second text"
    )
    pair = _find(pair_wish, present, problems, required=is_question)
    label_wish = _Wish("data.label", settings.label, labels, "answer" if is_question else "label")
    label = _find(label_wish, present, problems, required=label_required)
    chosen = [name for name in (text, pair, label) if name is not None]
    problems += [f"column {name!r} cannot be two things" for name in set(chosen) if chosen.count(name) > 1]
    return (None if problems or text is None else Columns(text, pair, label)), problems


def _find(wish: _Wish, present: Sequence[str], problems: list[str], *, required: bool) -> str | None:
    there_is = f"the columns are: {', '.join(present) or 'none'}"
    if wish.name is not None:
        if wish.name in present:
            return wish.name
        if required or wish.setting != "data.label":
            hint = nearest(wish.name, present)
            problems.append(f"{wish.setting}={wish.name}: no such column{hint} ({there_is})")
        return None
    found = [column for column in present if column.strip().lower() in wish.known]
    first = [column for column in found if column.strip().lower() == wish.known[0]]
    if len(first) == 1 or len(found) == 1:
        return (first or found)[0]
    if found:
        either = " and ".join(repr(column) for column in found)
        problems.append(f"{either} could each be the {wish.what}; say which with {wish.setting}={found[0]}")
    elif required:
        problems.append(f"no column is known as the {wish.what} ({there_is}); set {wish.setting}=COLUMN")
    return None
