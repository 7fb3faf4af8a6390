"""Answers to questions: exact match and F1, as SQuAD's official script counts them."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence

import numpy as np
import regex

ARTICLES = re.compile(r"\b(a|an|the)\b")  # regex draws the borders of words elsewhere
PUNCTUATION = str.maketrans("", "", string.punctuation)
CJK = regex.compile(r"([\p{Han}\p{Hiragana}\p{Katakana}])")


def normalise_answer(text: str) -> list[str]:
    """Return the words that are compared: lower case, without punctuation and articles.

    Source: the official evaluation script of SQuAD, arXiv:1606.05250.
    Differs: a Chinese character or Japanese letter is a word of its own; else such an answer would be one
        word, right or wrong as a whole.

    Example:
        >>> normalise_answer("The Brown, Fox.")
        ['brown', 'fox']
    """
    plain = ARTICLES.sub(" ", text.lower().translate(PUNCTUATION))
    return CJK.sub(r" \1 ", plain).split()


def exact_match(answer: str, gold: Sequence[str]) -> float:
    """Return 1 when the answer is one of the gold answers, which are [""] where there is none."""
    return float(any(normalise_answer(answer) == words for words in _gold_words(gold)))


def answer_f1(answer: str, gold: Sequence[str]) -> float:
    """Return the best F1 of the answer's words with those of a gold answer.

    Example:
        >>> answer_f1("the old fox", ["fox"])
        0.6666666666666666
    """
    return max(word_f1(normalise_answer(answer), words) for words in _gold_words(gold))


def _gold_words(gold: Sequence[str]) -> list[list[str]]:
    """Return the words of each gold answer that has any; of none, the empty answer."""
    return [words for each in gold if (words := normalise_answer(each))] or [[]]


def word_f1(ours: list[str], theirs: list[str]) -> float:
    """Return the F1, 0 to 1, of the words that both have, as often as they have them; of no words, equality.

    Example:
        >>> word_f1(["old", "old", "fox"], ["old", "fox", "cat"])
        0.6666666666666666
    """
    if not ours or not theirs:
        return float(ours == theirs)
    shared = (Counter(ours) & Counter(theirs)).total()
    if not shared:
        return 0.0
    precision, recall = shared / len(ours), shared / len(theirs)
    return 2 * precision * recall / (precision + recall)


def answer_metrics(answers: Sequence[str], gold: Sequence[Sequence[str]]) -> dict[str, float]:
    """Score answers; an empty text says that there is none, and so does an empty list of gold answers.

    Returns:
        ``f1`` and ``exact_match`` in 0 to 1; where some questions have no answer, also
        ``f1_answerable`` and ``no_answer_accuracy``.
    """
    exact = np.array([exact_match(*pair) for pair in zip(answers, gold, strict=True)])
    f1 = np.array([answer_f1(*pair) for pair in zip(answers, gold, strict=True)])
    scores = {"f1": float(f1.mean()), "exact_match": float(exact.mean())}
    answerable = np.array([len(each) > 0 for each in gold])
    if not answerable.all():
        scores["no_answer_accuracy"] = float(exact[~answerable].mean())
    if not answerable.all() and answerable.any():
        scores["f1_answerable"] = float(f1[answerable].mean())
    return scores


def best_threshold(
    margins: Sequence[float], f1_if_answered: Sequence[float], answerable: Sequence[bool]
) -> float:
    """Return the threshold above which "there is no answer" scores best.

    Args:
        margins: Score of no answer less that of the best answer, one a question.
        f1_if_answered: F1 of the best answer.
        answerable: Whether the question has an answer.

    Returns:
        The threshold: a question is left unanswered where its margin is above it.

    Source: ``find_best_thresh`` of SQuAD 2.0's official script, arXiv:1806.03822.

    Example:
        >>> best_threshold([-2.0, 3.0], [1.0, 0.0], [True, False])
        0.5
    """
    order = np.argsort(margins, kind="stable")
    sorted_margins = np.asarray(margins, dtype=np.float64)[order]
    gains = np.where(np.asarray(answerable), np.asarray(f1_if_answered), -1.0)[order]
    totals = np.concatenate([[0.0], np.cumsum(gains)])  # answering the k lowest margins
    apart = np.concatenate([[True], np.diff(sorted_margins) > 0, [True]])  # equal margins stay together
    best = int(np.where(apart, totals, -np.inf).argmax())
    if best == 0:
        return float(sorted_margins[0] - 1)
    if best == len(sorted_margins):
        return float(sorted_margins[-1])
    return float((sorted_margins[best - 1] + sorted_margins[best]) / 2)
