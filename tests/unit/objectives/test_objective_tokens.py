"""What a teacher of single tokens says counts where it was asked, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from tests import easy
from torch import Tensor
from transformers import BertForQuestionAnswering, BertForTokenClassification

from tinybert.objectives import DistillObjective, Teaching
from tinybert.tasks import BUILTIN
from tinybert.teachers import TeacherOutput

LENGTH, NUM_TAGS = 6, 3
WORDS = torch.tensor([[-1, 0, -1, 1, -1, -1], [-1, 0, 1, 2, 3, -1]])
BATCH = {
    "input_ids": torch.randint(5, 30, (2, LENGTH), generator=torch.Generator().manual_seed(0)),
    "attention_mask": torch.tensor([[1, 1, 1, 1, 1, 0], [1] * LENGTH]),
    "words": WORDS,
}
COVERED = torch.tensor([[1, 1, 1, 0, 1, 0], [1] * LENGTH]).bool()  # word 1 of the first row was cut off


class Says:
    """A teacher whose answer is given."""

    def __init__(self, output: TeacherOutput) -> None:
        self.output = output

    def answer(self, batch: dict[str, Tensor]) -> TeacherOutput:
        return self.output


def terms(task: str, change: Callable[[Tensor, Tensor], None]) -> dict[str, float]:
    """Return the terms of a fixed student against a fixed teacher whose answer was changed."""
    torch.manual_seed(0)
    kind = BertForTokenClassification if task == "ner" else BertForQuestionAnswering
    outputs = NUM_TAGS if task == "ner" else 2
    student = kind(easy.make_config(num_labels=outputs, num_hidden_layers=1)).eval()
    logits, hidden = torch.randn(2, LENGTH, outputs), torch.randn(2, LENGTH, 32)
    change(logits, hidden)
    teaching = Teaching({"kl_divergence": 1.0, "hidden_state_mse": 1.0}, (1,))
    answer = TeacherOutput(logits, {0: hidden, 1: hidden}, covered=COVERED if task == "ner" else None)
    objective = DistillObjective(
        student,
        Says(answer),
        teaching,
        hard_loss=torch.nn.functional.cross_entropy,
        teacher_hidden_size=32,
        rows=BUILTIN[task].loss_rows,
    )
    return {name: term.item() for name, term in objective(student, BATCH).items()}


def nothing(logits: Tensor, hidden: Tensor) -> None:
    pass


@pytest.mark.parametrize(
    ("place", "what"),
    [
        ((0, 5), "padding"),
        ((0, 2), "a piece that goes on"),
        ((0, 3), "a word nobody answered"),
        ((1, 0), "a [CLS]"),
    ],
)
def test_a_tag_counts_at_a_word_that_was_answered_only(place: tuple[int, int], what: str) -> None:
    def change(logits: Tensor, hidden: Tensor) -> None:
        logits[place] += 7 * torch.arange(NUM_TAGS)

    assert terms("ner", change)["kl_divergence"] == terms("ner", nothing)["kl_divergence"], what


def test_a_tag_at_a_word_counts() -> None:
    def change(logits: Tensor, hidden: Tensor) -> None:
        logits[1, 2] += 7 * torch.arange(NUM_TAGS)

    assert terms("ner", change)["kl_divergence"] != pytest.approx(terms("ner", nothing)["kl_divergence"])


@pytest.mark.parametrize(
    ("place", "counts"), [((0, 3), False), ((0, 5), False), ((0, 2), True), ((1, 0), True)]
)
def test_hidden_states_count_where_the_teacher_read(place: tuple[int, int], counts: bool) -> None:
    def change(logits: Tensor, hidden: Tensor) -> None:
        hidden[place] += 5

    changed = terms("ner", change)["hidden_state_mse"] != terms("ner", nothing)["hidden_state_mse"]
    assert changed is counts


def test_an_answers_place_is_one_of_the_real_pieces() -> None:
    def at(*place: int) -> dict[str, float]:
        def change(logits: Tensor, hidden: Tensor) -> None:
            logits[place] += 9

        return terms("qa", change)

    assert at(0, 5)["kl_divergence"] == terms("qa", nothing)["kl_divergence"]  # padding
    assert at(0, 4)["kl_divergence"] != pytest.approx(terms("qa", nothing)["kl_divergence"])
