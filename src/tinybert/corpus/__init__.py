"""Raw text in, blocks out: find, clean, de-duplicate and cut documents."""

from tinybert.corpus.corpus import load_corpus

__all__ = ["load_corpus"]
