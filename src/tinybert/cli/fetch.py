"""``tinybert fetch``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinybert.cli.options import Flag

if TYPE_CHECKING:
    from tinybert.sources.bundled import Status


def fetch(*names: str, json: Flag = False) -> None:
    """Download bundled teachers and data sets, or list them; a stopped download is resumed.

    Args:
        names: Such as bundled:mpnet, or only mpnet; without any, all are listed.
        json: Print JSON.
    """
    from tinybert.console import put_json
    from tinybert.sources.bundled import BUILTIN, fetch, full_names, status

    wanted = full_names(names)
    for name in wanted:
        fetch(name, hashes=True)
    found = [status(name) for name in wanted or BUILTIN]
    if json:
        put_json([each.as_json() for each in found])
    elif wanted:
        print("\n".join(f"{each.name}: {each.folder}" for each in found))
    else:
        print("\n".join(map(_describe, found)))


def _describe(each: Status) -> str:
    download = f"{_mb(each.bundle.download_bytes)} to download" if each.bundle.archives else "no download"
    sizes = f"{download:>22}, {_mb(each.bundle.disk_bytes):>8} on disk"
    state = "fetched" if each.is_fetched else "not fetched"
    return f"{each.name:<22}{sizes}   {each.bundle.licence:<10}   {state}\n    {each.bundle.description}"


def _mb(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB"
