"""Scores of written texts: values by hand, and those of sacrebleu and rouge-score."""

import random
import string
import subprocess
import sys

import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from tinybert.errors import DataError, RecipeError
from tinybert.metrics import signature, text_scores
from tinybert.metrics.bleu import TOKENIZERS
from tinybert.metrics.generation import BUILTIN
from tinybert.metrics.words import words

STEADY = settings(deadline=None, derandomize=True, max_examples=100, database=None)
NEEDS_MECAB = ("ja-mecab", "ko-mecab")
CAT = ("the cat sat on the mat", ["the cat sat on a mat"])
CAT_LAY = ("the cat sat on the mat", ["the cat lay on a mat"])


def score(name, prediction, references, **settings):
    return text_scores([prediction], [references], names=[name], **settings)[name]


@pytest.mark.parametrize(
    ("name", "row", "value"),
    [
        ("bleu", CAT, 100 * (5 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25),
        ("bleu", ("a b c d", ["a b c d e f"]), 100 * 2.718281828459045 ** (1 - 6 / 4)),  # brevity alone
        ("bleu", ("a b c x", ["a b c d"]), 100 * (3 / 4 * 2 / 3 * 1 / 2 * 1 / 2) ** 0.25),  # smoothed: ½ of 1
        ("chrf", ("abc", ["abd"]), 100 * (2 / 3 + 1 / 2 + 0) / 3),  # n-grams of 1 to 3 characters
        ("rouge1", CAT_LAY, 100 * 4 / 6),
        ("rouge2", CAT_LAY, 100 * 1 / 5),
        ("rougeL", CAT_LAY, 100 * 4 / 6),
        ("rouge1", ("b a", ["a b"]), 100.0),
        ("rouge2", ("b a", ["a b"]), 0.0),
        ("rougeL", ("b a", ["a b"]), 50.0),
        ("rouge1", ("Running DOGS!", ["the dog runs"]), 100 * 2 * (1 * 2 / 3) / (1 + 2 / 3)),  # stems
        ("distinct1", ("a b a b", ["x"]), 2 / 4),
        ("distinct2", ("a b a b", ["x"]), 2 / 3),
        ("token_f1", ("the the cat", ["the cat cat sat"]), 100 * 2 * (2 / 3 * 2 / 4) / (2 / 3 + 2 / 4)),
        ("token_f1", ("Yes, it is.", ["yes it is"]), 100.0),
        ("token_f1", ("runs", ["run"]), 0.0),  # no stems
        ("exact_match", (" a  b\n", ["c", "a b"]), 100.0),
        ("exact_match", ("A b", ["a b"]), 0.0),
    ],
)
def test_hand_values(name, row, value):
    assert score(name, *row) == pytest.approx(value)


@pytest.mark.parametrize(
    ("name", "row", "value"),
    [
        ("rouge1", ("我爱北京", ["我爱上海"]), 50.0),
        ("rouge2", ("我爱北京", ["我爱上海"]), 100 / 3),
        ("rougeL", ("京北爱我", ["我爱北京"]), 25.0),
        ("rouge1", ("我用 BERT 模型。", ["我用BERT模型"]), 100.0),
        ("token_f1", ("北京，很大！", ["北京大"]), 100 * 2 * (3 / 4 * 1) / (3 / 4 + 1)),
        ("distinct1", ("好好学习", ["x"]), 3 / 4),
        ("distinct2", ("好好好学", ["x"]), 2 / 3),
        ("exact_match", ("你好\u3000吗", ["你好 吗"]), 100.0),
        ("chrf", ("你好", ["你们"]), 100 * (1 / 2 + 0) / 2),
    ],
)
def test_hand_values_in_chinese(name, row, value):
    assert score(name, *row) == pytest.approx(value)


def test_the_tokenizer_decides_what_a_word_of_bleu_is():
    row = ("我爱北京", ["我爱上海"])
    assert score("bleu", *row) == 0.0  # one word, wrong
    characters = 100 * (2 / 4 * 1 / 3 * (1 / 2 / 2) * (1 / 4 / 1)) ** 0.25
    assert score("bleu", *row, tokenize="zh") == pytest.approx(characters)
    assert score("chrf", *row, tokenize="zh") == score("chrf", *row)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It's 3 cafés.", ["it", "s", "3", "cafés"]),
        ("snake_case e-mail", ["snake", "case", "e", "mail"]),
        ("我爱NLP，真的！", ["我", "爱", "nlp", "真", "的"]),
        ("カタかな漢字", ["カ", "タ", "か", "な", "漢", "字"]),
        ("Привет, мир", ["привет", "мир"]),
        ("안녕 세상", ["안녕", "세상"]),
        ("cafe\u0301", ["caf\u00e9"]),
        ("हिन्दी", ["हिन्दी"]),
        ("?! … 😀", []),
    ],
)
def test_words(text, expected):
    assert words(text) == expected


@pytest.mark.parametrize("name", BUILTIN)
def test_an_empty_prediction_scores_0(name):
    assert score(name, "", ["a b c d e"]) == 0.0
    assert score(name, " ", [""]) == 0.0
    assert score(name, "?!", ["a b c d e"]) == 0.0


@pytest.mark.parametrize("name", BUILTIN)
def test_an_empty_prediction_beside_a_right_one(name):
    both = text_scores(["a b c d", ""], [["a b c d"], ["e f g h"]], names=[name])[name]
    means = ("rouge1", "rouge2", "rougeL", "token_f1", "exact_match")
    if name.startswith("distinct"):
        assert both == 1.0
    elif name in means:
        assert both == 50.0
    else:
        assert 0 < both < 100


@pytest.mark.parametrize("name", [name for name in BUILTIN if not name.startswith("distinct")])
def test_a_prediction_equal_to_any_reference_is_perfect(name):
    assert score(name, "It rained all day.", ["Nothing.", "It rained all day."]) == pytest.approx(100.0)


@pytest.mark.parametrize("name", BUILTIN)
def test_rows_may_have_different_numbers_of_references(name):
    """The same as with the last reference again, until all have equally many."""
    predictions = ["the cat sat on the mat", "it rains in May", "so"]
    references = [["the cat sat on a mat"], ["it rains a lot in May", "May has rain", "rain"], ["so be it"]]
    filled = [[*texts, *[texts[-1]] * (3 - len(texts))] for texts in references]
    ours = text_scores(predictions, references, names=[name])
    assert ours == pytest.approx(text_scores(predictions, filled, names=[name]))
    assert 0 < ours[name] < 100 or name == "exact_match"


def test_distinct_counts_over_all_rows_and_not_across_them():
    predictions, references = ["a b c", "a b", "c a"], [["x"]] * 3
    scores = text_scores(predictions, references, names=["distinct1", "distinct2"])
    assert scores == pytest.approx({"distinct1": 3 / 7, "distinct2": 3 / 4})


ENGLISH = ["The", "cat", "cats", "running", "runs", "mat.", "3.5", "it's", "on_it", "-"]
TEXTS = st.lists(st.sampled_from([*ENGLISH, "我爱", "é"]), max_size=9).map(" ".join)
ROWS = st.lists(st.tuples(TEXTS, TEXTS, st.none() | TEXTS), min_size=1, max_size=5)


@STEADY
@given(ROWS, st.sampled_from([name for name in TOKENIZERS if name not in NEEDS_MECAB]))
def test_bleu_and_chrf_are_those_of_sacrebleu(rows, tokenize):
    """Also holds fast what is not public there: the numbers of a row and the score of their sums."""
    predictions, first, second = (list(column) for column in zip(*rows, strict=True))
    references = [[one] if two is None else [one, two] for _, one, two in rows]
    scores = text_scores(predictions, references, names=["bleu", "chrf"], tokenize=tokenize)
    official = sacrebleu.corpus_bleu(predictions, [first, second], tokenize=tokenize, force=True)
    assert scores["bleu"] == pytest.approx(official.score)
    assert scores["chrf"] == pytest.approx(sacrebleu.corpus_chrf(predictions, [first, second]).score)


ASCII = st.one_of(
    st.lists(st.sampled_from(ENGLISH), min_size=3, max_size=9).map(" ".join),
    st.text(string.printable, max_size=30),
)


@STEADY
@given(ASCII, st.lists(ASCII, min_size=1, max_size=3))
def test_rouge_of_english_is_that_of_rouge_score(prediction, references):
    names = ["rouge1", "rouge2", "rougeL"]
    official = RougeScorer(names, use_stemmer=True).score_multi(references, prediction)
    scores = text_scores([prediction], [references], names=names)
    assert scores == pytest.approx({name: 100 * official[name].fmeasure for name in names})


def test_scores_come_in_the_order_of_names():
    names = ["token_f1", "bleu", "distinct1"]
    assert list(text_scores(["a"], [["a"]], names=names)) == names
    assert text_scores(["a"], [["a"]], names=[]) == {}


def test_long_texts_and_many_lines_are_scored_without_a_word(caplog):
    rng = random.Random(0)
    texts = [" ".join(rng.choices("abcdefgh", k=60)) + " ." for _ in range(120)]
    assert text_scores(texts, [[text] for text in texts], names=list(BUILTIN))["bleu"] == pytest.approx(100)
    assert not caplog.records


@pytest.mark.parametrize(
    ("predictions", "references", "message"),
    [
        ([], [], "there is no row to score"),
        (["a"], [["a"], ["b"]], "1 predictions for 2 rows of references"),
        (["a"], [], "1 predictions for 0 rows"),
        (["a", "b"], [["a"], []], "row 2: there is no reference"),
        (["a", "b"], [["a"], "b"], "row 2: the references are one text; write a list"),
        (["a", "b"], ["a", []], "metrics: 2 problems"),
    ],
)
def test_rows_that_cannot_be_scored_are_refused(predictions, references, message):
    with pytest.raises(DataError, match=message):
        text_scores(predictions, references, names=["bleu"])


@pytest.mark.parametrize(
    ("names", "tokenize", "message"),
    [
        (["blue"], "13a", "'blue': unknown metric of texts; did you mean 'bleu'"),
        (["rougel"], "13a", "did you mean 'rougeL'"),
        (["xyz"], "13a", r"'xyz': unknown metric of texts \(allowed: bleu, chrf, rouge1,"),
        (["bleu"], "13", r"'13': unknown tokenizer of BLEU; did you mean '13a'\? \(allowed: 13a, zh"),
        (["bleu"], "flores200", "unknown tokenizer"),  # would download a model
        (["rouge1"], "zn", "unknown tokenizer"),  # also where nothing reads it
        (["blue", "x"], "y", "metrics: 3 problems"),
    ],
)
def test_unknown_names_are_refused(names, tokenize, message):
    with pytest.raises(RecipeError, match=message):
        text_scores(["a"], [["a"]], names=names, tokenize=tokenize)


@pytest.mark.parametrize(("tokenize", "extra"), [("ja-mecab", "ja"), ("ko-mecab", "ko")])
def test_a_tokenizer_whose_package_is_missing_is_refused_with_the_install_line(monkeypatch, tokenize, extra):
    module = __import__(f"sacrebleu.tokenizers.tokenizer_{extra}_mecab", fromlist=["MeCab"])
    monkeypatch.setattr(module, "MeCab", None)
    with pytest.raises(RecipeError, match=rf"pip install 'sacrebleu\[{extra}\]'"):
        text_scores(["a"], [["a"]], names=["bleu"], tokenize=tokenize)
    assert text_scores(["a"], [["a"]], names=["chrf"], tokenize=tokenize) == {"chrf": 100.0}


def test_signatures_of_bleu_and_chrf_are_those_of_sacrebleu():
    for references, number in (([["a"]], 1), ([["a"], ["b"]], 2)):
        bleu, chrf = sacrebleu.BLEU(tokenize="zh"), sacrebleu.CHRF()
        bleu.corpus_score(["a"], references)
        chrf.corpus_score(["a"], references)
        assert signature("bleu", tokenize="zh", num_references=number) == str(bleu.get_signature())
        assert signature("chrf", tokenize="zh", num_references=number) == str(chrf.get_signature())
    assert f"version:{sacrebleu.__version__}" in signature("bleu")
    assert signature("bleu", num_references=None).startswith("nrefs:var|")


@pytest.mark.parametrize("name", BUILTIN)
def test_every_signature_has_the_form_of_sacrebleus(name):
    parts = [part.split(":") for part in signature(name, num_references=2).split("|")]
    assert all(len(part) == 2 and all(part) for part in parts)
    assert parts[-1][0] == "version"
    assert name.startswith("distinct") or ["nrefs", "2"] in parts


def test_a_signature_of_an_unknown_metric_is_refused():
    with pytest.raises(RecipeError, match="did you mean 'chrf'"):
        signature("chr")


def test_importing_metrics_imports_no_library_of_scores():
    heavy = "{'sacrebleu', 'rouge_score', 'nltk', 'sklearn', 'scipy'}"
    program = f"import sys, tinybert.metrics.generation; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
