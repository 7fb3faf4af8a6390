"""Whether two tokenizers read alike."""

from __future__ import annotations

from transformers import PreTrainedTokenizerBase

PROBE_TEXTS = ("Hello, World!", "naïve café 北京 2026", "un-believable, isn't it?")


def same_tokenizer(one: PreTrainedTokenizerBase, other: PreTrainedTokenizerBase) -> bool:
    """Return whether two tokenizers give the same ids: equal vocabularies, equal ids of probe texts."""
    if one.get_vocab() != other.get_vocab():
        return False
    return all(one(text)["input_ids"] == other(text)["input_ids"] for text in PROBE_TEXTS)
