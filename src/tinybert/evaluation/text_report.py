"""The report of a training on raw text: what was read, how the losses fell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from tinybert.evaluation.report import markdown_table

Metrics = Mapping[str, object]
History = Sequence[Mapping[str, float]]


def text_table(history: History) -> list[list[str]]:
    """Return a header and one row an evaluation: step, training loss, held-out scores, speed."""
    scores = [name for name in history[-1] if name.startswith("val_")]
    header = [
        "step",
        "training loss",
        *(f"held-out {name.removeprefix('val_')}" for name in scores),
        "tokens/s",
    ]
    return [
        header,
        *(
            [
                f"{row['step']:,.0f}",
                f"{row['loss']:.4f}",
                *(f"{row[name]:.4f}" if name in row else "–" for name in scores),
                f"{row['tokens_per_second']:,.0f}",
            ]
            for row in history
        ),
    ]


def write_text_report(folder: Path, metrics: Metrics, history: History, *, recipe_text: str) -> None:
    """Write ``report.md`` into a run."""
    documents = cast(Mapping[str, int], metrics["documents"])
    counts = [[name.replace("_", " "), f"{count:,}"] for name, count in documents.items()]
    notes = "\n".join(f"- {note}" for note in cast(Sequence[str], metrics["notes"]))
    parts = [
        f"# {metrics['task']}: {metrics['source']}",
        f"{metrics['num_parameters']:,} parameters, {metrics['size_mb']} MB; {metrics['num_steps']:,} "
        f"steps in {metrics['train_seconds']} s.",
        markdown_table(text_table(history)),
        "![losses by step](learning_curve.png)",
        f"## Text\n\n{markdown_table([['documents', 'number'], *counts])}\n\n"
        f"{metrics['num_blocks']:,} blocks, {metrics['num_tokens']:,} tokens to train on; "
        f"{metrics['num_blocks_held_out']:,} blocks held out.",
        f"## What to know\n\n{notes}" if notes else "",
        f"## Recipe\n\n```yaml\n{recipe_text}```",
    ]
    (folder / "report.md").write_text("\n\n".join(part for part in parts if part) + "\n", encoding="utf-8")
