"""``tinybert predict``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tinybert.cli.options import Flag


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
        json: Print JSON lines; always when output is not a terminal.
    """
    from tinybert.console import is_terminal, put_json_lines, say, warn
    from tinybert.errors import RecipeError
    from tinybert.inference import Predictor
    from tinybert.inference.files import predict_file, read_context, rows_of_words
    from tinybert.inference.lines import as_json
    from tinybert.stages.pipeline import quiet_libraries

    quiet_libraries()
    if output is not None and input is None:
        raise RecipeError(
            "predict", "--output goes with --input FILE; texts are predicted on standard output"
        )
    if context_file is not None:
        if text_pair is not None:
            raise RecipeError("predict", "give either --context or --context-file")
        text_pair = read_context(context_file, encoding=encoding)
    if text_pair is not None and input is not None:
        raise RecipeError(
            "predict", "--context goes with questions on the command line; a file has a column of contexts"
        )
    words = rows_of_words(texts, text_pair=text_pair, has_file=input is not None)
    predictor = Predictor(run, backend=backend, task=task)
    if text_pair is not None and predictor.task.format.text_pair is None:
        raise RecipeError(
            "predict",
            f"a model of {predictor.task.name} reads one text at a time; omit --text-pair and --context",
        )
    if input is not None:
        counts = predict_file(predictor, input, output, encoding=encoding)
        say(f"{counts.num_rows - counts.num_bad:,} rows predicted with {predictor.backend}")
        if counts.num_bad:
            where = f", they are in {counts.bad_rows}" if counts.bad_rows else ""
            warn(f"{counts.num_bad:,} of {counts.num_rows:,} rows have no prediction{where}")
        if counts.num_truncated:
            warn(f"{counts.num_truncated:,} {predictor.task.format.truncation(predictor.max_length)}")
        return
    for text, prediction in zip(texts, predictor(words), strict=True):
        if json or not is_terminal(sys.stdout):
            put_json_lines(as_json({predictor.task.format.text.description: text}, prediction) + "\n")
        else:
            print(prediction.shown(text))
    if predictor.num_truncated:
        warn(f"{predictor.num_truncated:,} {predictor.task.format.truncation(predictor.max_length)}")
