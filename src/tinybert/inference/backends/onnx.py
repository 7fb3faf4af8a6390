"""ONNX Runtime: fp32, and int8 with ranges of activations that are read from each batch.

The files lie where transformers.js and Optimum look for them: ``onnx/model.onnx`` and
``onnx/model_quantized.onnx``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, cast

from tinybert.inference.backends.contract import (
    Backend,
    Engine,
    ExportJob,
    Loading,
    Precision,
    Scores,
    Tokens,
    stacked,
)
from tinybert.inference.backends.onnx_file import open_session, quantize, write_file
from tinybert.inference.backends.onnx_merged import write_seq2seq
from tinybert.inference.backends.onnx_seq2seq import SEQ2SEQ_FILES, load_seq2seq
from tinybert.inference.graph import LAYERS
from tinybert.models import num_positions

if TYPE_CHECKING:
    import onnx

FILES: dict[Precision, str] = {"fp32": "onnx/model.onnx", "int8": "onnx/model_quantized.onnx"}
FULL_GRAPH = "full.onnx"
MAX_BATCH = 4096
MULTIPLIED = ("MatMul", "Gemm")
LAYER = re.compile(rf"\.{LAYERS}\.(\d+)")


def write(job: ExportJob) -> None:
    """Write ``onnx/model.onnx``, or ``onnx/model_quantized.onnx``."""
    target = job.folder / FILES[job.precision]
    target.parent.mkdir(parents=True, exist_ok=True)
    if job.precision == "fp32":
        write_graph(job, target)
        return
    full = full_graph(job)
    quantize(full, target, but=nodes_in_full(full, job.in_full, gemm="_MatMul"))


def full_graph(job: ExportJob) -> Path:
    """Return the graph in fp32, written once for all attempts, unless it is there."""
    full = job.work / FULL_GRAPH
    if not full.is_file():
        write_graph(job, full)
    return full


def write_graph(job: ExportJob, target: Path) -> None:
    """Write a graph in fp32, free in the number of rows and tokens."""
    import torch

    rows = torch.export.Dim("batch", min=1, max=MAX_BATCH)
    positions = num_positions(job.graph.model.config) or job.max_length
    tokens = torch.export.Dim("sequence", min=2, max=positions)
    write_file(
        job.graph,
        job.graph.example(),
        target,
        input_names=job.graph.input_names,
        output_names=job.graph.output_names,
        axes={"inputs": tuple({0: rows, 1: tokens} for _ in job.graph.input_names)},
    )


def nodes_in_full(file: Path, in_full: int, *, gemm: str) -> list[str]:
    """Return the names of the multiplications that stay in fp32: see ``IN_FULL``.

    Args:
        file: The graph.
        in_full: How much.
        gemm: What the quantiser adds to the name of a multiplication with a bias, which it takes apart.
    """
    if not in_full:
        return []
    import onnx

    nodes = [node for node in onnx.load(str(file)).graph.node if node.op_type in MULTIPLIED]
    positions = {node.name + (gemm if node.op_type == "Gemm" else ""): _layer(node) for node in nodes}
    last = max(layer for layer in positions.values() if layer is not None)
    kept = (None, last) if in_full == 1 else (None, 0, last)
    return [name for name, layer in positions.items() if layer in kept]


def _layer(node: onnx.NodeProto) -> int | None:
    """Return the encoder layer that a node came from, or None for the head."""
    scope = next((prop.value for prop in node.metadata_props if prop.key == "namespace"), "")
    found = LAYER.search(scope)
    return int(found[1]) if found else None


def load(folder: Path, precision: Precision, loading: Loading) -> Engine:
    """Load an export."""
    session = open_session(folder / FILES[precision], loading)
    inputs = [each.name for each in session.get_inputs()]

    def run(batch: Tokens) -> Scores:
        outputs = cast("list[Scores]", session.run(None, {name: batch[name] for name in inputs}))
        return stacked(outputs)

    return run


ONNX = Backend(
    precisions=("fp32", "int8"),
    package="onnxruntime",
    writes_with=("onnx", "onnxscript"),
    extra="onnx",
    files=FILES,
    write=write,
    load=load,
    load_seq2seq=load_seq2seq,
    seq2seq_files=SEQ2SEQ_FILES,
    write_seq2seq=write_seq2seq,
    mixes=True,
)
