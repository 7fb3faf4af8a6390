"""What all rooms' tests share: a cache of their own, and models and rows small enough to train in a test."""

from __future__ import annotations

import gc
import shutil
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch
from tests import easy, encdec, writers
from transformers import PreTrainedModel

torch.set_num_threads(1)
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job hands down "ignored"


def pytest_collection_finish() -> None:
    """Keep what is imported out of garbage collection, which each training runs over all objects."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _own_surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep tests, and the processes they start, out of the user's cache and off the hub."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINYBERT_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("HF_HOME", str(tmp_path_factory.mktemp("hf")))
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("TOKENIZERS_PARALLELISM", "false")
        patch.setattr("tinybert.evaluation.scores.LATENCY_ROWS", 10)  # every run measures its models
        yield


@pytest.fixture(scope="session")
def easy_rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of train, validation and test rows of the keyword task."""
    return easy.write_splits(tmp_path_factory.mktemp("easy_rows"), easy.make_splits())


@pytest.fixture(scope="session")
def tiny_teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier that knows the keyword task."""
    return easy.save_teacher(tmp_path_factory.mktemp("tiny_teacher"))


@pytest.fixture(scope="session")
def exported_teacher(tiny_teacher: Path, easy_rows: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That classifier with its exports to ONNX, in fp32 and int8; not to be changed."""
    from tinybert.stages.export import export

    folder = Path(shutil.copytree(tiny_teacher, tmp_path_factory.mktemp("exported") / "teacher"))
    for precision in ("fp32", "int8"):
        export(folder, format="onnx", precision=precision, data=easy_rows)
    return folder


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pre-trained (that is, random) encoder without a task head."""
    return easy.save_encoder(tmp_path_factory.mktemp("tiny_encoder"))


@pytest.fixture(scope="session")
def exported_pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random encoder–decoder with ``rows.jsonl`` and its exports to ONNX, whose graphs are traced once.

    Not to be changed.
    """
    pytest.importorskip("onnxruntime")
    from tinybert.inference.backends import onnx_merged
    from tinybert.stages.export import export

    folder, work = encdec.save(tmp_path_factory.mktemp("pair") / "pair"), tmp_path_factory.mktemp("work")
    rows = encdec.write_rows(folder / "rows.jsonl", folder)
    trace = onnx_merged._write_full

    def copy(model: PreTrainedModel, targets: Sequence[Path]) -> None:
        kept = [work / target.name for target in targets]
        if not all(file.is_file() for file in kept):
            trace(model, kept)
        for file, target in zip(kept, targets, strict=True):
            shutil.copyfile(file, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnx_merged, "_write_full", copy)
        export(folder, format="onnx", precision="fp32", data=rows)
        export(folder, format="onnx", precision="int8", data=rows, min_kept=0.1)
    return folder


@pytest.fixture(scope="session")
def exported_seq2seq(exported_pair: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ONNX files of that encoder–decoder, in fp32 and int8, in one folder; not to be changed."""
    folder = tmp_path_factory.mktemp("exported_seq2seq")
    for name in ("onnx-fp32", "onnx-int8"):
        shutil.copytree(exported_pair / "exports" / name / "onnx", folder / "onnx", dirs_exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def tiny_writer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder–decoder of random weights, with BERT's kind of tokenizer; not to be changed."""
    return writers.save(tmp_path_factory.mktemp("tiny_writer") / "writer", writers.wordpiece())
