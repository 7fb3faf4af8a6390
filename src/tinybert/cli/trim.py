"""``tinybert trim``."""

from __future__ import annotations

from pathlib import Path

from tinybert.cli.options import Column, DataOptions, OutputOptions, Text, make_recipe, run


def trim(
    model: str,
    text: Text,
    /,
    *overrides: str,
    out: Path,
    vocab_size: int | None = None,
    min_count: int = 1,
    column: Column = None,
    output: OutputOptions = OutputOptions(),
) -> None:
    """Drop the pieces of a model's vocabulary that a text never uses; on that text it predicts as before.

    Args:
        model: Run, checkpoint, hub name or bundled:minilm; WordPiece, Unigram or byte-level BPE.
        text: File, folder, hub name, bundled:snippets, or - for standard input.
        overrides: Settings of the text as corpus.key=value.
        out: The folder to make.
        vocab_size: Keep at most so many pieces, the most frequent.
        min_count: Drop pieces used less often; characters stay.
        column: Column of the text; detected when not given.
        output: What is printed.
    """
    section = {"vocab_size": vocab_size, "min_count": min_count}
    recipe = make_recipe("trim", text, DataOptions(text=column), overrides, model=model, trim=section)
    run(recipe, out, output)
