"""The checkpoint itself, in torch: the reference that all exports are compared with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from tinybert.inference.backends.contract import Backend, Engine, Loading, Precision, Scores, Tokens
from tinybert.models import load_classifier
from tinybert.models.inputs import run_model

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def load(folder: Path, precision: Precision, loading: Loading) -> Engine:
    """Load a checkpoint; ``loading`` is not read: torch has one pool of threads for all."""
    model = load_classifier(str(folder)).requires_grad_(False)
    if precision == "bf16":
        nn.Module.to(model, torch.bfloat16)
    if torch.cuda.is_available():
        nn.Module.to(model, "cuda")
    return engine_of(model)


def engine_of(model: PreTrainedModel) -> Engine:
    """Return an engine over a model in memory."""

    @torch.inference_mode()
    def run(batch: Tokens) -> Scores:
        tensors = {name: torch.from_numpy(array).to(model.device) for name, array in batch.items()}
        return run_model(model, tensors).float().cpu().numpy()

    return run


TORCH = Backend(precisions=("fp32", "bf16"), load=load, one_at_a_time=True)
