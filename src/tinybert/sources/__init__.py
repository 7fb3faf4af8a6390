"""Names → tables and files: bundled, on the hub, in folders, in the formats that people have."""

from tinybert.sources.bundled import fetch, is_bundled

__all__ = ["fetch", "is_bundled"]
