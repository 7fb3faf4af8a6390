"""What happens to a file: emptied, cut in half, a bit flipped, a folder in its place, removed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def empty(file: Path) -> None:
    file.write_bytes(b"")


def cut(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    if content:
        content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))


def make_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "emptied": empty,
    "cut": cut,
    "flipped": flip,
    "folder": make_folder,
    "removed": Path.unlink,
}
