from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from tests.unit.inference.decoding import toy

from tinybert.errors import ModelError
from tinybert.inference.decoding import generate, stream


def test_rows_that_have_ended_leave_the_decoder() -> None:
    def table(source: int, read: tuple[int, ...]) -> np.ndarray:
        return np.array([-9, 5 if len(read) >= source else -5, 0], dtype=np.float32)

    engine = toy.TableEngine(table)
    rows = generate(engine, toy.rows(3), toy.settings())
    assert [text.token_ids for (text,) in rows] == [[2], [2, 2], [2, 2, 2]]
    assert engine.decoder is not None
    assert engine.decoder.num_rows == [3, 3, 2, 1]


@pytest.mark.parametrize("changes", [{}, {"do_sample": True, "temperature": 0.3}])
def test_a_text_is_streamed_token_by_token(changes) -> None:
    def table(source: int, read: tuple[int, ...]) -> np.ndarray:
        return np.array([-99, 9 if len(read) == 4 else -99, 1, 2], dtype=np.float32)

    settings = toy.settings(**changes)
    ((text,),) = generate(toy.TableEngine(table), toy.rows(1), settings)
    steps = stream(toy.TableEngine(table), toy.rows(1), settings)
    seen = [next(steps) for _ in range(3)]
    with pytest.raises(StopIteration) as end:
        next(steps)
    assert len(text.token_ids) == 3
    assert seen == [text.token_ids[:1], text.token_ids[:2], text.token_ids]
    assert end.value.value == text


def test_only_one_row_without_beams_is_streamed() -> None:
    engine = toy.TableEngine(toy.random_table(4))
    for rows, changes in ((2, {}), (1, {"num_beams": 2})):
        with pytest.raises(ModelError, match=f"streaming of {rows} rows"):
            next(stream(engine, toy.rows(rows), toy.settings(**changes)))


def test_each_row_may_have_a_generator_of_its_own() -> None:
    engine = toy.TableEngine(toy.random_table(4))
    settings = toy.settings(do_sample=True, max_new_tokens=6)
    found = generate(engine, toy.rows(3), settings, rng=[np.random.default_rng(seed) for seed in (5, 6, 7)])
    for row, seed in enumerate((5, 6, 7)):
        one = {name: array[row : row + 1] for name, array in toy.rows(3).items()}
        assert generate(engine, one, settings, rng=np.random.default_rng(seed)) == [found[row]]


def test_a_batch_without_rows_gives_no_texts() -> None:
    assert generate(toy.TableEngine(toy.random_table(4)), toy.rows(0), toy.settings(num_beams=2)) == []


@pytest.mark.parametrize(
    ("changes", "arguments", "message"),
    [
        ({"max_new_tokens": 0}, {}, "max_new_tokens = 0: give 1 or more"),
        ({"num_beams": 0}, {}, "num_beams = 0"),
        ({"no_repeat_ngram_size": -1}, {}, "no_repeat_ngram_size = -1: give 0 or more"),
        ({"temperature": 0.0}, {}, "temperature = 0.0: give 0.001 or more"),
        ({"top_p": 1.5}, {}, "top_p = 1.5: give a number from 0 to 1"),
        ({"do_sample": True, "num_beams": 2}, {}, "set num_beams to 1, or do_sample to false"),
        ({}, {"num_return": 0}, "num_return = 0: give 1 or more"),
        ({"num_beams": 2}, {"num_return": 3}, "num_return = 3 of num_beams = 2"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(changes, arguments, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        generate(toy.TableEngine(toy.random_table(4)), toy.rows(2), toy.settings(**changes), **arguments)


def test_decoding_needs_no_torch() -> None:
    code = "import sys, tinybert.inference.decoding; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
