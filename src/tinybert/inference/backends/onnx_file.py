"""What all models in ONNX have in common: how a file is written, quantised and opened."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from torch import Tensor, nn

    from tinybert.inference.backends.contract import Loading


def write_file(
    module: nn.Module,
    example: tuple[Tensor, ...],
    target: Path,
    *,
    input_names: Sequence[str],
    output_names: Sequence[str],
    axes: dict[str, object],
) -> None:
    """Write a module in fp32.

    Args:
        module: In evaluation mode.
        example: What it is called with once.
        target: The file.
        input_names: Of all tensors that it reads.
        output_names: Of what it returns.
        axes: Its arguments → their free axes.
    """
    import torch

    with quiet("torch.onnx"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module,
            example,
            dynamo=True,
            verbose=False,
            input_names=list(input_names),
            output_names=list(output_names),
            dynamic_shapes=axes,
        )
    assert program is not None
    program.save(str(target), external_data=False)


def quantize(full: Path, target: Path, *, but: Sequence[str]) -> None:
    """Write a file with its matrices and embeddings in int8, but for the nodes of these names."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with quiet():  # it advises to run a pre-processing that the graph does not need
        quantize_dynamic(
            full, target, weight_type=QuantType.QInt8, per_channel=True, nodes_to_exclude=list(but)
        )


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
