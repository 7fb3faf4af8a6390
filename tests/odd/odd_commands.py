"""Odd data and options of the commands that use a finished model."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd
from tests import writers
from tests.command import call
from tests.odd.odd_input import Odd, Refused, Scene, command, given, write

import tinybert

GOOD_BAD = "text,label\ngood bab,positive\nbad bel,negative\n"
FOREIGN = "text,label\nd\xe9j\xe0 good,positive\nbad bel,negative\n".encode("latin-1")
MANY = "question,question2,text,content,label\nbab,bel,good,din,positive\nbab,bel,bad,din,negative\n"


def file(content: str | bytes, name: str = "rows.csv") -> Callable[[Scene], Path]:
    return lambda scene: write(scene.folder / name, content)


def classifier(scene: Scene) -> Path:
    return scene.classifier


def writer(scene: Scene) -> Path:
    return writers.save(scene.folder / "writer", writers.wordpiece())


def scored(command: str = "evaluate", **options: object) -> Callable[[Scene, object], object]:
    """Score the classifier on the input, from the command line; return nothing."""

    def score(scene: Scene, data: object) -> None:
        words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)]
        where = [data] if command == "evaluate" else ["--data", data]
        call(command, scene.classifier, *where, *words)

    return score


def scored_in_python(function: Callable[..., object], **options: object) -> Callable[[Scene, object], object]:
    def score(scene: Scene, data: object) -> object:
        found = function(scene.classifier, data=data, **options)
        assert isinstance(found, Mapping)
        return found["accuracy"]

    return score


def told(name: str, made: Callable[[Scene], object], call: Callable[..., object], message: str) -> Odd:
    return Odd(name, made, call, Refused(message), "docs")


def known_rows(scene: Scene) -> Path:
    """A run that was trained on the first of two rows."""
    import numpy as np

    from tinybert.data.fields import hash_texts

    folder = scene.folder / "run"
    call("finetune", _rows(scene), "--model", scene.classifier, "--out", folder, *SHORT)
    digest = int.from_bytes(hash_texts(["good bab"]), "little")
    assert digest in np.load(folder / "train_rows.npy").tolist()
    return folder


SHORT = ("train.num_epochs=1", "train.batch_size=8", "train.precision=fp32", "head_start=random")


def _rows(scene: Scene) -> Path:
    write(scene.folder / "train.csv", GOOD_BAD)
    write(scene.folder / "validation.csv", "text,label\ngood din,positive\nbad dor,negative\n")
    return scene.folder


def scored_again(scene: Scene, run: object) -> object:
    rows = pd.DataFrame({"text": ["good bab", "bad fin"], "label": ["positive", "negative"]})
    found = tinybert.evaluate(str(run), rows)
    return found["num_rows"], found["num_rows_leaked"]


BODY = "body,label\ngood bab,positive\nbad bel,negative\n"
NO_TEXT = "text,label\n,positive\nbad bel,negative\n"
TABLE = [
    told("evaluate: no known column", file(BODY), scored(), "set --text COLUMN"),
    told("bench: no known column", file(BODY), scored("bench"), "set --text COLUMN"),
    told(
        "evaluate in Python: no known column",
        file(BODY),
        scored_in_python(tinybert.evaluate),
        "text='COLUMN'",
    ),
    told("bench in Python: no known column", file(BODY), scored_in_python(tinybert.bench), "text='COLUMN'"),
    Odd(
        "evaluate in Python: a column that is named",
        file(BODY),
        scored_in_python(tinybert.evaluate, text="body"),
        1.0,
        "docs",
    ),
    told("evaluate: an empty text", file(NO_TEXT), scored(), "(or set --on-bad-row skip to"),
    told("bench: an empty text", file(NO_TEXT), scored("bench"), "(or set --on-bad-row skip to"),
    told("bench: an encoding that is not sure", file(FOREIGN), scored("bench"), "by --encoding NAME"),
    Odd(
        "evaluate: several columns of texts",
        file(MANY),
        scored(text_pair="question2"),
        None,
        "docs",
        said="the text is read from 'text'; to read 'question' or 'content' instead: --text question",
    ),
    Odd(
        "evaluate: a table with a training row", known_rows, scored_again, (2, 1), "docs", said="1 of 2 rows"
    ),
    told(
        "evaluate: an encoding of rows in memory",
        given(pd.DataFrame({"text": ["good"], "label": ["positive"]})),
        scored_in_python(tinybert.evaluate, encoding="big5"),
        "encoding='big5': is of files",
    ),
    Odd(
        "evaluate: an encoding of a parquet file",
        lambda scene: _parquet(scene.folder / "rows.parquet"),
        scored(encoding="big5"),
        None,
        "docs",
        said="--encoding big5 is not used: it is of files of text, and this is none",
    ),
    told(
        "predict: an encoding of texts",
        classifier,
        command("predict", "good", "--encoding", "big5"),
        "--encoding is that of --input or --context-file, and neither is given",
    ),
    told(
        "predict: an empty second text",
        classifier,
        command("predict", "good", "--text-pair", ""),
        "--text-pair is empty",
    ),
    told(
        "predict: a pair with an empty second text",
        classifier,
        lambda scene, model: tinybert.predict(str(model), [("good", "bab"), ("good", "")]),
        "row 2, text_pair: ''; give a text, a str with a visible character",
    ),
    told(
        "bench: a column of no data",
        classifier,
        command("bench", "--text", "body"),
        "--text body: says how rows of data are read, and no data is given",
    ),
    told(
        "predict: a text with a dash",
        classifier,
        command("predict", "-5 degrees"),
        "a text that begins with a dash goes to the end, behind two dashes: -- '-5 degrees'",
    ),
    told(
        "predict: a mapping of columns",
        classifier,
        lambda scene, model: tinybert.predict(str(model), {"text": ["good"]}),  # type: ignore[arg-type]
        "columns go into a table, such as pandas.DataFrame(data)",
    ),
    told(
        "predict: one row",
        classifier,
        lambda scene, model: tinybert.predict(str(model), {"text": "good"}),  # type: ignore[arg-type]
        "put the one row into brackets",
    ),
    told(
        "predict: the name of a file",
        file(GOOD_BAD),
        lambda scene, path: tinybert.predict(scene.classifier, str(path)),
        "rows.csv is a file: read it first",
    ),
    told(
        "predict: a path",
        file(GOOD_BAD),
        lambda scene, path: tinybert.predict(scene.classifier, path),  # type: ignore[arg-type]
        "rows.csv is a file: read it first",
    ),
    Odd(
        "predict: a file in place of a text",
        file(GOOD_BAD),
        lambda scene, path: _labels(scene, path),
        ["positive"],
        "docs",
        said="is a file, and is predicted as a text; to predict the rows in it: --input",
    ),
    told(
        "evaluate: a folder with one file of another name",
        lambda scene: file(GOOD_BAD, "data/reviews.csv")(scene).parent,
        scored(),
        "to read reviews.csv, give it instead of its folder",
    ),
    told(
        "predict: settings of decoding for a model that writes no text",
        classifier,
        command("predict", "good", "--num-beams", "4"),
        "num_beams: ",
    ),
    told(
        "chat: a model that writes no text",
        classifier,
        command("chat"),
        "writes no texts (its task is classification); give a run of task seq2seq",
    ),
    told(
        "predict: a setting of decoding by another name",
        writer,
        lambda scene, model: tinybert.Predictor(str(model), generation={"beams": 4, "top_p": 2}),
        "beams: unknown; did you mean 'num_beams'?",
    ),
    told(
        "predict: sampling with beams",
        writer,
        command("predict", "good", "--num-beams", "4", "--sample"),
        "num_beams = 4 with do_sample (--sample): sampling has one beam; give num_beams of 1",
    ),
]


def _parquet(path: Path) -> Path:
    pd.DataFrame({"text": ["good"], "label": ["positive"]}).to_parquet(path)
    return path


def _labels(scene: Scene, text: object) -> list[str]:
    lines = command("predict", "--json", str(text))(scene, scene.classifier)
    return [str(json.loads(line)["label"]) for line in str(lines).splitlines()]
