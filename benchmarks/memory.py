"""Peak memory of reading and encoding many rows; prints JSON.

    python benchmarks/memory.py --rows 2000000 --tokenizer bundled:minilm
    python benchmarks/memory.py --raw-text-mb 2000

The rows are made up: sentences of 5 to 30 words, two labels, one CSV file. The peak is that of the whole
process, memory-mapped pages of the files included, so it is what a process monitor shows at worst.

With --raw-text-mb documents of 50 to 400 words are read as raw text instead: cleaned, de-duplicated exactly
and nearly, and cut into blocks.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from tinybert.config import CorpusSection, DataSection
from tinybert.corpus import load_corpus
from tinybert.corpus.blocks import encode_blocks
from tinybert.data import encode_split, load
from tinybert.models import load_tokenizer
from tinybert.sources import fetch, is_bundled
from tinybert.tasks.classification import CLASSIFICATION

WORDS = (
    *(
        "the",
        "a",
        "of",
        "film",
        "story",
        "actor",
        "plot",
        "scene",
        "director",
        "was",
        "is",
        "never",
        "always",
    ),
    *("dull", "bright", "moving", "slow", "brilliant", "predictable", "charming", "music", "with"),
)


def write_rows(file: Path, num_rows: int) -> None:
    rng = np.random.default_rng(0)
    with file.open("w", encoding="utf-8") as stream:
        stream.write("text,label\n")
        for start in range(0, num_rows, 10_000):
            size = min(10_000, num_rows - start)
            words = rng.choice(WORDS, size=(size, 30))
            lengths = rng.integers(5, 31, size=size)
            for index in range(size):
                text = " ".join(words[index, : lengths[index]].tolist())
                stream.write(f"{text} {start + index},{'positive' if index % 3 else 'negative'}\n")


def peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


def anonymous_mb() -> float | None:
    status = Path("/proc/self/status")
    if not status.is_file():
        return None
    line = next(line for line in status.read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) / 1024


def measure(num_rows: int, tokenizer: str, folder: Path) -> dict[str, float | int | None]:
    from transformers import AutoTokenizer

    file = folder / "rows.csv"
    write_rows(file, num_rows)
    loaded_tokenizer = AutoTokenizer.from_pretrained(fetch(tokenizer) if is_bundled(tokenizer) else tokenizer)
    result: dict[str, float | int | None] = {"rows": num_rows, "file_mb": file.stat().st_size / 2**20}
    result["before_peak_mb"] = peak_mb()
    start = time.perf_counter()
    data = load(file, settings=DataSection(), format=CLASSIFICATION.format, work_dir=folder)
    result["read_s"] = time.perf_counter() - start
    result["read_peak_mb"] = peak_mb()
    start = time.perf_counter()
    for split in data.splits.values():
        encode_split(split, loaded_tokenizer, max_length=128, cache_dir=folder)
    result["encode_s"] = time.perf_counter() - start
    result["peak_mb"] = peak_mb()
    result["anonymous_after_mb"] = anonymous_mb()
    return {key: round(value, 1) if value is not None else None for key, value in result.items()}


def measure_raw_text(size_mb: int, tokenizer: str, folder: Path) -> dict[str, float | int | None]:
    loaded_tokenizer = load_tokenizer(fetch(tokenizer) if is_bundled(tokenizer) else tokenizer)
    file = folder / "text.txt"
    write_documents(file, size_mb)
    result: dict[str, float | int | None] = {"file_mb": file.stat().st_size / 2**20}
    result["before_peak_mb"] = peak_mb()
    start = time.perf_counter()
    corpus = load_corpus(file, settings=CorpusSection(), text=None, work_dir=folder)
    result |= {"documents": corpus.counts["read"], "kept": corpus.counts["kept"]}
    result["read_s"] = time.perf_counter() - start
    result["read_peak_mb"] = peak_mb()
    encode_blocks(corpus.train, loaded_tokenizer, max_length=128, language=corpus.language, cache_dir=folder)
    result["peak_mb"] = peak_mb()
    result["anonymous_after_mb"] = anonymous_mb()
    return {key: round(value, 1) if value is not None else None for key, value in result.items()}


def write_documents(file: Path, size_mb: int) -> None:
    rng = np.random.default_rng(0)
    words = np.array([f"{first}{second}" for first in WORDS for second in WORDS])
    written = 0
    with file.open("w", encoding="utf-8") as stream:
        while written < size_mb * 2**20:
            written += stream.write(" ".join(rng.choice(words, size=int(rng.integers(50, 400)))) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--tokenizer", default="bundled:minilm", help="folder, hub name or bundled:minilm")
    parser.add_argument("--raw-text-mb", type=int)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if arguments.raw_text_mb:
            print(json.dumps(measure_raw_text(arguments.raw_text_mb, arguments.tokenizer, Path(folder))))
            return
        print(json.dumps(measure(arguments.rows, arguments.tokenizer, Path(folder))))


if __name__ == "__main__":
    main()
