"""A teacher that runs: a model in ``eval()`` and inference mode, capturing only what is read."""

from __future__ import annotations

import hashlib
import json
from contextlib import AbstractContextManager, ExitStack, nullcontext

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from tinybert.models.capture import Capture, Captured
from tinybert.models.decoder_capture import DecoderCapture
from tinybert.models.inputs import TEXT_INPUTS, run_model
from tinybert.teachers.teacher import TeacherOutput, Wanted

NO_PART = ("_name_or_path", "transformers_version")
"""Keys of a config that say where a model comes from, not what it predicts."""


class ModelTeacher:
    """A classifier that predicts batch by batch. Its dropout is off and it records no gradients.

    Args:
        model: A classifier; put into ``eval()`` here.
        wanted: The layers to capture.
        prefix: ``"teacher_"`` when the teacher reads with its own tokenizer.
        bf16: Keep the weights in bf16. Autocast would cast them again at every step.
    """

    def __init__(
        self, model: PreTrainedModel, wanted: Wanted, *, prefix: str = "", bf16: bool = False
    ) -> None:
        self.model = model.eval().requires_grad_(False)
        if bf16:
            nn.Module.to(self.model, torch.bfloat16)
        self.wanted = wanted
        self.prefix = prefix
        self.reads_labels = bool(getattr(model.config, "is_encoder_decoder", False))
        self.capture = capture_wanted(self.model, wanted)

    @torch.inference_mode()
    def answer(self, batch: dict[str, Tensor]) -> TeacherOutput:
        """Run the model; tensors stay in its dtype, on its device."""
        device = self.model.device
        names = [self.prefix + name for name in TEXT_INPUTS if self.prefix + name in batch]
        names += ["labels"] if self.reads_labels and "labels" in batch else []
        inputs = {name: batch[name].to(device) for name in names}
        with torch.autocast(device.type, enabled=False), self.capture as taken:
            logits = run_model(self.model, inputs, prefix=self.prefix)
        output = TeacherOutput(logits, taken.hidden, taken.scores, taken.vectors)
        output.decoder_hidden, output.cross_scores = taken.decoder_hidden, taken.cross_scores
        return output


def weights_digest(model: PreTrainedModel) -> str:
    """Return one SHA-256 over what decides a model's predictions: its config, and its weights by name.

    Taken from the model in memory, so it holds for a hub name as for a folder, and for outputs put into
    another order.
    """
    settings = {key: value for key, value in model.config.to_dict().items() if key not in NO_PART}
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def capture_wanted(model: PreTrainedModel, wanted: Wanted) -> AbstractContextManager[Captured]:
    """Return a context that can be entered at every step and takes what is wanted from a forward."""
    if wanted.of_decoder:
        return _PairCapture(model, wanted)
    return _capture_encoder(model, wanted)


def _capture_encoder(model: PreTrainedModel, wanted: Wanted) -> AbstractContextManager[Captured]:
    if not wanted.of_encoder:
        return nullcontext(Captured())
    return Capture(model, hidden=wanted.hidden, scores=wanted.scores, vectors=wanted.vectors)


class _PairCapture:
    """Both sides of an encoder–decoder as one context."""

    def __init__(self, model: PreTrainedModel, wanted: Wanted) -> None:
        self.encoder = _capture_encoder(model, wanted)
        self.decoder = DecoderCapture(model, hidden=wanted.decoder_hidden, cross=wanted.cross_scores)

    def __enter__(self) -> Captured:
        self.stack = ExitStack()
        taken, beside = self.stack.enter_context(self.encoder), self.stack.enter_context(self.decoder)
        taken.decoder_hidden, taken.cross_scores = beside.decoder_hidden, beside.cross_scores
        return taken

    def __exit__(self, *error: object) -> None:
        self.stack.close()
