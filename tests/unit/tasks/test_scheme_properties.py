"""Tags of any scheme: whatever a model outputs gives legal entities, and certain tags give back the gold."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from tinybert.data import LabelScheme
from tinybert.tasks.ner import NER
from tinybert.tasks.ner.prediction import Entity
from tinybert.tasks.ner.schemes import schemes_of
from tinybert.tasks.ner.task import WordScores

LETTERS = {
    "IO": "I",
    "IOB1": "BI",
    "IOB2": "BI",
    "BIOES": "BIES",
    "BILOU": "BILU",
    "BMES": "BMES",
    "plain": "",
}
BEGIN_INSIDE_END_SINGLE = {"BIOES": "BIES", "BILOU": "BILU", "BMES": "BMES"}
TYPES = st.sampled_from(["PER", "LOC", "work-of-art", "geo_loc", "地名", "first name", "per", "O", "B"])
Span = tuple[int, int, str]


@st.composite
def label_maps(draw: st.DrawFn, *, complete: bool = False) -> tuple[str, str, tuple[str, ...]]:
    """Return a scheme, what is between letter and type, and the names of the outputs in any order."""
    scheme = draw(st.sampled_from(list(LETTERS)))
    mark = draw(st.sampled_from("-_"))
    kinds = draw(st.lists(TYPES, min_size=1, max_size=3, unique=True))
    if scheme == "plain":
        kinds = [kind for kind in kinds if kind != "O"]
        names = kinds
    else:
        names = [f"{letter}{mark}{kind}" for kind in kinds for letter in LETTERS[scheme]]
    if not complete:
        names = [name for name in names if draw(st.integers(0, 5))]
    outside = ["O"] if complete or scheme == "plain" or draw(st.integers(0, 5)) else []
    return scheme, mark, tuple(draw(st.permutations([*names, *outside])))


def decoded(scores: Sequence[Sequence[float]], names: tuple[str, ...]) -> tuple[list[int], list[Entity]]:
    """Return where the words begin, and the entities."""
    starts = [3 * word for word in range(len(scores))]
    text = " ".join("ab" for _ in scores)
    table = np.array(scores, dtype=np.float32).reshape(len(scores), len(names))
    row = WordScores(text, starts, [start + 2 for start in starts], table, names, foreign=True)
    (found,) = NER.decode([row], LabelScheme(names))
    assert all(each.text == text[each.start : each.end] for each in found.entities)
    return starts, found.entities


@given(label_maps(), st.integers(0, 6), st.data())
def test_any_outputs_give_legal_entities(made, num_words, data) -> None:
    _, mark, names = made
    assume(names and schemes_of(names))
    numbers = st.sampled_from([0.0, 1.0, -1.0, 3.5, 30.0, -30.0, -300.0]) | st.floats(-5, 5, width=32)
    scores = data.draw(st.lists(
        st.lists(numbers, min_size=len(names), max_size=len(names)), min_size=num_words, max_size=num_words
    ))  # fmt: skip
    starts, entities = decoded(scores, names)
    kinds = {name.split(mark, 1)[-1] if name[1:2] == mark else name for name in names if name != "O"}
    last = 0
    for entity in entities:
        assert entity.start in starts
        assert last <= entity.start < entity.end <= 3 * num_words - 1
        assert entity.label in kinds
        assert 0 < entity.score <= 1
        last = entity.end


@st.composite
def gold(draw: st.DrawFn, kinds: Sequence[str]) -> tuple[int, list[Span]]:
    """Return the number of words, and entities over some of them."""
    spans: list[Span] = []
    word = 0
    for _ in range(draw(st.integers(0, 4))):
        first = word + draw(st.integers(0, 2))
        word = first + draw(st.integers(1, 3))
        spans.append((first, word, draw(st.sampled_from(kinds))))
    return word + draw(st.integers(0, 2)), spans


def tags_of(spans: Sequence[Span], num_words: int, scheme: str, mark: str) -> list[str]:
    tags = ["O"] * num_words
    before: Span | None = None
    for first, behind, kind in spans:
        length = behind - first
        touches = before is not None and before[1:] == (first, kind)
        if scheme in BEGIN_INSIDE_END_SINGLE:
            begin, inside, end, single = BEGIN_INSIDE_END_SINGLE[scheme]
            letters = single if length == 1 else begin + inside * (length - 2) + end
        else:
            is_begun = scheme == "IOB2" or (scheme == "IOB1" and touches)
            letters = "BI"[not is_begun] + "I" * (length - 1)
        for word, letter in zip(range(first, behind), letters, strict=True):
            tags[word] = kind if scheme == "plain" else f"{letter}{mark}{kind}"
        before = (first, behind, kind)
    return tags


def can_be_written(spans: Sequence[Span], scheme: str) -> bool:
    """Say whether a scheme can write these entities: without B- two of a type that touch are one."""
    touching = any(a[1:] == (b[0], b[2]) for a, b in pairwise(spans))
    return scheme not in ("IO", "plain") or not touching


@given(label_maps(complete=True), st.data())
def test_certain_tags_give_back_the_gold_entities(made, data) -> None:
    scheme, mark, names = made
    found = {name if scheme == "plain" else name[2:] for name in names if name != "O"}
    assume(found)
    num_words, spans = data.draw(gold(sorted(found)))
    assume(can_be_written(spans, scheme))
    tags = tags_of(spans, num_words, scheme, mark)
    assert {scheme} & {each.name for each in schemes_of(names)} or scheme in ("IOB1", "IOB2")
    starts, entities = decoded([[20.0 * (tag == name) for name in names] for tag in tags], names)
    wanted = [(starts[first], starts[behind - 1] + 2, kind) for first, behind, kind in spans]
    assert [(each.start, each.end, each.label) for each in entities] == wanted
    assert all(each.score > 0.99 for each in entities)


def iob1_names(kinds: Sequence[str], begun: Sequence[str]) -> tuple[str, ...]:
    return ("O", *(f"I-{kind}" for kind in kinds), *(f"B-{kind}" for kind in begun))


@given(st.lists(TYPES, min_size=1, max_size=3, unique=True), st.data())
def test_a_model_of_iob1_with_any_of_its_b_tags(kinds, data) -> None:
    """A map of all B- and I- is that of IOB2 too; a type that never touched another of its kind has no B-."""
    begun = [kind for kind in kinds if data.draw(st.booleans())]
    names = iob1_names(kinds, begun)
    num_words, spans = data.draw(gold(kinds))
    tags = tags_of(spans, num_words, "IOB1", "-")
    assume(set(tags) <= set(names))
    sure = data.draw(st.lists(st.floats(2, 6), min_size=num_words, max_size=num_words))
    scores = [[size * (tag == name) for name in names] for tag, size in zip(tags, sure, strict=True)]
    starts, entities = decoded(scores, names)
    wanted = [(starts[first], starts[behind - 1] + 2, kind) for first, behind, kind in spans]
    assert [(each.start, each.end, each.label) for each in entities] == wanted
    for entity, (first, behind, _) in zip(entities, spans, strict=True):
        given = [np.exp(sure[word]) / (np.exp(sure[word]) + len(names) - 1) for word in range(first, behind)]
        assert abs(entity.score - np.mean(given)) < 1e-5
