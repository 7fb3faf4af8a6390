"""The command line: one small file a command."""

from tinybert.cli.app import main

__all__ = ["main"]
