from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from tests import easy
from transformers import AlbertConfig, AlbertForSequenceClassification

from tinybert.errors import ModelError, RecipeError, RunError
from tinybert.inference import Predictor
from tinybert.inference import export as export_module
from tinybert.inference.backends import BUILTIN, Engine, Loading, Tokens, load_engine
from tinybert.inference.backends import onnx as onnx_backend
from tinybert.inference.backends.onnx import nodes_in_full
from tinybert.inference.exports import exports_of, read_export
from tinybert.inference.parity import TOLERANCES, Parity
from tinybert.stages.export import check_exports, export

TEXTS = [str(row["text"]) for row in easy.make_rows(20, seed=9)]
INT8 = Path("exports") / "onnx-int8"


@pytest.fixture
def exported(exported_teacher: Path) -> Path:
    return exported_teacher


@pytest.fixture
def copied(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "copy"))


def test_the_report_says_what_was_measured(exported: Path) -> None:
    made = read_export(exported / INT8)
    parity, allowed = made.metadata["parity"], made.metadata["tolerance"]
    assert parity["num_rows"] == 32
    assert parity["metric"] == "accuracy"
    assert parity["equal"] >= 0.95
    assert 0 < parity["max_difference"] < 0.2
    assert parity["mean_difference"] < parity["max_difference"]
    assert allowed["min_kept"] == 0.995
    report = (exported / INT8 / "parity.md").read_text()
    assert f"{parity['equal']:.2%}" in report
    assert "validation split of" in report
    full = read_export(exported / "exports" / "onnx-fp32").metadata["parity"]
    assert full["max_difference"] < parity["max_difference"]


def test_int8_is_smaller_and_its_matrices_are_whole_numbers(exported: Path) -> None:
    model = onnx.load(exported / INT8 / "onnx" / "model_quantized.onnx")
    kinds = [node.op_type for node in model.graph.node]
    assert kinds.count("MatMulInteger") + kinds.count("DynamicQuantizeMatMul") >= 4 * 6
    assert not {"full.onnx"} & {file.name for file in (exported / INT8).rglob("*")}


@pytest.fixture
def with_graph(copied: Path) -> Path:
    """The checkpoint with its export in fp32 alone, whose graph the others begin with."""
    shutil.rmtree(copied / INT8)
    return copied


@pytest.fixture
def _no_graph_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    def write(job: object, target: Path) -> None:
        raise OSError(errno.ENOSPC, "a graph is written")

    monkeypatch.setattr(onnx_backend, "write_graph", write)


@pytest.mark.usefixtures("_no_graph_is_written")
def test_a_graph_that_fits_is_not_written_again(with_graph: Path, easy_rows: Path) -> None:
    made = export(with_graph, format="onnx", precision="int8", data=easy_rows)
    assert made.metadata["parity"]["equal"] == 1
    shutil.rmtree(made.folder)
    (with_graph / "exports" / "onnx-fp32" / "export.json").write_text("{")
    with pytest.raises(ModelError, match="a graph is written"):
        export(with_graph, format="openvino", precision="fp32", data=easy_rows)


@pytest.mark.usefixtures("_no_graph_is_written")
def test_a_graph_of_another_checkpoint_is_not_taken(with_graph: Path, easy_rows: Path) -> None:
    damage_config(with_graph)
    with pytest.raises(ModelError, match="a graph is written"):
        export(with_graph, format="onnx", precision="int8", data=easy_rows)


def test_an_export_that_fits_is_left_alone(exported: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (exported / INT8 / "export.json").stat().st_mtime_ns
    export(exported, format="onnx", precision="int8")
    assert "already exists, made from these weights: nothing to do" in capsys.readouterr().err
    assert (exported / INT8 / "export.json").stat().st_mtime_ns == before


def test_an_export_that_is_copied_away_answers_alone(copied: Path, exported: Path, tmp_path: Path) -> None:
    away = shutil.copytree(copied / INT8, tmp_path / "away")
    shutil.rmtree(copied)
    alone = Predictor(away)
    assert alone.backend == "onnx-int8"
    assert alone(TEXTS) == Predictor(exported, backend="onnx-int8")(TEXTS)
    with pytest.raises(ModelError, match="is an export for onnx-int8; it has no other backend"):
        Predictor(away, backend="torch")


def damage_config(folder: Path) -> None:
    (folder / "config.json").write_text((folder / "config.json").read_text() + "\n")


def damage_model(folder: Path) -> None:
    """Change one matrix, as a bad copy or a wrong tool would: the file can still be read."""
    file = folder / INT8 / "onnx" / "model_quantized.onnx"
    model = onnx.load(file)
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.INT8 and "embedding" not in tensor.name:
            weights = numpy_helper.to_array(tensor)
            tensor.CopyFrom(numpy_helper.from_array(weights[::-1].copy(), tensor.name))
    onnx.save(model, file)


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (damage_config, r"config\.json of the checkpoint: changed"),
        (damage_model, r"model_quantized\.onnx: changed"),
        (
            lambda folder: (folder / "model.safetensors").unlink(),
            r"model\.safetensors of the checkpoint: missing",
        ),
        (lambda folder: (folder / INT8 / "tokenizer.json").unlink(), r"tokenizer\.json: missing"),
    ],
)
def test_what_changed_since_the_export_is_said(
    copied: Path, damage: Callable[[Path], object], what: str
) -> None:
    shutil.rmtree(copied / "exports" / "onnx-fp32")
    damage(copied)
    for backend in ("onnx-int8", "auto"):
        with pytest.raises(ModelError, match=rf"since the export .*{what}"):
            Predictor(copied, backend=backend)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"format": "tensorrt"}, "format, precision: 'tensorrt', 'int8'; no such export"),
        ({"precision": "int4"}, "format, precision: 'onnx', 'int4'; no such export"),
        ({"lengths": []}, "lengths: expected a list of whole numbers"),
        ({"files": None}, "files: expected names and their SHA-256"),
        ({"files": {"../../secret": "0"}}, r"files: '\.\./\.\./secret' lies outside the folder"),
        ({"source": {"/etc/passwd": "0"}}, "source: '/etc/passwd' lies outside the folder"),
    ],
)
def test_facts_that_are_none_are_refused(copied: Path, change: dict[str, object], what: str) -> None:
    file = copied / INT8 / "export.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(ModelError, match=what):
        Predictor(copied)
    for broken in ("{", "[]", "{}", ""):
        file.write_text(broken)
        with pytest.raises(ModelError, match="the file is damaged: make the export again"):
            Predictor(copied)
    assert Predictor(copied, backend="torch").backend == "torch"


def test_the_parity_of_a_damaged_export_fails_and_says_what_to_do(copied: Path, easy_rows: Path) -> None:
    assert set(check_exports(copied, data=easy_rows)) == {"onnx-fp32", "onnx-int8"}
    damage_model(copied)
    with pytest.raises(ModelError) as caught:
        check_exports(copied, data=easy_rows)
    said = str(caught.value)
    assert "onnx-int8: since the export onnx/model_quantized.onnx: changed" in said
    assert "equal predictions" in said
    assert "% of the checkpoint's" in said
    assert "onnx-int8: make it again: tinybert export" in said
    assert "onnx-fp32" not in said


def test_a_changed_checkpoint_is_exported_anew(copied: Path, easy_rows: Path) -> None:
    damage_config(copied)
    export(copied, format="onnx", precision="int8", data=easy_rows)
    assert Predictor(copied, backend="onnx-int8", max_length=9)(TEXTS)
    assert [path.name for path in sorted((copied / "exports").iterdir())] == ["onnx-fp32", "onnx-int8"]


def failing(num: int) -> Callable[..., Parity]:
    calls = iter(range(100))

    def measure(reference: object, predictor: Predictor) -> Parity:
        equal = 0.5 if next(calls) < num else 1.0
        return Parity(10, 0.1, 0.01, equal, "accuracy", 0.9, 0.9)

    return measure


@pytest.mark.parametrize(
    ("num_failures", "in_full", "num_left"),
    [(1, "the head and the last layer", 8), (2, "the head, the first and the last layer", 14)],
)
def test_mixed_precision_is_tried_before_giving_up(
    with_graph: Path,
    easy_rows: Path,
    monkeypatch: pytest.MonkeyPatch,
    num_failures: int,
    in_full: str,
    num_left: int,
) -> None:
    monkeypatch.setattr(export_module, "measure", failing(num_failures))
    made = export(with_graph, format="onnx", precision="int8", data=easy_rows)
    assert made.metadata["in_full"] == in_full
    graph = onnx.load(made.folder / "onnx" / "model_quantized.onnx").graph
    constants = {each.name for each in graph.initializer}
    left = [
        node for node in graph.node if node.op_type in ("MatMul", "Gemm") and constants & {*node.input[:2]}
    ]
    assert len(left) == num_left  # pooler and classifier, and six matrices a layer


@pytest.mark.parametrize("backend", ["onnx", pytest.param("openvino", marks=pytest.mark.slow)])
def test_nothing_past_the_tolerance_stays(
    with_graph: Path, easy_rows: Path, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    monkeypatch.setattr(export_module, "measure", failing(99))
    with pytest.raises(ModelError) as caught:
        export(with_graph, format=backend, precision="int8", data=easy_rows)
    said = str(caught.value)
    assert said.count("equal predictions 50.00% (at least: 95.00%)") == 3
    assert "try --precision bf16 (openvino) or fp32" in said
    assert [each.name for each in exports_of(with_graph)] == ["onnx-fp32"]


def test_a_full_disk_leaves_no_half_export(
    tiny_teacher: Path, easy_rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(tiny_teacher, tmp_path / "teacher"))

    def full(order: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "model.onnx")

    monkeypatch.setitem(BUILTIN, "onnx", replace(BUILTIN["onnx"], write=full))
    with pytest.raises(ModelError, match="cannot be written: No space left on device"):
        export(folder, format="onnx", precision="fp32", data=easy_rows)
    assert list((folder / "exports").iterdir()) == []


def test_two_exports_at_once_are_kept_apart(tiny_teacher: Path, easy_rows: Path, tmp_path: Path) -> None:
    from tinybert.storage import lock

    folder = Path(shutil.copytree(tiny_teacher, tmp_path / "teacher"))
    busy = folder / "exports" / ".onnx-fp32.partial"
    busy.mkdir(parents=True)
    held = lock(busy, subject="test")
    try:
        with pytest.raises(RunError, match="another process is making this just now"):
            export(folder, format="onnx", precision="fp32", data=easy_rows)
        assert busy.is_dir()
    finally:
        held.close()


def test_what_cannot_be_exported_is_said_before_any_work(
    tiny_teacher: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError, match=r"format 'tensorrt': unknown \(allowed: onnx, openvino, litert\)"):
        export(tiny_teacher, format="tensorrt")
    with pytest.raises(RecipeError, match=r"onnx in bf16: not possible \(allowed: fp32, int8\)"):
        export(tiny_teacher, format="onnx", precision="bf16")
    with pytest.raises(RecipeError, match="no rows of its own are known; give labelled ones: --data"):
        export(tiny_teacher, format="onnx")
    with pytest.raises(ModelError, match="has no task head"):
        export(tiny_encoder, format="onnx", data=[{"text": "good"}])
    config = AlbertConfig(hidden_size=32, num_attention_heads=2, embedding_size=8, vocab_size=80)
    AlbertForSequenceClassification(config).save_pretrained(tmp_path / "albert")
    easy.make_tokenizer().save_pretrained(tmp_path / "albert")
    with pytest.raises(ModelError, match=r"model_type albert: cannot be exported .*--backend torch"):
        export(tmp_path / "albert", format="onnx", data=[{"text": "good"}])


def test_without_labels_only_agreement_is_measured(with_graph: Path, tmp_path: Path) -> None:
    rows = easy.write_rows(tmp_path / "raw.jsonl", [{"text": text} for text in TEXTS])
    parity = export(with_graph, format="onnx", precision="int8", data=rows).metadata["parity"]
    assert parity["metric"] is None
    assert parity["equal"] == 1


def test_a_nan_is_past_every_tolerance() -> None:
    parity = Parity(10, float("nan"), float("nan"), float("nan"), "accuracy", 0.9, float("nan"))
    assert len(parity.failures(TOLERANCES["fp32"])) == 4
    assert np.isnan(parity.kept)


def test_the_layers_left_in_full_are_found_by_their_place(exported: Path) -> None:
    file = exported / "exports" / "onnx-fp32" / "onnx" / "model.onnx"
    assert nodes_in_full(file, 0, gemm="") == []
    head_and_last, ends = (nodes_in_full(file, in_full, gemm="") for in_full in (1, 2))
    assert set(head_and_last) < set(ends)
    assert [each.name for each in exports_of(exported)] == ["onnx-fp32", "onnx-int8"]


def test_an_export_that_asks_for_type_ids_gets_the_first_where_the_tokenizer_writes_none(
    tmp_path: Path,
) -> None:
    given: list[Tokens] = []

    def load(folder: Path, precision: str, loading: Loading) -> Engine:
        return lambda batch: given.append(batch) or batch["token_type_ids"].astype(np.float32)

    backend = replace(BUILTIN["onnx"], load=load)
    engine = load_engine(backend, tmp_path, "fp32", Loading(1, 1))
    ids = np.array([[2, 5, 3], [2, 6, 3]])
    assert engine({"input_ids": ids}).tolist() == [[0, 0, 0], [0, 0, 0]]
    assert engine({"input_ids": ids, "token_type_ids": np.ones_like(ids)}).tolist() == [[1, 1, 1], [1, 1, 1]]
