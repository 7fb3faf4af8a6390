"""Odd commands, paths and machines."""

from __future__ import annotations

import json
from pathlib import Path

from tests import easy
from tests.odd.odd_input import Odd, Refused, Scene, command, given, rows, write


def two_rows(scene: Scene) -> Path:
    for split in ("train", "validation"):
        easy.write_rows(scene.folder / f"{split}.jsonl", easy.make_rows(6))
    return scene.folder


def checks(scene: Scene, data: object) -> list[str]:
    words = ("--teacher", scene.classifier, "--json", *easy.TINY_STUDENT)
    return [each["check"] for each in json.loads(command("doctor", *words)(scene, data))]  # type: ignore[arg-type]


def leakage(scene: Scene, data: object) -> str:
    words = ("--teacher", scene.classifier, "--json", *easy.TINY_STUDENT)
    found = json.loads(command("doctor", *words)(scene, data))  # type: ignore[arg-type]
    return next(each["message"] for each in found if each["check"] == "leakage")


def named_as_a_warning(scene: Scene) -> Path:
    """Rows that are there twice, in a file whose name is what a warning says."""
    return easy.write_rows(scene.folder / "also in train.jsonl", [*easy.make_rows(48), *easy.make_rows(48)])


def finetune(scene: Scene, data: object) -> str:
    words = ("--model", scene.encoder, "--out", scene.folder / "run", "--dry-run")
    command("finetune", *words)(scene, data)
    return str(sorted(path.name for path in scene.folder.iterdir()))


def damaged_run(scene: Scene) -> Path:
    write(scene.folder / ".run.partial" / "recipe.yaml", "{")
    write(scene.folder / ".run.partial" / "inputs.json", "{}")
    write(scene.folder / ".run.partial" / "work" / "model" / "done.json", "{}")
    return two_rows(scene)


def spaces_and_signs(scene: Scene) -> Path:
    return two_rows(Scene(scene.folder / "my data (new), 数据 #1", scene.classifier, scene.encoder))


def predicted_to(name: str, content: str | bytes) -> object:
    """Predict from a file of texts to a file; return its labels."""

    def give(scene: Scene, _: object) -> list[str]:
        source, output = write(scene.folder / name, content), scene.folder / "found.jsonl"
        command("predict", "--input", source, "--output", output)(scene, scene.classifier)
        return [json.loads(line)["label"] for line in output.read_text(encoding="utf-8").splitlines()]

    return give


BOTH = ["positive", "negative"]
TABLE = [
    Odd("a path of Windows", given("C:\\data\\train.csv"), rows(), Refused("no such file or folder"), "docs"),
    Odd(
        "a path with a slip",
        lambda scene: str(two_rows(scene) / "trian.jsonl"),
        rows(),
        Refused("no such file or folder; did you mean 'train.jsonl'?"),
        "docs",
    ),
    Odd(
        "spaces and signs in a path",
        spaces_and_signs,
        checks,
        ["labels", "tokenizers", "layers", "lengths", "balance", "leakage", "memory", "disk"],
        "docs",
    ),
    Odd("a file with the name of a warning", named_as_a_warning, leakage, "none between splits", "docs"),
    Odd("a dry run writes nothing", two_rows, finetune, "['train.jsonl', 'validation.jsonl']", "docs"),
    Odd(
        "predict: lines of Windows",
        given(None),
        predicted_to("in.txt", "good bab\r\nbad bel\r\n"),
        BOTH,
        "docs",
    ),
    Odd(
        "predict: a file with a mark",
        given(None),
        predicted_to("in.csv", "text\ngood\nbad\n".encode("utf-8-sig")),
        BOTH,
        "docs",
    ),
    Odd(
        "predict: blank lines between texts",
        given(None),
        predicted_to("in.jsonl", '{"text": "good"}\n\n{"text": "bad"}\n\n'),
        BOTH,
        "docs",
    ),
    Odd("predict: an empty file", given(None), predicted_to("in.jsonl", ""), Refused("no row"), "docs"),
    Odd(
        "predict: a workbook named .csv",
        given(None),
        predicted_to("in.csv", b"PK\x03\x04rest"),
        Refused("not text, but a ZIP archive"),
        "docs",
    ),
    Odd(
        "a dry run over a damaged unfinished run",
        damaged_run,
        finetune,
        Refused("cannot be resumed: recipe.yaml"),
        "docs",
    ),
]
