"""LiteRT (``.tflite``), TensorFlow's mobile runtime: one row at a time, padded to one of a few lengths.

Its converter knows no free length: the file holds one signature a length, all over the same weights.
"""

from __future__ import annotations

import logging
import threading
import warnings
from pathlib import Path

import numpy as np
import torch

from tinybert.errors import ModelError
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
from tinybert.inference.backends.onnx_file import quiet
from tinybert.models.inputs import TEXT_INPUTS

FILES: dict[Precision, str] = {"fp32": "model.tflite", "int8": "model_int8.tflite"}
LENGTHS = (16, 32, 64, 128, 256, 512)


def lengths_up_to(max_length: int) -> list[int]:
    """Return the lengths that rows are padded to.

    Example:
        >>> lengths_up_to(100)
        [16, 32, 64, 100]
    """
    return [*(length for length in LENGTHS if length < max_length), max_length]


def write(job: ExportJob) -> None:
    """Write ``model.tflite``, or ``model_int8.tflite`` with int8 weights and ranges read at run time."""
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import litert_torch  # pyright: ignore[reportMissingImports]

        converter = None
        for length in lengths_up_to(job.max_length):
            example = tuple(torch.ones(1, length, dtype=torch.int64) for _ in job.graph.input_names)
            converter = (converter or litert_torch).signature(f"tokens_{length}", job.graph, example)
        assert converter is not None
        model = converter.convert()
    target = job.folder / FILES[job.precision]
    full = target if job.precision == "fp32" else job.work / "full.tflite"
    model.export(str(full))
    if job.precision == "int8":
        _quantise(full, target)


def _quantise(full: Path, target: Path) -> None:
    from ai_edge_quantizer import quantizer, recipe  # pyright: ignore[reportMissingImports]

    with quiet():
        made = quantizer.Quantizer(str(full), recipe.dynamic_wi8_afp32())
        made.quantize().export_model(str(target), overwrite=True)


def load(folder: Path, precision: Precision, loading: Loading) -> Engine:
    """Load an export."""
    logging.getLogger("absl").setLevel(logging.ERROR)
    from ai_edge_litert.interpreter import Interpreter  # pyright: ignore[reportMissingImports]

    interpreter = Interpreter(str(folder / FILES[precision]), num_threads=loading.num_threads)
    runners = {
        int(name.rpartition("_")[2]): interpreter.get_signature_runner(name)
        for name in interpreter.get_signature_list()
    }
    lengths = sorted(runners)
    one_at_a_time = threading.Lock()

    def run(batch: Tokens) -> Scores:
        num_tokens = batch["input_ids"].shape[1]
        length = next((each for each in lengths if each >= num_tokens), None)
        if length is None:
            raise ModelError(
                str(folder), f"reads at most {lengths[-1]} tokens, {num_tokens} were given: lower max_length"
            )
        rows: list[Scores] = []
        names = TEXT_INPUTS[: len(runners[length].get_input_details())]
        for index in range(len(batch["input_ids"])):
            padded = [np.zeros((1, length), np.int32) for _ in names]
            for array, name in zip(padded, names, strict=True):
                array[0, :num_tokens] = batch[name][index]
            with one_at_a_time:
                found = runners[length](**{f"args_{index}": array for index, array in enumerate(padded)})
            outputs = [found[name] for name in sorted(found)]
            row = stacked(outputs)
            rows.append(row[:, :num_tokens] if row.ndim == 3 else row)
        return np.concatenate(rows)

    return run


LITERT = Backend(
    precisions=("fp32", "int8"),
    package="ai_edge_litert",
    writes_with=("litert_torch", "ai_edge_quantizer"),
    extra="litert",
    files=FILES,
    write=write,
    load=load,
    one_at_a_time=True,
)
