"""Exports on disk: ``RUN/exports/onnx-int8``, each a folder that can be copied away and used on its own.

``export.json`` in it keeps what it was made from: SHA-256 of the checkpoint's files and of its own. A
checkpoint that was trained on, or a file that was damaged, is noticed before the first prediction.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import cast

from tinybert.checksums import file_sha256
from tinybert.console import warn
from tinybert.errors import ModelError, RunError
from tinybert.inference.backends import BUILTIN, Precision, full_name
from tinybert.models.load import TOKENIZER_FILES
from tinybert.storage import Json, read_json

EXPORTS, METADATA = "exports", "export.json"
CONFIG, GENERATION_CONFIG = "config.json", "generation_config.json"
SETTINGS = (
    *(CONFIG, GENERATION_CONFIG),
    *("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "merges.txt"),
    *TOKENIZER_FILES,
)
"""Files besides the weights that a checkpoint's predictions depend on, where they are there."""


@dataclass(frozen=True)
class Export:
    """One export of a checkpoint."""

    folder: Path
    metadata: Json

    @property
    def format(self) -> str:
        """Of its file: the runtime that loads it."""
        return str(self.metadata["format"])

    @property
    def precision(self) -> Precision:
        """Of its matrices."""
        return cast(Precision, self.metadata["precision"])

    @property
    def name(self) -> str:
        """Format and precision, as the command line names them: ``onnx-int8``."""
        return full_name(self.format, self.precision)

    @property
    def lengths(self) -> list[int]:
        """Lengths in tokens of typical rows: quantiles of those that parity was measured on."""
        return cast("list[int]", self.metadata["lengths"])

    @property
    def checkpoint(self) -> Path | None:
        """The checkpoint it is in, or None when it was copied away."""
        parent = self.folder.resolve().parent
        return parent.parent if parent.name == EXPORTS and (parent.parent / CONFIG).is_file() else None

    def changes(self) -> list[str]:
        """Say, one line each, what has changed since it was made."""
        own = cast("dict[str, str]", self.metadata["files"])
        problems = [f"{name}: {how}" for name, how in _differences(self.folder, own)]
        if self.checkpoint is not None:
            source = cast("dict[str, str]", self.metadata["source"])
            problems += [
                f"{name} of the checkpoint: {how}" for name, how in _differences(self.checkpoint, source)
            ]
        return problems

    def check(self) -> None:
        """Refuse an export that is damaged, or whose checkpoint is another by now.

        Raises:
            ModelError: All that differs.
        """
        if problems := self.changes():
            path = self.checkpoint or self.folder
            fix = (
                f"make it again (tinybert export {path} --format {self.format} --precision "
                f"{self.precision}), or predict with --backend torch"
                if self.checkpoint
                else "copy the export here once more"
            )
            raise ModelError(str(self.folder), [*(f"since the export {line}" for line in problems), fix])


def exports_of(path: str | Path) -> list[Export]:
    """Return the exports in a checkpoint, by name."""
    folders = sorted(each for each in (Path(path).expanduser() / EXPORTS).glob("[!.]*") if each.is_dir())
    for folder in folders:
        if not (folder / METADATA).exists():
            warn(f"{folder}: not used, {METADATA} is missing; make the export again, or delete the folder")
    return [read_export(folder) for folder in folders if (folder / METADATA).exists()]


def is_export(path: str | Path) -> bool:
    """Say whether a folder is an export."""
    return (Path(path).expanduser() / METADATA).exists()


def refuse_without_metadata(folder: Path) -> None:
    """Refuse what has the files of an export and nothing that says what it was made from.

    Raises:
        ModelError: It is one.
    """
    names = {name for backend in BUILTIN.values() for name in backend.files.values()}
    names |= {
        name for backend in BUILTIN.values() for pair in backend.seq2seq_files.values() for name in pair
    }
    if any((folder / name).is_file() for name in names) and not any(folder.glob("*.safetensors")):
        fix = "copy the export here once more, or make it again"
        raise ModelError(str(folder), f"{METADATA} is missing, which each export has; {fix}")


def read_export(folder: Path) -> Export:
    """Return the export in a folder.

    Raises:
        ModelError: Its ``export.json`` is not that of an export, or names files outside its folder.
    """
    try:
        metadata = read_json(folder / METADATA)
    except RunError:
        metadata = {}
    if problems := _problems(metadata) if isinstance(metadata, dict) else ["no JSON object"]:  # pyright: ignore[reportUnnecessaryIsInstance]
        fix = "the file is damaged: make the export again, copy it here once more, or delete its folder"
        raise ModelError(str(folder / METADATA), [*problems, fix])
    return Export(folder, metadata)


def _problems(metadata: Json) -> list[str]:
    backend = BUILTIN.get(str(metadata.get("format")))
    problems: list[str] = []
    if backend is None or metadata.get("precision") not in backend.files:
        problems.append(
            f"format, precision: {metadata.get('format')!r}, {metadata.get('precision')!r}; no such export"
        )
    lengths = metadata.get("lengths")
    if not isinstance(lengths, list) or not lengths or not all(isinstance(each, int) for each in lengths):
        problems.append("lengths: expected a list of whole numbers")
    for key in ("files", "source"):
        names = metadata.get(key)
        if not isinstance(names, dict) or not names:
            problems.append(f"{key}: expected names and their SHA-256")
        else:
            problems += [f"{key}: {name!r} lies outside the folder" for name in names if _escapes(str(name))]
    return problems


def _escapes(name: str) -> bool:
    path = PurePosixPath(name.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts or ":" in name


def hashes(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Return the SHA-256 of files of a folder."""
    return {name: file_sha256(folder / name) for name in names}


def source_files(folder: Path) -> list[str]:
    """Return the files of a checkpoint that its predictions depend on."""
    weights = sorted(file.name for file in folder.glob("*.safetensors"))
    return [*(name for name in SETTINGS if (folder / name).is_file()), *weights]


def _differences(folder: Path, kept: dict[str, str]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, digest in kept.items():
        file = folder / name
        if not file.is_file():
            found.append((name, "missing"))
        elif file_sha256(file) != digest:
            found.append((name, "changed"))
    return found
