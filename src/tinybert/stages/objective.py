"""What the trainer minimises: the task's hard loss, or what a teacher says at several depths."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from tinybert.losses import BUILTIN as LOSSES
from tinybert.losses import attention_score_mse, hidden_state_mse, relation_kl
from tinybert.models.capture import Captured
from tinybert.models.inputs import model_inputs
from tinybert.teachers import Teacher, TeacherOutput, Wanted, capture_wanted

HardLoss = Callable[[Tensor, Tensor], Tensor]

HARD = "hard"
HIDDEN, ATTENTION, RELATION = "hidden_state_mse", "attention_score_mse", "relation_kl"
INTERMEDIATE = (HIDDEN, ATTENTION, RELATION)
PREDICTION = ("kl_divergence", "soft_cross_entropy", "mse_logits")
TEMPERED = ("kl_divergence", "soft_cross_entropy")

PROJECTIONS = "distillation_projections"
"""Name of the submodule that a student carries while it is trained, and loses before it is saved."""


class HardObjective:
    """Learn from the labels alone.

    Args:
        hard_loss: ``(logits (B, C), labels) -> ()``.
    """

    def __init__(self, hard_loss: HardLoss) -> None:
        self.hard_loss = hard_loss

    def __call__(self, model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the one term, ``hard``."""
        return {HARD: self.hard_loss(model(**model_inputs(model, batch)).logits, batch["labels"])}


@dataclass(frozen=True)
class Teaching:
    """Which losses, and between which layers.

    Attributes:
        weights: loss name → weight; ``hard`` is the task's own loss on the labels.
        layer_map: for each student layer the teacher's, counted from 1.
        temperature: of the prediction losses.
        num_relation_heads: of ``relation_kl``.
    """

    weights: Mapping[str, float]
    layer_map: tuple[int, ...]
    temperature: float = 2.0
    num_relation_heads: int = 12

    def wanted(self) -> Wanted:
        """What must be captured of the teacher."""
        return Wanted(
            hidden=(0, *self.layer_map) if HIDDEN in self.weights else (),
            scores=self.layer_map if ATTENTION in self.weights else (),
            vectors=self.layer_map[-1:] if RELATION in self.weights else (),
        )

    def wanted_of_student(self) -> Wanted:
        """What must be captured of the student, at the matching places."""
        num_layers = len(self.layer_map)
        return Wanted(
            hidden=tuple(range(num_layers + 1)) if HIDDEN in self.weights else (),
            scores=tuple(range(1, num_layers + 1)) if ATTENTION in self.weights else (),
            vectors=(num_layers,) if RELATION in self.weights else (),
        )


class DistillObjective:
    """Learn from a teacher: hidden states, attention, relations, predictions, and the labels.

    A hidden loss between unequal widths needs a learnable projection a layer (the paper's W_h); the student
    carries them as a submodule while it is trained, so that the optimiser and the checkpoints hold them.

    Args:
        student: The student; projections are attached to it here.
        teacher: Who answers.
        teaching: Which losses between which layers.
        hard_loss: The task's loss on labels.
        teacher_hidden_size: The teacher's width.
        projection_start: (D_teacher, D_student) the start of every projection, transposed; else random.
    """

    def __init__(
        self,
        student: PreTrainedModel,
        teacher: Teacher,
        teaching: Teaching,
        *,
        hard_loss: HardLoss,
        teacher_hidden_size: int,
        projection_start: Tensor | None = None,
    ) -> None:
        self.teacher = teacher
        self.teaching = teaching
        self.hard_loss = hard_loss
        wanted = teaching.wanted_of_student()
        self.capture = capture_wanted(student, wanted)
        width = int(student.config.hidden_size)
        self.projections: nn.ModuleList | None = None
        if HIDDEN in teaching.weights and width != teacher_hidden_size:
            self.projections = _projections(len(wanted.hidden), width, teacher_hidden_size, projection_start)
            student.add_module(PROJECTIONS, self.projections)

    def __call__(self, model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the weighted terms by name."""
        answer = self.teacher.answer(batch)
        with self.capture as taken:
            logits = model(**model_inputs(model, batch)).logits
        terms = self._intermediate(batch, taken, answer)
        for name in PREDICTION:
            if name in self.teaching.weights:
                scale = {"temperature": self.teaching.temperature} if name in TEMPERED else {}
                terms[name] = LOSSES[name](logits, answer.logits, **scale)
        if HARD in self.teaching.weights:
            terms[HARD] = self.hard_loss(logits, batch["labels"])
        return {name: self.teaching.weights[name] * term for name, term in terms.items()}

    def _intermediate(
        self, batch: dict[str, Tensor], taken: Captured, answer: TeacherOutput
    ) -> dict[str, Tensor]:
        mask = batch["attention_mask"].bool()
        layers = range(1, len(self.teaching.layer_map) + 1)
        pairs = list(zip(layers, self.teaching.layer_map, strict=True))
        terms: dict[str, Tensor] = {}
        if HIDDEN in self.teaching.weights:
            terms[HIDDEN] = _total(
                hidden_state_mse(self._projected(taken.hidden[own], own), answer.hidden[its], mask_BL=mask)
                for own, its in [(0, 0), *pairs]
            )
        if ATTENTION in self.teaching.weights:
            terms[ATTENTION] = _total(
                attention_score_mse(taken.scores[own], answer.scores[its], mask_BL=mask) for own, its in pairs
            )
        if RELATION in self.teaching.weights:
            own, its = pairs[-1]
            heads = self.teaching.num_relation_heads
            terms[RELATION] = _total(
                relation_kl(ours, theirs, mask_BL=mask, num_relation_heads=heads)
                for ours, theirs in zip(taken.vectors[own], answer.vectors[its], strict=True)
            )
        return terms

    def _projected(self, hidden: Tensor, index: int) -> Tensor:
        if self.projections is None:
            return hidden
        # in the forward's own dtype: in fp32 these products would cost more than the student's own layers
        weight = cast(nn.Linear, self.projections[index]).weight
        return nn.functional.linear(hidden, weight.to(hidden.dtype))


def remove_projections(student: PreTrainedModel) -> None:
    """Take the training-only submodule off a student, so that it is an ordinary checkpoint again."""
    if hasattr(student, PROJECTIONS):
        delattr(student, PROJECTIONS)


def _projections(count: int, width: int, teacher_width: int, start: Tensor | None) -> nn.ModuleList:
    modules = nn.ModuleList(nn.Linear(width, teacher_width, bias=False) for _ in range(count))
    if start is not None:
        with torch.no_grad():
            for module in modules:
                cast(nn.Linear, module).weight.copy_(start)
    return modules


def _total(terms: object) -> Tensor:
    return torch.stack(list(terms)).sum()  # pyright: ignore[reportArgumentType]
