"""A WordPiece vocabulary of one's own, and how well a vocabulary fits a text.

A *word* here is what the BERT pre-tokeniser gives: a run of letters and digits, one mark, or one Chinese
character.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from tinybert.corpus.batches import batches_of
from tinybert.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PREFIX = "##"
MAX_WORD_CHARS = 100
"""A longer word is one [UNK], as in BERT."""
MODEL_MAX_LENGTH = 512
REPEATS = 10_000
RUNS_AT_ONCE = 1_000_000
"""Different stretches between spaces that are held before they are cut into words."""


@dataclass(frozen=True)
class Coverage:
    """How a tokenizer reads a text.

    Attributes:
        words_in_one_piece: Share of the words that are one piece of the vocabulary.
        pieces_per_word: Mean number of pieces of a word.
        unknown: Share of the pieces that are the unknown token.
    """

    words_in_one_piece: float
    pieces_per_word: float
    unknown: float


def train_wordpiece(
    texts: Iterable[str], *, vocab_size: int, lowercase: bool, min_frequency: int = 2
) -> PreTrainedTokenizerBase:
    """Learn the pieces of a BERT tokenizer; the same texts give the same pieces, whatever the machine.

    The texts are read once and may be a stream; their different words stay in memory.

    Differs: pieces are merged by frequency, as the ``tokenizers`` library does it; the WordPiece of Schuster
    and Nakajima (2012) merges what raises the likelihood most.

    Args:
        texts: The corpus.
        vocab_size: Pieces, with the five special tokens at 0 … 4.
        lowercase: Fold case and strip accents.
        min_frequency: Characters and pieces seen less often are skipped.

    Raises:
        DataError: The corpus gives fewer pieces, or has more characters than that.
    """
    counts = count_words(texts, lowercase=lowercase)
    alphabet = _alphabet(counts, min_frequency)
    fewest = len(SPECIALS) + sum(map(len, alphabet))
    if vocab_size < fewest:
        raise DataError(
            "corpus",
            f"vocab_size = {vocab_size:,}: its characters alone, with their {PREFIX} forms and the special "
            f"tokens, are {fewest:,} pieces; set vocab_size to {fewest:,} or more, or raise min_frequency = "
            f"{min_frequency} to skip rare characters",
        )
    pieces = _train(counts, alphabet, vocab_size=vocab_size, min_frequency=min_frequency)
    if len(pieces) < vocab_size:
        raise DataError(
            "corpus",
            f"vocab_size = {vocab_size:,}: its {sum(counts.values()):,} words ({len(counts):,} different "
            f"ones) give {len(pieces):,} pieces that occur at least {min_frequency} times; set vocab_size to "
            f"{len(pieces):,} or fewer, lower min_frequency, or give more text",
        )
    return make_tokenizer(pieces, lowercase=lowercase)


def make_tokenizer(pieces: Sequence[str], *, lowercase: bool) -> PreTrainedTokenizerBase:
    """Return the BERT tokenizer of a vocabulary, in the order of its ids."""
    from transformers import BertTokenizer

    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    return BertTokenizer(vocab=vocabulary, do_lower_case=lowercase, model_max_length=MODEL_MAX_LENGTH)


def count_words(texts: Iterable[str], *, lowercase: bool) -> Counter[str]:
    """Return how often each word occurs, normalised as BERT does; words that it cannot read are skipped.

    Example:
        >>> sorted(count_words(["Café, café"], lowercase=True).items())
        [(',', 1), ('cafe', 2)]
    """
    normalise, cut = normalizers.BertNormalizer(lowercase=lowercase), pre_tokenizers.BertPreTokenizer()
    by_space: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for text in texts:
        by_space.update(normalise.normalize_str(text).split())
        if len(by_space) >= RUNS_AT_ONCE:
            _add_words(counts, by_space, cut)
            by_space.clear()
    _add_words(counts, by_space, cut)
    return counts


def _add_words(
    counts: Counter[str], by_space: Mapping[str, int], cut: pre_tokenizers.BertPreTokenizer
) -> None:
    for run, count in by_space.items():
        for word, _ in cut.pre_tokenize_str(run):
            if len(word) <= MAX_WORD_CHARS:
                counts[word] += count


def _alphabet(counts: Counter[str], min_frequency: int) -> tuple[list[str], list[str]]:
    """Return the characters that are frequent enough, and the ## pieces of those that continue a word."""
    characters: Counter[str] = Counter()
    continuing: set[str] = set()
    for word, count in counts.items():
        for character in word:
            characters[character] += count
        continuing.update(word[1:])
    kept = sorted(character for character, count in characters.items() if count >= min_frequency)
    return kept, [PREFIX + character for character in kept if character in continuing]


def _train(
    counts: Counter[str], alphabet: tuple[list[str], list[str]], *, vocab_size: int, min_frequency: int
) -> list[str]:
    """Return the pieces in the order in which they were learned.

    The library numbers the ## forms in the order in which a hash table gives the words, and breaks ties by
    these numbers. Given as special tokens they have numbers of ours, and two trainings agree.
    """
    characters, continuing = alphabet
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocab_size,
        min_frequency=min_frequency,
        special_tokens=[*SPECIALS, *characters, *continuing],
        initial_alphabet=characters,
        limit_alphabet=len(characters),
        show_progress=False,
    )
    tokenizer = Tokenizer(models.WordPiece(unk_token=SPECIALS[1]))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.train_from_iterator(_repeated(counts), trainer)
    vocabulary = tokenizer.get_vocab()
    return sorted(vocabulary, key=vocabulary.__getitem__)


def _repeated(counts: Counter[str]) -> Iterator[str]:
    """Write each word as often as it occurs."""
    for word, count in counts.items():
        for start in range(0, count, REPEATS):
            yield " ".join([word] * min(REPEATS, count - start))


def write_tokenizer(tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write a tokenizer as ``transformers`` reads it, and its pieces line by line in ``vocab.txt``."""
    tokenizer.save_pretrained(folder)
    vocabulary = tokenizer.get_vocab()
    pieces = sorted(vocabulary, key=vocabulary.__getitem__)
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")


def measure_coverage(tokenizer: PreTrainedTokenizerBase, texts: Iterable[str]) -> Coverage:
    """Return how a tokenizer reads texts; special tokens around them are not counted."""
    num_words = num_single = num_pieces = num_unknown = 0
    for batch in batches_of(texts):
        encoded = tokenizer(batch, add_special_tokens=False, truncation=False, verbose=False)
        for row, ids in enumerate(cast("list[list[int]]", encoded["input_ids"])):
            words = encoded.word_ids(row)
            sizes = Counter(words)
            unread = [word for word, index in zip(words, ids, strict=True) if index == tokenizer.unk_token_id]
            num_words += len(sizes)
            num_single += sum(size == 1 for size in sizes.values())
            num_single -= sum(sizes[word] == 1 for word in unread)
            num_pieces += len(ids)
            num_unknown += len(unread)
    return Coverage(
        words_in_one_piece=num_single / max(num_words, 1),
        pieces_per_word=num_pieces / max(num_words, 1),
        unknown=num_unknown / max(num_pieces, 1),
    )
