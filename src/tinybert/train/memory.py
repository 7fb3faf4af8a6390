"""Keep the memory of one step for the next."""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc
LARGEST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Ask the C library not to hand freed tensors back to the system, and say whether it agreed.

    Otherwise each step maps its large tensors anew and pays a page fault for every 4 KB: the gradient of a
    30,522 × 384 embedding alone is 47 MB. Only glibc can be asked; elsewhere nothing happens.
    """
    if not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt"):
        return False
    return bool(library.mallopt(M_MMAP_THRESHOLD, 2**30)) and bool(library.mallopt(M_TRIM_THRESHOLD, LARGEST))
