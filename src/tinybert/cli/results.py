"""What a command prints of what it has made."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tinybert.console import put_json

if TYPE_CHECKING:
    from tinybert.config import Recipe
    from tinybert.inference.backends import Precision
    from tinybert.runs import Run
    from tinybert.stages.stage import Made

Metrics = Mapping[str, object]


def show(made: Run | Made, recipe: Recipe, *, as_json: bool) -> None:
    """Print what a recipe has made: a table and where to look next, or its figures as JSON."""
    metrics = made.metrics
    if as_json:
        shown = metrics["models"] if recipe.stage == "bench" else metrics
        put_json(shown)
    else:
        SHOWN.get(recipe.stage, show_run)(made.path, metrics, recipe)


def show_run(path: Path, metrics: Metrics, recipe: Recipe) -> None:
    """Print the table of a training on labelled rows."""
    from tinybert.evaluation.report import plain_table, shares_kept, table_rows

    print("\n" + plain_table(table_rows(metrics)))
    if kept := shares_kept(metrics):
        print(
            f"\nretention: {kept[0]:.1%} of the teacher's {metrics['main_metric']} on the "
            f"{metrics['split']} split{kept[1]}"
        )
    for caution in cast("Sequence[str]", metrics.get("cautions", ())):
        print(f"\n{caution}")
    print(f"\nrun: {path}   report: {path / 'report.md'}")
    print(f"try: tinybert predict {shlex.quote(str(path))} {_words_to_try(path, recipe)}")


def _words_to_try(path: Path, recipe: Recipe) -> str:
    """Return what a run of this task predicts: one text or two, and its task where that must be named."""
    from tinybert.models import load_config
    from tinybert.tasks import find_task, notes_of, own_task

    pair = find_task(recipe.task).format.text_pair
    words = '"a text of yours"'
    if pair is not None and pair.required:
        words = '"a question" --context "a text"'
    elif notes_of(load_config(path)).get("text_pair"):
        words += ' --text-pair "another"'
    return words + (f" --task {recipe.task}" if own_task(recipe.task) else "")


def show_text_run(path: Path, metrics: Metrics, recipe: Recipe) -> None:
    """Print the table of a training on raw text."""
    from tinybert.evaluation.report import plain_table, text_table
    from tinybert.runs import Run

    print("\n" + plain_table(text_table(Run(path).log)))
    print(f"\nrun: {path}   report: {path / 'report.md'}   picture: {path / 'learning_curve.png'}")


def show_tokenizer(path: Path, metrics: Metrics, recipe: Recipe) -> None:
    """Print how a tokenizer reads the held-out documents, and what to do with it."""
    _show_pieces([("tokenizer", metrics)], metrics)
    print(f"\ntokenizer: {path}")
    command = ["pretrain", str(recipe.data.path), "--model", "4l-312d", "--tokenizer", str(path)]
    print(f"try: tinybert {shlex.join([*command, '--out', 'runs/pretrained'])}")


def show_trimmed(path: Path, metrics: Metrics, recipe: Recipe) -> None:
    """Print how a model reads the held-out documents before and after."""
    _show_pieces([(name, cast(Metrics, metrics[name])) for name in ("before", "after")], metrics)
    alike = float(str(metrics["documents_cut_as_before"]))
    print(f"\nheld-out documents cut into the same pieces as before: {alike:.1%}")
    print(f"model: {path}")


def show_augmented(path: Path, metrics: Metrics, recipe: Recipe) -> None:
    """Print how many rows and copies there are."""
    print(f"{metrics['num_rows']:,} rows and {metrics['num_copies']:,} copies: {path}")
    if metrics["labels_of_copies"] is None:
        print("the copies have no label; a distillation asks its teacher, or give --teacher here")


def show_exports(path: Path, metrics: Metrics, recipe: Recipe) -> None:
    """Print the parity of each export."""
    from tinybert.evaluation.report import plain_table
    from tinybert.inference.export import tolerance_of
    from tinybert.inference.parity import Parity, parity_table

    exports = path if recipe.export.check else path.parent
    for name, measured in metrics.items():
        parity = Parity(**cast("dict[str, Any]", measured))
        precision = cast("Precision", name.rpartition("-")[2])
        allowed = tolerance_of(precision, recipe.export.min_kept, writes=parity.writes)
        print(f"\n{name}: {parity.num_rows:,} rows\n" + plain_table(parity_table(parity, allowed)))
        print(f"\nexport: {exports / name}   report: {exports / name / 'parity.md'}")


def show_bench(path: Path, metrics: Metrics, recipe: Recipe) -> None:
    """Print the table of a comparison."""
    from tinybert.evaluation.report import plain_table
    from tinybert.evaluation.report.bench import bench_table, length_table
    from tinybert.inference.bench import Measured

    found = [Measured(**each) for each in cast("Sequence[dict[str, Any]]", metrics["models"])]
    print("\n" + plain_table(bench_table(found, str(metrics["metric"]).partition(" (")[0])))
    if any(each.rows_per_s_by_length for each in found):
        print("\n" + plain_table(length_table(found)))
    print(f"\npicture: {path / 'bench.png'}   page: {path / 'bench.html'}")


def _show_pieces(columns: Sequence[tuple[str, Metrics]], metrics: Metrics) -> None:
    """Print how tokenizers read the held-out documents, one a column, and some examples."""
    from tinybert.evaluation.report import plain_table

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
        ["unknown pieces", *(f"{each['unknown']:.3%}" for each in held_out)],
    ]
    print("\n" + plain_table(rows) + "\n")
    for example in cast("Sequence[Mapping[str, str]]", metrics["examples"]):
        print(f"{example['text']}\n  → {example['pieces']}")


SHOWN: dict[str, Callable[[Path, Metrics, Recipe], None]] = {
    "tokenizer": show_tokenizer,
    "trim": show_trimmed,
    "pretrain": show_text_run,
    "general": show_text_run,
    "augment": show_augmented,
    "export": show_exports,
    "bench": show_bench,
}
"""Stage → what prints its result; the others make runs on labelled rows."""
