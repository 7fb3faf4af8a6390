from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.augmenting import WordList, make_tools

from tinybert.augmentation import BUILTIN, Example, Tools, build_method, needs
from tinybert.augmentation.insert import insertable
from tinybert.config.recipe import AugmentSection
from tinybert.errors import DataError, RecipeError


def changed(method, example, *, seed: int = 0, times: int = 1) -> list[Example]:
    return method([example] * times, rng=np.random.default_rng(seed))


def words_seen(method, text: str, *, times: int = 200) -> set[str]:
    found = changed(method, Example.of(text, "en"), times=times)
    return {word for example in found for word in example.words}


def test_stop_words_marks_and_numbers_are_not_asked_for(tmp_path):
    filler = WordList()
    method = BUILTIN["masked_lm"](make_tools(tmp_path, filler=filler, probability=1.0))
    example = Example.of("The film, of 1999, wasn’t 3d!", "en")
    [found] = changed(method, example)
    assert [example.words[i] for i in filler.asked[0][1]] == ["film", "3d"]
    assert found.words[0] == "The" and found.words[1] in filler.words


def test_without_a_list_of_stop_words_every_word_may_change(tmp_path):
    filler = WordList()
    BUILTIN["masked_lm"](make_tools(tmp_path, filler=filler, language="other")).prepare(
        [Example.of("The film", "other")]
    )
    assert filler.asked == [(("The", "film"), (0, 1))]


@pytest.mark.parametrize("probability", [0.2, 0.7])
def test_each_word_is_replaced_with_the_given_probability(tmp_path, probability):
    method = BUILTIN["masked_lm"](make_tools(tmp_path, probability=probability))
    example = Example.of("film " * 20, "en")
    found = changed(method, example, times=300)
    rate = np.mean([word != "film" for each in found for word in each.words])
    assert rate == pytest.approx(probability, abs=0.03)


def test_candidates_are_drawn_evenly(tmp_path):
    method = BUILTIN["masked_lm"](make_tools(tmp_path, probability=1.0))
    found = changed(method, Example.of("film", "en"), times=3000)
    counts = np.unique([each.text for each in found], return_counts=True)[1] / 3000
    assert counts == pytest.approx([1 / 3] * 3, abs=0.04)


def test_no_more_candidates_than_asked_for_and_none_is_the_word_itself(tmp_path):
    tools = make_tools(tmp_path, filler=WordList(["film", "Film", "red", "blue", "green"]), num_candidates=2)
    [example] = BUILTIN["masked_lm"](tools).prepare([Example.of("Film", "en")])
    assert example.candidates == (("Blue", "Red"),)


def test_tinybert_asks_the_model_for_whole_words_and_vectors_for_the_rest(tmp_path):
    filler = WordList(unknown=["good"])
    method = BUILTIN["tinybert"](make_tools(tmp_path, filler=filler, num_candidates=2))
    [example] = method.prepare([Example.of("good film ran", "en")])
    assert filler.asked == [(("good", "film", "ran"), (1, 2))]
    assert example.candidates == (("fine", "nice"), ("blue", "red"), ("blue", "red"))


def test_the_order_in_which_a_model_ranks_its_candidates_does_not_matter(tmp_path):
    one, other = (
        BUILTIN["masked_lm"](make_tools(tmp_path, filler=WordList(words)))
        for words in (["red", "blue", "green"], ["green", "red", "blue"])
    )
    example = Example.of("film good fun", "en")
    assert changed(one, example, times=9) == changed(other, example, times=9)


def test_neighbours_are_those_of_the_vectors(tmp_path):
    method = BUILTIN["neighbours"](make_tools(tmp_path, probability=1.0, num_candidates=1))
    assert words_seen(method, "Good film, unheard") == {"Fine", "movie", ",", "unheard"}


def test_synonyms_stay_in_their_form(tmp_path):
    method = BUILTIN["synonyms"](make_tools(tmp_path, probability=1.0))
    assert words_seen(method, "Films film FUN banks") == {"Films", "movie", "MERRIMENT", "banks"}
    assert words_seen(method, "bank") == {"depository", "shore"}


def test_swap_keeps_all_words_and_the_places_of_marks(tmp_path):
    method = BUILTIN["swap"](make_tools(tmp_path))
    example = Example.of("one two, three four.", "en")
    for found in changed(method, example, times=50):
        assert sorted(found.words) == sorted(example.words)
        assert (found.words[2], found.words[5]) == (",", ".")
        assert found.words != example.words or found.gaps == example.gaps


def test_swap_leaves_a_single_word_alone(tmp_path):
    example = Example.of("one.", "en")
    assert changed(BUILTIN["swap"](make_tools(tmp_path)), example) == [example]


@pytest.mark.parametrize(("probability", "pairs"), [(0.01, 1), (1.0, 4)])
def test_how_many_pairs_swap(tmp_path, probability, pairs):
    method = BUILTIN["swap"](make_tools(tmp_path, probability=probability))
    example = Example.of("a1 b2 c3 d4 e5 f6 g7 h8", "en")
    moved = [
        sum(a != b for a, b in zip(found.words, example.words, strict=True))
        for found in changed(method, example, times=100)
    ]
    assert max(moved) <= 2 * pairs
    assert max(moved) > 2 * pairs - 3


def test_drop_leaves_one_word_at_least(tmp_path):
    method = BUILTIN["drop"](make_tools(tmp_path, probability=1.0))
    found = changed(method, Example.of("one two three!", "en"), times=30)
    assert {each.text for each in found} == {"one!", "two!", "three!"}


def test_drop_takes_each_word_with_the_given_probability(tmp_path):
    method = BUILTIN["drop"](make_tools(tmp_path, probability=0.3))
    found = changed(method, Example.of("film " * 20, "en"), times=300)
    assert np.mean([len(each.words) for each in found]) == pytest.approx(14, abs=0.4)


def test_insert_adds_synonyms_of_the_text_and_keeps_the_rest(tmp_path):
    method = BUILTIN["insert"](make_tools(tmp_path, probability=0.5))
    example = Example.of("Film of good fun", "en")
    for found in changed(method, example, times=50):
        assert len(found.words) == 6
        assert [word for word in found.words if word in example.words][:1] == ["Film"]
        assert set(found.words) - set(example.words) <= {"movie", "fine", "merriment"}


def test_insert_takes_neighbours_where_wordnet_knows_no_word(tmp_path):
    tools = make_tools(tmp_path, language="other", wordnet=None)
    [found] = changed(BUILTIN["insert"](tools), Example.of("film", "other"))
    assert len(found.words) == 2


def test_nothing_is_inserted_between_two_words_of_an_entity():
    example = Example.of_spans("x Ada Li y", [(0, 1), (2, 5), (6, 8), (9, 10)], tags=[0, 1, 2, 0])
    assert insertable(example) == [0, 1, 3, 4]


@pytest.mark.parametrize(
    ("name", "missing", "fix"),
    [
        ("tinybert", "filler", "augment.model=MODEL"),
        ("tinybert", "vectors", "augment.word_vectors=FILE"),
        ("masked_lm", "filler", "augment.model=MODEL"),
        ("neighbours", "vectors", "augment.word_vectors=FILE"),
        ("synonyms", "wordnet", "augment.wordnet=FOLDER"),
        ("insert", "wordnet", "augment.wordnet=FOLDER"),
    ],
)
def test_what_a_method_lacks_is_said(tmp_path, name, missing, fix):
    tools = make_tools(tmp_path)
    with pytest.raises(RecipeError, match=fix):
        BUILTIN[name](replace(tools, **{missing: None}))


@pytest.mark.parametrize("name", BUILTIN)
@pytest.mark.parametrize("language", ["en", "zh", "other"])
def test_needs_are_what_a_method_asks_for(tmp_path, name, language):
    if language != "en" and "wordnet" in needs(name, language):
        pytest.skip("WordNet is English")
    tools = make_tools(tmp_path, language=language)
    wanted = needs(name, language)
    BUILTIN[name](
        replace(tools, **{each: None for each in ("filler", "vectors", "wordnet") if each not in wanted})
    )
    for each in wanted:
        with pytest.raises(RecipeError):
            BUILTIN[name](replace(tools, **{each: None}))


def reverse(examples, *, rng):
    return [example.swapped(0, len(example.words) - 1) for example in examples]


class TestBuildMethod:
    def test_a_name_of_the_table(self, tmp_path):
        method = build_method(AugmentSection(method="swap", probability=0.9), language="en")
        assert isinstance(method, BUILTIN["swap"])
        assert method.probability == 0.9

    def test_wordnet_is_read_from_the_recipes_folder(self, tmp_path):
        folder = make_tools(tmp_path).wordnet.folder
        method = build_method(AugmentSection(method="synonyms", wordnet=str(folder)), language="en")
        assert method.wordnet.synonyms("film") == ["movie"]

    def test_a_function_of_the_users(self):
        method = build_method(AugmentSection(method=f"{__name__}:reverse"), language="en")
        assert changed(method, Example.of("one two", "en"))[0].text == "two one"

    def test_what_is_no_function_is_refused(self):
        with pytest.raises(RecipeError, match="not callable"):
            build_method(AugmentSection(method="tinybert.augmentation:BLOCK"), language="en")

    def test_an_unknown_name_is_refused_with_the_nearest(self):
        with pytest.raises(RecipeError, match="did you mean 'synonyms'"):
            build_method(AugmentSection(method="synonym"), language="en")

    def test_chinese_has_no_wordnet(self):
        with pytest.raises(RecipeError, match=r"augment\.method=neighbours"):
            build_method(AugmentSection(method="synonyms"), language="zh")

    def test_a_folder_without_wordnet_says_how_to_get_it(self, tmp_path):
        with pytest.raises(DataError, match="wordnet-base"):
            build_method(AugmentSection(method="synonyms", wordnet=str(tmp_path)), language="en")


def test_tools_are_frozen(tmp_path):
    with pytest.raises(AttributeError):
        make_tools(tmp_path).probability = 1.0
    assert Tools(0.4, 15, "en").filler is None
