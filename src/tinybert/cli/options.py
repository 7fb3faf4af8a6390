"""From words on the command line to a recipe, and from a recipe to what is printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

if TYPE_CHECKING:
    from tinybert.config import Recipe

OnBadRow = Literal["stop", "skip"]
Tree = dict[str, object]
Flag = Annotated[bool, Parameter(negative=())]
Column = Annotated[str | None, Parameter(name=["--text", "--column"])]
Text = Annotated[str, Parameter(allow_leading_hyphen=True)]
"""A name, or - for standard input, which would else pass for an option."""


@Parameter(name="*")
@dataclass(frozen=True)
class DataOptions:
    """How a command reads its rows.

    Args:
        task: classification, multilabel, regression, ner, qa, extractive or seq2seq; for distill also
            general: raw text, no task.
        text: Column of the text, the tokens or the question.
        text_pair: Column of the second text, or of the context of a question.
        label: Column of the label, the tags, the spans or the answers.
        group: Column whose equal values stay in one split, such as a document; qa: the context.
        on_bad_row: stop (list them all and exit) or skip (set them aside in bad_rows.jsonl).
    """

    task: str | None = None
    text: str | None = None
    text_pair: str | None = None
    label: str | None = None
    group: str | None = None
    on_bad_row: OnBadRow | None = None


@Parameter(name="*")
@dataclass(frozen=True)
class OutputOptions:
    """What a command prints.

    Args:
        json: Print the figures as JSON instead of a table.
        dry_run: Print the plan and stop.
    """

    json: Flag = False
    dry_run: Flag = False


@Parameter(name="*")
@dataclass(frozen=True)
class ColumnOptions:
    """Where the columns of --data are.

    Args:
        text: Column of the text in --data.
        text_pair: Column of the second text in --data.
        label: Column of the label in --data.
    """

    text: str | None = None
    text_pair: str | None = None
    label: str | None = None


@Parameter(name="*")
@dataclass(frozen=True)
class RowOptions(ColumnOptions):
    """How the rows of --data are read.

    Args:
        text: Column of the text in --data.
        text_pair: Column of the second text in --data.
        label: Column of the label in --data.
        encoding: Of --data, such as gb18030; auto: UTF-8, or recognised.
        on_bad_row: stop, or skip the rows of --data that cannot be scored.
    """

    encoding: str | None = None
    on_bad_row: OnBadRow | None = None


@Parameter(name="*")
@dataclass(frozen=True)
class SearchOptions:
    """How a run that writes texts does so; what is not given is as it was trained.

    Args:
        max_new_tokens: Most tokens of a text that is written; what is longer is cut.
        num_beams: Beams of the search for a text; 1: the likeliest token at each step.
        length_penalty: A text's log-probability is divided by its length to this power; more: longer texts.
        no_repeat_ngram_size: No run of so many tokens is written twice in a text; 0: allowed.
    """

    max_new_tokens: int | None = None
    num_beams: int | None = None
    length_penalty: float | None = None
    no_repeat_ngram_size: int | None = None


@Parameter(name="*")
@dataclass(frozen=True)
class WritingOptions(SearchOptions):
    """The same, with texts that are drawn at random, and several a row.

    Args:
        max_new_tokens: Most tokens of a text that is written; what is longer is cut.
        num_beams: Beams of the search for a text; 1: the likeliest token at each step.
        length_penalty: A text's log-probability is divided by its length to this power; more: longer texts.
        no_repeat_ngram_size: No run of so many tokens is written twice in a text; 0: allowed.
        do_sample: Draw each token at random, without beams.
        temperature: Of --sample; below 1: nearer to the likeliest.
        top_p: Of --sample: draw from the likeliest tokens whose probabilities add up to this.
        seed: Of --sample; a text depends on it and on its source alone. 0 when not given.
        num_return: Texts a row that are written: of its beams, or drawn.
    """

    do_sample: Annotated[Flag, Parameter(name=["--sample", "--do-sample"])] = False
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    num_return: int | None = None


def make_recipe(
    stage: str,
    data: str | None,
    columns: DataOptions | ColumnOptions | None,
    overrides: Sequence[str],
    **rest: object,
) -> Recipe:
    """Lay options and overrides together; options not given keep the recipe's defaults.

    Args:
        stage: The stage.
        data: What it reads.
        columns: How its rows are read.
        overrides: Settings as key.path=value.
        rest: Other settings, by their key or section.

    Raises:
        RecipeError: Any setting is wrong; all are listed.
    """
    from tinybert.config import build_recipe

    section: Tree = {**(asdict(columns) if columns else {}), "path": data}
    tree: Tree = {"stage": stage, "task": section.pop("task", None), "data": _given(section)}
    for key, value in rest.items():
        tree[key] = _given(value) if isinstance(value, Mapping) else value
    tree = _given(tree)
    _refuse_doubles(tree, overrides)
    return build_recipe(tree, overrides, subject="command line")


def _refuse_doubles(tree: Tree, overrides: Sequence[str]) -> None:
    """Refuse a setting that is given as an option and as key.path=value: one of them would be ignored."""
    from tinybert.errors import RecipeError

    options = {key for key, value in tree.items() if not isinstance(value, Mapping)}
    options |= {
        f"{section}.{key}" for section, value in tree.items() if isinstance(value, Mapping) for key in value
    }
    problems = [
        f"{override}: {name} is given as an option or argument too; omit one of the two"
        for override in overrides
        if (name := override.partition("=")[0]) in options
    ]
    if problems:
        raise RecipeError("command line", problems)


def _given(section: Mapping[str, object]) -> Tree:
    return {key: value for key, value in section.items() if value is not None}


def run(recipe: Recipe, out: Path | None, output: OutputOptions) -> None:
    """Run a recipe, or only print its plan; then print what was made.

    Raises:
        TinyBertError: What is wrong, all at once, before anything is trained.
    """
    from tinybert.cli.results import show
    from tinybert.stages.pipeline import describe_plan, run_recipe

    if output.dry_run:
        print(describe_plan(recipe, out), end="")
    else:
        show(run_recipe(recipe, out), recipe, as_json=output.json)
