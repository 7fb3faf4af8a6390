"""A teacher that runs: a model in ``eval()`` and inference mode, capturing only what is read."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from tinybert.models.capture import Capture, Captured
from tinybert.models.inputs import model_inputs
from tinybert.teachers.teacher import TeacherOutput, Wanted


class ModelTeacher:
    """A classifier that answers batch by batch. Its dropout is off and it records no gradients.

    Args:
        model: A classifier; put into ``eval()`` here.
        wanted: The layers to capture.
        prefix: ``"teacher_"`` when the teacher reads with its own tokenizer.
        bf16: Keep the weights in bf16. Autocast would cast them anew at every step.
    """

    def __init__(
        self, model: PreTrainedModel, wanted: Wanted, *, prefix: str = "", bf16: bool = False
    ) -> None:
        self.model = model.eval().requires_grad_(False)
        if bf16:
            nn.Module.to(self.model, torch.bfloat16)
        self.wanted = wanted
        self.prefix = prefix
        self.capture = capture_wanted(self.model, wanted)

    @torch.inference_mode()
    def answer(self, batch: dict[str, Tensor]) -> TeacherOutput:
        """Run the model; tensors stay in its dtype, on its device."""
        device = self.model.device
        inputs = {
            name: value.to(device)
            for name, value in model_inputs(self.model, batch, prefix=self.prefix).items()
        }
        with torch.autocast(device.type, enabled=False), self.capture as taken:
            logits = self.model(**inputs).logits
        return TeacherOutput(logits, taken.hidden, taken.scores, taken.vectors)


def capture_wanted(model: PreTrainedModel, wanted: Wanted) -> AbstractContextManager[Captured]:
    """Return a context that can be entered at every step and takes what is wanted from a forward."""
    if wanted.logits_only:
        return nullcontext(Captured())
    return Capture(model, hidden=wanted.hidden, scores=wanted.scores, vectors=wanted.vectors)
