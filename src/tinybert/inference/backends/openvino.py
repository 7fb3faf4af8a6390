"""OpenVINO: fp32, bf16, and int8 with ranges of activations that NNCF reads from real rows.

The file lies where Optimum looks for it: ``openvino_model.xml``.
"""

from __future__ import annotations

import io
import logging
import os
import queue
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from tinybert.inference.backends.onnx import full_graph, nodes_in_full
from tinybert.inference.backends.onnx_file import quiet

if TYPE_CHECKING:
    import openvino

FILE = "openvino_model.xml"
HINTS: dict[Precision, str] = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}


def write(job: ExportJob) -> None:
    """Write ``openvino_model.xml`` and its ``.bin``; bf16 is kept on disk as fp16."""
    import openvino

    full = full_graph(job)
    model = openvino.Core().read_model(str(full))
    if job.precision == "int8":
        model = quantise(model, job, nodes_in_full(full, job.in_full, gemm="/WithoutBiases"))
    openvino.save_model(model, str(job.folder / FILE), compress_to_fp16=job.precision == "bf16")


def quantise(model: openvino.Model, job: ExportJob, in_full: list[str]) -> openvino.Model:
    """Return a model with int8 matrices."""
    with quiet("nncf"), redirect_stdout(io.StringIO()):  # its bars go to standard output
        os.environ.setdefault("NNCF_CI", "1")  # else it would send what it does to its makers
        import nncf

        nncf.set_log_level(logging.ERROR)
        batches = [{name: batch[name] for name in job.graph.input_names} for batch in job.calibration]
        return nncf.quantize(
            model,
            nncf.Dataset(batches),
            subset_size=len(batches),
            model_type=nncf.ModelType.TRANSFORMER,
            ignored_scope=nncf.IgnoredScope(names=in_full) if in_full else None,
        )


def load(folder: Path, precision: Precision, loading: Loading) -> Engine:
    """Load an export."""
    import openvino

    settings = {
        "INFERENCE_PRECISION_HINT": HINTS[precision],
        "NUM_STREAMS": str(loading.num_workers),
        "INFERENCE_NUM_THREADS": str(loading.num_workers * loading.num_threads),
    }
    compiled = openvino.Core().compile_model(str(folder / FILE), "CPU", settings)
    names = [each.any_name for each in compiled.inputs]
    idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
    for _ in range(loading.num_workers):
        idle.put(compiled.create_infer_request())

    def run(batch: Tokens) -> Scores:
        request = idle.get()
        try:
            found = request.infer({name: batch[name] for name in names}, share_inputs=True)
            outputs = [found[index] for index in range(len(compiled.outputs))]
            return stacked(outputs)
        finally:
            idle.put(request)

    return run


OPENVINO = Backend(
    precisions=("fp32", "bf16", "int8"),
    package="openvino",
    writes_with=("nncf", "onnx", "onnxscript"),
    extra="openvino",
    files=dict.fromkeys(("fp32", "bf16", "int8"), FILE),
    write=write,
    load=load,
    mixes=True,
)
