"""Which export predicts: the one asked for, or the fastest on this machine, measured once and remembered."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import cast

import numpy as np
import torch
from transformers import PreTrainedConfig

from tinybert.errors import ModelError, RunError
from tinybert.inference.backends import (
    BUILTIN,
    Loading,
    Tokens,
    full_name,
    is_installed,
    load_engine,
    load_seq2seq_engine,
    parse_backend,
    require,
)
from tinybert.inference.decoding import generate
from tinybert.inference.exports import Export, exports_of, is_export, read_export, refuse_without_metadata
from tinybert.lookup import AUTO
from tinybert.metrics.timing import median_seconds
from tinybert.models import num_positions
from tinybert.models.generation import GenerationSettings
from tinybert.storage import cache_folder, read_json, write_json

BATCH_ROWS = 32
REPEATS = 5
NUM_WRITTEN = 16
"""Tokens of a text that a decoder is timed by."""
CPU_FILE = Path("/proc/cpuinfo")


def num_threads() -> int:
    """Return how many threads an engine may use: torch's, which OMP_NUM_THREADS sets."""
    return torch.get_num_threads()


def fastest(exports: Sequence[Export], config: PreTrainedConfig) -> str:
    """Return the name of the export that predicts fastest here, alone and in batches.

    What counts is the product of two medians: one row at a time, and 32 rows. The result is kept in the
    cache, by the exports' own hashes, the processor, the number of threads and the runtimes' versions.

    Args:
        exports: Those of one checkpoint whose runtime is installed; at least one.
        config: Of the model: tokens are drawn from its vocabulary, and a decoder writes.
    """
    if len(exports) == 1:
        return exports[0].name
    file = cache_folder() / "engines" / f"{_key(exports)}.json"
    if file.is_file():
        try:
            known = str(read_json(file)["fastest"])
        except (RunError, KeyError):
            known = ""
        if known in {export.name for export in exports}:
            return known
    products = {export.name: _product(export, config) for export in exports}
    best = min(products, key=lambda name: products[name])
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, {"fastest": best, "ms_alone_times_ms_of_32": products})
    except OSError:
        pass  # a cache that cannot be written costs a measurement the next time, no more
    return best


def installed(exports: Sequence[Export]) -> list[Export]:
    """Return the exports whose runtime is here."""
    return [export for export in exports if is_installed(BUILTIN[export.format])]


def random_tokens(lengths: Sequence[int], *, vocab_size: int, seed: int = 0) -> Tokens:
    """Return a batch of random tokens with rows of these lengths."""
    rng = np.random.default_rng(seed)
    shape = (len(lengths), max(lengths))
    mask = (np.arange(shape[1]) < np.asarray(lengths)[:, None]).astype(np.int64)
    ids = rng.integers(0, vocab_size, shape) * mask
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}


def median_ms(engine: Callable[[Tokens], object], batch: Tokens, *, repeats: int = REPEATS) -> float:
    """Return the median milliseconds of a batch, after one that is not counted."""
    return 1000 * median_seconds(lambda: engine(batch), repeats=repeats)


def vocabulary_of(config: PreTrainedConfig) -> int:
    """Return how many tokens a model reads; of an encoder–decoder, its encoder."""
    return cast(int, getattr(config, "encoder", config).vocab_size)


def _product(export: Export, config: PreTrainedConfig) -> float:
    export.check()
    engine, vocab_size = _loaded(export, config), vocabulary_of(config)
    middle = export.lengths[len(export.lengths) // 2]
    lengths = np.resize(np.asarray(export.lengths), BATCH_ROWS).tolist()
    alone = median_ms(engine, random_tokens([middle], vocab_size=vocab_size), repeats=4 * REPEATS)
    return alone * median_ms(engine, random_tokens(lengths, vocab_size=vocab_size))


def _loaded(export: Export, config: PreTrainedConfig) -> Callable[[Tokens], object]:
    """Return what runs a batch; an encoder–decoder writes texts of one length, greedily."""
    name, precision = parse_backend(export.name)
    loading = Loading(1, num_threads())
    if not config.is_encoder_decoder:
        return load_engine(BUILTIN[name], export.folder, precision, loading)
    engine = load_seq2seq_engine(BUILTIN[name], export.folder, precision, loading)
    longest = num_positions(config.get_text_config(decoder=True)) or NUM_WRITTEN
    settings = GenerationSettings(
        decoder_start_token_id=0,
        eos_token_ids=(),
        pad_token_id=0,
        max_new_tokens=min(NUM_WRITTEN, longest),
    )
    return lambda batch: generate(engine, batch, settings)


def _key(exports: Sequence[Export]) -> str:
    packages = {BUILTIN[export.format].package for export in exports}
    key = {
        "exports": [[export.name, export.metadata["files"]] for export in exports],
        "processor": _processor(),
        "threads": num_threads(),
        "versions": {name: version(name) for name in sorted(package for package in packages if package)},
    }
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:24]


def processor_name() -> str:
    """Return what the processor calls itself."""
    lines = CPU_FILE.read_text().splitlines() if CPU_FILE.is_file() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def _processor() -> str:
    lines = CPU_FILE.read_text().splitlines() if CPU_FILE.is_file() else []
    named = [line for line in lines if line.startswith(("model name", "flags"))][:2]
    return "\n".join(named) or f"{platform.machine()} {platform.processor()}"


def find_export(path: str | Path, backend: str, config: PreTrainedConfig) -> Export | None:
    """Return the export that predicts for a checkpoint; None when the checkpoint itself does.

    Raises:
        ModelError: There is no such export.
        MissingExtraError: Its runtime is not installed.
        RecipeError: There is no such backend.
    """
    if backend != AUTO:
        parse_backend(backend)
    if is_export(path):
        export = read_export(Path(path).expanduser())
        if backend not in (AUTO, export.name):
            raise ModelError(str(path), f"is an export for {export.name}; it has no other backend")
    else:
        refuse_without_metadata(Path(path).expanduser())
        export = _export_within(path, backend, config)
    if export is not None:
        require(BUILTIN[export.format])
    return export


def _export_within(path: str | Path, backend: str, config: PreTrainedConfig) -> Export | None:
    if backend != AUTO and parse_backend(backend)[0] == "torch":
        return None
    exports = exports_of(path) if Path(path).expanduser().is_dir() else []
    if backend == AUTO:
        here = installed(exports)
        if not here or torch.cuda.is_available():
            return None
        best = fastest(here, config)
        return next(export for export in here if export.name == best)
    name, precision = parse_backend(backend)
    wanted = full_name(name, precision)
    for export in exports:
        if export.name == wanted:
            return export
    there = f" (there is: {', '.join(export.name for export in exports)})" if exports else ""
    raise ModelError(
        str(path),
        f"has no export {wanted}{there}; make it: tinybert export {path} --format {name} --precision "
        f"{precision}",
    )
