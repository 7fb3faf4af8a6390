"""The Python sessions of the manual give what stands below them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGES = sorted(path for path in (ROOT / "docs").rglob("*.md"))


def sessions(page: Path) -> list[str]:
    """Return the Python blocks that need no run of the reader's own."""
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    return [block for block in blocks if '"runs/' not in block]


@pytest.mark.network
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "page", [page for page in PAGES if sessions(page)], ids=lambda page: str(page.relative_to(ROOT))
)
def test_a_page_s_session_runs_as_written(page: Path) -> None:
    names: dict[str, object] = {}
    for block in sessions(page):
        lines = block.splitlines()
        for node in ast.parse(block).body:
            code = ast.unparse(node)
            if not isinstance(node, ast.Expr):
                exec(code, names)
                continue
            value, below = eval(code, names), lines[node.end_lineno : node.end_lineno + 1]
            if below and below[0].startswith("# "):
                assert repr(value) == below[0].removeprefix("# "), code


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_blocks_can_be_parsed(page: Path) -> None:
    for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        ast.parse(block)
