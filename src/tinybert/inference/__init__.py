"""Prediction with a checkpoint or one of its exports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinybert.data import TextRow

if TYPE_CHECKING:
    from tinybert.inference.predictor import Predictor

__all__ = ["Predictor", "TextRow"]


def __getattr__(name: str) -> object:
    """Import the predictor, and with it torch, on first use."""
    if name != "Predictor":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tinybert.inference.predictor import Predictor

    return Predictor
