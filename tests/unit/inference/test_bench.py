from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from datasets import Dataset
from tests import tokens

import tinybert
from tinybert.data import TextRow
from tinybert.errors import ModelError, RecipeError
from tinybert.evaluation.report.bench import bench_table, draw_bench, length_table
from tinybert.inference import Predictor, bench
from tinybert.inference.bench import Measured, Subject, footprint, latencies_s, model_bytes
from tinybert.tasks import BUILTIN


@pytest.fixture(autouse=True)
def _few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"LATENCY_ROWS": 20, "BLOCK_ROWS": 10, "THROUGHPUT_ROWS": 40, "REPEATS": 2}.items():
        monkeypatch.setattr(bench, name, value)


@pytest.fixture(scope="module")
def exported(exported_teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In int8 alone: each engine is measured in a process of its own, which takes seconds to start."""
    folder = Path(shutil.copytree(exported_teacher, tmp_path_factory.mktemp("bench") / "teacher"))
    shutil.rmtree(folder / "exports" / "onnx-fp32")
    return folder


@pytest.mark.slow
def test_every_backend_of_every_model_is_a_row_a_point_and_a_line_of_the_page(
    exported: Path, easy_rows: Path, tmp_path: Path
) -> None:
    made = tinybert.bench(exported, data=easy_rows, batch=(1, 4), out=tmp_path / "bench")
    assert str(made.metrics["metric"]).startswith("accuracy (")
    found = [Measured(**each) for each in made.metrics["models"]]
    names = [(each.name, each.backend) for each in found]
    assert names == [("teacher", "torch"), ("teacher", "torch-bf16"), ("teacher", "onnx-int8")]
    for each in found:
        assert 0 < each.p50_ms <= each.p95_ms <= each.p99_ms
        assert set(each.rows_per_s) == {"1", "4"}
        # the model reads 64 tokens, so 128 are not measured
        assert set(each.rows_per_s_by_length) == {
            f"{size}x{length}" for size in (1, 4) for length in (16, 64)
        }
        assert each.score > 0.9
        assert each.memory_mb > each.memory_of_libraries_mb > 50
        assert 0.1 < each.start_up_s < 120
    full, int8 = found[0], found[2]
    assert 0 < int8.disk_mb < full.disk_mb + 1
    known = json.loads((tmp_path / "bench" / "bench.json").read_text())
    assert known["threads"] >= 1
    assert known["models"][2]["backend"] == "onnx-int8"
    page = (tmp_path / "bench" / "bench.html").read_text()
    assert page.count("<svg") == 1
    assert page.count("onnx-int8") >= 2
    assert "http://" not in page.replace("http://www.w3.org", "").replace("http://purl.org", "").replace(
        "http://creativecommons.org", ""
    )
    assert (tmp_path / "bench" / "bench.png").stat().st_size > 10_000


class Slow(Predictor):
    """Notes whose turn it is."""

    turns: list[str] = []  # noqa: RUF012

    def __call__(self, rows: list[TextRow]) -> list[object]:
        self.turns.append(self.backend)
        return super().__call__(rows)


def test_models_take_turns_by_blocks_and_the_first_rows_of_each_are_not_counted(tiny_teacher: Path) -> None:
    Slow.turns.clear()
    both = [Slow(tiny_teacher, backend=name) for name in ("torch", "torch-bf16")]
    taken = latencies_s(both, ["good", "bad"])
    assert [len(seconds) for seconds in taken] == [20, 20]
    block = 10 + bench.WARM_ROWS
    assert Slow.turns == (["torch"] * block + ["torch-bf16"] * block) * 2


def test_rows_are_given_as_a_user_gives_them() -> None:
    given = BUILTIN["classification"].format.rows_of
    assert given(Dataset.from_dict({"text": ["a"], "label": [1]})) == ["a"]
    assert given(Dataset.from_dict({"text": ["a"], "text_pair": ["b"]})) == [("a", "b")]
    row = {"text": "ada li", "word_starts": [0, 4], "word_ends": [3, 6]}
    assert BUILTIN["ner"].format.rows_of(Dataset.from_list([{**row, "label": [0, 0]}])) == [row]


def test_the_weights_alone_are_weighed(exported: Path) -> None:
    assert (
        model_bytes(Predictor(exported, backend="torch")) == (exported / "model.safetensors").stat().st_size
    )
    file = exported / "exports" / "onnx-int8" / "onnx" / "model_quantized.onnx"
    assert model_bytes(Predictor(exported, backend="onnx-int8")) == file.stat().st_size


@pytest.mark.slow
def test_a_process_that_fails_is_told(tiny_teacher: Path) -> None:
    with pytest.raises(
        ModelError, match=r"onnx-int8: failed in a process of its own: .*has no export onnx-int8"
    ):
        footprint(Subject("teacher", str(tiny_teacher), "onnx-int8"), ["good"])


def test_models_of_different_tasks_are_not_compared(tiny_teacher: Path, tmp_path: Path) -> None:
    other = tokens.save_entity_teacher(tmp_path / "ner")
    with pytest.raises(ModelError, match="the models have different tasks"):
        tinybert.bench(tiny_teacher, against=[other], data=[{"text": "good"}])
    with pytest.raises(RecipeError, match="a batch has 1 row or more"):
        tinybert.bench(tiny_teacher, batch=(0,))
    with pytest.raises(RecipeError, match="at least one run"):
        tinybert.bench()


def test_a_model_without_a_score_has_a_dash_and_a_place_in_the_picture() -> None:
    found = [Measured("a", "torch", None, 1, 2, 3, {"1": 5.0}, {"1x16": 7.0})]
    assert bench_table(found, "accuracy")[1][2] == "–"
    assert length_table(found)[0][-1] == "1 × 16"
    assert len(draw_bench(found, "accuracy").axes[0].collections) == 1
