"""A text that is streamed is, all pieces joined, the text that is written at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests import writers
from transformers import PreTrainedTokenizerFast

from tinybert.errors import DataError, RecipeError
from tinybert.inference import Predictor
from tinybert.inference.writing import settled, text_of

KINDS: dict[str, Callable[[], PreTrainedTokenizerFast]] = {
    "wordpiece": writers.wordpiece,
    "wordpiece-cleaned-up": lambda: writers.wordpiece(clean_up=True),
    "unigram": writers.unigram,
    "unigram-with-bytes": lambda: writers.unigram(with_bytes=True),
}


@pytest.fixture(params=KINDS, scope="module")
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def writer(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return writers.save(tmp_path_factory.mktemp(kind) / "writer", KINDS[kind]())


@pytest.mark.parametrize("given", [{"num_beams": 1}, {"do_sample": True, "temperature": 2.0, "seed": 3}])
def test_the_pieces_joined_are_the_whole_prediction(writer: Path, given: dict[str, object]) -> None:
    sources = writers.SOURCES[:3]
    predictor = Predictor(writer, generation={**given, "max_new_tokens": 12})
    whole = predictor(sources)
    pieces = [list(predictor.write_stream(source)) for source in sources]
    assert ["".join(each) for each in pieces] == [each.text for each in whole]
    assert all(all(each) for each in pieces)
    assert predictor.num_cut == 2 * sum(not each.is_finished for each in whole)


def test_what_is_settled_never_changes(kind: str) -> None:
    """Of any tokens in any order: the text of more of them begins with it."""
    tokenizer = KINDS[kind]()
    rng = np.random.default_rng(0)
    for _ in range(100):
        ids = rng.integers(0, len(tokenizer), 14).tolist()
        whole = text_of(ids, tokenizer)
        parts = [settled(ids[:length], tokenizer) for length in range(len(ids) + 1)]
        assert all(whole.startswith(part) for part in parts), (ids, parts, whole)


@pytest.mark.parametrize(
    ("kind_of", "pieces", "shown", "then"),
    [
        ("unigram-with-bytes", ["▁good", "<0xE4>", "<0xBD>"], "good", ("<0xA0>", "s")),
        # a whole character of which a byte after it makes three that are none
        ("unigram-with-bytes", ["▁good", "<0xE4>", "<0xBD>", "<0xA0>"], "good", ("<0xE4>", "s")),
        ("wordpiece-cleaned-up", ["good", "can", "'"], "", ("t", "good")),
        ("wordpiece", ["你", "好", "good"], "你好 good", ("##s", "吗")),
    ],
)
def test_what_may_still_change_is_held_back(
    kind_of: str, pieces: list[str], shown: str, then: tuple[str, ...]
) -> None:
    tokenizer = KINDS[kind_of]()
    ids, more = (tokenizer.convert_tokens_to_ids(list(each)) for each in (pieces, then))
    assert tokenizer.unk_token_id not in [*ids, *more]
    assert settled(ids, tokenizer) == shown
    assert text_of([*ids, *more], tokenizer).startswith(shown)


def test_wordpiece_is_written_without_spaces_between_chinese_characters() -> None:
    tokenizer = writers.wordpiece()
    ids = tokenizer("你好 世界 good 谢")["input_ids"]
    assert text_of(ids, tokenizer) == "你好世界 good 谢"
    unigram = writers.unigram()
    assert (
        text_of(unigram("世界 你好")["input_ids"], unigram) == "世界 你好"
    )  # here the space is the text's own


def test_pieces_come_while_the_text_is_written(tiny_writer: Path) -> None:
    predictor = Predictor(tiny_writer, generation={"num_beams": 1, "max_new_tokens": 12})
    steps: list[int] = []
    engine = predictor.alone

    def counted(batch: object) -> object:
        decoder = engine(batch)
        step = decoder.step
        decoder.step = lambda tokens: steps.append(1) or step(tokens)
        return decoder

    predictor.__dict__["alone"] = counted
    pieces = predictor.write_stream("good bab")
    assert not steps
    next(pieces)
    assert 1 <= len(steps) < 6
    pieces.close()
    assert len(steps) < 6


def test_a_beam_search_is_not_streamed(tiny_writer: Path, tiny_teacher: Path) -> None:
    one = Predictor(tiny_writer, generation={"num_beams": 1, "max_new_tokens": 6})(["good"])[0]
    assert "".join(Predictor(tiny_writer, generation={"max_new_tokens": 6}).write_stream("good")) == one.text
    several = Predictor(tiny_writer, generation={"num_beams": 2, "num_return": 2})
    with pytest.raises(
        RecipeError, match="num_beams = 2 and num_return = 2: a text is streamed with one beam"
    ):
        several.write_stream("good")
    with pytest.raises(RecipeError, match="writes no texts"):
        Predictor(tiny_teacher).write_stream("good")
    with pytest.raises(DataError, match="give a text"):
        Predictor(tiny_writer).write_stream(" ")
