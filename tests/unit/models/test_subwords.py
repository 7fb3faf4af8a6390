"""Vocabularies without some of their pieces: a text whose pieces are kept is cut into the same ones."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import BertConfig, PreTrainedTokenizerFast

from tinybert.models.subwords import BUILTIN
from tinybert.models.trim import choose_pieces, count_pieces

NO_SPECIALS = BertConfig(pad_token_id=None)
LETTERS = "abc"
texts_of_letters = st.text(alphabet=LETTERS + "d ", min_size=1, max_size=12)


def unigram(pieces: Sequence[tuple[str, float]], **changes: object) -> Tokenizer:
    backend = Tokenizer(models.Unigram([("<unk>", 0.0), *pieces], unk_id=0, **changes))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    return backend


def bpe(merges: Sequence[tuple[str, str]], alphabet: Sequence[str] = LETTERS, **changes: object) -> Tokenizer:
    pieces = dict.fromkeys([*alphabet, *("".join(pair) for pair in merges)])
    return Tokenizer(models.BPE({piece: at for at, piece in enumerate(pieces)}, list(merges), **changes))


def byte_level(merges: Sequence[tuple[str, str]]) -> Tokenizer:
    backend = bpe(merges, sorted(pre_tokenizers.ByteLevel.alphabet()))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return backend


def trimmed(backend: Tokenizer, texts: Sequence[str], **limits: int) -> Tokenizer:
    """Keep what texts use; no special tokens, no files."""
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend)
    kept = choose_pieces(tokenizer, NO_SPECIALS, count_pieces(tokenizer, texts), **limits)
    tree = json.loads(backend.to_str())
    new = {index: new_id for new_id, index in enumerate(kept)}
    tree["model"] = BUILTIN[tree["model"]["type"]].cut(tree["model"], new)
    return Tokenizer.from_str(json.dumps(tree))


def pieces(backend: Tokenizer, text: str) -> list[str]:
    return backend.encode(text).tokens


def vocabulary(backend: Tokenizer) -> set[str]:
    return set(backend.get_vocab())


def check_alike(whole: Tokenizer, small: Tokenizer, texts: Sequence[str]) -> None:
    """Compare two tokenizers on the texts whose pieces are all kept."""
    kept = vocabulary(small)
    for text in texts:
        before = pieces(whole, text)
        if kept.issuperset(before):
            assert pieces(small, text) == before, text


@given(
    scores=st.dictionaries(
        st.text(alphabet=LETTERS + "▁", min_size=1, max_size=4),
        st.integers(-12, 0).map(float),  # whole numbers: many ways to cut a text are equally good
        min_size=1,
        max_size=14,
    ),
    texts=st.lists(texts_of_letters, min_size=1, max_size=3),
    others=st.lists(texts_of_letters, max_size=20),
)
@settings(max_examples=150, deadline=None)
def test_unigram_cuts_what_it_kept_as_before(
    scores: dict[str, float], texts: list[str], others: list[str]
) -> None:
    whole = unigram(list(scores.items()))
    small = trimmed(whole, texts)
    assert [pieces(small, text) for text in texts] == [pieces(whole, text) for text in texts]
    check_alike(whole, small, others)


@st.composite
def merge_lists(draw: st.DrawFn) -> list[tuple[str, str]]:
    """Draw merges, each of two pieces there are; one piece may have several."""
    symbols, found = list(LETTERS), dict[tuple[str, str], None]()
    for _ in range(draw(st.integers(1, 12))):
        pair = draw(st.sampled_from(symbols)), draw(st.sampled_from(symbols))
        found[pair] = None
        symbols.append("".join(pair))
    order = draw(st.permutations(list(found)))
    return list(order)


@given(
    merges=merge_lists(),
    texts=st.lists(st.text(alphabet=LETTERS, min_size=1, max_size=9), min_size=1, max_size=3),
    others=st.lists(st.text(alphabet=LETTERS, min_size=1, max_size=9), max_size=20),
)
@settings(max_examples=150, deadline=None)
def test_bpe_cuts_what_it_kept_as_before(
    merges: list[tuple[str, str]], texts: list[str], others: list[str]
) -> None:
    whole = bpe(merges)
    assume(any(len(piece) > 1 for text in texts for piece in pieces(whole, text)))
    small = trimmed(whole, texts)
    assert [pieces(small, text) for text in texts] == [pieces(whole, text) for text in texts]
    check_alike(whole, small, others)


def test_merges_by_hand() -> None:
    """low needs lo, not the ow that comes later; characters that may stand for bytes all stay."""
    merges = [("l", "o"), ("e", "r"), ("lo", "w"), ("o", "w"), ("low", "er")]
    whole = bpe(merges, "lower")
    small = trimmed(whole, ["low"])
    assert pieces(whole, "low") == ["low"]
    assert vocabulary(small) == {*"lower", "lo", "low"}
    assert json.loads(small.to_str())["model"]["merges"] == [["l", "o"], ["lo", "w"]]
    assert vocabulary(trimmed(whole, ["lower"])) == {*"lower", "lo", "low", "er", "lower"}


def test_a_piece_of_several_merges_keeps_those_that_come_first() -> None:
    """Abc is a + bc, for b + c comes first; the merge ab + c, never used, would need ab."""
    whole = bpe([("b", "c"), ("a", "b"), ("ab", "c"), ("a", "bc")])
    assert vocabulary(trimmed(whole, ["abc"])) == {*"abc", "bc", "abc"}


def test_merges_of_older_files_are_read() -> None:
    whole = bpe([("l", "o"), ("lo", "w")], "low")
    tree = json.loads(whole.to_str())
    tree["model"]["merges"] = ["l o", "lo w"]
    cut = BUILTIN["BPE"].cut(tree["model"], {0: 0, 1: 1, 3: 2})
    assert cut["vocab"] == {"l": 0, "o": 1, "lo": 2}
    assert cut["merges"] == [["l", "o"]]


def test_every_text_can_be_spelled_in_bytes() -> None:
    whole = byte_level([("Ġ", "t"), ("h", "e"), ("Ġt", "he"), ("Ã", "©")])
    small = trimmed(whole, ["a the"])
    assert pieces(small, "a the") == ["a", "Ġthe"]
    assert vocabulary(whole) - vocabulary(small) == {"Ã©"}
    assert small.decode(small.encode("the é 北京").ids) == "the é 北京"


def test_a_whole_word_that_no_merge_reaches() -> None:
    """With ignore_merges a word of the vocabulary is one piece, whatever the merges say."""
    model = models.BPE({"a": 0, "b": 1, "c": 2, "abc": 3, "ab": 4}, [("a", "b")], ignore_merges=True)
    whole = Tokenizer(model)
    small = trimmed(whole, ["abc"])
    assert pieces(small, "abc") == ["abc"] == pieces(whole, "abc")


def test_scores_by_hand() -> None:
    """北京 + 市 costs 5, 北 + 京市 costs 6: the text does not need 京市."""
    whole = unigram([("▁", -1.0), ("北", -3.0), ("京", -3.0), ("市", -3.0), ("北京", -2.0), ("京市", -3.0)])
    small = trimmed(whole, ["北京市"])
    assert pieces(small, "北京市") == ["▁", "北京", "市"] == pieces(whole, "北京市")
    assert vocabulary(whole) - vocabulary(small) == {"京市"}
    assert pieces(small, "京市") == ["▁", "京", "市"]  # read by its characters


def test_an_unknown_character_costs_as_much_as_before() -> None:
    """It scores ten below the lowest score: without that piece 未知 would be cut at the unknown 未."""
    whole = unigram([("▁", -1.0), ("知", -2.0), ("未知", -25.0), ("zz", -20.0)])
    assert pieces(whole, "未知") == ["▁", "未知"]
    small = trimmed(whole, ["未知"])
    assert pieces(small, "未知") == ["▁", "未知"]
    assert "zz" not in vocabulary(small)
    lowest = unigram([("▁", -1.0), ("知", -2.0), ("未知", -15.0), ("zz", -20.0)])
    small = trimmed(lowest, ["未知"])
    assert pieces(small, "未知") == ["▁", "未知"]
    assert "zz" in vocabulary(small)


def test_unknown_characters_as_bytes() -> None:
    spelled = [(f"<0x{byte:02X}>", -15.0) for byte in range(256)]
    whole = unigram([("▁", -1.0), ("a", -2.0), ("aa", -3.0), *spelled], byte_fallback=True)
    small = trimmed(whole, ["a"])
    assert vocabulary(whole) - vocabulary(small) == {"aa"}
    assert pieces(small, "é") == ["▁", "<0xC3>", "<0xA9>"]


def test_the_normaliser_decides_which_characters_stay() -> None:
    whole = unigram([("▁", -1.0), *((letter, -2.0) for letter in "abABCc")])
    whole.normalizer = normalizers.Lowercase()
    assert vocabulary(trimmed(whole, ["AB"])) == {"<unk>", "▁", "a", "b"}


def test_under_a_cap_a_piece_comes_with_its_parts_or_not_at_all() -> None:
    whole = byte_level([("a", "b"), ("ab", "c"), ("d", "e")])
    texts = ["abc", "abc", "de"]
    assert vocabulary(trimmed(whole, texts, vocab_size=257)) - vocabulary(byte_level([])) == {"de"}
    assert vocabulary(trimmed(whole, texts, vocab_size=258)) - vocabulary(byte_level([])) == {"ab", "abc"}
    assert vocabulary(trimmed(whole, texts, min_count=2)) - vocabulary(byte_level([])) == {"ab", "abc"}


@pytest.mark.parametrize("name", ["continuing_subword_prefix", "end_of_word_suffix"])
def test_marked_pieces_are_a_problem(name: str) -> None:
    model = json.loads(Tokenizer(models.BPE({"a": 0}, [], **{name: "@@"})).to_str())["model"]
    assert BUILTIN["BPE"].problem(model) == f"it marks its pieces by {name} '@@'"
    assert not BUILTIN["BPE"].problem(model | {name: ""})
