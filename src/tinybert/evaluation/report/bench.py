"""A comparison of speeds as a table, a picture and a page."""

from __future__ import annotations

import html
import io
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from tinybert.evaluation.report.layout import html_table
from tinybert.inference.bench import Measured
from tinybert.storage import Json, write_json, write_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>body{{font:15px system-ui,sans-serif;margin:2rem;max-width:70rem}}
table{{border-collapse:collapse}}td,th{{padding:.3rem .7rem;border-bottom:1px solid #ddd;text-align:right}}
td:first-child,th:first-child,td:nth-child(2),th:nth-child(2){{text-align:left}}svg{{max-width:100%;height:auto}}
</style></head><body><h1>{title}</h1>
{picture}
{table}
<p>{description}</p></body></html>
"""


def bench_table(measured: Sequence[Measured], metric: str) -> list[list[str]]:
    """Return a comparison as rows of cells, the first one the header."""
    sizes = list(measured[0].rows_per_s) if measured else []
    header = ["model", "backend", metric, "p50 ms", "p95 ms", "p99 ms"]
    header += [f"rows/s ×{size}" for size in sizes]
    written = list(measured[0].tokens_per_s) if measured else []
    header += [f"tokens/s ×{size}" for size in written]
    rows = [[*header, "memory MB", "disk MB", "start-up s"]]
    for each in measured:
        cells = [each.name, each.backend, "–" if each.score is None else f"{each.score:.4f}"]
        cells += [f"{value:.2f}" for value in (each.p50_ms, each.p95_ms, each.p99_ms)]
        cells += [f"{each.rows_per_s[size]:,.0f}" for size in sizes]
        cells += [f"{each.tokens_per_s[size]:,.0f}" for size in written]
        rows.append([*cells, f"{each.memory_mb:,.0f}", f"{each.disk_mb:,.1f}", f"{each.start_up_s:.1f}"])
    return rows


def length_table(measured: Sequence[Measured]) -> list[list[str]]:
    """Return rows a second by batch and length as rows of cells."""
    shapes = list(measured[0].rows_per_s_by_length) if measured else []
    rows = [["rows/s", "backend", *(shape.replace("x", " × ") for shape in shapes)]]
    for each in measured:
        cells = [f"{each.rows_per_s_by_length[shape]:,.0f}" for shape in shapes]
        rows.append([each.name, each.backend, *cells])
    return rows


def write_bench(folder: Path, measured: Sequence[Measured], *, metric: str, metadata: Json) -> None:
    """Write ``bench.json``, ``bench.png`` and ``bench.html``.

    Args:
        folder: Where to; made if it is not there.
        measured: The figures.
        metric: What the score is.
        metadata: Of the machine and the rows.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_json(
        folder / "bench.json", {"metric": metric, **metadata, "models": [asdict(each) for each in measured]}
    )
    figure = draw_bench(measured, metric)
    figure.savefig(folder / "bench.png", dpi=110)
    vector = io.StringIO()
    figure.savefig(vector, format="svg")
    picture = vector.getvalue().partition("<svg")
    description = ", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in metadata.items())
    tables = [bench_table(measured, metric)]
    if any(each.rows_per_s_by_length for each in measured):
        tables.append(length_table(measured))
    page = PAGE.format(
        title="Score against latency",
        picture=f"<svg{picture[2]}",
        table="<br>".join(map(html_table, tables)),
        description=html.escape(description),
    )
    write_text(folder / "bench.html", page)


def draw_bench(measured: Sequence[Measured], metric: str) -> Figure:
    """Draw score against median latency, one point a backend, one colour a model."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    names = list(dict.fromkeys(each.name for each in measured))
    for number, name in enumerate(names):
        own = sorted((each for each in measured if each.name == name), key=lambda each: each.p50_ms)
        points = [(each.p50_ms, each.score or 0.0) for each in own]
        axes.scatter(*zip(*points, strict=True), s=60, color=f"C{number % 10}", label=name, zorder=3)
        for level, (each, point) in enumerate(
            zip(sorted(own, key=lambda it: it.p50_ms), sorted(points), strict=True)
        ):
            axes.annotate(
                f"{each.backend}, {each.disk_mb:,.0f} MB",
                point,
                xytext=(0, 9 + 11 * (level % 3)),
                textcoords="offset points",
                ha="center",
                fontsize=8,
            )
    axes.set(
        xscale="log",
        xlabel="milliseconds for one text, median (left is faster)",
        ylabel=metric.partition(" (")[0],
    )
    axes.set_title(metric.partition(" (")[2].removesuffix(")"), fontsize=10)
    axes.margins(0.15)
    axes.grid(alpha=0.3, which="both")
    axes.legend(fontsize=9)
    return figure
