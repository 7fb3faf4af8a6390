"""The command line and the package start at once: what is heavy is imported by the call that needs it."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time

import pytest

LIMIT_S = 0.3
OWN_LIMIT_S = 0.1
NUM_STARTS = 7
LIBRARIES = "import cyclopts, rich.markdown, rich.syntax"
"""What prints the help, and takes most of its time."""
HEAVY = {"torch", "transformers", "datasets", "numpy", "matplotlib", "sklearn", "scipy", "pyarrow"}


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)


def seconds_of(*words: str) -> float:
    """The processor's seconds of a process, not the clock's: other processes' work does not count."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = run(*words)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_help_costs_little_beside_the_libraries_that_print_it() -> None:
    """By turns, and the least of each: a busy machine slows down both, and some starts more than others."""
    assert "distill" in run("-m", "tinybert", "--help").stdout
    seconds = [
        (seconds_of("-m", "tinybert", "--help"), seconds_of("-c", LIBRARIES)) for _ in range(NUM_STARTS)
    ]
    helped, libraries = (min(taken) for taken in zip(*seconds, strict=True))
    assert helped - libraries <= OWN_LIMIT_S


@pytest.mark.slow
def test_help_is_there_at_once() -> None:
    """In the clock's seconds, on a machine that does nothing else."""

    def clocked() -> float:
        begun = time.perf_counter()
        run("-m", "tinybert", "--help")
        return time.perf_counter() - begun

    assert statistics.median(clocked() for _ in range(NUM_STARTS)) <= LIMIT_S


@pytest.mark.parametrize("words", [["--help"], ["distill", "--help"], ["predict", "--help"], ["--version"]])
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
