"""Small wheels in a folder: pip takes them from there without a network, or they are copied at once."""

from __future__ import annotations

import hashlib
import os
import shutil
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tinybert.sources.pip_download import Archive


def make_wheel(
    index: Path,
    package: str,
    files: Mapping[str, str],
    *,
    tag: str = "py3-none-any",
    platform: str | None = None,
) -> Archive:
    """Write a wheel that pip accepts; return what pins it."""
    name = package.replace("-", "_")
    path = index / f"{name}-1.0-{tag}.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        for file, content in files.items():
            wheel.writestr(f"{name}/{file}", content)
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n")
        wheel.writestr(f"{info}/RECORD", "")
    data = path.read_bytes()
    return Archive(f"{package}==1.0", hashlib.sha256(data).hexdigest(), len(data), platform=platform)


def use_index(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make pip look into a folder, and nowhere else."""
    index = folder / "index"
    index.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    return index


def copied(command: list[str], *, folder: Path, watch: Callable[[], int]) -> str:
    """Do what pip does with this command, in no time: stands in for ``pip_download._run``."""
    wanted, _, pinned = (
        Path(command[command.index("--requirement") + 1]).read_text().partition(" --hash=sha256:")
    )
    package, _, version = wanted.partition("==")
    found = [*Path(os.environ["PIP_FIND_LINKS"]).glob(f"{package.replace('-', '_')}-{version}-*.whl")]
    if not found:
        return f"ERROR: No matching distribution found for {wanted}"
    if hashlib.sha256(found[0].read_bytes()).hexdigest() != pinned.strip():
        return "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES"
    saved = Path(command[command.index("--dest") + 1])
    saved.mkdir()
    shutil.copy(found[0], saved)
    return ""
