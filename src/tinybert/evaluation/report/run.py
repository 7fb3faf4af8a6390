"""The report of a run on labelled rows: what was kept, what was saved, what to know before believing it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from tinybert.evaluation.report.layout import markdown_table, page
from tinybert.training import metric_title

TITLES = {
    "teacher": "teacher",
    "fine_tune_only": "fine-tune only (same shape, hard labels)",
    "tfidf": "TF-IDF",
    "not_augmented": "student without augmentation (as many steps)",
    "student": "**student (distilled)**",
    "model": "model",
}

Metrics = Mapping[str, object]
Row = Mapping[str, object]


def table_rows(metrics: Metrics) -> list[list[str]]:
    """Return the table of a run: a header and one row a model."""
    split, main = str(metrics["split"]), str(metrics["main_metric"])
    models = _models(metrics)
    clean = f"{split}_without_leakage"
    has_clean = any(clean in row for row in models.values())
    header = ["model", f"{split} {main}", *(["without leaked rows"] if has_clean else [])]
    rows = [[*header, "of teacher", "parameters", "MB", "ms a text", "rows/s", "training s"]]
    teacher = _score(metrics.get("teacher"), split, main)
    for title, row in models.items():
        score = _score(row, split, main)
        share = f"{score / teacher:.1%}" if score is not None and teacher is not None and teacher > 0 else "–"
        scores = [score, *([_score(row, clean, main)] if has_clean else [])]
        rows.append([title, *(_number(each, "{:.4f}") for each in scores), share, *_costs(row, metrics)])
    return rows


def _models(metrics: Metrics) -> dict[str, Row]:
    """Return the row of each model, by its title."""
    found = {name: metrics.get(name) for name in TITLES}
    rows = {name: cast(Row, row) for name, row in found.items() if isinstance(row, Mapping)}
    return {str(row.get("title", TITLES[name])): row for name, row in rows.items()}


def _costs(row: Row, metrics: Metrics) -> list[str]:
    return [
        _number(row.get("num_parameters"), "{:,.0f}"),
        _number(row.get("size_mb"), "{:.1f}"),
        _number(row.get("latency_ms"), "{:.1f}"),
        _number(rows_per_s(row, metrics), "{:,.0f}"),
        _number(row.get("train_seconds"), "{:.0f}"),
    ]


def rows_per_s(row: Row, metrics: Metrics) -> float | None:
    """Return how many rows a second a model predicted when it was scored; None where that is not known."""
    count, seconds = metrics["num_rows_scored"], row.get("predict_seconds")
    return cast(float, count) / cast(float, seconds) if seconds else None


def _number(value: object, spec: str) -> str:
    return "–" if value is None else spec.format(value)


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
    """Return a table of each model's main metric by type, where the task tells types apart."""
    split, main = str(metrics["split"]), str(metrics["main_metric"])
    models = {
        title: cast(Mapping[str, float], row[split])
        for title, row in _models(metrics).items()
        if split in row
    }
    first = next(iter(models.values()), {})
    names = {key: key.partition("/")[2] for key in first if key.startswith(f"{main}/")}
    if not names:
        return ""
    names |= {"partial_f1": "overlap in part"} if "partial_f1" in first else {}
    rows = [[name, *(f"{scores[key]:.4f}" for scores in models.values())] for key, name in names.items()]
    return f"## {metric_title(main)} by type\n\n{markdown_table([['type', *models], *rows])}"


def _explanation(metrics: Metrics) -> str:
    split = str(metrics["split"])
    lines = [f"Scores on the {split} split ({metrics['num_rows_scored']:,} rows)."]
    if split != "test":
        lines.append(
            "There is no test split: this split also chose the best epoch, so the scores are a little kind."
        )
    if num_leaked := metrics.get("num_rows_leaked"):
        lines.append(
            f"{num_leaked:,} of them are also in the train split; the second score is without these."
        )
    if isinstance(metrics.get("fine_tune_only"), Mapping):
        lines.append(str(metrics["baseline_start"]))
    lines += [str(row["description"]) for row in _models(metrics).values() if "description" in row]
    return " ".join(lines)
