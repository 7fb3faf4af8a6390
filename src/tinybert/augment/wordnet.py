"""WordNet from a folder of its database files, through nltk's reader."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, cast

import regex

from tinybert.errors import DataError

SYSTEM_FOLDER = Path("/usr/share/wordnet")
FILES = (
    "lexnames",
    *(f"{kind}.{part}" for kind in ("index", "data") for part in ("noun", "verb", "adj", "adv")),
    *(f"{part}.exc" for part in ("noun", "verb", "adj", "adv")),
)
ONE_WORD = regex.compile(r"\p{L}+")
FIX = (
    "install the Debian package wordnet-base, or run python -m nltk.downloader wordnet and unpack it, then "
    "set augment.wordnet=FOLDER"
)


class WordNet:
    """Synonyms of English words. Opened at the first question.

    Args:
        folder: With the files ``data.noun``, ``index.noun``, …; None takes ``/usr/share/wordnet``.

    Raises:
        DataError: The folder does not hold WordNet.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = SYSTEM_FOLDER if folder is None else Path(folder).expanduser()
        missing = [name for name in FILES if not (self.folder / name).is_file()]
        if missing:
            shown = f"{missing[0]} (and {len(missing) - 1} more)" if len(missing) > 1 else missing[0]
            raise DataError(str(self.folder), f"WordNet is not here: no file {shown}; {FIX}")
        self._reader: Any = None
        self._known: dict[str, list[str]] = {}

    def synonyms(self, word: str) -> list[str]:
        """Return single words that share a meaning with this one, those of its commonest meanings first.

        None for a word that is not its own dictionary form, whatever its capitals.
        """
        key = word.lower()
        if key not in self._known:
            self._known[key] = self._look_up(key)
        return self._known[key]

    def _look_up(self, word: str) -> list[str]:
        if self._reader is None:
            self._reader = _open(self.folder)
        found: dict[str, None] = {}
        for synset in self._reader.synsets(word):
            names = [name.lower() for name in cast(list[str], synset.lemma_names())]
            if word in names:  # the reader also finds the meanings of "film" for "films"
                found |= dict.fromkeys(name for name in names if ONE_WORD.fullmatch(name))
        found.pop(word, None)
        return list(found)


def _open(folder: Path) -> Any:  # noqa: ANN401 - nltk has no types
    from nltk.corpus.reader.wordnet import WordNetCorpusReader

    class Reader(WordNetCorpusReader):
        """The plain reader also looks for a second WordNet among nltk's own data, to compare versions."""

        def map_wn(self, version: str = "wordnet") -> None:
            return None

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that other languages are not there
        try:
            return Reader(str(folder), None)
        except (OSError, ValueError, AssertionError, LookupError) as error:
            raise DataError(str(folder), f"not WordNet's database files: {error}; {FIX}") from error
