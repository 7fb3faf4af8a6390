"""Prediction with a checkpoint."""

from tinybert.predict.predictor import Predictor
from tinybert.predict.rows import TextRow

__all__ = ["Predictor", "TextRow"]
