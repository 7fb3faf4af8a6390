"""The guides' tables of recipe keys say what the recipe says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from tinybert.config import Recipe

DOCS = Path(__file__).parents[3] / "docs"


def fields(section: BaseModel, prefix: str = "") -> Iterator[tuple[str, object, FieldInfo]]:
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from fields(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value, field


def table(guide: Path) -> list[list[str]]:
    text = (
        guide.read_text(encoding="utf-8").split("<!-- recipe-keys -->")[1].split("<!-- /recipe-keys -->")[0]
    )
    rows = [line.replace("\\|", "/").strip("| ").split(" | ") for line in text.strip().splitlines()]
    return rows[2:]


def shown(value: object) -> str:
    return "–" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize("guide", ["guide.md", "guide.zh-CN.md"])
def test_every_key_stands_in_the_guide_with_its_default(guide: str) -> None:
    expected = [[f"`{key}`", shown(value)] for key, value, _ in fields(Recipe())]
    assert [[row[0], row[2]] for row in table(DOCS / guide)] == expected


def test_the_guide_gives_each_key_its_own_description() -> None:
    expected = [field.description for _, _, field in fields(Recipe())]
    assert [row[3] for row in table(DOCS / "guide.md")] == expected
