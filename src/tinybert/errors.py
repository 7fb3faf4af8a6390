"""Every error a user can meet, as one tree.

TinyBertError
├── RecipeError        a recipe or an override is wrong
├── DataError          a file, a row, a column or a label is wrong
├── ModelError         a checkpoint or a shape cannot be used
├── DoctorError        the checks before training found a reason to stop
├── RunError           an output is missing, unfinished or made from something else
├── BudgetError        no student is within the budget; exit 1, nothing is wrong with the command
└── MissingExtraError  an optional package is not installed

A message says where, what was given, what is allowed, and the fix, for all problems at once.
"""

from __future__ import annotations

from collections.abc import Sequence

from tinybert.legible import legible

MAX_PROBLEMS_SHOWN = 20


class TinyBertError(Exception):
    """Root of all errors that the user can fix; the command line exits with 2.

    Args:
        subject: What was looked at: a file, a recipe, a run.
        problems: One line each: where, what was given, what is allowed, the fix.
    """

    exit_code = 2

    def __init__(self, subject: str, problems: Sequence[str] | str) -> None:
        self.subject = subject
        self.problems: tuple[str, ...] = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__(self._text())

    def __reduce__(self) -> tuple[object, ...]:
        """Come back whole from another process, whatever a subclass is made of."""
        return _remake, (type(self), self.subject, self.problems)

    def _text(self) -> str:
        subject = legible(self.subject)
        if len(self.problems) == 1:
            return f"{subject}: {legible(self.problems[0])}"
        shown = [f"  {legible(problem)}" for problem in self.problems[:MAX_PROBLEMS_SHOWN]]
        hidden = len(self.problems) - len(shown)
        more = [f"  … and {hidden:,} more"] if hidden > 0 else []
        return "\n".join([f"{subject}: {len(self.problems):,} problems", *shown, *more])


def _remake(kind: type[TinyBertError], subject: str, problems: Sequence[str]) -> TinyBertError:
    error = kind.__new__(kind)
    TinyBertError.__init__(error, subject, problems)
    return error


class RecipeError(TinyBertError):
    """A recipe file, a recipe key or an override is wrong."""


class DataError(TinyBertError):
    """A file, a row, a column or a label is wrong."""


class ModelError(TinyBertError):
    """A checkpoint, a shape or a layer map cannot be used."""


class DoctorError(TinyBertError):
    """A check before training found a reason to stop."""


class RunError(TinyBertError):
    """An output is missing, unfinished, or made from something else."""


class BudgetError(TinyBertError):
    """No student is within the budget. Nothing is wrong with the command, so it exits with 1."""

    exit_code = 1


class MissingExtraError(TinyBertError):
    """An optional package is not installed.

    Args:
        package: The package that could not be imported.
        extra: The extra of tinybert that brings it.
    """

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(package, f"not installed; run: pip install 'tinybert[{extra}]'")
