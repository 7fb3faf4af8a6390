"""TinyBERT students: train, distil, evaluate and predict.

Names are imported on first use, so that ``import tinybert`` stays fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from tinybert.api import (
        augment,
        bench,
        distill,
        doctor,
        evaluate,
        export,
        finetune,
        predict,
        pretrain,
        tokenizer,
        trim,
    )
    from tinybert.config import Recipe
    from tinybert.errors import TinyBertError
    from tinybert.inference import Predictor
    from tinybert.runs import Run, open_run
    from tinybert.sources import fetch
    from tinybert.stages.classic import train_model
    from tinybert.stages.pipeline import run_recipe
    from tinybert.tasks import TextDataset

_HOMES = {
    "Predictor": "tinybert.inference",
    "Recipe": "tinybert.config",
    "Run": "tinybert.runs",
    "TextDataset": "tinybert.tasks",
    "TinyBertError": "tinybert.errors",
    "augment": "tinybert.api",
    "bench": "tinybert.api",
    "distill": "tinybert.api",
    "doctor": "tinybert.api",
    "evaluate": "tinybert.api",
    "export": "tinybert.api",
    "fetch": "tinybert.sources",
    "finetune": "tinybert.api",
    "open_run": "tinybert.runs",
    "predict": "tinybert.api",
    "pretrain": "tinybert.api",
    "run_recipe": "tinybert.stages.pipeline",
    "tokenizer": "tinybert.api",
    "train_model": "tinybert.stages.classic",
    "trim": "tinybert.api",
}

__all__ = [
    "Predictor",
    "Recipe",
    "Run",
    "TextDataset",
    "TinyBertError",
    "augment",
    "bench",
    "distill",
    "doctor",
    "evaluate",
    "export",
    "fetch",
    "finetune",
    "open_run",
    "predict",
    "pretrain",
    "run_recipe",
    "tokenizer",
    "train_model",
    "trim",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'tinybert' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
