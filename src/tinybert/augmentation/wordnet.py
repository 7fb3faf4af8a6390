"""WordNet's synonyms, read from a folder of its database files.

Read here and not through nltk's reader, which opens nothing outside nltk's own folders, looks for a second
WordNet there, and leaves its files open. The format is that of ``wndb(5WN)``.
"""

from __future__ import annotations

from pathlib import Path

import regex

from tinybert.errors import DataError

SYSTEM_FOLDER = Path("/usr/share/wordnet")
PARTS = ("noun", "verb", "adj", "adv")
FILES = tuple(f"{kind}.{part}" for part in PARTS for kind in ("index", "data"))
ONE_WORD = regex.compile(r"\p{L}+")
FIX = (
    "install the Debian package wordnet-base, or unpack WordNet 3.0 from wordnet.princeton.edu, then set "
    "augment.wordnet=FOLDER (its folder dict)"
)


class WordNet:
    """Synonyms of English words. The files are read at the first question.

    Args:
        folder: With the files ``data.noun``, ``index.noun``, …; None takes ``/usr/share/wordnet``.

    Raises:
        DataError: The folder does not hold WordNet.

    Source: WordNet 3.0, Fellbaum (1998).
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = SYSTEM_FOLDER if folder is None else Path(folder).expanduser()
        missing = [name for name in FILES if not (self.folder / name).is_file()]
        if missing:
            shown = f"{missing[0]} (and {len(missing) - 1} more)" if len(missing) > 1 else missing[0]
            raise DataError(str(self.folder), f"WordNet is not here: no file {shown}; {FIX}")
        self._synonyms: dict[str, list[str]] | None = None

    def synonyms(self, word: str) -> list[str]:
        """Return single words that share a meaning with this one, those of its commonest meanings first.

        Nouns come before verbs, adjectives and adverbs. None for a word that is not its own dictionary form,
        whatever its capitals.
        """
        if self._synonyms is None:
            self._synonyms = {}
            for part in PARTS:
                _add_synonyms(self._synonyms, self.folder, part)
        return self._synonyms.get(word.lower(), [])


def _add_synonyms(known: dict[str, list[str]], folder: Path, part: str) -> None:
    words_at: dict[str, list[str]] = {}
    for fields in _lines(folder / f"data.{part}"):
        count = int(fields[3], 16)
        names = [name.partition("(")[0].lower() for name in fields[4 : 4 + 2 * count : 2]]
        words_at[fields[0]] = [name for name in names if ONE_WORD.fullmatch(name)]
    for fields in _lines(folder / f"index.{part}"):
        word, num_meanings = fields[0], int(fields[2])
        if not ONE_WORD.fullmatch(word):
            continue
        found = dict.fromkeys(
            name for place in fields[-num_meanings:] for name in words_at.get(place, ()) if name != word
        )
        known[word] = list(dict.fromkeys([*known.get(word, ()), *found]))


def _lines(file: Path) -> list[list[str]]:
    """Return the fields of each line but those of the licence, which begin with a space.

    Raises:
        DataError: A line is not as WordNet's are.
    """
    found: list[list[str]] = []
    try:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            fields = line.split()
            if line.startswith(" ") or not fields:
                continue
            if file.name.startswith("data"):
                whole = len(fields) > 4 and len(fields) >= 4 + 2 * int(fields[3], 16)
            else:
                whole = len(fields) > 3 and len(fields) >= 3 + int(fields[2])
            if not whole:
                raise DataError(str(file), f"line {number:,}: not as WordNet's lines are; {FIX}")
            found.append(fields)
    except ValueError as error:
        raise DataError(str(file), f"not one of WordNet's database files: {error}; {FIX}") from error
    return found
