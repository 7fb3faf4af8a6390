"""Learn from a teacher, at several depths."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from tinybert.data.encode import IGNORED_CLASS as IGNORED
from tinybert.losses import Loss, accepted
from tinybert.models.capture import Captured
from tinybert.models.families import encoder
from tinybert.models.inputs import run_model
from tinybert.objectives.catalogue import HARD, find_loss
from tinybert.tasks.task import BatchLoss, identity
from tinybert.teachers import Teacher, TeacherOutput, Wanted, capture_wanted
from tinybert.training import Batch

Rows = Callable[[Tensor, Mapping[str, Tensor]], tuple[Tensor, Tensor | None]]

OF_DECODER = ("decoder_hidden", "cross_scores")
"""What losses read of a decoder."""
PROJECTIONS = "distillation_projections"
"""Name of the submodule that a student carries while it is trained, and loses before it is saved."""


@dataclass(frozen=True)
class Teaching:
    """Which losses, and between which layers.

    Attributes:
        weights: loss name → weight; ``hard`` is the task's own loss on the labels.
        layer_map: for each student layer the teacher's, counted from 1.
        decoder_map: the same for the layers of a decoder.
        temperature: of the prediction losses.
        num_relation_heads: of ``relation_kl``.
    """

    weights: Mapping[str, float]
    layer_map: tuple[int, ...]
    temperature: float = 2.0
    num_relation_heads: int = 12
    decoder_map: tuple[int, ...] = ()

    def losses(self) -> list[tuple[str, Loss, str]]:
        """Return (name, function, what it reads) of every loss but the hard one."""
        return [(name, *find_loss(name)) for name in self.weights if name != HARD]

    def wanted(self) -> Wanted:
        """What must be captured of the teacher."""
        return self._wanted(self.layer_map, self.decoder_map)

    def wanted_of_student(self) -> Wanted:
        """What must be captured of the student, at the matching places."""
        layers, of_decoder = (tuple(range(1, len(each) + 1)) for each in (self.layer_map, self.decoder_map))
        return self._wanted(layers, of_decoder)

    def _wanted(self, layers: tuple[int, ...], of_decoder: tuple[int, ...]) -> Wanted:
        read = {what for _, _, what in self.losses()}
        return Wanted(
            hidden=(0, *layers) if "hidden" in read else (),
            scores=layers if "scores" in read else (),
            vectors=layers[-1:] if "vectors" in read else (),
            decoder_hidden=of_decoder if "decoder_hidden" in read else (),
            cross_scores=of_decoder if "cross_scores" in read else (),
        )


class DistillObjective:
    """Learn from a teacher: hidden states, attention, relations, predictions, and the labels.

    A hidden loss between unequal widths needs a learnable projection a layer (the paper's W_h); the student
    carries them as a submodule while it is trained, so that the optimiser and the checkpoints hold them.

    Args:
        student: The student; projections are attached to it here.
        teacher: Its outputs are learnt.
        teaching: Which losses between which layers.
        hard_loss: ``(logits of a batch, batch) -> ()``, as :meth:`tinybert.tasks.Task.hard_loss` returns it.
        teacher_hidden_size: The teacher's width.
        projection_start: (D_teacher, D_student) the start of every projection, or one a hidden state
            (N + 1, D_teacher, D_student); else random.
        rows: As of a :class:`tinybert.tasks.Task`: the scores of a batch as losses read them.
    """

    def __init__(
        self,
        student: PreTrainedModel,
        teacher: Teacher,
        teaching: Teaching,
        *,
        hard_loss: BatchLoss,
        teacher_hidden_size: int,
        projection_start: Tensor | None = None,
        rows: Rows = identity,
    ) -> None:
        self.teacher = teacher
        self.rows = rows
        self.teaching = teaching
        self.hard_loss = hard_loss
        self.losses = teaching.losses()
        wanted = teaching.wanted_of_student()
        self.capture = capture_wanted(student, wanted)
        width = int(encoder(student).config.hidden_size)
        self.projections: nn.ModuleList | None = None
        self.num_hidden = len(wanted.hidden)
        count = self.num_hidden + len(wanted.decoder_hidden)
        if count and width != teacher_hidden_size:
            self.projections = _projections(count, width, teacher_hidden_size, projection_start)
            student.add_module(PROJECTIONS, self.projections)

    def __call__(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return the weighted terms by name."""
        output = self.teacher.answer(batch)
        with self.capture as taken:
            logits = run_model(model, batch)
        mask = batch["attention_mask"].bool()
        if output.covered is not None:
            mask = mask & output.covered
        rows, taught = self.rows(logits, batch)
        terms: dict[str, Tensor] = {}
        for name, loss, reads in self.losses:
            if reads == "logits":
                pair = self._taught(rows, taught, output, batch)
                terms[name] = _between(loss, *pair, self.teaching.temperature)
            elif reads in OF_DECODER:
                masks = accepted(loss, mask_BL=mask, mask_BT=batch["labels"] != IGNORED)
                terms[name] = self._decoder_term(loss, reads, taken, output, masks)
            else:
                terms[name] = self._term(loss, reads, taken, output, mask)
        if HARD in self.teaching.weights and "labels" in batch:  # no row has one: nothing to add
            terms[HARD] = self.hard_loss(logits, batch)
        return {name: self.teaching.weights[name] * term for name, term in terms.items()}

    def _taught(
        self, rows: Tensor, taught: Tensor | None, output: TeacherOutput, batch: Batch
    ) -> tuple[Tensor, Tensor]:
        """Return the student's rows and the teacher's, those that count."""
        theirs, _ = self.rows(output.logits, batch)
        if taught is None:
            return rows, theirs
        if output.covered is not None:
            taught = taught & output.covered
        return rows[taught], theirs[taught]

    def _term(self, loss: Loss, reads: str, taken: Captured, output: TeacherOutput, mask: Tensor) -> Tensor:
        """Return one loss on layers, summed over those it compares."""
        layers = list(enumerate(self.teaching.layer_map, 1))
        if reads == "hidden":
            pairs = [(0, 0), *layers]
            return _total(
                loss(self._projected(taken.hidden[own], own), output.hidden[its], mask_BL=mask)
                for own, its in pairs
            )
        if reads == "scores":
            return _total(loss(taken.scores[own], output.scores[its], mask_BL=mask) for own, its in layers)
        own, its = layers[-1]
        heads = accepted(loss, num_relation_heads=self.teaching.num_relation_heads)
        return _total(
            loss(ours, theirs, mask_BL=mask, **heads)
            for ours, theirs in zip(taken.vectors[own], output.vectors[its], strict=True)
        )

    def _decoder_term(
        self,
        loss: Loss,
        reads: str,
        taken: Captured,
        output: TeacherOutput,
        masks: Mapping[str, Any],
    ) -> Tensor:
        """Return one loss on a decoder's layers, summed over those it compares."""
        layers = list(enumerate(self.teaching.decoder_map, 1))
        if reads == "cross_scores":
            return _total(
                loss(taken.cross_scores[own], output.cross_scores[its], **masks) for own, its in layers
            )
        return _total(
            loss(
                self._projected(taken.decoder_hidden[own], self.num_hidden + own - 1),
                output.decoder_hidden[its],
                **masks,
            )
            for own, its in layers
        )

    def learnt_projections(self) -> Tensor | None:
        """Return the learnt projections, (N + 1, D_teacher, D_student), where widths differ."""
        if self.projections is None:
            return None
        of_encoder = list(self.projections)[: self.num_hidden]
        weights = [cast(nn.Linear, module).weight.detach().cpu() for module in of_encoder]
        return torch.stack(weights).contiguous()

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
            for index, module in enumerate(modules):
                its = start[min(index, len(start) - 1)] if start.dim() == 3 else start
                cast(nn.Linear, module).weight.copy_(its)
    return modules


def _between(loss: Loss, student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Return a loss on logits."""
    return loss(student, teacher, **accepted(loss, temperature=temperature))


def _total(terms: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(terms)).sum()
