"""Keep the memory of one step for the next, and give back what lies idle between them."""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc
LARGEST = 2**31 - 1
KEPT_BYTES = 2**26
"""Larger tensors, such as the attention maps of long rows, are mapped on their own: kept, they would leave
gaps that no other length fills."""


def keep_freed_memory() -> bool:
    """Ask the C library not to hand freed tensors back to the system, and say whether it agreed.

    Otherwise each step maps its large tensors again and pays a page fault for every 4 KB: the gradient of a
    30,522 × 384 embedding alone is 47 MB. Only glibc can be asked; elsewhere nothing happens.
    """
    library = _glibc()
    if library is None:
        return False
    return bool(library.mallopt(M_MMAP_THRESHOLD, KEPT_BYTES)) and bool(
        library.mallopt(M_TRIM_THRESHOLD, LARGEST)
    )


def give_back_memory() -> None:
    """Hand what is free to the system: after rows of many lengths it lies in pieces that fit no new row."""
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None
