"""The report: what was kept, what was saved, and what a reader should know before believing it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

TITLES = {
    "teacher": "teacher",
    "fine_tune_only": "fine-tune only (same shape, hard labels)",
    "not_augmented": "student without augmentation (as many steps)",
    "student": "**student (distilled)**",
    "model": "model",
}

Metrics = Mapping[str, object]
Row = Mapping[str, object]


def table_rows(metrics: Metrics) -> list[list[str]]:
    """Return the table of a run: a header and one row a model."""
    split, main = str(metrics["split"]), str(metrics["main_metric"])
    header = ["model", f"{split} {main}", "of teacher", "parameters", "MB", "ms a text", "training s"]
    teacher = _score(metrics.get("teacher"), split, main)
    rows = [header]
    for name, title in TITLES.items():
        row = metrics.get(name)
        if isinstance(row, Mapping):
            rows.append([title, *_cells(cast(Row, row), split, main, teacher)])
    return rows


def _cells(row: Row, split: str, main: str, teacher: float | None) -> list[str]:
    score = _score(row, split, main)
    share = f"{score / teacher:.1%}" if score is not None and teacher is not None and teacher > 0 else "–"
    seconds = row.get("train_seconds")
    return [
        "–" if score is None else f"{score:.4f}",
        share,
        _number(row.get("num_parameters"), "{:,.0f}"),
        _number(row.get("size_mb"), "{:.1f}"),
        _number(row.get("latency_ms"), "{:.1f}"),
        "–" if seconds is None else f"{seconds:.0f}",
    ]


def _number(value: object, form: str) -> str:
    return "–" if value is None else form.format(value)


def _score(row: object, split: str, main: str) -> float | None:
    scores = cast(Row, row).get(split) if isinstance(row, Mapping) else None
    return float(cast(Mapping[str, float], scores)[main]) if isinstance(scores, Mapping) else None


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as a Markdown table, the first one the header.

    Example:
        >>> print(markdown_table([["a", "b"], ["1", "2"]]))
        | a | b |
        | --- | --- |
        | 1 | 2 |
    """
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], f"|{' --- |' * len(rows[0])}", *lines[1:]])


def plain_table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows in columns for a terminal, without Markdown."""
    plain = [[cell.replace("*", "") for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in plain) for i in range(len(plain[0]))]
    lines = [
        "  ".join(_align(cell, width, i) for i, (cell, width) in enumerate(zip(row, widths, strict=True)))
        for row in plain
    ]
    return "\n".join([lines[0], "  ".join("─" * width for width in widths), *lines[1:]])


def _align(cell: str, width: int, column: int) -> str:
    return cell.ljust(width) if column == 0 else cell.rjust(width)


def report_markdown(metrics: Metrics, *, recipe_text: str) -> str:
    """Return ``report.md``."""
    notes = [f"- {note}" for note in cast(Sequence[str], metrics.get("notes", ()))]
    retention = metrics.get("retention")
    kept = f"The student keeps **{float(cast(float, retention)):.1%}** of its teacher." if retention else ""
    parts = [
        f"# {metrics['task']}: {metrics['source']}",
        kept,
        markdown_table(table_rows(metrics)),
        _explanation(metrics),
        _by_type(metrics),
        "## Learning curve\n\n![loss and validation score by epoch](learning_curve.png)",
        "## What to know\n\n" + "\n".join(notes) if notes else "",
        f"## Recipe\n\n```yaml\n{recipe_text}```",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _by_type(metrics: Metrics) -> str:
    """Return a table of the student's F1 by type of entity, beside the other models'."""
    split = str(metrics["split"])
    models: dict[str, Mapping[str, float]] = {}
    for name, title in TITLES.items():
        row = metrics.get(name)
        if isinstance(row, Mapping) and split in row:
            models[title] = cast(Mapping[str, Mapping[str, float]], row)[split]
    first = next(iter(models.values()), {})
    kinds = [key.partition("/")[2] for key in first if key.startswith("f1/")]
    if not kinds:
        return ""
    rows = [["type", *models]]
    rows += [[kind, *(f"{scores[f'f1/{kind}']:.4f}" for scores in models.values())] for kind in kinds]
    rows.append(["overlap in part", *(f"{scores['partial_f1']:.4f}" for scores in models.values())])
    return f"## F1 by type\n\n{markdown_table(rows)}"


def _explanation(metrics: Metrics) -> str:
    split = str(metrics["split"])
    lines = [f"Scores on the {split} split ({metrics['num_rows_scored']:,} rows)."]
    if split != "test":
        lines.append(
            "There is no test split: this split also chose the best epoch, so the scores are a little kind."
        )
    if isinstance(metrics.get("fine_tune_only"), Mapping):
        lines.append(str(metrics["baseline_start"]))
    return " ".join(lines)


def write_report(folder: Path, metrics: Metrics, *, recipe_text: str) -> None:
    """Write ``report.md`` into a run."""
    (folder / "report.md").write_text(report_markdown(metrics, recipe_text=recipe_text), encoding="utf-8")
