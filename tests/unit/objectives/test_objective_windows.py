"""A text in windows is compared with its teacher, and with its label, on pooled logits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from tests import easy
from torch import Tensor

from tinybert.losses import cross_entropy, kl_divergence
from tinybert.models.inputs import run_model
from tinybert.objectives import DistillObjective, HardObjective, Teaching
from tinybert.tasks import BUILTIN as TASKS
from tinybert.teachers import FileTeacher, TeacherOutput

COUNTS = (3, 1)


def batch_of() -> dict[str, Tensor]:
    ids = torch.randint(5, 60, (4, 9), generator=torch.Generator().manual_seed(0))
    return {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "row": torch.arange(4),
        "num_windows": torch.tensor(COUNTS),
        "labels": torch.tensor([1, 0]),
    }


def pooled(logits: Tensor, pooling: str) -> Tensor:
    parts = logits.split(COUNTS)
    return torch.stack([part.mean(0) if pooling == "mean" else part.max(0).values for part in parts])


class Given:
    """A teacher with given logits a window."""

    logits = torch.tensor([[2.0, -1.0], [0.0, 3.0], [1.0, 1.0], [-2.0, 0.5]])

    def answer(self, batch: dict[str, Tensor]) -> TeacherOutput:
        return TeacherOutput(self.logits)


@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_losses_read_pooled_logits_of_both(pooling: str) -> None:
    changes: Any = {"long_text": "windows", "window_pooling": pooling}
    task = replace(TASKS["classification"], format=replace(TASKS["classification"].format, **changes))
    student, batch = easy.seeded_classifier().eval(), batch_of()
    objective = DistillObjective(
        student,
        Given(),
        Teaching({"kl_divergence": 1.0, "hard": 0.5}, (), temperature=2.0),
        hard_loss=task.hard_loss("cross_entropy"),
        teacher_hidden_size=32,
        rows=task.rows,
    )
    ours = pooled(run_model(student, batch), pooling)
    theirs = pooled(Given.logits, pooling)
    terms = objective(student, batch)
    torch.testing.assert_close(terms["kl_divergence"], kl_divergence(ours, theirs, temperature=2.0))
    torch.testing.assert_close(terms["hard"], 0.5 * cross_entropy(ours, batch["labels"]))
    alone = HardObjective(task.hard_loss("cross_entropy"))(student, batch)
    torch.testing.assert_close(alone["hard"], 2 * terms["hard"])


def test_a_file_s_scores_are_those_of_each_window() -> None:
    rows = FileTeacher(torch.tensor([[0.0, 1.0], [5.0, 2.0]]).numpy())
    windows = rows.of_windows([0, 0, 0, 1])
    found = windows.answer(batch_of()).logits
    assert found.tolist() == [[0.0, 1.0]] * 3 + [[5.0, 2.0]]
    assert pooled(found, "mean").tolist() == rows.logits.tolist()
