"""What every line of ``tasks.BUILTIN`` keeps to. A new line is tested the day it is added."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
import transformers

from tinybert.data import LabelScheme
from tinybert.errors import DataError, ModelError
from tinybert.losses import BUILTIN as LOSSES
from tinybert.models.head import HEADS
from tinybert.tasks import (
    BUILTIN,
    Entities,
    ExtractedSummary,
    FoundAnswer,
    TextPrediction,
    WrittenText,
)

EVERY = pytest.mark.parametrize("name", BUILTIN)
SCORING = pytest.mark.parametrize("name", [name for name, task in BUILTIN.items() if not task.writes])
WRITING = pytest.mark.parametrize("name", [name for name, task in BUILTIN.items() if task.writes])
WORDS = [-1, 0, 1, 2, -1]
# three texts of three words of one letter; a window is a special token, the words, a special token


def as_classes(gold, size):
    return size * (2 * np.eye(3)[gold] - 1)


def as_yes_or_no(gold, size):
    return size * (2 * np.array(gold) - 1)


def as_numbers(gold, size):
    return np.array(gold)[:, None]


def as_tags(gold, size):
    return size * (2 * np.eye(3)[[[0, *tags, 0] for tags in gold]] - 1)


def as_ends(gold, size):
    scores = np.zeros((3, 5, 2))
    for row, [(start, end)] in enumerate(gold):
        scores[row, 1 + start // 2, 0] = scores[row, 1 + (end - 1) // 2, 1] = size
    return scores


def as_sentences(gold, size):
    scores = np.zeros((3, 5, 2))
    for row, [[letter]] in enumerate(gold):
        scores[row, 1 + "abc".index(letter), 1] = size
    return scores


NO_NAMES = LabelScheme()


@dataclasses.dataclass(frozen=True)
class Case:
    """Three rows: their gold labels, what a row without has, and the scores of a model that is right."""

    gold: list[object]
    decoded: list[object]
    scores: Callable[[list[object], float], np.ndarray]
    unlabelled: object = None
    scheme: LabelScheme = NO_NAMES
    place: int = 0  # of the first word in its text: a question of one letter and a separator stand before
    labels: Callable[[list[object]], list[object]] = list
    settings: dict[str, float] = dataclasses.field(default_factory=dict)


CLASSES = LabelScheme(("bad", "fair", "good"))
CASES = {
    "classification": Case(
        gold=[0, 1, 2],
        decoded=["bad", "fair", "good"],
        scores=as_classes,
        unlabelled=-100,
        scheme=CLASSES,
    ),
    "multilabel": Case(
        gold=[[1.0, 0.0, 0.0], [0.0, 1.0, 1.0], [0.0, 0.0, 0.0]],
        decoded=[["bad"], ["fair", "good"], []],
        scores=as_yes_or_no,
        unlabelled=[math.nan] * 3,
        scheme=CLASSES,
    ),
    "regression": Case(gold=[0.5, -1.0, 2.0], decoded=[None] * 3, scores=as_numbers, unlabelled=math.nan),
    "ner": Case(
        gold=[[1, 2, 0], [0, 1, 1], [0, 0, 0]],
        decoded=[[(0, 3)], [(2, 3), (4, 5)], []],
        scores=as_tags,
        scheme=LabelScheme(("O", "B-LOC", "I-LOC")),
        labels=lambda gold: [[-100, *tags, -100] for tags in gold],
    ),
    "qa": Case(
        gold=[[[0, 3]], [[2, 3]], [[4, 5]]],
        decoded=[(0, 3), (2, 3), (4, 5)],
        scores=as_ends,
        scheme=LabelScheme(("start", "end"), by_position=True),
        place=2,
        labels=lambda gold: [[1 + start // 2, 1 + (end - 1) // 2] for [(start, end)] in gold],
    ),
    "extractive": Case(  # each word is a sentence
        gold=[["a"], ["b"], ["c"]],
        decoded=["a", "b", "c"],
        scores=as_sentences,
        scheme=LabelScheme(("other", "summary")),
        labels=lambda gold: [[-100, *(int(letter == given) for letter in "abc"), -100] for [given] in gold],
        settings={"num_sentences": 1.0},
    ),
}


def scheme_of(task):
    return CASES[task.name].scheme


def gold_of(task):
    gold = CASES[task.name].gold
    return gold if task.format.windowed else np.array(gold)


def unlabelled(task):
    rows = [CASES[task.name].unlabelled] * 3
    return rows if task.format.windowed else np.array(rows)


def right_scores(task, size=9.0):
    """Scores of a model that is right and sure of it: (3, C), or (3, L, C)."""
    case = CASES[task.name]
    return case.scores(case.gold, size)


def rows_of(task, count=3):
    places = {"starts": [[0, 2, 4]] * count, "ends": [[1, 3, 5]] * count}
    words = {f"{noun}_{side}": each for noun in ("word", "sentence") for side, each in places.items()}
    if task.format.text_pair is None:
        return {"text": ["a b c"] * count, **words}
    return {"text": ["?"] * count, "text_pair": ["a b c"] * count}


def features_of(task, count=3):
    places = [CASES[task.name].place + word for word in (0, 2, 4)]
    return {
        "example": list(range(count)),
        "words": [WORDS] * count,
        "sentences": [WORDS] * count,
        "piece_starts": [[-1, *places, -1]] * count,
        "piece_ends": [[-1, *(place + 1 for place in places), -1]] * count,
    }


def outputs_of(task, scores):
    count = len(scores)
    features, rows, settings = features_of(task, count), rows_of(task, count), CASES[task.name].settings
    return task.aggregate(list(scores), features, rows, labels=scheme_of(task), settings=settings)


def batch_of(task):
    mask = torch.ones(3, 5, dtype=torch.int64)
    labels = CASES[task.name].labels(CASES[task.name].gold)
    return {
        "labels": torch.tensor(np.array(labels)),
        "words": torch.tensor([WORDS] * 3),
        "sentences": torch.tensor([WORDS] * 3),
        "attention_mask": mask,
    }


@EVERY
def test_it_is_frozen_and_known_by_its_name(name):
    task = BUILTIN[name]
    assert task.name == name
    with pytest.raises(dataclasses.FrozenInstanceError):
        task.name = "other"


@EVERY
def test_transformers_knows_what_it_names(name):
    task = BUILTIN[name]
    assert task.head in HEADS
    if task.problem_type is not None:
        assert transformers.BertConfig(problem_type=task.problem_type).problem_type == task.problem_type


def test_no_two_tasks_claim_one_head_and_problem_type():
    known = [task for task in BUILTIN.values() if task.matches is not None]
    claims = [(task.head.class_ending, task.problem_type) for task in known]
    assert len(set(claims)) == len(claims)


@SCORING
def test_its_losses_on_answers_are_in_the_table(name):
    task = BUILTIN[name]
    assert task.soft_losses
    assert set(task.soft_losses) <= set(LOSSES)
    student = torch.tensor(right_scores(task))
    rows, mask = task.loss_rows(student, batch_of(task))
    teacher, _ = task.loss_rows(student.flip(0), batch_of(task))
    for soft in task.soft_losses:
        same = LOSSES[soft](rows, rows, mask=mask)
        assert LOSSES[soft](rows, teacher, mask=mask) > same


@SCORING
def test_its_hard_losses_prefer_the_right_answer(name):
    task = BUILTIN[name]
    right = torch.tensor(right_scores(task, size=0.5))
    assert task.hard_losses
    for key, loss in task.hard_losses.items():
        assert loss in LOSSES.values()
        hard = task.hard_loss(key)
        assert hard(right, batch_of(task)) < hard(right.flip(0), batch_of(task))


@SCORING
def test_its_hard_losses_leave_unlabelled_rows_out(name):
    task = BUILTIN[name]
    scores, batch = torch.tensor(right_scores(task)), batch_of(task)
    nothing = float("nan") if batch["labels"].is_floating_point() else -100
    twice = {key: torch.cat([value, value]) for key, value in batch.items()}
    twice["labels"] = torch.cat([batch["labels"], torch.full_like(batch["labels"], nothing)])
    for key in task.hard_losses:
        joined = task.hard_loss(key)(torch.cat([scores, scores.flip(0)]), twice)
        torch.testing.assert_close(joined, task.hard_loss(key)(scores, batch))


@SCORING
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_decode_gives_one_answer_a_row(name, dtype):
    task = BUILTIN[name]
    scheme = scheme_of(task)
    answers = task.decode(outputs_of(task, right_scores(task).astype(dtype)), scheme)
    assert [said(answer) for answer in answers] == CASES[task.name].decoded
    for answer in answers:
        if isinstance(answer, TextPrediction):
            assert tuple(answer.scores) == scheme.names
            assert type(answer.score) is float
            assert all(type(score) is float and 0 <= score <= 1 for score in answer.scores.values())


def said(answer):
    if isinstance(answer, Entities):
        assert all(entity.text == answer.text[entity.start : entity.end] for entity in answer.entities)
        assert all(0 < entity.score <= 1 for entity in answer.entities)
        return [(entity.start, entity.end) for entity in answer.entities]
    if isinstance(answer, FoundAnswer):
        assert answer.answer == "a b c"[answer.start : answer.end]
        assert sum(span.score for span in answer.n_best) == pytest.approx(1)
        return (answer.start, answer.end)
    if isinstance(answer, ExtractedSummary):
        assert all(each.text == "a b c"[each.start : each.end] for each in answer.sentences)
        assert all(0 < each.score <= 1 for each in answer.sentences)
    return answer.label if isinstance(answer, TextPrediction) else answer.as_label()


@SCORING
def test_decode_of_no_rows_is_no_answers(name):
    task = BUILTIN[name]
    assert list(task.decode(outputs_of(task, right_scores(task)[:0]), scheme_of(task))) == []


@SCORING
def test_metrics_of_right_answers_are_perfect(name):
    task = BUILTIN[name]
    scores = task.metrics(outputs_of(task, right_scores(task)), gold_of(task))
    assert scores[task.main_metric] == pytest.approx(task.best_score)
    assert all(type(score) is float for score in scores.values())


@SCORING
def test_the_main_metric_falls_with_a_wrong_answer(name):
    task = BUILTIN[name]
    wrong = right_scores(task)
    wrong[0] = -wrong[0] - 3
    assert task.metrics(outputs_of(task, wrong), gold_of(task))[task.main_metric] < 0.99 * task.best_score


@SCORING
def test_metrics_leave_unlabelled_rows_out(name):
    task = BUILTIN[name]
    gold, scores = gold_of(task), right_scores(task)
    joined = [*gold, *unlabelled(task)] if task.format.windowed else np.concatenate([gold, unlabelled(task)])
    found = task.metrics(outputs_of(task, np.concatenate([scores, -scores])), joined)
    assert found == pytest.approx(task.metrics(outputs_of(task, scores), gold))


@SCORING
def test_metrics_of_an_unlabelled_split_are_refused(name):
    task = BUILTIN[name]
    with pytest.raises(DataError, match="none of 3 rows has a gold label"):
        task.metrics(outputs_of(task, right_scores(task)), unlabelled(task))


@SCORING
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scores_that_are_no_numbers_are_never_an_answer(name, bad):
    task = BUILTIN[name]
    scores = right_scores(task)
    scores[1, 1 if task.format.windowed else 0] = bad

    def decode():
        return task.decode(outputs_of(task, scores), scheme_of(task))

    def measure():
        return task.metrics(outputs_of(task, scores), gold_of(task))

    for call in (decode, measure):
        with pytest.raises(ModelError, match="NaN or infinite: the training diverged"):
            call()


@SCORING
def test_what_is_calibrated_changes_no_right_answer(name):
    task = BUILTIN[name]
    outputs, chosen = task.calibrate(outputs_of(task, right_scores(task)), gold_of(task))
    assert chosen == CASES[name].settings  # every question has an answer, so there is no threshold
    assert task.metrics(outputs, gold_of(task))[task.main_metric] == pytest.approx(task.best_score)


@SCORING
def test_what_costs_nothing_gives_outputs_of_the_task(name):
    task = BUILTIN[name]
    for fit in task.free.values():
        for predictor in (fit(rows_of(task), gold_of(task)), fit({}, [])):
            outputs = predictor.predict(rows_of(task))
            assert len(task.decode(outputs, scheme_of(task))) == 3
            assert 0 <= task.metrics(outputs, gold_of(task))[task.main_metric] <= task.best_score
            assert predictor.title


SOURCES = ["a red fox", "two owls", "soup is hot"]
TARGETS = [["ein roter Fuchs im Wald"], ["zwei alte Eulen sitzen dort"], ["Suppe ist immer sehr heiß"]]


def written(texts):
    return [WrittenText(text, -0.5, 1 + len(text.split())) for text in texts]


@WRITING
def test_texts_that_are_the_references_score_best(name):
    task = BUILTIN[name]
    scores = task.metrics(written(targets[0] for targets in TARGETS), TARGETS)
    assert scores[task.main_metric] == pytest.approx(task.best_score)
    assert all(type(score) is float for score in scores.values())


@WRITING
def test_the_main_metric_falls_with_a_wrong_text_and_leaves_rows_without_a_target_out(name):
    task = BUILTIN[name]
    texts = [targets[0] for targets in TARGETS]
    wrong = task.metrics(written(["nichts davon", *texts[1:]]), TARGETS)
    assert wrong[task.main_metric] < 0.99 * task.best_score
    more = task.metrics(written(["nichts davon", *texts[1:], "was"]), [*TARGETS, None])
    assert more == pytest.approx(wrong)
    with pytest.raises(DataError, match="none of 3 rows has a target"):
        task.metrics(written(texts), [None] * 3)


@WRITING
def test_losses_of_written_texts_read_real_tokens_only(name):
    task = BUILTIN[name]
    torch.manual_seed(0)
    logits, labels = torch.randn(2, 4, 7), torch.tensor([[3, 1, 2, -100], [5, -100, -100, -100]])
    rows, mask = task.loss_rows(logits, {"labels": labels})
    assert mask.tolist() == [[True, True, True, False], [True, False, False, False]]
    changed = logits.clone()
    changed[~mask] = 99.0
    for soft in task.soft_losses:
        assert torch.equal(LOSSES[soft](rows[mask], logits[mask]), LOSSES[soft](changed[mask], logits[mask]))
    for key in task.hard_losses:
        hard = task.hard_loss(key)
        assert torch.equal(hard(logits, {"labels": labels}), hard(changed, {"labels": labels}))


@WRITING
def test_a_written_text_is_shown_compared_and_a_label(name):
    task = BUILTIN[name]
    one, other = task.decode(written(["ein Fuchs", "zwei"]), scheme_of_writing(task))
    assert one.is_same(dataclasses.replace(one, score=-9.0), value_range=1.0)
    assert not one.is_same(other, value_range=1.0)
    assert one.as_label() == "ein Fuchs"
    assert "cut after" in dataclasses.replace(one, is_finished=False).shown("a fox")


def scheme_of_writing(task):
    return task.format.scheme([])
