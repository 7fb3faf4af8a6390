"""MPNet in other runtimes: its bias of relative positions must be right at every length."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from tests import easy
from transformers import AutoModelForSequenceClassification, MPNetForSequenceClassification

from tinybert.inference.backends import BUILTIN, ExportJob, parse_backend
from tinybert.inference.backends.contract import Loading
from tinybert.inference.backends.onnx import FILES, full_graph
from tinybert.inference.graph import Graph
from tinybert.models import load_classifier, load_tokenizer

POSITIONS = 150  # beyond the 128 tokens from where on all distances are alike
LENGTHS = ((1, 2), (1, 9), (3, 8), (2, 70), (1, POSITIONS), (2, POSITIONS))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mpnet") / "model"
    sizes = {"num_hidden_layers": 2, "max_position_embeddings": POSITIONS + 2, "num_labels": 3}
    return easy.save_mpnet(folder, MPNetForSequenceClassification, **sizes)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


def rows(num_rows: int, num_tokens: int) -> dict[str, np.ndarray]:
    """Rows of real pieces, all but the first padded by one token more than the one before."""
    rng = np.random.default_rng(num_tokens)
    ids = rng.integers(5, len(easy.WORDS) + 5, (num_rows, num_tokens))
    mask = np.arange(num_tokens)[None] < np.maximum(num_tokens - np.arange(num_rows), 1)[:, None]
    return {"input_ids": np.where(mask, ids, 1), "attention_mask": mask.astype(np.int64)}


def written(checkpoint: Path, folder: Path, work: Path, name: str) -> Path:
    """Write an export; all of them from one graph."""
    format, precision = parse_backend(name)
    graph = Graph(load_classifier(checkpoint), load_tokenizer(checkpoint))
    calibration = [rows(1, length) for length in range(2, POSITIONS, 6)]
    job = ExportJob(graph, folder, work, precision, calibration=calibration, max_length=POSITIONS)
    if name == "onnx-fp32":
        (folder / FILES["fp32"]).parent.mkdir()
        shutil.copy(full_graph(job), folder / FILES["fp32"])
    else:
        BUILTIN[format].write(job)
    return folder


@pytest.mark.parametrize("name", ["onnx-fp32", "onnx-int8", "openvino-fp32", "openvino-int8"])
def test_an_export_of_mpnet_predicts_the_same_at_every_length(
    checkpoint: Path, work: Path, tmp_path: Path, name: str
) -> None:
    format, precision = parse_backend(name)
    pytest.importorskip(BUILTIN[format].package)
    folder = written(checkpoint, tmp_path, work, name)
    run = BUILTIN[format].load(folder, precision, Loading(num_workers=1, num_threads=1))
    own = AutoModelForSequenceClassification.from_pretrained(checkpoint).eval()
    with torch.inference_mode():
        expected = [
            own(**{key: torch.from_numpy(value) for key, value in rows(*size).items()}).logits.numpy()
            for size in LENGTHS
        ]
    for size, logits in zip(LENGTHS, expected, strict=True):
        found = run(rows(*size))
        if precision == "fp32":
            np.testing.assert_allclose(found, logits, atol=1e-4, rtol=0)
        else:
            assert np.abs(found - logits).mean() < 0.3 * np.std(np.concatenate(expected))
