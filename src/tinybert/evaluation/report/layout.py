"""Tables, the first row the header, and the page that a report is."""

from __future__ import annotations

import html
from collections.abc import Sequence

Table = Sequence[Sequence[str]]


def markdown_table(rows: Table) -> str:
    """Return a table in Markdown.

    Example:
        >>> print(markdown_table([["a", "b"], ["1", "2"]]))
        | a | b |
        | --- | --- |
        | 1 | 2 |
    """
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], f"|{' --- |' * len(rows[0])}", *lines[1:]])


def plain_table(rows: Table) -> str:
    """Return a table in columns for a terminal, without Markdown."""
    plain = [[cell.replace("*", "") for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in plain) for i in range(len(plain[0]))]
    lines = [
        "  ".join(_align(cell, width, i) for i, (cell, width) in enumerate(zip(row, widths, strict=True)))
        for row in plain
    ]
    return "\n".join([lines[0], "  ".join("─" * width for width in widths), *lines[1:]])


def _align(cell: str, width: int, column: int) -> str:
    return cell.ljust(width) if column == 0 else cell.rjust(width)


def html_table(rows: Table) -> str:
    """Return a table in HTML."""
    lines = [
        "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in row) + "</tr>"
        for tag, row in zip(["th", *["td"] * (len(rows) - 1)], rows, strict=True)
    ]
    return f"<table>{''.join(lines)}</table>"


def page(parts: Sequence[str], *, notes: Sequence[str], recipe_text: str) -> str:
    """Return ``report.md``: its parts, without the empty ones, what to know, and the recipe."""
    listed = "\n".join(f"- {note}" for note in notes)
    ends = [f"## What to know\n\n{listed}" if notes else "", f"## Recipe\n\n```yaml\n{recipe_text}```"]
    return "\n\n".join(part for part in (*parts, *ends) if part) + "\n"
