"""An odd input: how it is made, what is called on it, and what is right."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from tests import easy
from tests.command import call

import tinybert
from tinybert.config import DataSection
from tinybert.data import TextData, load
from tinybert.tasks import BUILTIN


@dataclass(frozen=True)
class Scene:
    """Where an entry makes its input, and the models that it may use.

    Attributes:
        folder: An empty one.
        classifier: Knows the keyword task of ``tests.easy``: "good" is positive, "bad" is negative.
        encoder: Without a head.
    """

    folder: Path
    classifier: Path
    encoder: Path


@dataclass(frozen=True)
class Refused:
    """What is right is a message with this in it, exit code 2, and no traceback."""

    message: str


@dataclass(frozen=True)
class Odd:
    """One entry of the table.

    Attributes:
        name: Of the entry.
        make: Makes the input; returns what the call is given, such as a path.
        call: What is done with it; returns what is compared.
        right: What the call returns, or the message.
        source: ``owner/repository#number`` of a public report, or ``docs`` of a format.
        said: What is printed besides.
    """

    name: str
    make: Callable[[Scene], object]
    call: Callable[[Scene, object], object]
    right: object
    source: str
    said: str = ""


# making


def files(**contents: str | bytes) -> Callable[[Scene], Path]:
    """A folder of files; in their names two underscores stand for a dot."""

    def make(scene: Scene) -> Path:
        for name, content in contents.items():
            write(scene.folder / name.replace("__", "."), content)
        return scene.folder

    return make


def twice(ending: str, content: str | bytes) -> Callable[[Scene], Path]:
    """A folder in which train and validation have the same content, so that all of it is read as train."""
    return files(**{f"train__{ending}": content, f"validation__{ending}": content})


def csv(content: str | bytes) -> Callable[[Scene], Path]:
    return twice("csv", content)


def lines(*rows: object) -> Callable[[Scene], Path]:
    """A folder of JSON lines."""
    return twice("jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def given(value: object) -> Callable[[Scene], object]:
    return lambda scene: value


def changed(*changes: Callable[[Path], None]) -> Callable[[Scene], Path]:
    """A copy of the classifier, changed."""

    def make(scene: Scene) -> Path:
        folder = Path(shutil.copytree(scene.classifier, scene.folder / "model"))
        for change in changes:
            change(folder)
        return folder

    return make


def setting(file: str, **values: object) -> Callable[[Path], None]:
    """Change values of a JSON file of a checkpoint; None removes one."""

    def change(folder: Path) -> None:
        content = json.loads((folder / file).read_text()) | values
        kept = {name: value for name, value in content.items() if value is not None}
        (folder / file).write_text(json.dumps(kept))

    return change


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


# calling


def rows(task: str = "classification", **settings: object) -> Callable[[Scene, object], object]:
    """Run the doctor, then return the rows of train as they were read, with their labels.

    A text with its label; (text, [(entity, type)]); (question, [(answer, its first character)]).
    """

    def read(scene: Scene, data: object) -> object:
        doctor(scene, data, task, settings)
        found = load(
            data,
            settings=DataSection(**settings),  # type: ignore[arg-type]
            format=BUILTIN[task].format,
            allow_unlabelled=True,
        )
        print("\n".join(found.warnings))
        return [_shown(row, found, task) for row in cast("list[dict[str, object]]", found.splits["train"])]

    return read


def doctor(scene: Scene, data: object, task: str, settings: Mapping[str, object]) -> None:
    words = [*easy.TINY_STUDENT, *(f"data.{name}={value}" for name, value in settings.items())]
    if isinstance(data, str | Path):
        call("doctor", data, *words, "--teacher", scene.encoder, "--task", task)
    else:
        tinybert.doctor(data, *words, teacher=scene.encoder, task=task)  # type: ignore[arg-type]


def _shown(row: Mapping[str, object], data: TextData, task: str) -> object:
    if task == "ner":
        return row["text"], _entities(row, data.labels.names)
    if task == "qa":
        spans = cast("list[list[int]] | None", row["label"])
        context = str(row["text_pair"])
        return row["text"], spans and [(context[start:end], start) for start, end in spans]
    return tuple(data.format.writer(data.splits["train"], data.labels)(row).values())


def _entities(row: Mapping[str, object], names: Sequence[str]) -> list[tuple[str, str]] | None:
    if row["label"] is None:
        return None
    found: list[list[int]] = []
    kinds: list[str] = []
    for tag, start, end in zip(row["label"], row["word_starts"], row["word_ends"], strict=True):  # type: ignore[call-overload]
        if names[tag].startswith("B-"):
            found.append([start, end])
            kinds.append(names[tag][2:])
        elif names[tag] != "O":
            found[-1][1] = end
    text = str(row["text"])
    return [(text[start:end], kind) for (start, end), kind in zip(found, kinds, strict=True)]


def predicted(*texts: str) -> Callable[[Scene, object], object]:
    """Return the labels that the command predicts."""

    def predict(scene: Scene, model: object) -> list[str]:
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            call("predict", model, *(texts or ("good bab", "bad bel")))
        return [json.loads(line)["label"] for line in output.getvalue().splitlines()]

    return predict


def labels_of(texts: Callable[[], object]) -> Callable[[Scene, object], object]:
    """Return the labels that the classifier predicts for texts given in Python."""

    def predict(scene: Scene, _: object) -> list[str]:
        found = tinybert.predict(scene.classifier, texts())  # type: ignore[arg-type]
        return [each.label for each in found]  # type: ignore[union-attr]

    return predict


def command(*words: object) -> Callable[[Scene, object], object]:
    """Give a command, the input behind its first word; return what it prints."""

    def give(scene: Scene, made: object) -> str:
        output = io.StringIO()
        try:
            with contextlib.redirect_stdout(output):
                call(words[0], made, *words[1:])
        finally:
            print(output.getvalue())
        return output.getvalue()

    return give
