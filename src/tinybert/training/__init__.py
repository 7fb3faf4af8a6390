"""The one trainer, its precision and what it shows."""

from tinybert.training.evaluator import Evaluator
from tinybert.training.precision import choose_precision, seconds_per_product
from tinybert.training.progress import metric_title
from tinybert.training.schedule import steps_for
from tinybert.training.settings import Settings
from tinybert.training.tracking import check_trackers, tracked
from tinybert.training.trainer import Batch, Objective, Trained, train
from tinybert.training.turns import one_at_a_time

__all__ = [
    "Batch",
    "Evaluator",
    "Objective",
    "Settings",
    "Trained",
    "check_trackers",
    "choose_precision",
    "metric_title",
    "one_at_a_time",
    "seconds_per_product",
    "steps_for",
    "tracked",
    "train",
]
