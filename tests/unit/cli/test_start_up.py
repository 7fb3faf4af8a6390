"""The command line and the package start at once: what is heavy is imported by the call that needs it."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time

import pytest

LIMIT_S = 0.3
MOST_BESIDE_LIBRARIES = 2.0
NUM_STARTS = 7
LIBRARIES = "import cyclopts, rich.markdown, rich.syntax"
"""What prints the help, and takes most of its time."""
PRINTERS = ("cyclopts", "rich", "docstring_parser")
OWN = ("tinybert.cli", "tinybert.console", "tinybert.errors", "tinybert.legible")
SMALL = {"json", "_json", "select"}
"""Modules of Python that are imported besides; each takes no time that could be measured."""
HEAVY = {"torch", "transformers", "datasets", "numpy", "matplotlib", "sklearn", "scipy", "pyarrow"}
HEAVY |= {"sacrebleu", "rouge_score", "nltk"}


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)


def seconds_of(*words: str) -> float:
    """The processor's seconds of a process, not the clock's: other processes' work does not count."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = run(*words)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def modules_of(program: str) -> set[str]:
    done = run("-c", f"{program}\nimport sys; print('\\n' + ' '.join(sys.modules))")
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


def test_help_imports_the_commands_and_what_prints_them_and_nothing_else() -> None:
    """Counted, not timed: the same on every machine."""
    help_of_all = "from tinybert.cli import main; main(['--help'])"
    own = modules_of(help_of_all) - modules_of(LIBRARIES)
    assert "tinybert.cli.distill" in own
    others = {name for name in own if name != "tinybert" and not name.startswith((*PRINTERS, *OWN))}
    assert {name.partition(".")[0] for name in others} <= SMALL


def test_help_costs_little_beside_the_libraries_that_print_it() -> None:
    """By turns, the least of each, and as a ratio: a slow or busy machine slows down both."""
    assert "distill" in run("-m", "tinybert", "--help").stdout
    seconds = [
        (seconds_of("-m", "tinybert", "--help"), seconds_of("-c", LIBRARIES)) for _ in range(NUM_STARTS)
    ]
    helped, libraries = (min(taken) for taken in zip(*seconds, strict=True))
    assert helped / libraries <= MOST_BESIDE_LIBRARIES


@pytest.mark.slow
def test_help_is_there_at_once() -> None:
    """In the clock's seconds, on a machine that does nothing else."""

    def clocked() -> float:
        begun = time.perf_counter()
        run("-m", "tinybert", "--help")
        return time.perf_counter() - begun

    assert statistics.median(clocked() for _ in range(NUM_STARTS)) <= LIMIT_S


@pytest.mark.parametrize(
    "words", [["--help"], ["distill", "--help"], ["predict", "--help"], ["chat", "--help"], ["--version"]]
)
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    done = run(
        "-c",
        f"import sys; from tinybert.cli import main; main({words})\n"
        f"heavy = {HEAVY} & set(sys.modules)\n"
        "assert not heavy, heavy",
    )
    assert done.returncode == 0, done.stderr


def test_importing_the_package_imports_nothing_heavy() -> None:
    done = run(
        "-c",
        f"import sys, tinybert; heavy = {HEAVY | {'pydantic'}} & set(sys.modules); assert not heavy, heavy",
    )
    assert done.returncode == 0, done.stderr
