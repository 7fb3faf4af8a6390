"""Students and teachers as models: shapes, loading, first weights, layer maps and activation capture."""

from tinybert.models.capture import Capture, capture
from tinybert.models.families import EncoderInfo, describe
from tinybert.models.fit import check_vocabulary
from tinybert.models.layer_maps import resolve_layer_map
from tinybert.models.load import (
    has_task_head,
    load_classifier,
    load_config,
    load_encoder,
    load_seq2seq,
    load_tokenizer,
)
from tinybert.models.shapes import Shape, resolve_shape
from tinybert.models.start.initialise import num_positions, random_start, slice_start, student_config
from tinybert.models.start.project import project_start

__all__ = [
    "Capture",
    "EncoderInfo",
    "Shape",
    "capture",
    "check_vocabulary",
    "describe",
    "has_task_head",
    "load_classifier",
    "load_config",
    "load_encoder",
    "load_seq2seq",
    "load_tokenizer",
    "num_positions",
    "project_start",
    "random_start",
    "resolve_layer_map",
    "resolve_shape",
    "slice_start",
    "student_config",
]
