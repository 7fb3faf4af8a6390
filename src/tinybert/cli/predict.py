"""``tinybert predict``."""

from __future__ import annotations

import sys
from pathlib import Path

from tinybert.cli.options import Flag


def predict(
    run: str,
    *texts: str,
    text_pair: str | None = None,
    input: Path | None = None,
    output: Path | None = None,
    json: Flag = False,
) -> None:
    """Answer texts with a run or a checkpoint.

    Args:
        run: Run, checkpoint or hub name.
        texts: Texts to answer.
        text_pair: The second text, for a model of pairs; goes with each text.
        input: A file of texts: .txt (one a line), .jsonl, .csv, .tsv, .parquet or .json with a column text.
        output: Where answers of --input go: .jsonl, .csv or .tsv; standard output when not given.
        json: Print JSON lines; always when output is not a terminal.
    """
    import json as json_module
    from dataclasses import asdict

    from tinybert.errors import RecipeError
    from tinybert.predict import Predictor
    from tinybert.predict.files import predict_file, rows_of_words
    from tinybert.stages.pipeline import quiet_libraries

    quiet_libraries()
    if output is not None and input is None:
        raise RecipeError("predict", "--output goes with --input FILE; texts are answered on standard output")
    words = rows_of_words(texts, text_pair=text_pair, has_file=input is not None)
    predictor = Predictor(run)
    if input is not None:
        predict_file(predictor, input, output)
        return
    for text, answer in zip(texts, predictor(words), strict=True):
        if json or not sys.stdout.isatty():
            print(json_module.dumps({"text": text, **asdict(answer)}, ensure_ascii=False))
        elif answer.label is None:
            print(f"{answer.score:.4f}\t{text}")
        else:
            label = ", ".join(answer.label) if isinstance(answer.label, list) else answer.label
            print(f"{label}\t{answer.score:.1%}\t{text}")
