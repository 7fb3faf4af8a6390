"""Runtimes that predict: torch, ONNX Runtime, OpenVINO, LiteRT. To add one, write a file and a table line."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import cast

import numpy as np

from tinybert.errors import MissingExtraError, ModelError, RecipeError, TinyBertError
from tinybert.inference.backends.contract import (
    IN_FULL,
    Backend,
    Engine,
    ExportJob,
    Loading,
    Precision,
    Scores,
    Seq2SeqEngine,
    Seq2SeqJob,
    Tokens,
)
from tinybert.inference.backends.litert import LITERT
from tinybert.inference.backends.onnx import ONNX
from tinybert.inference.backends.openvino import OPENVINO
from tinybert.inference.backends.torch import TORCH
from tinybert.lookup import nearest

BUILTIN: dict[str, Backend] = {"torch": TORCH, "onnx": ONNX, "openvino": OPENVINO, "litert": LITERT}
FULL: Precision = "fp32"


def backend_names() -> list[str]:
    """Return what may be asked for: ``torch``, ``torch-bf16``, ``onnx-int8``, …."""
    return [full_name(name, precision) for name, each in BUILTIN.items() for precision in each.precisions]


def full_name(name: str, precision: Precision) -> str:
    """Return a backend's name with its precision; that of torch in fp32 has none."""
    return name if (name, precision) == ("torch", FULL) else f"{name}-{precision}"


def parse_backend(text: str) -> tuple[str, Precision]:
    """Return the backend and the precision of a name; without a precision, fp32.

    Raises:
        RecipeError: There is no such backend.

    Example:
        >>> parse_backend("onnx-int8")
        ('onnx', 'int8')
    """
    name, _, precision = text.partition("-")
    known = BUILTIN.get(name)
    if known is None or (precision or FULL) not in known.precisions:
        allowed = ["auto", *backend_names()]
        raise RecipeError(
            "backend", f"{text!r}: unknown{nearest(text, allowed)} (allowed: {', '.join(allowed)})"
        )
    return name, cast(Precision, precision or FULL)


def require(backend: Backend, *, to_write: bool = False) -> None:
    """Say which extra brings a backend that is not installed.

    Args:
        backend: The backend.
        to_write: An export is to be made, not only loaded.

    Raises:
        MissingExtraError: Something that it needs is not there.
    """
    for package in missing_packages(backend, to_write=to_write):
        assert backend.extra is not None
        raise MissingExtraError(package, backend.extra)


def load_engine(backend: Backend, folder: Path, precision: Precision, loading: Loading) -> Engine:
    """Load a model. An export of an earlier version may ask for type ids that its model has no use for.

    Raises:
        ModelError: Its file cannot be read by its runtime.
    """
    try:
        engine = backend.load(folder, precision, loading)
        return _with_type_ids(engine) if backend.files else engine
    except TinyBertError:
        raise
    except Exception as error:  # each runtime has exceptions of its own
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelError(str(folder), f"cannot be loaded: {lines[0]:.300}; make the export again") from error


def load_seq2seq_engine(
    backend: Backend, folder: Path, precision: Precision, loading: Loading
) -> Seq2SeqEngine:
    """Load an encoder–decoder.

    Raises:
        ModelError: The backend has none, or its files cannot be read by its runtime.
    """
    if backend.load_seq2seq is None:
        raise ModelError(str(folder), "this backend does not write texts; take torch or onnx")
    try:
        return backend.load_seq2seq(folder, precision, loading)
    except TinyBertError:
        raise
    except Exception as error:  # each runtime has exceptions of its own
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelError(str(folder), f"cannot be loaded: {lines[0]:.300}; make the export again") from error


def _with_type_ids(engine: Engine) -> Engine:
    """Give an export the first type for all tokens where the tokenizer writes none."""

    def run(batch: Tokens) -> Scores:
        return engine({"token_type_ids": np.zeros_like(batch["input_ids"]), **batch})

    return run


def is_installed(backend: Backend) -> bool:
    """Say whether a backend's exports can be loaded."""
    return not missing_packages(backend)


def missing_packages(backend: Backend, *, to_write: bool = False) -> list[str]:
    """Return what a backend needs and is not installed."""
    needed = [backend.package] if backend.package else []
    needed += backend.writes_with if to_write else ()
    return [name for name in needed if importlib.util.find_spec(name) is None]


__all__ = [
    "BUILTIN",
    "IN_FULL",
    "Backend",
    "Engine",
    "ExportJob",
    "Loading",
    "Precision",
    "Scores",
    "Seq2SeqEngine",
    "Seq2SeqJob",
    "Tokens",
    "backend_names",
    "full_name",
    "is_installed",
    "load_engine",
    "load_seq2seq_engine",
    "missing_packages",
    "parse_backend",
    "require",
]
