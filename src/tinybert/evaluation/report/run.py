"""The report of a run on labelled rows: what was kept, what was saved, what to know before believing it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from tinybert.evaluation.report.cautions import best_score, learned_nothing
from tinybert.evaluation.report.layout import markdown_table, page
from tinybert.evaluation.scores import gain_kept
from tinybert.training import metric_title

TITLES = {
    "teacher": "teacher",
    "fine_tune_only": "fine-tune only (same shape, hard labels)",
    "tfidf": "TF-IDF",
    "lead": "lead",
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
    constant = metrics.get("constant_score")
    has_gain = bool(constant) and isinstance(metrics.get("teacher"), Mapping)
    header += ["of teacher", *(["of its gain"] if has_gain else [])]
    rows = [[*header, "parameters", "MB", "ms a text", "rows/s", "training s"]]
    teacher = _score(metrics.get("teacher"), split, main)
    for title, row in models.items():
        score = _score(row, split, main)
        share = f"{score / teacher:.1%}" if score is not None and teacher is not None and teacher > 0 else "–"
        splits = (split, *([clean] if has_clean else []))
        scores = [_cell(row, each, main, best=best_score(metrics)) for each in splits]
        shares = [share, *([_gain(score, teacher, metrics)] if has_gain else [])]
        rows.append([title, *scores, *shares, *_costs(row, metrics)])
    return rows


def _gain(score: float | None, teacher: float | None, metrics: Metrics) -> str:
    if score is None or teacher is None:
        return "–"
    constant, num_rows = cast(float, metrics["constant_score"]), cast(int, metrics["num_rows_scored"])
    kept = gain_kept(score, teacher, constant, num_rows=num_rows, best_score=best_score(metrics))
    return _number(kept, "{:.1%}")


def _models(metrics: Metrics) -> dict[str, Row]:
    """Return the row of each model, by its title."""
    found = {name: metrics.get(name) for name in TITLES}
    rows = {name: cast(Row, row) for name, row in found.items() if isinstance(row, Mapping)}
    return {_title(name, row, metrics): row for name, row in rows.items()}


def _title(name: str, row: Row, metrics: Metrics) -> str:
    title = str(row.get("title", TITLES[name]))
    return f"{title} (not above chance)" if learned_nothing(name, metrics) else title


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


def _cell(row: Row, split: str, main: str, *, best: float) -> str:
    """Return a score and, where there is one, its 95 % interval; with two decimals where 100 is the best."""
    score = _score(row, split, main)
    low, high = (_score(row, split, f"{main}_{end}") for end in ("low", "high"))
    if low is None or high is None:
        return _number(score, "{:.4f}" if best <= 1 else "{:.2f}")
    return f"{score:.2f} ({low:.2f}–{high:.2f})"


def _score(row: object, split: str, main: str) -> float | None:
    scores = cast(Row, row).get(split) if isinstance(row, Mapping) else None
    value = cast(Mapping[str, float], scores).get(main) if isinstance(scores, Mapping) else None
    return None if value is None else float(value)


def shares_kept(metrics: Metrics) -> tuple[float, str] | None:
    """Return what the student keeps of its teacher; None where the teacher has learned nothing.

    Args:
        metrics: Of a run.

    Returns:
        The retention, and a part of a sentence about the share of the teacher's gain, which may be empty.
    """
    retention, gain = metrics.get("retention"), metrics.get("gain_kept")
    if not retention or learned_nothing("teacher", metrics):
        return None
    has_gain = gain is not None and metrics.get("constant_score")
    of_gain = f", {cast(float, gain):.1%} of its gain over always predicting the same" if has_gain else ""
    return float(cast(float, retention)), of_gain


def run_report(metrics: Metrics, *, recipe_text: str) -> str:
    """Return ``report.md``."""
    kept = shares_kept(metrics)
    parts = [
        f"# {metrics['task']}: {metrics['source']}",
        f"The student keeps **{kept[0]:.1%}** of its teacher{kept[1]}." if kept else "",
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
    if metrics.get("gain_kept") is not None and metrics.get("constant_score"):
        lines.append(
            f"Always predicting the same scores {cast(float, metrics['constant_score']):.4f}; *of its gain* "
            "is the share of what the teacher has above that."
        )
    elif metrics.get("constant_score") and isinstance(metrics.get("teacher"), Mapping):
        lines.append(
            f"Always predicting the same scores {cast(float, metrics['constant_score']):.4f}, which the "
            "teacher is not above by more than chance: there is no share of its gain."
        )
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
