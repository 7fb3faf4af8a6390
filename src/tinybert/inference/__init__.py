"""Prediction with a checkpoint or one of its exports."""

from tinybert.data import TextRow
from tinybert.inference.predictor import Predictor

__all__ = ["Predictor", "TextRow"]
