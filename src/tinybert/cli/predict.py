"""``tinybert predict``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from tinybert.cli.options import Flag, WritingOptions
from tinybert.errors import RecipeError

if TYPE_CHECKING:
    from tinybert.data import TextRow
    from tinybert.inference import Predictor

WRITING = WritingOptions()


def predict(
    run: str,
    *texts: str,
    text_pair: Annotated[str | None, Parameter(name=["--text-pair", "--context"])] = None,
    context_file: Path | None = None,
    input: Path | None = None,
    encoding: str = "auto",
    output: Path | None = None,
    backend: str = "auto",
    task: str | None = None,
    writing: WritingOptions = WRITING,
    json: Flag = False,
) -> None:
    """Predict texts, or answer questions over a text, with a run or a checkpoint.

    Args:
        run: Run, checkpoint or hub name.
        texts: Texts to predict, or questions.
        text_pair: The second text, for a model of pairs, or the text that questions are asked of.
        context_file: A text file of any length that questions are asked of.
        input: A file: .txt (one text a line), .jsonl, .csv, .tsv, .parquet, .json or .conll with the columns
            text (or tokens; or question and context).
        encoding: Of --input and --context-file, such as gb18030; auto: UTF-8, or recognised.
        output: Where predictions of --input go: .jsonl, .csv or .tsv; standard output when not given.
        backend: auto (the export that is fastest here, or torch), torch, torch-bf16, onnx-int8, openvino-int8
            or another that was exported.
        task: package.module:attr, for a run of a task of your own; its code is run.
        writing: Of a run that writes texts.
        json: Print JSON lines; always when output is not a terminal.
    """
    from tinybert.advice import advise
    from tinybert.inference import Predictor
    from tinybert.inference.files import read_context, rows_of_words
    from tinybert.stages.pipeline import quiet_libraries

    quiet_libraries()
    _refuse_what_does_not_go_together(
        texts,
        text_pair=text_pair,
        context_file=context_file,
        input=input,
        output=output,
        has_encoding=encoding != "auto",
    )
    with advise("option", ("data.encoding",)):
        if context_file is not None:
            text_pair = read_context(context_file, encoding=encoding)
        rows = rows_of_words(texts, text_pair=text_pair)
        predictor = Predictor(run, backend=backend, task=task, generation=asdict(writing))
        if text_pair is not None and predictor.task.format.text_pair is None:
            raise RecipeError(
                "predict",
                f"a model of {predictor.task.name} reads one text at a time; omit --text-pair and --context",
            )
        if input is not None:
            _predict_file(predictor, input, output, encoding=encoding)
        else:
            _predict_texts(predictor, texts, rows, as_json=json)


def _refuse_what_does_not_go_together(
    texts: Sequence[str],
    *,
    text_pair: str | None,
    context_file: Path | None,
    input: Path | None,
    output: Path | None,
    has_encoding: bool,
) -> None:
    """Refuse options of which one would be ignored.

    Raises:
        RecipeError: There are some; all are listed.
    """
    problems = {
        "give either texts or --input FILE": bool(texts) == (input is not None),
        "--output goes with --input FILE; texts are predicted on standard output": (
            output is not None and input is None
        ),
        "--encoding is that of --input or --context-file, and neither is given; omit it": (
            has_encoding and input is None and context_file is None
        ),
        "give either --context or --context-file": context_file is not None and text_pair is not None,
        "--context goes with questions on the command line; a file has a column of contexts": (
            input is not None and (text_pair is not None or context_file is not None)
        ),
        "--text-pair is empty; give a text with at least one visible character, or omit it": (
            text_pair is not None and not text_pair.strip()
        ),
    }
    if found := [problem for problem, is_there in problems.items() if is_there]:
        raise RecipeError("predict", found)


def _predict_file(predictor: Predictor, input: Path, output: Path | None, *, encoding: str) -> None:
    from tinybert.console import say, warn
    from tinybert.inference.files import predict_file
    from tinybert.inference.generation_options import cut_texts

    counts = predict_file(predictor, input, output, encoding=encoding)
    say(f"{counts.num_rows - counts.num_bad:,} rows predicted with {predictor.backend}")
    if counts.num_bad:
        where = f", they are in {counts.bad_rows}" if counts.bad_rows else ""
        warn(f"{counts.num_bad:,} of {counts.num_rows:,} rows have no prediction{where}")
    if counts.num_truncated:
        warn(f"{counts.num_truncated:,} {predictor.task.format.truncation(predictor.max_length)}")
    if counts.num_cut:
        warn(cut_texts(counts.num_cut, predictor.generation))


def _predict_texts(
    predictor: Predictor, texts: Sequence[str], rows: Sequence[TextRow], *, as_json: bool
) -> None:
    from tinybert.console import is_terminal, put_json_lines, warn
    from tinybert.inference.generation_options import cut_texts
    from tinybert.inference.lines import as_json as line_of
    from tinybert.inference.text_columns import is_file

    for text in filter(is_file, texts):
        warn(f"{text} is a file, and is predicted as a text; to predict the rows in it: --input {text}")
    for text, prediction in zip(texts, predictor(rows), strict=True):
        if as_json or not is_terminal(sys.stdout):
            put_json_lines(line_of({predictor.task.format.text.description: text}, prediction) + "\n")
        else:
            print(prediction.shown(text))
    if predictor.num_truncated:
        warn(f"{predictor.num_truncated:,} {predictor.task.format.truncation(predictor.max_length)}")
    if predictor.num_cut:
        warn(cut_texts(predictor.num_cut, predictor.generation))
