"""``tinybert trim``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

from tinybert.cli.options import Column, Flag, Text
from tinybert.cli.tokenizer import print_pieces, print_settings


def trim(
    model: str,
    text: Text,
    /,
    *overrides: str,
    out: Path,
    vocab_size: int | None = None,
    min_count: int = 1,
    column: Column = None,
    json: Flag = False,
    dry_run: Flag = False,
) -> None:
    """Drop the pieces of a model's vocabulary that a text never uses; on that text it answers as before.

    Args:
        model: Run, checkpoint, hub name or bundled:minilm, with a WordPiece tokenizer and any head.
        text: File, folder, hub name, bundled:snippets, or - for standard input.
        overrides: Settings of the text as corpus.key=value.
        out: The folder to make.
        vocab_size: Keep at most so many pieces, the most frequent.
        min_count: Drop pieces used less often; characters stay.
        column: Column of the text; detected when not given.
        json: Print trim_report.json instead of the table.
        dry_run: Print what would be done and stop.
    """
    import json as json_module

    from tinybert.sources.locate import refuse_missing
    from tinybert.stages.pipeline import quiet_libraries
    from tinybert.stages.steps.vocabulary import corpus_settings, refuse_sizes
    from tinybert.stages.trim import CORPUS_DEFAULTS, trim_vocabulary

    quiet_libraries()
    corpus = corpus_settings(overrides, CORPUS_DEFAULTS)
    if dry_run:
        refuse_missing(text)
        refuse_sizes(vocab_size=vocab_size, at_least=min_count, name="--min-count")
        settings = {"model": model, "text": text, "column": column}
        print_settings({**settings, "vocab_size": vocab_size, "min_count": min_count}, corpus.model_dump())
        return
    facts = trim_vocabulary(
        model, text, out, vocab_size=vocab_size, min_count=min_count, corpus=corpus, column=column
    )
    if json:
        print(json_module.dumps(facts, indent=2, ensure_ascii=False))
        return
    columns = [(name, cast("Mapping[str, object]", facts[name])) for name in ("before", "after")]
    print_pieces(columns, facts)
    alike = float(str(facts["documents_cut_as_before"]))
    print(f"\nheld-out documents cut into the same pieces as before: {alike:.1%}")
    print(f"model: {out}")
