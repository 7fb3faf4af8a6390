"""``tinybert tokenizer``."""

from __future__ import annotations

from pathlib import Path

from tinybert.cli.options import Column, DataOptions, Flag, OutputOptions, Text, make_recipe, run


def tokenizer(
    text: Text,
    /,
    *overrides: str,
    vocab_size: int,
    out: Path,
    cased: Flag = False,
    min_frequency: int = 2,
    column: Column = None,
    output: OutputOptions = OutputOptions(),
) -> None:
    """Train a WordPiece tokenizer on raw text, for a BERT of one's own.

    Args:
        text: File, folder, hub name, bundled:snippets, or - for standard input.
        overrides: Settings of the text as corpus.key=value.
        vocab_size: Pieces, the five special tokens included.
        out: The folder to make.
        cased: Keep capitals and accents.
        min_frequency: Characters and pieces seen less often are skipped.
        column: Column of the text; detected when not given.
        output: What is printed.
    """
    section = {"vocab_size": vocab_size, "cased": cased, "min_frequency": min_frequency}
    recipe = make_recipe("tokenizer", text, DataOptions(text=column), overrides, tokenizer=section)
    run(recipe, out, output)
