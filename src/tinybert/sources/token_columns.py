"""Files of columns, one token a line: CoNLL and its kin, CoNLL-U, GermEval."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from tinybert.console import say
from tinybert.sources.encoding import SourceFile, printable
from tinybert.sources.text_files import Fault, RawRow

NO_TOKEN = re.compile(r"[0-9]+[-.][0-9]+")
"""What CoNLL-U calls a line that stands for several tokens (``1-2``), or for a word left out (``8.1``)."""
SENTENCES_PEEKED = LINES_PEEKED = 20
TAG = re.compile(r"O|[BIESLUM][-_].+")
CHUNK = re.compile(r"[BI]-(NP|VP|PP|ADVP|ADJP|SBAR|PRT|CONJP|INTJ|LST|UCP)")
"""The tag of a phrase, which CoNLL has in the column before that of entities."""
MIN_TAGS = 0.9
"""In a column of tags at least so many are tags; others are mistakes."""
OF_TOKENS, OF_TAGS = ("word", "words", "token", "tokens"), ("tag", "tags", "label", "ner_tag", "ner_tags")
"""What a header calls the first column and the last one."""
GERMEVAL_WIDTH, CONLLU_WIDTH = 4, 10


@dataclass(frozen=True)
class Layout:
    """The columns of a file that counts its tokens, and of any other.

    Attributes:
        counts: The first column counts the tokens: 1, 2, 3, … in each sentence; the token is the second.
        tag: The column of the tag; None where there is none.
    """

    counts: bool = False
    tag: int | None = -1

    def token_in(self, fields: Sequence[str]) -> str:
        """Return the token of a line."""
        return fields[1] if self.counts and len(fields) > 1 else fields[0]

    def tag_in(self, fields: Sequence[str]) -> str:
        """Return the tag of a line, or whatever is in its place where the line is a faulty one."""
        return fields[self.tag if self.tag and self.tag < len(fields) else -1].strip()


def layout_of(file: SourceFile) -> Layout:
    """Return where tokens and tags are, as the first 20 sentences show.

    The tag is last. In a file that counts its tokens it is the outer of two (GermEval), or the only column
    of tags, wherever that is; CoNLL-U has none.

    Raises:
        DataError: The encoding cannot be told for sure.
    """
    lines = _counted_lines(file)
    if lines is None:
        return Layout()
    width = len(lines[0])
    phrases = {column for line in lines for column, tag in enumerate(line[:-1]) if CHUNK.fullmatch(tag)}
    tagged = [column for column in range(2, width) if column not in phrases and _are_tags(lines, column)]
    if width == GERMEVAL_WIDTH and tagged == [2, 3] and _num_entities(lines, 2) >= _num_entities(lines, 3):
        say(
            f"{file.name}: two columns of tags, as in GermEval: the outer ones, in column 3, are read, those "
            "of entities inside others are not"
        )
        return Layout(counts=True, tag=2)
    if not tagged and width == CONLLU_WIDTH:
        say(
            f"{file.name}: a file of CoNLL-U, none of whose ten columns holds tags of entities such as "
            "B-PER: its sentences have no labels"
        )
        return Layout(counts=True, tag=None)
    return Layout(counts=True, tag=tagged[-1] if tagged else -1)


def _are_tags(lines: Sequence[Sequence[str]], column: int) -> bool:
    tags = [line[column] for line in lines if len(line) > column]
    return sum(TAG.fullmatch(tag.strip()) is not None for tag in tags) >= MIN_TAGS * len(lines)


def _num_entities(lines: Sequence[Sequence[str]], column: int) -> int:
    """Return how many tokens are in entities by one column: the outer of two has as many or more."""
    return sum(line[column].strip() != "O" for line in lines if len(line) > column)


def begins_with_tokens(file: SourceFile) -> bool:
    """Return whether the first lines of a table are tokens with tags: it has no header, and is no table."""
    lines: list[list[str]] = []
    for line in file.lines():
        text, fields = _fields(line)
        if text.strip() and not fields[0].startswith(("#", "-DOCSTART-")):
            lines.append(fields)
        if len(lines) == LINES_PEEKED:
            break
    columns = range(1, min(map(len, lines), default=0))
    return any(all(TAG.fullmatch(line[column].strip()) for line in lines) for column in columns)


def read_columns(file: SourceFile, layout: Layout | None = None) -> Iterator[RawRow | Fault]:
    """Yield the sentences of a file of columns: a token and its tag a line, a blank line between sentences.

    Columns are parted by tabs, or else by spaces; empty ones at the end do not count. Every line has as many
    as the first: a token with a space in it needs tabs. Lines of ``-DOCSTART-`` and comments (``# …`` before
    a sentence, in another number of columns or as ``# key = value``) are no tokens. A sentence's number is
    that of its first line. The first column is the token and the last one the tag, unless the layout, that
    of the file where none is given, is another.
    """
    layout = layout or layout_of(file)
    counts = layout.counts
    tokens: list[str] = []
    tags: list[str] = []
    first, wrong, width = 0, "", 0
    for number, line in enumerate(chain(file.lines(), [""]), start=1):
        text, fields = _fields(line)
        if not width and _is_header(fields):
            continue
        if not text.strip() or fields[0] == "-DOCSTART-":
            if wrong:
                yield Fault(first, wrong, {"tokens": [printable(token) for token in tokens]})
            elif tokens:
                yield first, {"tokens": tokens, "tags": tags if layout.tag is not None else None}
            tokens, tags, wrong = [], [], ""
        elif counts and (fields[0].startswith("#") or NO_TOKEN.fullmatch(fields[0])):
            continue
        elif tokens or wrong or not _is_comment(fields, width or 2):
            first, width = first if tokens or wrong else number, width or len(fields)
            broken = file.broken(text)
            why = f": {broken}" if broken else _wrong_columns(text, fields, width, counts=counts)
            wrong = wrong or (f"line {number:,}{why}" if why else "")
            tokens.append(layout.token_in(fields))
            tags.append(layout.tag_in(fields))


def _fields(line: str) -> tuple[str, list[str]]:
    """Return a line without its end, and its columns."""
    text = line.rstrip(" \t\r\n")
    return text, text.split("\t") if "\t" in text else [field for field in text.split(" ") if field]


def _counted_lines(file: SourceFile) -> list[list[str]] | None:
    """Return the first lines where the first of three columns or more counts the tokens in each sentence.

    One sentence at least has two tokens, as a sentence may be the number 1 alone. None where it does not.
    """
    lines: list[list[str]] = []
    longest = count = num_sentences = 0
    for line in chain(file.lines(), [""]):
        text, fields = _fields(line)
        if not text.strip():
            longest, num_sentences, count = max(longest, count), num_sentences + (count > 0), 0
            if num_sentences == SENTENCES_PEEKED:
                break
        elif fields[0].startswith(("#", "-DOCSTART-")) or NO_TOKEN.fullmatch(fields[0]):
            continue
        elif fields[0] != str(count + 1) or (len(fields) < 3 and not lines):
            return None
        else:
            count += 1
            lines.append(fields)
    return lines if longest > 1 else None


def _wrong_columns(text: str, fields: Sequence[str], width: int, *, counts: bool) -> str:
    """Return what is wrong with the columns of a line, to be said behind its number; or nothing."""
    found = len(fields)
    if counts and not fields[0].isdecimal():
        return f" is {text[:60]!r}: a number is expected first, as the first sentences have it"
    if found < 2:
        return f" is {text[:60]!r}: a token and its tag are expected"
    if found == width:
        return ""
    fix = "part the columns with tabs where a token holds a space"
    return f" is {text[:60]!r}: {found} columns where the first line has {width}; {fix}"


def _is_header(fields: Sequence[str]) -> bool:
    """Return whether the first line of a file names its columns: ``Word Tag``."""
    return len(fields) > 1 and fields[0].lower() in OF_TOKENS and fields[-1].lower() in OF_TAGS


def _is_comment(fields: list[str], width: int) -> bool:
    """Return whether a line before a sentence is no token of ``width`` columns."""
    if not fields[0].startswith("#"):
        return False
    return len(fields) not in (2, width) or (fields[0] == "#" and fields[2:3] == ["="])
