"""``tinybert tokenizer``."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from tinybert.cli.options import Column, Flag, Text

Facts = Mapping[str, object]


def tokenizer(
    text: Text,
    /,
    *overrides: str,
    vocab_size: int,
    out: Path,
    cased: Flag = False,
    min_frequency: int = 2,
    column: Column = None,
    json: Flag = False,
    dry_run: Flag = False,
) -> None:
    """Train a WordPiece tokenizer on raw text, for a BERT of one's own.

    Args:
        text: File, folder, hub name, bundled:snippets, or - for standard input.
        overrides: Settings of the text as corpus.key=value.
        vocab_size: Pieces, the five special tokens included.
        out: The folder to make.
        cased: Keep capitals and accents.
        min_frequency: Characters and pieces seen less often are left out.
        column: Column of the text; detected when not given.
        json: Print tokenizer_report.json instead of the table.
        dry_run: Print what would be done and stop.
    """
    import json as json_module

    from tinybert.sources.locate import refuse_missing
    from tinybert.stages.pipeline import quiet_libraries
    from tinybert.stages.steps.vocabulary import corpus_settings, refuse_sizes
    from tinybert.stages.tokenizer import train_tokenizer

    quiet_libraries()
    corpus = corpus_settings(overrides)
    if dry_run:
        refuse_missing(text)
        refuse_sizes(vocab_size=vocab_size, at_least=min_frequency, name="--min-frequency")
        print_settings(
            {
                "text": text,
                "column": column,
                "vocab_size": vocab_size,
                "lowercase": not cased,
                "min_frequency": min_frequency,
            },
            corpus.model_dump(),
        )
        return
    facts = train_tokenizer(
        text,
        out,
        vocab_size=vocab_size,
        lowercase=not cased,
        min_frequency=min_frequency,
        corpus=corpus,
        column=column,
    )
    if json:
        print(json_module.dumps(facts, indent=2, ensure_ascii=False))
        return
    print_pieces([("tokenizer", facts)], facts)
    print(f"\ntokenizer: {out}")
    command = ["pretrain", text, "--model", "4l-312d", "--tokenizer", str(out), "--out", "runs/pretrained"]
    print(f"try: tinybert {shlex.join(command)}")


def print_settings(settings: Facts, corpus: Facts) -> None:
    """Print what a command would do."""
    import yaml

    print(yaml.safe_dump({**settings, "corpus": dict(corpus)}, sort_keys=False, allow_unicode=True), end="")


def print_pieces(columns: Sequence[tuple[str, Facts]], facts: Facts) -> None:
    """Print how tokenizers read the held-out documents, one a column, and some examples."""
    from tinybert.evaluation import plain_table

    held_out = [cast("Mapping[str, float]", column["held_out"]) for _, column in columns]
    rows = [
        ["", *(name for name, _ in columns)],
        ["pieces", *(f"{column['num_pieces']:,}" for _, column in columns)],
    ]
    if all("num_parameters" in column for _, column in columns):
        rows.append(["parameters", *(f"{column['num_parameters']:,}" for _, column in columns)])
        rows.append(["size in MB", *(f"{column['size_mb']:,}" for _, column in columns)])
    rows += [
        ["words in one piece", *(f"{each['words_in_one_piece']:.1%}" for each in held_out)],
        ["pieces a word", *(f"{each['pieces_per_word']:.3f}" for each in held_out)],
        ["[UNK] of all pieces", *(f"{each['unknown']:.3%}" for each in held_out)],
    ]
    print("\n" + plain_table(rows) + "\n")
    for example in cast("Sequence[Mapping[str, str]]", facts["examples"]):
        print(f"{example['text']}\n  → {example['pieces']}")
