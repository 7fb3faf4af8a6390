"""What a trimmed vocabulary loses on text that it was not trimmed to."""

from __future__ import annotations

from typing import cast

from tinybert.stages.doctor.context import Context
from tinybert.stages.doctor.finding import Finding

NAME = "vocabulary"
MAX_PIECES_LOST = 0.01


def check_vocabulary(context: Context) -> list[Finding]:
    """Say how many pieces are kept, and warn where another split loses many of its own."""
    if context.trimmed is None:
        return []
    summary = context.trimmed.summary
    text = f"{summary['num_pieces']:,} of {summary['num_pieces_before']:,} pieces kept"
    splits = cast("dict[str, dict[str, float]]", summary["splits"])
    lost = {name: split["pieces_lost"] for name, split in splits.items()}
    if all(share <= MAX_PIECES_LOST for share in lost.values()):
        return [Finding("ok", NAME, text)]
    shares = ", ".join(f"{share:.1%} of the pieces of {name}" for name, share in lost.items())
    return [
        Finding(
            "warn",
            NAME,
            f"{text}; {shares} are gone, and characters, other small pieces or the unknown one stand for "
            "them; keep the pieces of more text of this kind with student.vocabulary_text=FILE",
        )
    ]
