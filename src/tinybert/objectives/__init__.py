"""What the trainer minimises: ``(model, batch) -> {name: weighted term}``, one file an objective."""

from tinybert.objectives.catalogue import HARD, INTERMEDIATE, MASKED_LM, find_loss, is_intermediate
from tinybert.objectives.contrastive import ContrastiveObjective
from tinybert.objectives.distillation import OF_DECODER, DistillObjective, Teaching, remove_projections
from tinybert.objectives.general import GeneralObjective
from tinybert.objectives.hard import HardObjective
from tinybert.objectives.masked_lm import MaskedLMObjective

__all__ = [
    "HARD",
    "INTERMEDIATE",
    "MASKED_LM",
    "OF_DECODER",
    "ContrastiveObjective",
    "DistillObjective",
    "GeneralObjective",
    "HardObjective",
    "MaskedLMObjective",
    "Teaching",
    "find_loss",
    "is_intermediate",
    "remove_projections",
]
