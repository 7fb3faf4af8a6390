"""What CONTRIBUTING says to do is done, in a copy of the project, word for word."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests import easy

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
RECIPES = ("Add a loss", "Add a layer map", "Add a task")
RUN = """
import json, sys
from tinybert.cli.app import main
for words in json.loads(sys.argv[1]):
    main(words)
"""


def blocks_of(heading: str) -> list[tuple[str, str]]:
    """Return the language and the text of each block below a heading."""
    section = re.split(r"^## ", PAGE.split(f"## {heading}\n")[1], flags=re.MULTILINE)[0]
    return re.findall(r"```(\w+)\n(.*?)```", section, re.DOTALL)


def write(project: Path, text: str) -> None:
    """Write a block of Python where its first line says."""
    first, _, rest = text.partition("\n")
    path = project / first.removeprefix("# ")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(rest, encoding="utf-8")


def change(project: Path, text: str) -> None:
    """Change files: lines that are kept are found in order, others are added below them or removed."""
    for part in re.split(r"^--- ", text, flags=re.MULTILINE)[1:]:
        name, *edits = part.splitlines()
        lines = (project / name).read_text(encoding="utf-8").splitlines()
        at = 0
        for sign, line in ((edit[:1], edit[1:]) for edit in edits):
            if sign == "+":
                lines.insert(at, line)
                at += 1
                continue
            at = lines.index(line)
            if sign == "-":
                del lines[at]
            else:
                at += 1
        (project / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def done(project: Path, *words: object) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join([str(project / "src"), str(project)])
    return subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=project,
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("src", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(ROOT / "pyproject.toml", folder / "pyproject.toml")
    for heading in RECIPES:
        for language, text in blocks_of(heading):
            {"python": write, "diff": change, "sh": lambda *_: None}[language](folder, text)
    return folder


def test_its_tests_pass_with_what_was_added(project: Path) -> None:
    lines = [text.split() for heading in RECIPES for kind, text in blocks_of(heading) if kind == "sh"]
    assert [(line[0], line[-2]) for line in lines] == [("pytest", "-k")] * len(RECIPES)
    files = {word for line in lines for word in line[1:-2]}  # all in one process: each start takes seconds
    words = [*sorted(files), "-v", "-k", " or ".join(line[-1] for line in lines)]
    ran = done(project, "-m", "pytest", "-p", "no:cacheprovider", *words)
    assert ran.returncode == 0, f"{ran.stdout}{ran.stderr}"
    for file in files:
        assert re.search(rf"{re.escape(file)}.*PASSED", ran.stdout), file


def test_it_is_formatted_as_the_project_is(project: Path) -> None:
    files = [project / "src" / "tinybert", project / "tests" / "unit" / "losses"]
    for command in (["check"], ["format", "--check"]):
        ran = done(project, "-m", "ruff", *command, "--no-cache", *files)
        assert ran.returncode == 0, ran.stdout


@pytest.mark.slow
def test_commands_know_them(project: Path, tiny_encoder: Path) -> None:
    shares = [{"text": row["text"], "label": float(row["label"] == "positive")} for row in easy.make_rows(60)]
    share_rows = easy.write_rows(project / "shares.jsonl", shares)
    rows = easy.write_rows(project / "rows.jsonl", easy.make_rows(60))
    share, student = project / "share", project / "student"
    words = [*easy.FAST, "train.num_epochs=1"]
    named = ["distill.losses={cosine_logits: 1.0, hidden_state_mse: 1.0}", "student.layer_map=outer"]
    shape = [*easy.TINY_STUDENT, *named]
    commands = [
        ["finetune", share_rows, "--model", tiny_encoder, "--task", "share", "--out", share, *words],
        ["predict", share, "good", "--json"],
        ["distill", rows, "--teacher", tiny_encoder, "--out", student, "--no-baseline", *words, *shape],
    ]
    ran = done(project, "-c", RUN, json.dumps(commands, default=str))
    assert ran.returncode == 0, ran.stderr
    assert '"score": ' in ran.stdout
    assert "outer" in (student / "recipe.yaml").read_text(encoding="utf-8")
