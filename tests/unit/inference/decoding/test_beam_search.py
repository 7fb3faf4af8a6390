from __future__ import annotations

import numpy as np
import pytest
from tests.unit.inference.decoding import tiny_seq2seq as tiny
from tests.unit.inference.decoding import toy

from tinybert.inference.backends.torch import engine_of_seq2seq
from tinybert.inference.decoding import generate


@pytest.mark.parametrize("penalty", [0.0, 0.6, 1.0, 2.0])
def test_with_enough_beams_all_texts_of_a_table_come_in_the_order_of_their_scores(penalty: float) -> None:
    table, length = toy.random_table(5), 4
    texts = toy.all_texts(5, length)
    found = generate(
        toy.TableEngine(table),
        toy.rows(2),
        toy.settings(num_beams=5**length, max_new_tokens=length, length_penalty=penalty),
        num_return=len(texts),
    )
    for source, row in zip((2, 3), found, strict=True):
        scores = {text: toy.table_log_prob(table, source, text) / len(text) ** penalty for text in texts}
        ranked = sorted(texts, key=lambda text: -scores[text])
        assert [_whole(text, toy.END) for text in row] == ranked
        np.testing.assert_allclose([text.score for text in row], [scores[text] for text in ranked], rtol=1e-5)


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_with_enough_beams_the_best_text_of_a_model_is_found(family: str) -> None:
    vocabulary, length = 6, 3
    made, batch = tiny.model(family, vocabulary=vocabulary), tiny.batch(vocabulary=vocabulary, rows=2)
    settings = tiny.settings(family, suppressed_token_ids=(), max_new_tokens=length, num_beams=200)
    found = generate(engine_of_seq2seq(made), batch, settings, num_return=5)
    words = [token for token in range(vocabulary) if token != tiny.END]
    texts = [
        *([tiny.END], *([one, tiny.END] for one in words)),
        *([one, two, tiny.END] for one in words for two in words),
        *([one, two, three] for one in words for two in words for three in words),
    ]
    for number, row in enumerate(found):
        source = {name: array[number : number + 1] for name, array in batch.items()}
        start = settings.decoder_start_token_id
        scores = tiny.log_probs(made, source, start, texts) / [len(text) for text in texts]
        ranked = [texts[at] for at in np.argsort(scores)[::-1][:5]]
        assert [list(_whole(text, tiny.END)) for text in row] == ranked


def test_an_end_counts_only_among_the_best_beams() -> None:
    # two beams of three words: the end is the third of the first step's continuations
    table = toy.fixed_table(np.log([1e-9, 0.2, 0.5, 0.3]))
    (row,) = generate(
        toy.TableEngine(table), toy.rows(1), toy.settings(num_beams=2, max_new_tokens=2), num_return=2
    )
    assert [text.token_ids for text in row] == [[2, 2], [2, 3]]
    assert row[0].log_prob == pytest.approx(2 * np.log(0.5), rel=1e-5)


def test_several_ends_leave_enough_beams() -> None:
    ends = (1, 4, 5)

    def table(source: int, read: tuple[int, ...]) -> np.ndarray:
        # the second word is behind three ends, and all that follows it is certain
        first = [1e-9, 0.2, 0.3, 0.1, 0.2, 0.2]
        certain = [1e-9, 1, 1e-9, 1e-9, 1e-9, 1e-9]
        even = [1e-9, 0.25, 0.2, 0.15, 0.2, 0.2]
        return np.log(first if len(read) == 1 else certain if read[1] == 3 else even).astype(np.float32)

    settings = toy.settings(num_beams=2, eos_token_ids=ends)
    ((text,),) = generate(toy.TableEngine(table), toy.rows(1), settings)
    assert text.token_ids == [3]


def test_rows_that_are_done_leave_the_decoder() -> None:
    def table(source: int, read: tuple[int, ...]) -> np.ndarray:
        logits = np.zeros(6, dtype=np.float32)
        logits[toy.END] = 30 if source == 2 or len(read) > 3 else -30
        return logits

    engine = toy.TableEngine(table)
    generate(engine, toy.rows(3), toy.settings(num_beams=2, max_new_tokens=20))
    assert engine.decoder is not None
    assert engine.decoder.num_rows[0] == 3  # one beam a row, before there is anything to choose from
    assert engine.decoder.num_rows[1] in (4, 6)
    assert engine.decoder.num_rows[2:4] == [4, 4]
    assert len(engine.decoder.num_rows) < 8


def test_a_vocabulary_smaller_than_the_beams_gives_each_text_once() -> None:
    (row,) = generate(
        toy.TableEngine(toy.random_table(3)),
        toy.rows(1),
        toy.settings(num_beams=8, max_new_tokens=2),
        num_return=8,
    )
    texts = [_whole(text, toy.END) for text in row]
    assert sorted(texts) == sorted(toy.all_texts(3, 2))


def test_a_decoder_that_never_ends_is_cut_and_says_so() -> None:
    table = toy.fixed_table([0, -50, 1, 2, 3])
    for beams in (1, 3):
        (row,) = generate(
            toy.TableEngine(table), toy.rows(1), toy.settings(num_beams=beams, max_new_tokens=5)
        )
        assert row[0].token_ids == [4] * 5
        assert not row[0].is_finished


def test_a_text_that_ends_with_its_last_token_is_finished() -> None:
    def table(source: int, read: tuple[int, ...]) -> np.ndarray:
        return np.array([-9, 5 if len(read) == 3 else -9, 0], dtype=np.float32)

    for beams in (1, 2):
        settings = toy.settings(num_beams=beams, max_new_tokens=3)
        ((text,),) = generate(toy.TableEngine(table), toy.rows(1), settings)
        assert text.token_ids == [2, 2]
        assert text.is_finished
        assert text.score == pytest.approx(text.log_prob / 3)


def _whole(text, end: int) -> tuple[int, ...]:
    return (*text.token_ids, end) if text.is_finished else tuple(text.token_ids)
