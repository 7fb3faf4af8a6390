"""TinyBERT students: train, distil, evaluate and predict.

Names are imported on first use, so that ``import tinybert`` stays fast.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from tinybert.config import Recipe
    from tinybert.data import TextDataset, fetch
    from tinybert.errors import TinyBertError
    from tinybert.predict import Predictor
    from tinybert.runs import Run, open_run
    from tinybert.stages.export import export
    from tinybert.stages.face import distill, evaluate, finetune, predict, pretrain
    from tinybert.stages.pipeline import run_recipe
    from tinybert.train import train_model

_HOMES = {
    "Predictor": "tinybert.predict",
    "Recipe": "tinybert.config",
    "Run": "tinybert.runs",
    "TextDataset": "tinybert.data",
    "TinyBertError": "tinybert.errors",
    "distill": "tinybert.stages.face",
    "evaluate": "tinybert.stages.face",
    "export": "tinybert.stages.export",
    "fetch": "tinybert.data",
    "finetune": "tinybert.stages.face",
    "open_run": "tinybert.runs",
    "predict": "tinybert.stages.face",
    "pretrain": "tinybert.stages.face",
    "run_recipe": "tinybert.stages.pipeline",
    "train_model": "tinybert.train",
}

__all__ = [
    "Predictor",
    "Recipe",
    "Run",
    "TextDataset",
    "TinyBertError",
    "distill",
    "evaluate",
    "export",
    "fetch",
    "finetune",
    "open_run",
    "predict",
    "pretrain",
    "run_recipe",
    "train_model",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'tinybert' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


class _Package(ModuleType):
    """Keeps the functions ``predict`` and ``evaluate`` where the rooms of that name would hide them."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
