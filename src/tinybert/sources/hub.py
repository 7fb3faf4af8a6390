"""Names on the model hub: asked once, quickly, so that a misspelt name is not retried for half a minute."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from tinybert.lookup import nearest

ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:/", re.IGNORECASE)
"""An address (``https://…``, ``s3://…``), of which a path has one slash left."""
NAME = re.compile(r"^\w[\w.-]*(/[\w.-]+)?$")
TIMEOUT_S = 10

Kind = Literal["model", "dataset"]


def hub_problem(name: str, kind: Kind) -> str | None:
    """Say why a name cannot be loaded from the hub; None when it can, or when this machine keeps a copy.

    Args:
        name: ``name`` or ``owner/name``.
        kind: What is looked for.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, RepositoryNotFoundError

    try:
        if not NAME.match(name):
            return missing(name)
        if is_kept(name, kind):
            return None
    except HFValidationError:
        return missing(name)

    api = HfApi()
    ask = api.model_info if kind == "model" else api.dataset_info
    try:
        ask(name, timeout=TIMEOUT_S)
    except RepositoryNotFoundError:
        return f"no such file or folder here{nearest_here(name)}; nor a {kind} of this name on the hub"
    except HfHubHTTPError:
        return None  # the hub is there and knows more: loading will report what it wants
    except Exception as error:  # each transport has its own: no network, no such host, offline mode
        first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
        return (
            f"no such file or folder here{nearest_here(name)}; nor can the hub be asked "
            f"({first_line[:200]}): check the spelling, or download the {kind} and give its folder"
        )
    return None


def missing(name: str | Path, what: str = "file or folder") -> str:
    """Say what is wrong with a name that is neither a file nor a folder.

    Example:
        >>> missing("https://example.com/train.csv")
        'is an address; download it first, and give the path here'
    """
    if ADDRESS.match(str(name)):
        return "is an address; download it first, and give the path here"
    if Path(name).expanduser().exists():
        return "is no regular file (a pipe or a device); write what it gives to a file, and give that"
    return f"no such {what}{nearest_here(name)}"


def nearest_here(name: str | Path) -> str:
    """Return what follows "no such file": a broken link, ``; did you mean …?``, or nothing."""
    path = Path(name).expanduser()
    if found := broken_link(path):
        return found
    return nearest(path.name, [each.name for each in path.parent.iterdir()]) if path.parent.is_dir() else ""


def broken_link(path: Path) -> str:
    """Return ``; it is a link to …`` where a path, or a folder on it, is a link to nothing; else nothing."""
    for link in (path, *path.parents):
        if link.is_symlink() and not link.exists():
            what = "it" if link == path else str(link)
            return f"; {what} is a link to {str(link.readlink())!r}, which is not there: fix the link"
    return ""


def is_kept(name: str, kind: Kind) -> bool:
    """Return whether an earlier download of this name lies in the library's own cache."""
    if kind == "model":
        from huggingface_hub import try_to_load_from_cache

        return isinstance(try_to_load_from_cache(name, "config.json"), str)
    from datasets import config

    cache = Path(config.HF_DATASETS_CACHE)
    wanted = _folded(name)
    return cache.is_dir() and any(_folded(folder.name) == wanted for folder in cache.iterdir())


def _folded(name: str) -> str:
    """Return a name as comparable with its cache folder: ``Owner/MyData`` is kept in ``owner___my_data``."""
    return re.sub(r"[/_]", "", name).lower()
