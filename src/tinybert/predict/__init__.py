"""Prediction with a checkpoint."""

from tinybert.predict.predictor import Predictor, TextRow

__all__ = ["Predictor", "TextRow"]
