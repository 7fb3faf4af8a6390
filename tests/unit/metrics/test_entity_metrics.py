import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinybert.metrics.entities import entity_metrics
from tinybert.tasks.ner.tags import entities_of

KINDS = ("LOC", "ORG", "PER")
SCORES = ("precision", "recall", "f1")


def test_hand_values():
    gold = [[(0, 2, "PER"), (4, 5, "LOC")], [(1, 2, "PER")]]
    found = [[(0, 2, "PER"), (4, 5, "PER"), (6, 7, "LOC")], []]
    scores = entity_metrics(found, gold, kinds=["LOC", "PER"])
    assert [scores[name] for name in SCORES] == pytest.approx([1 / 3, 1 / 3, 1 / 3])
    assert [scores[f"{name}/PER"] for name in SCORES] == pytest.approx([1 / 2, 1 / 2, 1 / 2])
    assert [scores[f"{name}/LOC"] for name in SCORES] == [0.0, 0.0, 0.0]
    assert scores["macro_f1"] == pytest.approx(1 / 4)
    assert scores["partial_f1"] == pytest.approx(1 / 3)


def test_all_right():
    gold = [[(0, 2, "PER"), (2, 3, "PER")], [], [(5, 9, "LOC")]]
    scores = entity_metrics(gold, gold, kinds=["LOC", "PER"])
    assert set(scores.values()) == {1.0}
    assert list(scores)[:5] == ["precision", "recall", "f1", "partial_f1", "macro_f1"]


def test_nothing_to_divide_by_is_zero():
    assert set(entity_metrics([], [], kinds=["PER"]).values()) == {0.0}
    assert set(entity_metrics([[]], [[]], kinds=["PER"]).values()) == {0.0}
    assert set(entity_metrics([[]], [[]], kinds=[]).values()) == {0.0}
    assert set(entity_metrics([[]], [[(0, 1, "PER")]], kinds=["PER"]).values()) == {0.0}
    assert set(entity_metrics([[(0, 1, "PER")]], [[]], kinds=["PER"]).values()) == {0.0}


@pytest.mark.parametrize(
    ("found", "partial_f1"),
    [
        ([(0, 1, "PER")], 1 / 2),
        ([(1, 6, "PER")], 1 / 2),
        ([(2, 3, "PER")], 0.0),  # next to it
        ([(0, 1, "LOC")], 0.0),  # another type
        ([(0, 1, "PER"), (1, 2, "PER")], 1 / 2),  # both halves: precision ½, recall ½
        ([(0, 2, "PER"), (3, 4, "PER")], 2 / 3),
    ],
)
def test_overlap_in_part_counts_half(found, partial_f1):
    scores = entity_metrics([found], [[(0, 2, "PER")]], kinds=["PER"])
    assert scores["partial_f1"] == pytest.approx(partial_f1)


def test_the_same_place_in_another_text_is_no_hit():
    scores = entity_metrics([[(0, 1, "PER")], []], [[], [(0, 1, "PER")]], kinds=["PER"])
    assert (scores["f1"], scores["partial_f1"]) == (0.0, 0.0)


def test_texts_must_be_as_many():
    with pytest.raises(ValueError, match="zip"):
        entity_metrics([[]], [[], []], kinds=[])


@st.composite
def legal_tags(draw, num_words):
    tags = []
    for _ in range(num_words):
        before = tags[-1] if tags else "O"
        goes_on = [f"I-{before[2:]}"] * 3 if before != "O" else []
        tags.append(draw(st.sampled_from(["O", *(f"B-{kind}" for kind in KINDS), *goes_on])))
    return tags


@st.composite
def two_annotations(draw):
    """Texts tagged twice, alike in places."""
    lengths = draw(st.lists(st.integers(1, 8), min_size=1, max_size=5))
    gold = [draw(legal_tags(length)) for length in lengths]
    found = [tags if draw(st.booleans()) else draw(legal_tags(len(tags))) for tags in gold]
    return found, gold


def seqevals_report(found, gold):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from seqeval.metrics import classification_report
        from seqeval.scheme import IOB2

        if all(tag == "O" for tags in [*gold, *found] for tag in tags):
            return {}  # it fails there
        return classification_report(
            gold, found, mode="strict", scheme=IOB2, output_dict=True, zero_division=0
        )


@settings(deadline=None, derandomize=True, max_examples=150, database=None)
@given(two_annotations())
def test_they_are_seqevals_own(pair):
    found, gold = pair
    ours = entity_metrics(
        [entities_of(tags) for tags in found], [entities_of(tags) for tags in gold], kinds=KINDS
    )
    theirs = seqevals_report(found, gold)
    for name, other in zip(SCORES, ("precision", "recall", "f1-score"), strict=True):
        assert ours[name] == pytest.approx(theirs.get("micro avg", {}).get(other, 0.0), abs=1e-9)
        for kind in KINDS:
            assert ours[f"{name}/{kind}"] == pytest.approx(theirs.get(kind, {}).get(other, 0.0), abs=1e-9)
    present = {tag[2:] for tags in [*gold, *found] for tag in tags if tag != "O"}
    if present == set(KINDS):
        assert ours["macro_f1"] == pytest.approx(theirs["macro avg"]["f1-score"], abs=1e-9)
    assert ours["partial_f1"] >= ours["f1"] - 1e-9
