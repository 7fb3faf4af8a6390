"""``tinybert pretrain``."""

from __future__ import annotations

from pathlib import Path

from tinybert.cli.options import Column, Showing, Text, carry_out, make_text_recipe


def pretrain(
    text: Text,
    /,
    *overrides: str,
    model: str,
    tokenizer: str | None = None,
    column: Column = None,
    out: Path | None = None,
    showing: Showing = Showing(),
) -> None:
    """Pre-train a masked language model on raw text: a new BERT, or on from a checkpoint.

    Args:
        text: File, folder, hub name, bundled:snippets, or - for standard input.
        overrides: Settings as key.path=value.
        model: A named shape (2l-128d, 4l-312d, …) for a new BERT, or the checkpoint to go on from.
        tokenizer: Vocabulary of a new BERT: a folder or checkpoint; `tinybert tokenizer` makes one.
        column: Column of the text; detected when not given.
        out: The run directory.
        showing: What is printed.
    """
    recipe = make_text_recipe(
        "pretrain", text, column, overrides, model=model, pretrain={"tokenizer": tokenizer}
    )
    carry_out(recipe, out, showing)
