"""Memory and time of answering many questions: it must not grow with their number.

    python benchmarks/questions.py MODEL DATA [--rows N]

MODEL is a run or a checkpoint that answers questions, DATA a folder or a file of questions. After every
chunk of rows one line says how many questions were answered and what the process holds: compare the first
line with the last.
"""

from __future__ import annotations

import argparse
import time

import psutil

from tinybert import Predictor
from tinybert.config import DataSection
from tinybert.data import load
from tinybert.inference import predictor as module
from tinybert.tasks.qa import QA

CHUNK = 512


def main() -> None:
    """Answer all questions of a test split and print memory as it goes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("data")
    parser.add_argument("--rows", type=int)
    options = parser.parse_args()
    rows = load(options.data, settings=DataSection(), format=QA.format, need=("test",)).splits["test"]
    rows = rows if options.rows is None else rows.select(range(min(options.rows, len(rows))))
    module.CHUNK_ROWS = CHUNK
    predictor, process = Predictor(options.model), psutil.Process()
    outputs, gold, began = [], [], time.perf_counter()
    for start in range(0, len(rows), CHUNK):
        part = rows.select(range(start, min(start + CHUNK, len(rows))))
        outputs += predictor.outputs(part)
        gold += part["label"]
        seconds = time.perf_counter() - began
        print(
            f"{len(outputs):>7,} questions  {process.memory_info().rss / 1e6:>7,.0f} MB"
            f"  {len(outputs) / seconds:>6.1f} questions/s",
            flush=True,
        )
    scores = predictor.task.metrics(outputs, gold)
    print(f"F1 {scores['f1']:.4f}, exact match {scores['exact_match']:.4f}")


if __name__ == "__main__":
    main()
