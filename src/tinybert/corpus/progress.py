"""What people see while text is read: a bar with documents/s, or plain lines where there is no terminal."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from tqdm.auto import tqdm

PLAIN_LINE_S = 30


class Progress:
    """Counts documents and bytes as they pass.

    Args:
        label: What is going on.
    """

    def __init__(self, label: str) -> None:
        self.label = label
        self.num_documents = self.num_bytes = 0
        self.start = self.said = time.perf_counter()
        self.is_terminal = sys.stderr.isatty()

    def __enter__(self) -> Progress:
        self.bar = tqdm(
            desc=self.label, unit=" documents", disable=not self.is_terminal, leave=False, dynamic_ncols=True
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.close()

    def add(self, num_documents: int, num_bytes: int, where: str) -> None:
        """Note some more; ``where`` says in which file."""
        self.num_documents += num_documents
        self.num_bytes += num_bytes
        now = time.perf_counter()
        if self.is_terminal:
            self.bar.set_postfix_str(f"{self.num_bytes / 1e6:,.0f} MB, {where}", refresh=False)
            self.bar.update(num_documents)
        elif now - self.said > PLAIN_LINE_S:
            self.said = now
            print(f"{self.line(now)}, {where}", file=sys.stderr, flush=True)

    def line(self, now: float) -> str:
        """Return ``label: documents, MB, documents/s``."""
        speed = self.num_documents / max(now - self.start, 1e-9)
        return (
            f"{self.label}: {self.num_documents:,} documents, {self.num_bytes / 1e6:,.0f} MB, "
            f"{speed:,.0f} documents/s"
        )
