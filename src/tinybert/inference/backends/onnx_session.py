"""What all models in ONNX Runtime have in common: how a file is opened, and how its tools are kept quiet."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

    from tinybert.inference.backends.contract import Loading


def open_session(file: Path, loading: Loading) -> InferenceSession:
    """Open a model on the CPU; what is run in several threads of the caller runs at the same time."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = loading.num_threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


@contextmanager
def quiet(name: str | None = None) -> Generator[None]:
    """Keep a logger's warnings off the terminal for a while; the root's when no name is given."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
