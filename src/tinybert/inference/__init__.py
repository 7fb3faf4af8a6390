"""Prediction with a checkpoint."""

from tinybert.inference.predictor import Predictor
from tinybert.inference.rows import TextRow

__all__ = ["Predictor", "TextRow"]
