"""Every command in the manual is one that the command line takes: name, options and settings."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from tinybert.cli.app import make_app
from tinybert.config import build_recipe

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", ROOT / "README.zh-CN.md", *sorted((ROOT / "docs").rglob("*.md"))]
RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))
COMMAND = re.compile(r"^[#$ ]*(?:time )?tinybert (\w.*)$")
SETTING = re.compile(r"[a-z_]+(\.[a-z_]+)*=")


def commands(path: Path) -> list[str]:
    """Return what follows ``tinybert`` in blocks of shell, and in the comments of a recipe."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        text = "\n".join(re.findall(r"```(?:sh|console)\n(.*?)```", text, re.DOTALL))
    lines = text.replace("\\\n", " ").splitlines()
    found = [match[1] for line in lines if (match := COMMAND.match(line))]
    return [each for line in found for each in line.split(" && tinybert ")]


def words(command: str) -> list[str]:
    """Return a command's words, without what the shell itself reads."""
    split = shlex.split(command, comments=True)
    return split[: split.index("|")] if "|" in split else split


@pytest.mark.parametrize(
    "page", [page for page in [*PAGES, *RECIPES] if commands(page)], ids=lambda page: page.stem
)
def test_commands_are_taken(page: Path) -> None:
    app = make_app()
    for command in commands(page):
        given = [word for word in words(command) if word != "--debug"]
        app.parse_args(given, exit_on_error=False, print_error=True)
        build_recipe({}, [word for word in given if SETTING.match(word)])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_recipes_in_the_manual_are_recipes(page: Path) -> None:
    for block in re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        build_recipe(yaml.safe_load(block))


def test_a_command_that_is_none_would_be_found() -> None:
    assert commands(ROOT / "README.md")
    with pytest.raises(Exception, match="sizemb"):
        make_app().parse_args(
            ["distill", "x", "--teacher", "y", "--max-sizemb", "3"], exit_on_error=False, print_error=False
        )
