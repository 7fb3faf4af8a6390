"""``tinybert pretrain``."""

from __future__ import annotations

from pathlib import Path

from tinybert.cli.options import Column, DataOptions, OutputOptions, Text, make_recipe, run


def pretrain(
    text: Text,
    /,
    *overrides: str,
    model: str,
    tokenizer: str | None = None,
    column: Column = None,
    out: Path | None = None,
    output: OutputOptions = OutputOptions(),
) -> None:
    """Pre-train a masked language model on raw text: a new BERT, or on from a checkpoint.

    Args:
        text: File, folder, hub name, bundled:snippets, or - for standard input.
        overrides: Settings as key.path=value.
        model: A named shape (2l-128d, 4l-312d, …) for a new BERT, or the checkpoint to continue from.
        tokenizer: Vocabulary of a new BERT: a folder or checkpoint; `tinybert tokenizer` makes one.
        column: Column of the text; detected when not given.
        out: The run directory.
        output: What is printed.
    """
    section = {"tokenizer": tokenizer}
    recipe = make_recipe("pretrain", text, DataOptions(text=column), overrides, model=model, pretrain=section)
    run(recipe, out, output)
