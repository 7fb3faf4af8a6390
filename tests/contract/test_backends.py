"""Every backend in every precision keeps the same contract: a new line of the table is tested at once."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from tests import easy, tokens

from tinybert.errors import MissingExtraError, RecipeError
from tinybert.inference import Predictor, backends, predictor
from tinybert.inference.backends import BUILTIN, backend_names, parse_backend
from tinybert.inference.exports import Export, exports_of
from tinybert.stages.export import export

EXPORTED = [name for name in backend_names() if not name.startswith("torch")]
NEEDS = {"onnx": "onnxruntime", "openvino": "openvino", "litert": "litert_torch"}
TEXTS = [str(row["text"]) for row in easy.make_rows(40, seed=9)]
ATOL = {"fp32": 1e-5, "bf16": 0.05, "int8": 0.08}


@pytest.fixture(scope="module")
def checkpoint(exported_teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(exported_teacher, tmp_path_factory.mktemp("checkpoint") / "teacher"))


@pytest.fixture(scope="module")
def of_tokens(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """A checkpoint a task, whose exports are made from one graph."""
    folder = tmp_path_factory.mktemp("of_tokens")
    return {
        "ner": tokens.save_entity_teacher(folder / "ner"),
        "qa": tokens.save_question_teacher(folder / "qa"),
    }


def made(checkpoint: Path, easy_rows: Path, name: str) -> Export:
    """Return an export, made once; skip where its runtime is not installed."""
    backend, precision = parse_backend(name)
    pytest.importorskip(NEEDS[backend])
    there = [each for each in exports_of(checkpoint) if each.name == name]
    return there[0] if there else export(checkpoint, format=backend, precision=precision, data=easy_rows)


@pytest.mark.parametrize("name", EXPORTED)
def test_an_export_answers_as_its_checkpoint(checkpoint: Path, easy_rows: Path, name: str) -> None:
    backend, precision = parse_backend(name)
    there = made(checkpoint, easy_rows, name)
    assert there.name == name
    assert there.folder == checkpoint / "exports" / name
    assert {file.name for file in there.folder.iterdir()} >= {"config.json", "tokenizer.json", "parity.md"}
    assert (there.folder / BUILTIN[backend].files[precision]).is_file()
    own, other = Predictor(checkpoint, backend="torch"), Predictor(checkpoint, backend=name)
    np.testing.assert_allclose(
        probabilities(other, TEXTS), probabilities(own, TEXTS), atol=ATOL[precision], rtol=0
    )
    assert [answer.label for answer in other(TEXTS)] == [answer.label for answer in own(TEXTS)]


def probabilities(engine: Predictor, texts: list[str]) -> np.ndarray:
    return np.array([list(answer.scores.values()) for answer in engine(texts)])


@pytest.mark.parametrize("name", EXPORTED)
def test_any_number_of_rows_of_any_length_is_answered(checkpoint: Path, easy_rows: Path, name: str) -> None:
    _, precision = parse_backend(name)
    made(checkpoint, easy_rows, name)
    own, other = Predictor(checkpoint, backend="torch"), Predictor(checkpoint, backend=name)
    for texts in (["good"], ["bad " * 61], [" ".join(["awful"] * count) for count in range(1, 60)]):
        np.testing.assert_allclose(
            probabilities(other, texts), probabilities(own, texts), atol=2 * ATOL[precision], rtol=0
        )


@pytest.mark.parametrize("name", EXPORTED)
def test_several_batches_at_a_time_give_the_answers_in_their_order(
    checkpoint: Path, easy_rows: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    backend, precision = parse_backend(name)
    made(checkpoint, easy_rows, name)
    monkeypatch.setattr(predictor, "num_threads", lambda: 3)
    several = Predictor(checkpoint, backend=name, batch_size=4)
    assert (several.together is None) == BUILTIN[backend].one_at_a_time
    own = Predictor(checkpoint, backend="torch")
    np.testing.assert_allclose(
        probabilities(several, TEXTS), probabilities(own, TEXTS), atol=ATOL[precision], rtol=0
    )


@pytest.mark.parametrize("task", ["ner", "qa"])
@pytest.mark.parametrize(
    "name",
    [
        *("onnx-int8", "litert-fp32"),
        *(pytest.param(each, marks=pytest.mark.slow) for each in ("onnx-fp32", "openvino-int8")),
    ],
)
def test_places_in_a_text_are_answered_too(
    of_tokens: Mapping[str, Path], tmp_path: Path, task: str, name: str
) -> None:
    backend, precision = parse_backend(name)
    pytest.importorskip(NEEDS[backend])
    folder = of_tokens[task]
    if task == "ner":
        rows = tokens.make_entity_rows(60, seed=3)
        asked = [" ".join(row["tokens"]) for row in rows]
    else:
        rows = tokens.make_question_rows(60, seed=3)
        asked = [(row["question"], row["context"]) for row in rows]
    data = easy.write_rows(tmp_path / "rows.jsonl", rows)
    proved = export(folder, format=backend, precision=precision, data=data)
    assert proved.metadata["parity"]["metric"] in ("f1", "exact_match")
    own, other = Predictor(folder, backend="torch"), Predictor(folder, backend=name)
    same = [said(one) == said(two) for one, two in zip(own(asked), other(asked), strict=True)]
    assert np.mean(same) == 1 if precision == "fp32" else np.mean(same) > 0.9


def said(answer: object) -> object:
    if hasattr(answer, "entities"):
        return [(entity.start, entity.end, entity.label) for entity in answer.entities]
    return (answer.start, answer.end)


def test_a_name_that_is_none_is_refused_with_the_nearest(tiny_teacher: Path) -> None:
    with pytest.raises(
        RecipeError, match=r"'onnx-int9': unknown; did you mean 'onnx-int8'\? \(allowed: auto, torch"
    ):
        Predictor(tiny_teacher, backend="onnx-int9")


@pytest.mark.parametrize("backend", ["onnx", "openvino", "litert"])
def test_a_missing_runtime_names_its_extra(
    tiny_teacher: Path, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    monkeypatch.setattr(backends, "missing_packages", lambda backend, to_write: ["one"])
    with pytest.raises(MissingExtraError, match=rf"pip install 'tinybert\[{backend}\]'"):
        export(tiny_teacher, format=backend, precision="int8")
