"""Both languages have the same pages, every link leads somewhere, and names in the prose exist."""

from __future__ import annotations

import re
from collections import Counter
from itertools import chain
from pathlib import Path
from pkgutil import resolve_name

import pytest

ROOT = Path(__file__).parents[3]
DOCS, CHINESE = ROOT / "docs", ROOT / "docs" / "zh"
READMES = (ROOT / "README.md", ROOT / "README.zh-CN.md")
PAGES = sorted(path for path in DOCS.rglob("*.md") if path.parent.name != "adr")
ENGLISH_PAGES = [page for page in PAGES if CHINESE not in page.parents]
MAX_README_LINES = 200
FENCE = re.compile(r"^ *```", re.MULTILINE)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def without_code(path: Path) -> str:
    return re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)


def anchors(path: Path) -> set[str]:
    """Return what GitHub calls a page's headings in a link."""
    found: Counter[str] = Counter()
    names: set[str] = set()
    for heading in re.findall(r"^#+ (.*)$", without_code(path), re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        names.add(f"{slug}-{found[slug]}" if found[slug] else slug)
        found[slug] += 1
    return names


def test_the_readmes_are_short() -> None:
    for readme in READMES:
        lines = readme.read_text(encoding="utf-8").splitlines()
        assert len(lines) <= MAX_README_LINES, readme.name


def test_both_languages_have_the_same_pages() -> None:
    english = {page.relative_to(DOCS) for page in ENGLISH_PAGES}
    assert {page.relative_to(CHINESE) for page in CHINESE.rglob("*.md")} == english


@pytest.mark.parametrize("page", [READMES[0], *ENGLISH_PAGES], ids=name_of)
def test_both_languages_have_the_same_blocks_tables_and_headings(page: Path) -> None:
    twin = READMES[1] if page == READMES[0] else CHINESE / page.relative_to(DOCS)
    texts = [each.read_text(encoding="utf-8") for each in (page, twin)]
    for what, pattern in (("code blocks", FENCE), ("table rows", r"(?m)^ *\|"), ("headings", r"(?m)^#+ ")):
        one, other = (len(re.findall(pattern, text)) for text in texts)
        assert one == other, f"{name_of(twin)}: {what}"


@pytest.mark.parametrize("page", [*READMES, *sorted(DOCS.rglob("*.md"))], ids=name_of)
def test_relative_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", without_code(page)):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", [*READMES, *sorted(DOCS.rglob("*.md"))], ids=name_of)
def test_names_of_the_package_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    names = re.findall(r"`tinybert\.([\w.]+)", text)
    if page.name == "papers.md":
        cells = [line.rpartition(" | ")[2] for line in text.splitlines() if line.endswith("` |")]
        names += chain.from_iterable(re.findall(r"`([\w.]+)`", cell) for cell in cells)
    unknown = [name for name in dict.fromkeys(names) if not exists(f"tinybert.{name}")]
    assert not unknown


def exists(name: str) -> bool:
    """Return whether a dotted name is a module, or something in one."""
    try:
        resolve_name(name)
    except (ImportError, AttributeError):
        return False
    return True
