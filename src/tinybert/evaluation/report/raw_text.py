"""The report of a run on raw text: what was read, how the losses fell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from tinybert.evaluation.report.layout import markdown_table, page

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


def text_report(metrics: Metrics, history: History, *, recipe_text: str) -> str:
    """Return ``report.md``."""
    documents = cast(Mapping[str, int], metrics["documents"])
    counts = [[name.replace("_", " "), f"{count:,}"] for name, count in documents.items()]
    parts = [
        f"# {metrics['task']}: {metrics['source']}",
        f"{metrics['num_parameters']:,} parameters, {metrics['size_mb']} MB; {metrics['num_steps']:,} "
        f"steps in {metrics['train_seconds']} s.",
        markdown_table(text_table(history)),
        "![losses by step](learning_curve.png)",
        f"## Text\n\n{markdown_table([['documents', 'number'], *counts])}\n\n"
        f"{metrics['num_blocks']:,} blocks, {metrics['num_tokens']:,} tokens to train on; "
        f"{metrics['num_blocks_held_out']:,} blocks held out.",
    ]
    return page(parts, notes=cast(Sequence[str], metrics["notes"]), recipe_text=recipe_text)
