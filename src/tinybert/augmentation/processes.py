"""Copies made by several processes, each with a model of its own; the same copies as one would make."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import Any

from tinybert.augmentation.augmenter import BLOCK, Augmenter, Row
from tinybert.data.row_format import RowFormat
from tinybert.errors import RecipeError

Block = tuple[int, Sequence[Row], RowFormat, int]
_make: list[Callable[[], Augmenter]] = []
_own: list[Augmenter] = []
"""A worker's augmenter, made once, and what makes it."""


def copies_in_blocks(
    make: Callable[[], Augmenter],
    rows: Sequence[Row],
    *,
    format: RowFormat,
    seed: int,
    num_processes: int = 1,
    first_row: int = 0,
) -> Iterator[list[list[dict[str, Any]]]]:
    """Yield the copies of 256 rows at a time, in order; see :meth:`Augmenter.copies_of`.

    Args:
        make: Makes an augmenter; for several processes a function of a module, or ``partial`` of one, which
            also sets the number of threads.
        rows: All rows: a list, or anything with a length whose slices are lists of rows.
        format: As for ``copies_of``.
        seed: As for ``copies_of``.
        num_processes: 1 works in this process.
        first_row: Number of the first of these rows within all rows, a multiple of 256.

    Raises:
        RecipeError: A process was stopped from outside.
    """
    parts: Iterator[Block] = (
        (first_row + start, rows[start : start + BLOCK], format, seed) for start in range(0, len(rows), BLOCK)
    )
    if num_processes == 1:
        augmenter = make()
        yield from (_copies(augmenter, part) for part in parts)
        return
    context = multiprocessing.get_context("spawn")  # forks of a process with threads of torch may hang
    with ProcessPoolExecutor(num_processes, context, initializer=_remember, initargs=(make,)) as pool:
        waiting = deque(pool.submit(_work, part) for part in islice(parts, 2 * num_processes))
        try:
            while waiting:
                yield waiting.popleft().result()
                waiting.extend(pool.submit(_work, part) for part in islice(parts, 1))
        except BrokenProcessPool as error:
            raise RecipeError(
                "--processes", f"{num_processes}: one was stopped, maybe for want of memory; give fewer"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _remember(make: Callable[[], Augmenter]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C reaches all: end at once, without a traceback
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _make[:] = [make]


def _end_with_parent() -> None:
    """End this worker when its parent was killed: nobody would fetch what it makes."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(part: Block) -> list[list[dict[str, Any]]]:
    if not _own:  # made with the first rows, not at the start, so that what goes wrong comes back
        _own.append(_make[0]())
    return _copies(_own[0], part)


def _copies(augmenter: Augmenter, part: Block) -> list[list[dict[str, Any]]]:
    start, rows, format, seed = part
    return augmenter.copies_of(rows, format=format, seed=seed, first_row=start)
