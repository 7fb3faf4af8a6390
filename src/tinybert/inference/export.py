"""From a checkpoint to a file for another runtime, with the proof that it predicts the same."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import numpy as np
from datasets import Dataset
from transformers import PreTrainedConfig

from tinybert.console import say
from tinybert.errors import ModelError, RecipeError
from tinybert.inference.backends import (
    BUILTIN,
    IN_FULL,
    Backend,
    ExportJob,
    Precision,
    Seq2SeqJob,
    Tokens,
    full_name,
    require,
)
from tinybert.inference.backends.onnx import FULL_GRAPH
from tinybert.inference.batches import Columns, padded
from tinybert.inference.choice import random_tokens, vocabulary_of
from tinybert.inference.exports import (
    CONFIG,
    EXPORTS,
    GENERATION_CONFIG,
    METADATA,
    Export,
    hashes,
    is_export,
    read_export,
    source_files,
)
from tinybert.inference.graph import Graph, check_family
from tinybert.inference.parity import (
    TOLERANCES,
    WRITTEN_TOLERANCES,
    Parity,
    Tolerance,
    measure,
    parity_table,
    reference_of,
)
from tinybert.inference.predictor import Predictor
from tinybert.inference.seq2seq_graph import check_seq2seq
from tinybert.models import load_classifier, load_config, load_seq2seq, load_tokenizer
from tinybert.storage import OF_PARTIAL, Json, Output, clear, keep_nothing, write_json, write_text
from tinybert.tasks import Task

CALIBRATION_ROWS = 300
NUM_LENGTHS = 16
REPORT = "parity.md"
WRITERS = ("tinybert", "torch", "transformers")
"""What decides, beside the checkpoint, how a graph is written."""


@dataclass(frozen=True)
class Proof:
    """The rows that an export is made and proved with.

    Attributes:
        calibration: Rows to read the range of activations from.
        rows: Rows that parity is measured on.
        name: What these are: ``validation split of …``.
    """

    calibration: Dataset
    rows: Dataset
    name: str


def export_checkpoint(
    path: Path,
    *,
    format: str,
    precision: Precision,
    proof: Proof,
    min_kept: float | None = None,
    task: Task | None = None,
) -> Export:
    """Write ``PATH/exports/FORMAT-PRECISION`` and prove it; nothing is left there that did not pass.

    Where int8 everywhere is past the tolerance, the head and the last layer stay in fp32, then the first
    layer too.

    Args:
        path: A run or checkpoint on disk.
        format: ``onnx``, ``openvino`` or ``litert``.
        precision: Of the matrices.
        proof: Rows.
        min_kept: Share of the checkpoint's metric that must be kept, instead of the written tolerance.
        task: What the checkpoint was trained for, where that is a task of the user's own.

    Returns:
        The export.

    Raises:
        RecipeError: There is no such format, or it has no such precision.
        MissingExtraError: Its runtime is not installed.
        ModelError: The family is not supported, or no variant is within the tolerance.
    """
    backend = check_format(format, precision, load_config(path))
    name = full_name(format, precision)
    output = Output(
        path / EXPORTS / name,
        {"source": hashes(path, source_files(path))},
        report=METADATA,
        keep=keep_nothing,
        replaces=True,
    )
    with output:
        say(f"{name}: the checkpoint predicts {len(proof.rows):,} rows ({proof.name})")
        own = Predictor(path, backend="torch", task=task)
        allowed = tolerance_of(precision, min_kept, writes=own.task.writes)
        reference = reference_of(own, proof.rows)
        lengths = _lengths(own, proof.rows)
        calibration = (
            _calibration(own, proof.calibration) if precision == "int8" and not own.task.writes else ()
        )
        tried: list[str] = []
        for job in _jobs(own, backend, precision, output.path, output.work, calibration=calibration):
            in_full = f"{IN_FULL[job.in_full]} in fp32" if job.in_full else ""
            say(f"{name}: writing{in_full and f', {in_full}'}")
            _write(backend, job, path, format=format, lengths=lengths)
            parity = measure(reference, Predictor(output.path, task=own.task))
            failures = parity.failures(allowed)
            if not failures:
                output.commit(_proved(output.path, parity, allowed, proof=proof.name))
                return read_export(output.target)
            tried.append(f"{in_full and f'{in_full}: '}{', '.join(failures)}")
            say(f"{name}: past the tolerance: {tried[-1]}")
        raise ModelError(f"{path}, export {name}", [*tried, _fix(precision, writes=own.task.writes)])


def _jobs(
    own: Predictor,
    backend: Backend,
    precision: Precision,
    folder: Path,
    work: Path,
    *,
    calibration: Sequence[Tokens],
) -> list[ExportJob] | list[Seq2SeqJob]:
    """Return what is tried, in this order: of a classifier's int8, with more and more in fp32."""
    path = Path(own.path)
    if own.task.writes:
        return [Seq2SeqJob(load_seq2seq(path), folder, work, precision)]
    graph = Graph(load_classifier(path), own.tokenizer)
    if (backend, precision) != (BUILTIN["onnx"], "fp32"):
        _take_graph(path, work / FULL_GRAPH)
    job = ExportJob(graph, folder, work, precision, calibration=calibration, max_length=own.max_length)
    num_tried = len(IN_FULL) if precision == "int8" and backend.mixes else 1
    return [replace(job, in_full=in_full) for in_full in range(num_tried)]


def _take_graph(path: Path, target: Path) -> None:
    """Copy the graph of the export ``onnx-fp32`` where that fits: all other exports begin with the same."""
    folder = path / EXPORTS / full_name("onnx", "fp32")
    if target.is_file() or not is_export(folder):
        return
    try:
        export = read_export(folder)
    except ModelError:  # damaged: whoever predicts with it is told
        return
    versions = cast("dict[str, str]", export.metadata.get("versions", {}))
    if all(versions.get(name) == version(name) for name in WRITERS) and not export.changes():
        shutil.copyfile(folder / BUILTIN["onnx"].files["fp32"], target)


def write_unproved(path: Path, format: str, precision: Precision, *, task: Task) -> Path:
    """Write an export of random weights, to measure what it costs, and return its folder; it has no parity.

    Args:
        path: A checkpoint.
        format: ``onnx``, ``openvino`` or ``litert``.
        precision: Of the matrices.
        task: What the checkpoint is for.
    """
    backend = check_format(format, precision, load_config(path))
    folder = path / EXPORTS / full_name(format, precision)
    folder.mkdir(parents=True)
    own = Predictor(path, backend="torch", task=task)
    batch = random_tokens([own.max_length], vocab_size=vocabulary_of(own.config))
    with tempfile.TemporaryDirectory(dir=path) as work:
        job, *_ = _jobs(own, backend, precision, folder, Path(work), calibration=[batch])
        _write(backend, job, path, format=format, lengths=[own.max_length])
    return folder


def check_export(
    export: Export, proof: Proof, *, min_kept: float | None = None, task: Task | None = None
) -> Parity:
    """Measure an export that is there once more, damaged or not.

    Raises:
        ModelError: It is past the tolerance, or not what it was when it was made.
    """
    assert export.checkpoint is not None
    reference = reference_of(Predictor(export.checkpoint, backend="torch", task=task), proof.rows)
    problems = [f"since the export {line}" for line in export.changes()]
    try:
        parity = measure(reference, Predictor(export.folder, check=False, task=task))
    except ModelError as error:
        raise ModelError(str(export.folder), [*problems, *error.problems, _again(export)]) from error
    problems += parity.failures(tolerance_of(export.precision, min_kept, writes=parity.writes))
    if problems:
        raise ModelError(str(export.folder), [*problems, _again(export)])
    return parity


def parity_of(export: Export) -> Parity:
    """Return what was measured when an export was made."""
    known = cast("dict[str, Any]", export.metadata["parity"])
    return Parity(**{name: value for name, value in known.items() if name != "rows"})


def check_format(format: str, precision: Precision, config: PreTrainedConfig) -> Backend:
    """Return the backend of an export of a model.

    Raises:
        RecipeError: There is none, it has no such precision, or it does not write such a model.
        MissingExtraError: It is not installed.
        ModelError: The model's family is not supported.
    """
    formats = [name for name, each in BUILTIN.items() if each.write is not None]
    if format not in formats:
        raise RecipeError("export", f"format {format!r}: unknown (allowed: {', '.join(formats)})")
    backend, is_pair = BUILTIN[format], config.is_encoder_decoder
    if is_pair and backend.write_seq2seq is None:
        raise RecipeError("export", f"format {format!r}: not for models that write texts; take --format onnx")
    if precision not in backend.files:
        raise RecipeError(
            "export", f"{format} in {precision}: not possible (allowed: {', '.join(backend.precisions)})"
        )
    require(backend, to_write=True)
    check = check_seq2seq if is_pair else check_family
    check(config)
    return backend


def tolerance_of(precision: Precision, min_kept: float | None, *, writes: bool = False) -> Tolerance:
    """Return the written tolerance, or one with another share of the metric.

    Args:
        precision: Of the export.
        min_kept: The share; None for the written one.
        writes: Predictions are written texts.
    """
    allowed = (WRITTEN_TOLERANCES if writes else TOLERANCES)[precision]
    return allowed if min_kept is None else replace(allowed, min_kept=min_kept)


def _fix(precision: Precision, *, writes: bool) -> str:
    if precision == "int8":
        others = "--precision fp32" if writes else "--precision bf16 (openvino) or fp32, another --format"
        return (
            f"try {others}, or allow more: --min-kept {0.95 if writes else 0.98}; "
            "with few rows a single one weighs much: give more with --data"
        )
    return "the checkpoint's predictions are not reproduced; predict with --backend torch, and report this"


def _again(export: Export) -> str:
    return (
        f"make it again: tinybert export {export.checkpoint} --format {export.format} --precision "
        f"{export.precision}"
    )


def _write(
    backend: Backend, job: ExportJob | Seq2SeqJob, path: Path, *, format: str, lengths: Sequence[int]
) -> None:
    """Fill the folder of an export, all but its parity."""
    clear(job.folder, but=OF_PARTIAL)
    for name in (CONFIG, GENERATION_CONFIG):
        if (path / name).is_file():
            shutil.copyfile(path / name, job.folder / name)
    load_tokenizer(path).save_pretrained(job.folder)  # not a copy: some have no tokenizer.json yet
    try:
        _write_model(backend, job)
    except (RuntimeError, OSError) as error:
        message = getattr(error, "strerror", None) or str(error)
        lines = message.strip().splitlines() or [type(error).__name__]
        raise ModelError(
            f"{path}, export {full_name(format, job.precision)}", f"cannot be written: {lines[0]}"
        ) from error
    files = sorted(
        str(file.relative_to(job.folder).as_posix())
        for file in job.folder.rglob("*")
        if file.is_file() and file.relative_to(job.folder).parts[0] not in OF_PARTIAL
    )
    assert backend.package is not None
    packages = (*WRITERS, backend.package.replace("_", "-"))
    metadata: Json = {
        "format": format,
        "precision": job.precision,
        "in_full": IN_FULL[job.in_full],
        "lengths": list(lengths),
        "source": hashes(path, source_files(path)),
        "files": hashes(job.folder, files),
        "versions": {name: version(name) for name in packages},
    }
    write_json(job.folder / METADATA, metadata)


def _write_model(backend: Backend, job: ExportJob | Seq2SeqJob) -> None:
    if isinstance(job, Seq2SeqJob):
        assert backend.write_seq2seq is not None
        backend.write_seq2seq(job.model, job.folder, job.work, job.precision)
    else:
        assert backend.write is not None
        backend.write(job)


def _proved(folder: Path, parity: Parity, allowed: Tolerance, *, proof: str) -> Json:
    """Write the proof for people, and return the metadata with the proof."""
    export = read_export(folder)
    table = parity_table(parity, allowed)
    lines = [f"| {' | '.join(row)} |" for row in table]
    lines.insert(1, f"|{' --- |' * len(table[0])}")
    kept = export.metadata["in_full"]
    text = [
        f"# Parity of {export.name}",
        f"{parity.num_rows:,} rows ({proof}), compared with the checkpoint in torch, fp32.",
        "\n".join(lines),
        f"Kept in fp32: {kept}." if export.precision == "int8" else "",
    ]
    write_text(folder / REPORT, "\n\n".join(part for part in text if part) + "\n")
    return export.metadata | {"parity": asdict(parity) | {"rows": proof}, "tolerance": asdict(allowed)}


def _calibration(predictor: Predictor, rows: Dataset) -> list[dict[str, np.ndarray]]:
    if predictor.task.writes:  # their int8 reads the range of each batch
        return []
    features = _encoded(predictor, rows)
    pad = cast(int, predictor.tokenizer.pad_token_id or 0)
    count = min(len(features["input_ids"]), CALIBRATION_ROWS)
    return [dict(padded(features, [row], pad_token_id=pad)) for row in range(count)]


def _lengths(predictor: Predictor, rows: Dataset) -> list[int]:
    lengths = [len(row) for row in _encoded(predictor, rows)["input_ids"]]
    return np.quantile(lengths, np.linspace(0.05, 0.95, NUM_LENGTHS)).astype(int).tolist()


def _encoded(predictor: Predictor, rows: Dataset) -> Columns:
    chosen = spread(rows, CALIBRATION_ROWS)
    return predictor.encode({name: chosen[name] for name in chosen.column_names if name != "label"})


def spread(rows: Dataset, count: int) -> Dataset:
    """Return at most so many rows, spread evenly."""
    if len(rows) <= count:
        return rows
    return rows.select(np.linspace(0, len(rows) - 1, count).astype(int))
