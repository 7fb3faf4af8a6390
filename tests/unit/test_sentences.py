"""Where sentences end."""

from __future__ import annotations

import pytest

from tinybert.language import join_sentences, sentence_spans


def cut(text: str) -> list[str]:
    return [text[start:end] for start, end in sentence_spans(text)]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("It rained. We left! Why? So.", ["It rained.", "We left!", "Why?", "So."]),
        ("Dr. Li met Mr. J. Smith.", ["Dr. Li met Mr. J. Smith."]),
        ("The U.S. Senate met. It left.", ["The U.S. Senate met.", "It left."]),
        ("Fruit, e.g. Apple, costs 3.50. See No. 5.", ["Fruit, e.g. Apple, costs 3.50.", "See No. 5."]),
        ("So do I. We too.", ["So do I.", "We too."]),
        ('"Stop!" he said. “It is.” She left.', ['"Stop!" he said.', "“It is.”", "She left."]),
        ("He ran (really!). He fell.", ["He ran (really!).", "He fell."]),
        ("1. Open it. 2. Take it out.", ["1. Open it.", "2. Take it out."]),
        ("A title\n\nIt rained.\r\n  Then snow", ["A title", "It rained.", "Then snow"]),
        ("Ann: hi\nBob: hello!! how are you?", ["Ann: hi", "Bob: hello!! how are you?"]),
        ("下雨了。我们走了！好吗？是；不是", ["下雨了。", "我们走了！", "好吗？", "是；", "不是"]),
        ("他问：“你好吗？”我说好。真的！！", ["他问：“你好吗？”", "我说好。", "真的！！"]),
        ("用了3.5元。第二句", ["用了3.5元。", "第二句"]),
        ("It rained... Then snow. ...", ["It rained...", "Then snow. ..."]),
        ("One.\n---\nTwo.", ["One.", "Two."]),
        ("no end", ["no end"]),
        ("!", ["!"]),
        (" \n ", []),
        ("", []),
    ],
)
def test_a_text_is_cut_where_its_sentences_end(text: str, sentences: list[str]) -> None:
    assert cut(text) == sentences


@pytest.mark.parametrize("text", ["a. " * 20_000, "。" * 20_000, "\n-" * 20_000, "A.\n" * 20_000])
def test_the_time_grows_with_the_text_and_not_with_its_square(text: str) -> None:
    assert all(start < end for start, end in sentence_spans(text))


def test_sentences_are_joined_with_spaces_where_their_language_has_them() -> None:
    assert join_sentences(["A.", "B.", "中文。", "C.", "还有"]) == "A. B. 中文。C. 还有"
    assert join_sentences([]) == ""
