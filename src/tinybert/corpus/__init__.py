"""Raw text in, blocks out: find, clean, de-duplicate and cut documents."""

from tinybert.corpus.corpus import Corpus, load_corpus

__all__ = ["Corpus", "load_corpus"]
