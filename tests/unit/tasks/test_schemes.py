"""Tags of models trained elsewhere: which scheme they are of, and the entities and scores they give."""

import copy
import json

import numpy as np
import pytest
from tests import tokens

from tinybert import predict
from tinybert.data import LabelScheme
from tinybert.errors import ModelError
from tinybert.inference.predictor import Predictor
from tinybert.tasks.ner import NER
from tinybert.tasks.ner.rows import EntityRows
from tinybert.tasks.ner.schemes import schemes_of
from tinybert.tasks.ner.task import WordScores, continued

XLM_R = ("B-LOC", "B-MISC", "B-ORG", "I-LOC", "I-MISC", "I-ORG", "I-PER", "O")
IO = ("O", "I-PER", "I-LOC")
BOTH = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
BARE = ("O", "PER", "LOC")
BIOES = ("O", *(f"{letter}-{kind}" for kind in ("LOC", "PER") for letter in "BIES"))
BILOU = ("O", *(f"{letter}-{kind}" for kind in ("LOC", "PER") for letter in "BILU"))
BMES = ("O", *(f"{letter}-{kind}" for kind in ("LOC", "PER") for letter in "BMES"))


def decoded(names, *words, foreign=True):
    """Return (text, type, score) of each entity; the tags that a word does not name share the rest."""
    probabilities = np.zeros((len(words), len(names)))
    for row, word in enumerate(words):
        probabilities[row] = (1 - sum(word.values())) / (len(names) - len(word))
        for tag, probability in word.items():
            probabilities[row, names.index(tag)] = probability
    starts = [2 * word for word in range(len(words))]
    text = " ".join("abcdefgh"[: len(words)])
    ends = [start + 1 for start in starts]
    row = WordScores(text, starts, ends, np.log(probabilities), names, foreign=foreign)
    (found,) = NER.decode([row], LabelScheme(names))
    return [(each.text, each.label, pytest.approx(each.score, abs=1e-3)) for each in found.entities]


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (XLM_R, ["IOB1"]),
        (IO, ["IO"]),
        (BOTH, ["IOB2", "IOB1"]),
        (("O", "B-PER", "I-PER", "B-DATE"), ["IOB2"]),
        (BARE, ["plain"]),
        (BIOES, ["BIOES"]),
        (BILOU, ["BILOU"]),
        (BMES, ["BMES"]),
        (("B_PER", "E_PER", "I_PER", "O", "S_PER"), ["BIOES"]),
        (("NOUN", "VERB"), []),
        (("O", "PER-B", "PER-I"), []),
        (("O", "b-per", "i-per"), []),
        (("LABEL_0", "LABEL_1"), []),
    ],
)
def test_the_names_tell_the_scheme(names, wanted):
    assert [scheme.name for scheme in schemes_of(names)] == wanted


@pytest.mark.parametrize(
    ("names", "words", "wanted"),
    [
        (XLM_R, [{"I-PER": 0.9}, {"I-PER": 0.8}, {"O": 0.9}], [("a b", "PER", 0.85)]),
        (XLM_R, [{"I-LOC": 0.9}, {"B-LOC": 0.7}], [("a", "LOC", 0.9), ("b", "LOC", 0.7)]),
        (XLM_R, [{"B-LOC": 0.5, "I-LOC": 0.4}, {"O": 0.9}], [("a", "LOC", 0.4)]),
        (IO, [{"I-PER": 0.9}, {"I-PER": 0.7}, {"I-LOC": 0.6}], [("a b", "PER", 0.8), ("c", "LOC", 0.6)]),
        (BARE, [{"PER": 0.9}, {"PER": 0.7}, {"LOC": 0.6}], [("a b", "PER", 0.8), ("c", "LOC", 0.6)]),
        (BIOES, [{"B-PER": 0.9}, {"I-PER": 0.8}, {"E-PER": 0.7}, {"S-LOC": 0.6}],
         [("a b c", "PER", 0.8), ("d", "LOC", 0.6)]),
        (BIOES, [{"S-PER": 0.9}, {"S-PER": 0.7}], [("a", "PER", 0.9), ("b", "PER", 0.7)]),
        (BIOES, [{"O": 0.9}, {"B-PER": 0.6, "S-PER": 0.3}], [("b", "PER", 0.3)]),
        (BIOES, [{"B-PER": 0.6, "S-PER": 0.1}, {"E-LOC": 0.5, "E-PER": 0.4}], [("a b", "PER", 0.5)]),
        (BILOU, [{"B-PER": 0.9}, {"L-PER": 0.7}, {"U-LOC": 0.6}], [("a b", "PER", 0.8), ("c", "LOC", 0.6)]),
        (BMES, [{"B-LOC": 0.9}, {"M-LOC": 0.8}, {"E-LOC": 0.7}], [("a b c", "LOC", 0.8)]),
        (("B_PER", "I_PER", "O"), [{"B_PER": 0.9}, {"I_PER": 0.7}], [("a b", "PER", 0.8)]),
        (("O", "B-PER", "I-PER", "E-PER"), [{"B-PER": 0.9}, {"O": 0.9}], [("a", "PER", 0.9)]),
        (("O", "B-PER", "I-PER", "I-LOC"), [{"I-LOC": 0.9}, {"O": 0.9}], [("a", "LOC", 0.9)]),
        (("O", "E-PER", "I-PER", "S-PER"), [{"I-PER": 0.9}, {"E-PER": 0.7}], [("a b", "PER", 0.8)]),
    ],
)  # fmt: skip
def test_entities_and_scores_by_each_scheme(names, words, wanted):
    assert decoded(names, *words) == wanted


def test_a_model_of_iob1_keeps_its_entities_and_their_scores():
    words = [{"I-PER": 0.98, "B-PER": 0.01}, {"I-PER": 0.98}, {"O": 0.9}, {"I-LOC": 0.97, "O": 0.02}]
    assert decoded(BOTH, *words) == [("a b", "PER", 0.98), ("d", "LOC", 0.97)]


def test_a_model_of_iob2_is_read_by_iob2():
    words = [{"B-PER": 0.9}, {"B-PER": 0.8}, {"B-LOC": 0.5, "B-PER": 0.45}, {"I-PER": 0.9}]
    wanted = [("a", "PER", 0.9), ("b", "PER", 0.8), ("c d", "PER", 0.675)]
    assert decoded(BOTH, *words) == wanted


def test_a_model_of_our_own_is_of_iob2_whatever_it_predicts():
    assert decoded(BOTH, {"I-PER": 0.9, "B-PER": 0.05}, foreign=False) == [("a", "PER", 0.05)]


def test_a_word_under_another_words_piece_continues_its_entity():
    scores = np.arange(9, dtype=np.float32)[None]
    found = continued(scores, BIOES)[0]
    assert found.tolist() == [0, -1e4, 2, 4, -1e4, -1e4, 6, 8, -1e4]


@pytest.mark.parametrize("names", [("NOUN", "VERB"), ("O", "PER-B", "PER-I")])
def test_outputs_that_are_no_tags_are_refused_with_the_fix(names):
    with pytest.raises(ModelError, match=r"write such names into id2label"):
        EntityRows().scheme_of_outputs(names, subject="model")


def test_a_checkpoint_with_other_names_gives_the_entities_of_its_scheme(tmp_path):
    model = copy.deepcopy(tokens.entity_model())
    texts = [" ".join(row["tokens"]) for row in tokens.make_entity_rows(20)]
    wanted = predict(tokens.save(model, tmp_path / "hyphens"), texts)
    names = [name.replace("-", "_") for name in tokens.TAGS]
    model.config.id2label = dict(enumerate(names))
    model.config.label2id = {name: index for index, name in enumerate(names)}
    found = predict(tokens.save(model, tmp_path / "underscores"), texts)
    assert [each.entities for each in found] == [each.entities for each in wanted]
    assert sum(len(each.entities) for each in found) > 20


def test_a_run_of_ours_is_told_from_a_checkpoint_trained_elsewhere(tmp_path):
    path = tokens.save_entity_teacher(tmp_path / "model")
    assert Predictor(path).labels.foreign
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps(config | {"tinybert": {"task": "ner"}}))
    assert not Predictor(path).labels.foreign
