"""A picture of how the models learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

History = Sequence[Mapping[str, float]]


def draw_learning_curve(
    histories: Mapping[str, History], main_metric: str, path: Path, *, by: Literal["epoch", "step"] = "epoch"
) -> None:
    """Draw training loss and validation score, one line a training, into a PNG.

    Args:
        histories: Name of a training → its rows (``epoch``, ``step``, ``loss``, ``val_<metric>``).
        main_metric: The score to draw.
        path: The PNG.
        by: What runs from left to right.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    loss_axes, score_axes = figure.subplots(1, 2)
    for name, rows in histories.items():
        steps = [row[by] for row in rows]
        loss_axes.plot(steps, [row["loss"] for row in rows], marker="o", label=name)
        scored = [(row[by], row[f"val_{main_metric}"]) for row in rows if f"val_{main_metric}" in row]
        score_axes.plot([step for step, _ in scored], [score for _, score in scored], marker="o", label=name)
    is_positive = any(row["loss"] > 0 for rows in histories.values() for row in rows)
    loss_axes.set(
        xlabel=by,
        ylabel="training loss (each its own objective)",
        yscale="log" if is_positive else "linear",
    )
    score_axes.set(xlabel=by, ylabel=f"validation {main_metric}")
    score_axes.legend(fontsize=8)
    for axes in (loss_axes, score_axes):
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)
