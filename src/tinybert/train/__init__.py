"""The one trainer, its precision and what it shows."""

from tinybert.train.classic import train_model
from tinybert.train.precision import choose_precision, seconds_per_product
from tinybert.train.progress import epoch_line, metric_title
from tinybert.train.trainer import Batch, Objective, Settings, Trained, train

__all__ = [
    "Batch",
    "Objective",
    "Settings",
    "Trained",
    "choose_precision",
    "epoch_line",
    "metric_title",
    "seconds_per_product",
    "train",
    "train_model",
]
