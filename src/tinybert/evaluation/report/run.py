"""The report of a run on labelled rows: what was kept, what was saved, what to know before believing it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from tinybert.evaluation.report.layout import markdown_table, page

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


def run_report(metrics: Metrics, *, recipe_text: str) -> str:
    """Return ``report.md``."""
    retention = metrics.get("retention")
    kept = f"The student keeps **{float(cast(float, retention)):.1%}** of its teacher." if retention else ""
    parts = [
        f"# {metrics['task']}: {metrics['source']}",
        kept,
        markdown_table(table_rows(metrics)),
        _explanation(metrics),
        _by_type(metrics),
        "## Learning curve\n\n![loss and validation score by epoch](learning_curve.png)",
    ]
    return page(parts, notes=cast(Sequence[str], metrics.get("notes", ())), recipe_text=recipe_text)


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
