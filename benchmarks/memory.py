"""Peak memory of reading and encoding many rows; prints JSON.

    python benchmarks/memory.py --rows 2000000 --tokenizer bundled:minilm

The rows are made up: sentences of 5 to 30 words, two labels, one CSV file. The peak is that of the whole
process, memory-mapped pages of the files included, so it is what a process monitor shows at worst.
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

from tinybert.config import DataSection
from tinybert.data import encode_split, fetch, is_bundled, load

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
    data = load(file, settings=DataSection(), label_kind="single", work_dir=folder)
    result["read_s"] = time.perf_counter() - start
    result["read_peak_mb"] = peak_mb()
    start = time.perf_counter()
    for split in data.splits.values():
        encode_split(split, loaded_tokenizer, max_length=128, cache_dir=folder)
    result["encode_s"] = time.perf_counter() - start
    result["peak_mb"] = peak_mb()
    result["anonymous_after_mb"] = anonymous_mb()
    return {key: round(value, 1) if value is not None else None for key, value in result.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--tokenizer", default="bundled:minilm", help="folder, hub name or bundled:minilm")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(arguments.rows, arguments.tokenizer, Path(folder))))


if __name__ == "__main__":
    main()
