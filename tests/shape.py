"""The package's shape in numbers: how far from a command to its work, how many lines, who asks for the kind.

    python -m tests.shape            # of the package that this process imports

*The way* is measured on a real command. From ``cli.main`` to the first training step (the trainer's first
``compute_loss``) every call of a function of the package is seen:

- ``depth``: frames of the package on the stack at the first step, ``main`` and ``compute_loss`` included.
  What a reader follows from the command to the loss. Comprehensions, lambdas and frames of other packages do
  not count.
- ``deepest``: the deepest stack of the package on the way, whatever it led to.
- ``recipe``: different functions on the way that the recipe is handed to, by itself or within a plan: the
  stops that a setting makes.
- ``handed``: of these, those on the stack and those that they call: what a reader follows to see what
  becomes of a setting before the first step.
- ``steps``: different functions that those on the stack call: what a reader passes on the way down.
- ``entered``: all different functions entered.

*Questions* are expressions outside ``tasks/`` that ask what kind of label there is, what a task is called or
which type a prediction has; ``QUESTIONS`` lists how they are recognised.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import io
import pkgutil
import re
import statistics
import sys
import tempfile
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType

import tinybert

SOURCE = Path(tinybert.__file__).parent
HOME = "tasks"
LONG_FILE = 300
LAST = "compute_loss"
UNNAMED = ("<listcomp>", "<dictcomp>", "<setcomp>", "<genexpr>", "<lambda>", "<module>")

KINDS = "single|multi|value|tags|span"
TASKS = "classification|multilabel|regression|ner|qa|extractive|general"
QUESTIONS: dict[str, tuple[str, ...]] = {
    "kind of label": (
        rf"kind (==|!=|in|not in) .*'({KINDS})'",
        r"(label_kind|(labels|scheme|form|request|self)\.kind) (not )?in [A-Z_]+$",
        r"kind (not )?in (WINDOWED|LAYOUTS)$",
        r"\[[\w.]*(label_kind|labels\.kind|scheme\.kind)\]$",
        r"\.get\([\w.]*(label_kind|labels\.kind|scheme\.kind)\b",
        rf"^case '({KINDS})'",
        rf"^keys ('({KINDS})' ?)+$",
    ),
    "a task's name": (
        rf"\b(task|name) (==|!=|in|not in) .*'({TASKS})'",
        r"\btask(\.name|'\)|'\])? (==|!=|in|not in) [A-Z_]+$",
        r"\btask is (not )?(?!None)\w",
        r"(\[|\.get\()[\w.]*task\.name\b",
        rf"^case '({TASKS})'",
        rf"^keys ('({TASKS})' ?)+$",
    ),
    "a type of prediction": (r"^isinstance of tasks ",),
}


@dataclass(frozen=True)
class Question:
    """An expression outside ``tasks/`` that asks what only a task should know."""

    about: str
    file: str
    line: int
    text: str


@dataclass(frozen=True)
class Way:
    """The calls of the package's own functions from ``main`` to the first training step."""

    stack: tuple[str, ...]
    deepest: tuple[str, ...]
    recipe: tuple[str, ...]
    handed: tuple[str, ...]
    steps: tuple[str, ...]
    entered: tuple[str, ...]

    @property
    def depth(self) -> int:
        return len(self.stack)


def source_files(source: Path = SOURCE) -> list[Path]:
    return sorted(source.rglob("*.py"))


def count_lines(source: Path = SOURCE) -> dict[str, int]:
    """File → lines."""
    return {
        file.relative_to(source).as_posix(): len(file.read_text(encoding="utf-8").splitlines())
        for file in source_files(source)
    }


def count_code_lines(source: Path = SOURCE) -> int:
    """Lines that hold code: not blank, no comment, no docstring."""
    total = 0
    for file in source_files(source):
        text = file.read_text(encoding="utf-8")
        tokens = tokenize.generate_tokens(io.StringIO(text).readline)
        silent = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
        lines = {
            line
            for token in tokens
            if token.type not in (*silent, tokenize.ENDMARKER)
            for line in range(token.start[0], token.end[0] + 1)
        }
        total += len(lines - _docstring_lines(ast.parse(text)))
    return total


def _docstring_lines(tree: ast.Module) -> set[int]:
    """Lines of strings that stand alone: docstrings, and those behind an attribute."""
    return {
        line
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if isinstance(node.value.value, str) and node.end_lineno is not None
        for line in range(node.lineno, node.end_lineno + 1)
    }


def long_files(source: Path = SOURCE) -> dict[str, int]:
    found = {name: count for name, count in count_lines(source).items() if count > LONG_FILE}
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def function_lengths(source: Path = SOURCE) -> dict[str, int]:
    """Function → lines without its docstring."""
    found: dict[str, int] = {}
    for file in source_files(source):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
                lines = node.end_lineno - node.lineno + 1
                first = node.body[0]
                if ast.get_docstring(node) is not None and first.end_lineno is not None:
                    lines -= first.end_lineno - first.lineno + 1
                found[f"{file.relative_to(source).as_posix()}:{node.lineno} {node.name}"] = lines
    return found


def questions(source: Path = SOURCE) -> list[Question]:
    """All questions outside ``tasks/``, at most one a line of each family."""
    found: dict[tuple[str, str, int], Question] = {}
    for file in source_files(source):
        name = file.relative_to(source)
        if name.parts[0] == HOME:
            continue
        for line, text in _asked(ast.parse(file.read_text(encoding="utf-8"))):
            for about, patterns in QUESTIONS.items():
                if any(re.search(pattern, text) for pattern in patterns):
                    question = Question(about, name.as_posix(), line, text)
                    found.setdefault((about, question.file, line), question)
    return list(found.values())


def _asked(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield line and text of what may be a question; comments, docstrings and quoting play no part."""
    of_tasks = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"tinybert.{HOME}")
        for alias in node.names
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare | ast.Subscript):
            yield node.lineno, ast.unparse(node)
        elif isinstance(node, ast.Call):
            text = ast.unparse(node)
            if text.startswith("isinstance(") and of_tasks & _names(node.args[1]):
                text = f"isinstance of tasks {text}"
            yield node.lineno, text if len(node.args) < 3 else ast.unparse(node.func)
        elif isinstance(node, ast.match_case):
            yield node.pattern.lineno, f"case {ast.unparse(node.pattern)}"
        elif isinstance(node, ast.Dict) and all(isinstance(key, ast.Constant) for key in node.keys):
            yield node.lineno, "keys " + " ".join(ast.unparse(key) for key in node.keys if key)


def _names(node: ast.expr) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


class _Arrived(BaseException):
    """The first training step was reached."""


class _Watch:
    """A profile function that notes the package's calls until the first training step."""

    def __init__(self) -> None:
        self.entered: dict[CodeType, str] = {}
        self.callers: dict[CodeType, set[CodeType]] = {}
        self.recipe: dict[CodeType, str] = {}
        self.stack: list[CodeType] = []
        self.deepest: list[CodeType] = []

    def __call__(self, frame: FrameType, event: str, _argument: object) -> None:
        if event != "call" or not _is_ours(frame):
            return
        code = frame.f_code
        self.entered.setdefault(code, _name(frame))
        stack = _stack(frame)
        self.deepest = max(self.deepest, stack, key=len)
        if len(stack) > 1:
            self.callers.setdefault(code, set()).add(stack[-2])
        if any(_has_recipe(value) for value in frame.f_locals.values()):
            self.recipe.setdefault(code, _name(frame))
        if code.co_name == LAST:
            self.stack = stack
            raise _Arrived

    def way(self) -> Way:
        on_stack = set(self.stack)
        steps = {code for code, callers in self.callers.items() if callers & on_stack}
        return Way(
            stack=tuple(self.entered[code] for code in self.stack),
            deepest=tuple(self.entered[code] for code in self.deepest),
            recipe=tuple(self.recipe.values()),
            handed=tuple(name for code, name in self.recipe.items() if code in steps | on_stack),
            steps=tuple(self.entered[code] for code in steps),
            entered=tuple(self.entered.values()),
        )


def _is_ours(frame: FrameType) -> bool:
    code = frame.f_code
    is_function = bool(code.co_flags & inspect.CO_OPTIMIZED)  # and no body of a class
    return is_function and code.co_filename.startswith(str(SOURCE)) and code.co_name not in UNNAMED


def _stack(frame: FrameType) -> list[CodeType]:
    """The package's frames from ``main`` to this one."""
    found: list[CodeType] = []
    at: FrameType | None = frame
    while at is not None:
        if _is_ours(at):
            found.append(at.f_code)
        at = at.f_back
    return found[::-1]


def _name(frame: FrameType) -> str:
    file = Path(frame.f_code.co_filename).relative_to(SOURCE).with_suffix("")
    return f"{'.'.join(file.parts)}.{frame.f_code.co_qualname}"


def _has_recipe(value: object) -> bool:
    name = type(value).__name__
    return name == "Recipe" or (name.endswith("Plan") and type(value).__module__.startswith("tinybert"))


def way_of(words: Sequence[object]) -> Way:
    """Give a command that trains, and stop it at its first training step."""
    from tinybert.cli import main

    for module in pkgutil.walk_packages(tinybert.__path__, "tinybert."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)  # what runs at the first import is no stop on the way
    watch = _Watch()
    sys.setprofile(watch)
    try:
        main([str(word) for word in words])
    except _Arrived:
        return watch.way()
    finally:
        sys.setprofile(None)
    raise AssertionError(f"{words[0]} trained nothing")


def ways(folder: Path) -> dict[str, Way]:
    """Return the ways of the two commands that train on labelled rows, over tiny models."""
    from tests import easy

    rows = easy.write_splits(folder / "rows", easy.make_splits())
    teacher, encoder = easy.save_teacher(folder / "teacher"), easy.save_encoder(folder / "encoder")
    settings = [*easy.TINY_STUDENT, *easy.FAST]
    return {
        "finetune": way_of(["finetune", rows, "--model", encoder, "--out", folder / "f", *easy.FAST]),
        "distill": way_of(["distill", rows, "--teacher", teacher, "--out", folder / "d", *settings]),
    }


def main() -> None:
    lines = count_lines()
    print(f"{SOURCE}: {sum(lines.values()):,} lines, {count_code_lines():,} of code, in {len(lines)} files")
    print(f"above {LONG_FILE} lines: {', '.join(f'{name} {count}' for name, count in long_files().items())}")
    lengths = function_lengths()
    p90 = statistics.quantiles(lengths.values(), n=10)[-1]
    print(f"functions: median {statistics.median(lengths.values()):g} lines, p90 {p90:g}, ", end="")
    print(f"longest {max(lengths.values())} ({max(lengths, key=lambda name: lengths[name])})")
    asked = questions()
    print(f"\n{len(asked)} questions outside {HOME}/")
    for about in QUESTIONS:
        own = [each for each in asked if each.about == about]
        print(f"  {about}: {len(own)}")
        for each in own if "-v" in sys.argv else []:
            print(f"    {each.file}:{each.line}: {each.text}")
    with tempfile.TemporaryDirectory() as folder:
        for command, way in ways(Path(folder)).items():
            parts = ("deepest", "handed", "recipe", "steps", "entered")
            counts = [f"depth {way.depth}", *(f"{part} {len(getattr(way, part))}" for part in parts)]
            print(f"\n{command}: {', '.join(counts)}")
            print("  " + " → ".join(way.stack))
            if "-v" in sys.argv:
                print("  deepest: " + " → ".join(way.deepest))
                print("  handed: " + ", ".join(way.handed))


if __name__ == "__main__":
    main()
