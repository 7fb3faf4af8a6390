"""How the files in this folder were made: by the version before the rooms got their present names.

They are not made again: what an older version wrote must open as it is. To record another version, check it
out, put its ``src`` and root first on ``PYTHONPATH``, and run this file in an empty folder:

    cd EMPTY && PYTHONPATH=OLD/src:OLD OMP_NUM_THREADS=1 python make.py

All paths are given relative to the folder, so that nothing in it depends on where it lies. The one exception
is the state of the half written file of predictions: it holds the input's whole path, here FOLDER/…, and the
times of files; the test rewrites both.
Pictures, reports for people and encoders that no test reads are left out to keep the folder small.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests import easy, tokens

DEEP = {"hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
FLAT = {**DEEP, "num_hidden_layers": 1}
TINIEST = {**FLAT, "hidden_size": 4, "intermediate_size": 8}
STUDENT = [
    "student.num_hidden_layers=1",
    "student.hidden_size=12",
    "student.num_attention_heads=2",
    "student.intermediate_size=16",
]
TRAIN = ["train.batch_size=8", "train.learning_rate=1e-2", "train.precision=fp32", "data.max_length=48"]
FINETUNE = ["finetune", "rows/keywords", "--model", "encoders/deep", "--out", "finetuned"]
UNFINISHED = [
    *["finetune", "rows/keywords", "--model", "encoders/tiniest", "--out", "unfinished"],
    *[*TRAIN, "train.num_epochs=6"],
]
HALF = ["predict", "entities", "--input", "rows/many.jsonl", "--output", "half.csv"]
LEFT_OUT = ("*.png", "report.md", "parity.md")


def tinybert(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "tinybert", *words], check=True)


def make_pairs(count: int) -> list[easy.Row]:
    """The keyword task with a first text that says nothing."""
    rng = random.Random(5)
    return [
        {"sentence1": " ".join(rng.sample(easy.NOISE, 3)), "sentence2": row["text"], "label": row["label"]}
        for row in easy.make_rows(count, seed=6)
    ]


def write_many() -> Path:
    """Write short texts, three windows of them; few have an entity, for the file of them is to stay small."""
    rng = random.Random(9)
    rows: list[easy.Row] = []
    for number in range(3000):
        words = [rng.choice(tokens.TITLES), rng.choice(tokens.NAMES)] if number % 16 == 0 else []
        rows.append({"text": " ".join([*words, *rng.sample(easy.NOISE, 3)])})
    return easy.write_rows(Path("rows/many.jsonl"), rows)


def write_rows() -> None:
    easy.write_splits(Path("rows/keywords"), easy.make_splits(train=64, validation=24, test=24))
    pairs = make_pairs(88)
    easy.write_splits(
        Path("rows/pairs"), {"train": pairs[:56], "validation": pairs[56:72], "test": pairs[72:]}
    )
    small = {"train": 48, "validation": 12, "test": 12}
    easy.write_splits(Path("rows/entities"), tokens.make_splits(tokens.make_entity_rows, **small))
    questions = tokens.make_splits(tokens.make_question_rows, **small, unanswerable=True)
    easy.write_splits(Path("rows/questions"), questions)


def write_encoders() -> None:
    easy.save_encoder(Path("encoders/deep"), **DEEP)
    easy.save_encoder(Path("encoders/tiniest"), **TINIEST)
    easy.save_encoder(Path("encoders/flat"), **FLAT)
    easy.save_encoder(Path("encoders/tokens"), words=tokens.WORDS, **FLAT)


def train_runs() -> None:
    tinybert(*FINETUNE, *TRAIN, "train.num_epochs=8")
    words = ["distill", "rows/keywords", "--teacher", "finetuned", "--out", "distilled"]
    tinybert(*words, *STUDENT, *TRAIN, "train.num_epochs=3")
    tinybert("export", "distilled", "--format", "onnx", "--precision", "int8", "--min-kept", "0.8")
    words = ["finetune", "rows/pairs", "--model", "encoders/flat", "--out", "pairs"]
    tinybert(*words, *TRAIN, "train.num_epochs=8")
    for task, name in (("ner", "entities"), ("qa", "questions")):
        words = ["finetune", f"rows/{name}", "--task", task, "--model", "encoders/tokens", "--out", name]
        tinybert(*words, *TRAIN, "train.num_epochs=8")


def predict_all() -> None:
    """Predict the test rows, as files; the distilled run by both engines."""
    engines = {"distilled": ["torch", "onnx-int8"]}
    Path("predictions").mkdir()
    rows = {"finetuned": "keywords", "distilled": "keywords"}
    for run in ("finetuned", "distilled", "pairs", "entities", "questions"):
        for backend in engines.get(run, ["torch"]):
            target = f"predictions/{run}-{backend}.jsonl"
            source = f"rows/{rows.get(run, run)}/test.jsonl"
            tinybert("predict", run, "--input", source, "--output", target, "--backend", backend)


def killed(words: list[str], is_amid: Callable[[], bool]) -> None:
    """Give a command and kill it as soon as it is amid its work."""
    process = subprocess.Popen([sys.executable, "-m", "tinybert", *words])
    while not is_amid():
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()


def leave_unfinished() -> None:
    """Leave a run killed after its first epoch, and what it predicts when the same version finishes it."""
    checkpoints = Path(".unfinished.partial/work/model/checkpoints")
    killed(UNFINISHED, lambda: bool(list(checkpoints.glob("*/trainer_state.json"))))
    assert len(list(checkpoints.glob("checkpoint-*"))) == 1
    shutil.copytree(".unfinished.partial", "kept")
    tinybert(*UNFINISHED)
    source, target = "rows/keywords/test.jsonl", "predictions/unfinished-torch.jsonl"
    tinybert("predict", "unfinished", "--input", source, "--output", target, "--backend", "torch")
    shutil.rmtree("unfinished")
    Path("kept").rename(".unfinished.partial")


def leave_half_written() -> None:
    """Leave a file of predictions killed amid its rows; the rows themselves the test makes again."""
    rows = write_many()
    killed(HALF, lambda: Path("half.csv.partial.json").exists())
    text = Path("half.csv.partial.json").read_text()
    assert 0 < json.loads(text)["num_read"] < 3000
    Path("half.csv.partial.json").write_text(text.replace(str(Path.cwd()), "FOLDER"))
    rows.unlink()


def main() -> None:
    os.environ |= {"HF_HUB_OFFLINE": "1", "TINYBERT_CACHE": str(Path("cache").resolve())}
    write_rows()
    write_encoders()
    train_runs()
    predict_all()
    leave_unfinished()
    leave_half_written()
    for folder in ("cache", "encoders/deep", "encoders/flat", "encoders/tokens"):
        shutil.rmtree(folder, ignore_errors=True)
    for pattern in LEFT_OUT:
        for file in Path().rglob(pattern):
            file.unlink()


if __name__ == "__main__":
    main()
