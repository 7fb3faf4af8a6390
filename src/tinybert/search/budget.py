"""What is asked of a student, and what its candidates are measured against."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tinybert.errors import RecipeError

NOT_TRAINED, WITHIN = "fits; not trained", "within the budget"
MAX_RETENTION = 2


@dataclass(frozen=True)
class Budget:
    """What is asked of a student; None asks nothing.

    Attributes:
        max_latency_ms: Median milliseconds for one text a call, on this machine.
        max_size_mb: Of the model's file.
        min_retention: Its score over its teacher's.
    """

    max_latency_ms: float | None = None
    max_size_mb: float | None = None
    min_retention: float = 0.97

    def check(self) -> None:
        """Refuse what no student can meet.

        Raises:
            RecipeError: A limit is not above 0, or the share of the score is none.
        """
        for name, value in (("--max-latency-ms", self.max_latency_ms), ("--max-size-mb", self.max_size_mb)):
            if value is not None and not 0 < value < math.inf:
                raise RecipeError(name, f"{value}: expected a number above 0")
        if not 0 < self.min_retention <= MAX_RETENTION:
            given = self.min_retention
            raise RecipeError("--min-retention", f"{given}: expected a share of the score, such as 0.97")

    def verdict(self, candidate: Candidate) -> str:
        """Return what is wrong with a candidate, or how far it has come."""
        slow = self.max_latency_ms is not None and candidate.latency_ms > self.max_latency_ms
        large = self.max_size_mb is not None and candidate.size_mb > self.max_size_mb
        known = candidate.retention is not None
        poor = candidate.retention is not None and candidate.retention < self.min_retention
        problems = ["too slow"] * slow + ["too large"] * large + ["keeps too little"] * poor
        return " and ".join(problems) or (WITHIN if known else NOT_TRAINED)

    def excess(self, candidate: Candidate) -> float:
        """Return how many times too slow or too large a candidate is, whichever is worse."""
        slow = candidate.latency_ms / self.max_latency_ms if self.max_latency_ms else 0.0
        return max(slow, candidate.size_mb / self.max_size_mb if self.max_size_mb else 0.0)


@dataclass(frozen=True)
class Candidate:
    """A shape and what predicts for it.

    Attributes:
        shape: Named, or a checkpoint.
        engine: Backend.
        num_parameters: Of the student.
        size_mb: Of the model's file.
        latency_ms: For one text a call; of random weights until it is trained.
        verdict: Why it is out, or that it is in.
        score: On the validation rows, which decide; None while it is not trained.
        retention: That over the teacher's.
        test_retention: The same on the test rows, for the one that was chosen.
    """

    shape: str
    engine: str
    num_parameters: int
    size_mb: float
    latency_ms: float
    verdict: str = NOT_TRAINED
    score: float | None = None
    retention: float | None = None
    test_retention: float | None = None


def budget_table(candidates: Sequence[Candidate]) -> list[list[str]]:
    """Return candidates as rows of cells, the smallest first, below a header."""
    header = ["student", "engine", "parameters", "MB", "ms a text", "validation", "of teacher", "test"]
    rows = [[*header, "verdict"]]
    for each in candidates:
        score = "–" if each.score is None else f"{each.score:.4f}"
        share = "–" if each.retention is None else f"{each.retention:.1%}"
        cells = [each.shape, each.engine, f"{each.num_parameters:,}", f"{each.size_mb:.1f}"]
        test = "–" if each.test_retention is None else f"{each.test_retention:.1%}"
        rows.append([*cells, f"{each.latency_ms:.2f}", score, share, test, each.verdict])
    return rows
