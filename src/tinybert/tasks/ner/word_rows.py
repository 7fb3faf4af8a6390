"""Tables with one word a row, as CoNLL files become in a spreadsheet: the rows of a sentence → one row.

The column that numbers sentences is filled in every row, or only where a sentence begins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice

import regex

from tinybert.data.fields import FieldError, is_missing
from tinybert.data.labels import kind_of
from tinybert.data.row_format import Record
from tinybert.sources.columns import TEXT_NAMES
from tinybert.sources.objects import ROWS_PEEKED, plain
from tinybert.sources.text_files import Fault, RawRow
from tinybert.tasks.ner.schemes import is_tag, to_bio

WORD_NAMES = ("word", "words", "token", "tokens")
TAG_NAMES = (
    *("tag", "tags", "ner tag", "ner tags", "ner", "label", "labels", "bio", "bio tag", "iob", "iob tag"),
    *("entity", "entities", "entity tag"),
)
SENTENCE_NAMES = (
    *("sentence id", "sentence idx", "sentence index", "sentence no", "sentence nr", "sentence num"),
    *("sentence number", "sentenceid", "sent id", "sent idx", "sent no", "sentid", "sid", "sent", "sentence"),
)

DOCUMENT_NAMES = ("document id", "document", "doc id", "docid", "doc", "article id", "article", "file")
NOT_LETTERS = regex.compile(r"[\W_]+")
MIN_ROWS = 2
MAX_ODD = 0.2
"""Of the first words of a table, so many may hold a space (``20 000``) or be no text."""

Rows = Iterator[RawRow | Fault]
Key = tuple[str | None, ...]


@dataclass(frozen=True)
class WordColumns:
    """The columns of a table with one word a row.

    Attributes:
        word: The word.
        tag: Its tag; None where the table has none.
        sentence: What numbers its document and its sentence; empty where nothing does.
        kept: Other columns that say the same in all rows of a sentence.
    """

    word: str
    tag: str | None
    sentence: tuple[str, ...]
    kept: tuple[str, ...] = ()


def joined_sentences(rows: Rows, *, text: str | None, label: str | None, names: tuple[str, str]) -> Rows:
    """Yield the sentences of a table with one word a row; the rows of any other table are unchanged.

    A sentence has the number of its first row. A row that cannot be used makes its whole sentence a fault
    with the number of that row. Where nothing numbers the sentences, the first row is a fault that cannot be
    set aside.

    Args:
        rows: The rows.
        text: The column of words, where it was named.
        label: The column of tags, where it was named.
        names: What columns of lists of words and of tags are called, where these were not named.
    """
    head = list(islice(rows, ROWS_PEEKED))
    columns = find_word_columns([row[1] for row in head if not isinstance(row, Fault)], text, label)
    rows = chain(head, rows)
    if columns is None:
        yield from rows
    elif not columns.sentence:
        yield _no_sentences(next(row for row in rows if not isinstance(row, Fault)), columns)
    else:
        for sentence in _sentences(rows, columns):
            is_row = isinstance(sentence, _Sentence)
            yield sentence.joined(columns, text or names[0], label or names[1]) if is_row else sentence


def find_word_columns(records: Sequence[Record], text: str | None, label: str | None) -> WordColumns | None:
    """Return the columns of a table with one word a row, by its first rows; None where it is any other table.

    Without a number of the sentence these are words only where each has a tag such as B-PER; without tags,
    only where the column is called one of words.
    """
    if len(records) < MIN_ROWS:
        return None
    spelled = {_folded(name): str(name) for record in reversed(records) for name in record}
    found = [spelled[name] for name in SENTENCE_NAMES if name in spelled and spelled[name] != text]
    for sentence in [*found[:1], None]:
        rest = {name: column for name, column in spelled.items() if column != sentence}
        word = _first(records, (*WORD_NAMES, *map(_folded, TEXT_NAMES)), rest, named=text, is_one=_is_word)
        if word is None:
            continue
        tag = _first(records, TAG_NAMES, rest, named=label, is_one=_is_tag)
        if sentence and _repeats(records, sentence) and (tag or _folded(word) in WORD_NAMES):
            documents = [spelled[name] for name in DOCUMENT_NAMES if name in rest and spelled[name] != word]
            return _with_others(WordColumns(word, tag, (*documents, sentence)), records)
        if tag and all(is_tag(str(record.get(tag)).strip()) for record in records):
            return WordColumns(word, tag, ())
    return None


def _folded(name: object) -> str:
    return NOT_LETTERS.sub(" ", str(name).lower()).strip()


def _first(
    records: Sequence[Record],
    usual: Sequence[str],
    columns: Mapping[str, str],
    *,
    named: str | None,
    is_one: Callable[[object], bool],
) -> str | None:
    """Return the first column whose cells hold one word, or one tag, each; nearly all of them."""
    candidates = [named] if named else [columns[name] for name in usual if name in columns]
    for column in candidates:
        cells = [cell for record in records if not is_missing(cell := plain(record.get(column)))]
        if cells and sum(not is_one(cell) for cell in cells) <= MAX_ODD * len(cells):
            return column
    return None


def _is_word(cell: object) -> bool:
    return isinstance(cell, str) and len(cell.split()) == 1 and not cell.startswith(('["', "['"))


def _is_tag(cell: object) -> bool:
    return isinstance(cell, int) or (isinstance(cell, str) and len(cell.split()) == 1 and cell[0] != "[")


def _repeats(records: Sequence[Record], column: str) -> bool:
    """Return whether several rows are of one sentence: its number is there again, or left out behind."""
    numbers = [_number(record, column) for record in records]
    given = [number for number in numbers if number is not None]
    return 0 < len(set(given)) < len(numbers)


def _with_others(columns: WordColumns, records: Sequence[Record]) -> WordColumns:
    """Add the columns that are of sentences, not of words, in these rows."""
    used = {columns.word, columns.tag, *columns.sentence}
    others = dict.fromkeys(name for record in records for name in record if name not in used)
    of_words: set[str] = set()
    key, first = None, records[0]
    for record in records:
        key, before = _key(record, columns, key), key
        first = record if key != before else first
        cells = ((name, record.get(name)) for name in others)
        of_words.update(name for name, cell in cells if not is_missing(cell) and cell != first.get(name))
    return replace(columns, kept=tuple(name for name in others if name not in of_words))


def _number(record: Record, column: str) -> str | None:
    cell = plain(record.get(column))
    return None if is_missing(cell) else str(cell).strip().removesuffix(".0")  # pandas' numbers beside gaps


def _no_sentences(row: RawRow, columns: WordColumns) -> Fault:
    return Fault(
        row[0],
        f"one word a row ({columns.word}) with its tag ({columns.tag}), and no column says where a sentence "
        "begins; add a column sentence_id with its number, or give a row a whole sentence, its words and its "
        'tags as lists: ["Ann", "left"], ["B-PER", "O"]',
        row[1],
        is_fatal=True,
    )


@dataclass
class _Sentence:
    """The rows of one sentence.

    Attributes:
        key: Its number, behind that of its document.
        first: Its first row.
        rows: Each word with the number of its row and its tag.
        wrong: Why it cannot be used, with the number of the row.
    """

    key: Key
    first: Record
    rows: list[tuple[int, object, object]] = field(default_factory=list[tuple[int, object, object]])
    wrong: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])

    def joined(self, columns: WordColumns, word_name: str, tag_name: str) -> RawRow | Fault:
        """Return the sentence as one row, or as a fault."""
        words, tags = [word for _, word, _ in self.rows], [tag for _, _, tag in self.rows]
        is_tagged = any(tag is not None for tag in tags)
        others = {name: self.first.get(name) for name in columns.kept}
        raw = {**others, **dict(zip(columns.sentence, self.key, strict=True)), word_name: words}
        if columns.tag:
            raw[tag_name] = tags if is_tagged else None
        wrong = [*self.wrong, *self._problems(columns, is_tagged=is_tagged)]
        if not wrong:
            return self.rows[0][0], raw
        first, last = (self.rows[index][0] for index in (0, -1))
        more = f", and {len(wrong) - 1:,} more" if len(wrong) > 1 else ""
        number, why = min(wrong)
        return Fault(number, f"{why}{more}; the whole sentence ({first:,}–{last:,}) cannot be used", raw)

    def _problems(self, columns: WordColumns, *, is_tagged: bool) -> Iterator[tuple[int, str]]:
        for number, word, tag in self.rows:
            if problem := _word_problem(word):
                yield number, f"{columns.word}: {problem}"
            elif columns.tag and is_tagged and (problem := _tag_problem(tag, columns.tag)):
                yield number, f"{columns.tag}: {problem}"


def _word_problem(word: object) -> str | None:
    if is_missing(word):
        empty = "empty; a word has visible characters"
        nan = "missing; pandas reads the words null, NA and nan so: keep them with keep_default_na=False"
        return empty if isinstance(word, str) else nan
    if not isinstance(word, str):
        return f"a {kind_of(word)} where a word is expected; write it in quotes"
    return None


def _tag_problem(tag: object, column: str) -> str | None:
    if tag is None:
        return "missing; give each word a tag, O for none"
    try:
        to_bio([tag] if isinstance(tag, str) else [], column)
    except FieldError as error:
        return str(error)
    return None


def _sentences(rows: Rows, columns: WordColumns) -> Iterator[_Sentence | Fault]:
    """Yield the sentences, and a fault that ends the table.

    A row that cannot be read may be of the sentence before it or of the one behind; neither can be used. A
    row with nothing in it is skipped.
    """
    now: _Sentence | None = None
    begun: dict[Key, int] = {}
    broken: list[tuple[int, str]] = []
    for row in rows:
        if isinstance(row, Fault):
            if row.is_fatal:
                yield row
            broken.append((row.number, row.why))
            continue
        number, raw = row
        if all(is_missing(plain(cell)) for cell in raw.values()):
            continue
        key = _key(raw, columns, now.key if now else None)
        if now:
            now.wrong += broken
        if now is None or key != now.key:
            if now:
                yield now
            now = _Sentence(key, raw, wrong=list(broken))
            if key in begun:
                now.wrong.append((number, _again(columns, key, begun[key])))
            begun.setdefault(key, number)
        broken = []
        tag = plain(raw.get(columns.tag)) if columns.tag else None
        now.rows.append((number, plain(raw.get(columns.word)), None if is_missing(tag) else tag))
    if now:
        now.wrong += broken
        yield now


def _key(raw: Record, columns: WordColumns, before: Key | None) -> Key:
    """Return what numbers a row's sentence: where a cell is empty, what is above it."""
    given = [_number(raw, column) for column in columns.sentence]
    return tuple(
        old if new is None else new for new, old in zip(given, before or [None] * len(given), strict=True)
    )


def _again(columns: WordColumns, key: Key, first: int) -> str:
    return (
        f"{columns.sentence[-1]}: {key[-1]} is there before, from {first:,} on; sort the rows so that those "
        "of a sentence follow each other, or where numbers begin again in each document add a column "
        "document_id"
    )
