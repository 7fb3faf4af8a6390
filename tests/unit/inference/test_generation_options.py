"""Settings of decoding that are given over those of a model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests import writers

from tinybert.errors import RecipeError
from tinybert.inference import Predictor
from tinybert.inference.generation_options import writing_of
from tinybert.models.generation import GenerationSettings

OWN = GenerationSettings(decoder_start_token_id=2, eos_token_ids=(3,), pad_token_id=0, num_beams=4)


def problems_of(**given: object) -> tuple[str, ...]:
    with pytest.raises(RecipeError) as caught:
        writing_of(OWN, given, num_positions=64)
    return caught.value.problems


def test_nothing_given_changes_nothing() -> None:
    for given in (None, {}, {"num_beams": None, "do_sample": False}):
        writing = writing_of(OWN, given, num_positions=None)
        assert (writing.settings, writing.seed, writing.num_return, writing.given) == (OWN, 0, 1, {})


def test_what_is_given_goes_over_the_models_own() -> None:
    given = {"max_new_tokens": np.int64(7), "length_penalty": 2, "num_return": 3}
    writing = writing_of(OWN, given, num_positions=64)
    found = writing.settings
    assert (found.max_new_tokens, found.length_penalty, found.num_beams) == (7, 2, 4)
    assert writing.num_return == 3


def test_sampling_takes_one_beam_where_no_number_is_given() -> None:
    writing = writing_of(OWN, {"do_sample": True, "top_p": 0.5, "seed": 4}, num_positions=64)
    assert (writing.settings.num_beams, writing.settings.top_p, writing.seed) == (1, 0.5, 4)


def test_all_wrong_names_and_values_are_listed_with_what_is_allowed() -> None:
    given = {"num_beam": 2, "top_p": 1.5, "max_new_tokens": 65, "length_penalty": float("nan"), "seed": 1}
    found = "\n".join(problems_of(**given))
    for said in (
        "num_beam: unknown; did you mean 'num_beams'? (allowed: max_new_tokens, num_beams,",
        "top_p = 1.5: allowed are numbers from 0 to 1",
        "max_new_tokens = 65: allowed are whole numbers from 1 to 64",
        "length_penalty = nan: allowed are numbers from 0 to 10",
        "seed: read in sampling only; give do_sample (--sample) too",
    ):
        assert said in found


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"num_beams": "4"}, "num_beams = '4': allowed are whole numbers from 1 to 64"),
        ({"num_beams": True}, "num_beams = True: allowed are whole numbers"),
        ({"num_beams": 1.0}, "num_beams = 1.0: allowed are whole numbers"),
        ({"do_sample": "yes", "temperature": 1}, "do_sample = 'yes': allowed are true and false"),
        ({"do_sample": True, "temperature": 0}, "temperature = 0: allowed are numbers from 0.01 to 100"),
        (
            {"do_sample": True, "num_beams": 2},
            "num_beams = 2 with do_sample (--sample): sampling has one beam",
        ),
        ({"num_return": 5}, "num_return = 5 of num_beams = 4: give num_beams of 5 or more"),
        ({"temperature": 0.5, "top_p": 1}, "temperature, top_p: read in sampling only"),
    ],
)
def test_a_wrong_setting_is_refused_alone(given: dict[str, object], said: str) -> None:
    (problem,) = problems_of(**given)
    assert problem.startswith(said)


def test_a_model_that_writes_no_text_refuses_them(tiny_teacher: Path) -> None:
    with pytest.raises(
        RecipeError, match=r"num_beams, seed: .* writes no texts \(its task is classification\)"
    ):
        Predictor(tiny_teacher, generation={"num_beams": 2, "seed": 0})


def test_a_drawn_text_depends_on_the_seed_and_its_row_alone(tiny_writer: Path) -> None:
    def texts(seed: int, rows: list[str], **changes: int) -> list[str]:
        given = {"do_sample": True, "seed": seed, "max_new_tokens": 12, "temperature": 2.0}
        return [each.text for each in Predictor(tiny_writer, generation=given, **changes)(rows)]

    found = texts(3, writers.SOURCES)
    assert texts(3, writers.SOURCES[::-1], batch_size=1) == found[::-1]
    assert texts(3, writers.SOURCES[1:2]) == found[1:2]
    assert texts(4, writers.SOURCES) != found
    assert len(set(found)) == len(found)


def test_several_texts_a_row_stand_beside_the_best(tiny_writer: Path) -> None:
    given = {"num_beams": 3, "num_return": 3, "max_new_tokens": 6}
    found = Predictor(tiny_writer, generation=given)(writers.SOURCES)
    best = Predictor(tiny_writer, generation={"num_beams": 3, "max_new_tokens": 6})(writers.SOURCES)
    assert [each.text for each in found] == [each.text for each in best]
    assert all(not each.candidates for each in best)
    for each in found:
        scores = [candidate.score for candidate in each.candidates]
        assert len(scores) == 3
        assert scores == sorted(scores, reverse=True)
        assert each.candidates[0].text == each.text


def test_rows_that_were_cut_are_counted(tiny_writer: Path) -> None:
    predictor = Predictor(tiny_writer, generation={"num_beams": 1, "max_new_tokens": 3})
    found = predictor(writers.SOURCES)
    cut = [not each.is_finished for each in found]
    assert predictor.num_cut == sum(cut) > 0
    assert all(each.num_tokens == 3 for each in found if not each.is_finished)
    predictor(writers.SOURCES)
    assert predictor.num_cut == 2 * sum(cut)
