"""Load with transformers without its bars and reports, and say in one line what cannot be read."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError
from transformers.utils import logging as transformers_logging

from tinybert.errors import ModelError, TinyBertError
from tinybert.models.making import making

COPY = "; copy it here once more, or save the model again"
SENTENCEPIECE_FILES = (
    "sentencepiece.bpe.model",
    "sentencepiece.model",
    "spiece.model",
    "spm.model",
    "tokenizer.model",
)
SENTENCEPIECE_PACKAGES = {"sentencepiece": "sentencepiece", "google.protobuf": "protobuf"}
"""Modules that read such files, and the packages that hold them."""
_PACKAGE = re.compile(r"(?:need to install|requires the|The) ([\w-]+) ?(?:to|dictionary|library|package)")


@contextmanager
def quietly(path: str | Path, what: str = "cannot be read") -> Generator[None]:
    """Load without bars and reports on the terminal, and turn what goes wrong into a ModelError.

    One thread at a time does.

    Args:
        path: The checkpoint, for the message.
        what: Begins the message.
    """
    with making(None), _without_reports():
        try:
            yield
        except TinyBertError:
            raise
        except Exception as error:  # foreign files: tokenizers raises plain ones, transformers all kinds
            damaged = _unparsable(path)
            reason = f"{damaged}: not valid JSON{COPY}" if damaged else _why(error, Path(path))
            raise ModelError(str(path), f"{what}: {reason}") from error


@contextmanager
def _without_reports() -> Generator[None]:
    level = transformers_logging.get_verbosity()
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()


def _unparsable(path: str | Path) -> str | None:
    """Return the JSON file that a folder cannot be loaded for: ``transformers`` does not name it."""
    for file in sorted(Path(path).glob("*.json")):
        try:
            json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return file.name
    return None


def _why(error: Exception, folder: Path) -> str:
    """Say in one line what was wrong, and what usually helps."""
    if needed := _sentencepiece_problem(error, folder):
        return needed
    said = f"no {error} in its files" if isinstance(error, KeyError) else str(error).strip()
    lines = [line.strip() for line in said.splitlines()] or [type(error).__name__]
    line, fix = " ".join(lines[: 1 + lines[0].endswith(":")]), _fix(error)
    return f"{line.removesuffix('.')}{fix}" if fix else line


def _sentencepiece_problem(error: Exception, folder: Path) -> str:
    """Name the packages that read a file of sentencepiece; ``transformers`` then asks for tiktoken's."""
    file = next((name for name in SENTENCEPIECE_FILES if (folder / name).is_file()), "")
    packages = [package for module, package in SENTENCEPIECE_PACKAGES.items() if not _is_there(module)]
    is_meant = any(word in str(error).lower() for word in ("tiktoken", "sentencepiece", "protobuf"))
    if not (file and packages and is_meant):
        return ""
    return f"its {file} needs a package that is not here; run: pip install {' '.join(packages)}"


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # the package around it is missing
        return False


def _fix(error: Exception) -> str:
    """Say what usually helps; a safetensors header that cannot be read is nearly always a cut copy."""
    if isinstance(error, SafetensorError):
        return "; the weights are cut short or damaged: copy them again"
    if isinstance(error, FileNotFoundError | KeyError):
        return "; copy the whole folder again"
    if "`model_type`" in str(error):
        return "; it says the family, such as bert: copy the file again, or add it"
    if isinstance(error, ImportError):
        found = _PACKAGE.search(str(error))
        package = error.name or (found[1] if found else "")
        return f"; run: pip install {package.replace('_', '-')}" if package else ""
    return ""
