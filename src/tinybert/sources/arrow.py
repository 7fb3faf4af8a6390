"""Arrow files: written batch by batch, read memory-mapped."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinybert.storage import whole

if TYPE_CHECKING:
    import pyarrow as pa


@cache
def temporary_folder() -> Path:
    """Return this process's folder for files nobody asked to keep; it disappears when Python exits."""
    folder = tempfile.mkdtemp(prefix="tinybert-")
    atexit.register(_remove, folder, os.getpid())
    return Path(folder)


def _remove(folder: str, owner: int) -> None:
    """Clear up, but not from a forked process that inherited the folder."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def write_rows(file: Path, schema: pa.Schema, batches: Iterable[Mapping[str, Sequence[Any]]]) -> None:
    """Write batches of columns as an Arrow stream; a killed write leaves no file under the final name."""
    import pyarrow as pa

    write_batches(file, schema, (pa.record_batch(dict(batch), schema=schema) for batch in batches))


def write_batches(file: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
    """Write record batches as an Arrow stream, under another name until it is whole."""
    import pyarrow as pa

    file.parent.mkdir(parents=True, exist_ok=True)
    with (
        whole(file) as partial,
        pa.OSFile(str(partial), "wb") as sink,
        pa.ipc.new_stream(sink, schema) as writer,
    ):
        for batch in batches:
            writer.write_batch(batch)
