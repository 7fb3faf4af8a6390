"""Named entities: what a row is (``rows``), what becomes of the scores (``task``)."""

from tinybert.tasks.ner.prediction import Entities, Entity
from tinybert.tasks.ner.task import NER

__all__ = ["NER", "Entities", "Entity"]
