"""Distil a teacher on rows of your own: Python lists in, a run directory out, the figures from `run.metrics`.

Run it with `.venv/bin/python examples/distill_own_rows.py runs/own-rows`; the same command again returns the
finished run. The rows stand for yours: any list of mappings with a text and a label will do, and
rows without a label are fine in train, because the teacher labels them.
"""

import json
import sys

import numpy as np

from tinybert import distill, fetch, predict


def own_rows(split: str, num_rows: int) -> list[dict[str, object]]:
    with (fetch("bundled:movie-reviews") / f"{split}.jsonl").open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    rows = [rows[i] for i in np.random.default_rng(0).permutation(len(rows))[:num_rows]]
    return [{"text": row["text"], "label": row["label"]} for row in rows]


def main(out: str) -> None:
    train = own_rows("train", 400)
    for row in train[300:]:
        row["label"] = None  # the last hundred are unlabelled

    run = distill(
        {"train": train, "validation": own_rows("validation", 200), "test": own_rows("test", 200)},
        "data.text=text",
        "data.label=label",
        "train.num_epochs=2",
        teacher="bundled:minilm",  # it has no task head, so it is fine-tuned on the labelled rows first
        student="3l-384d",
        out=out,
    )

    print(f"\n{'model':<16}{'accuracy':>9}{'parameters':>13}{'ms a text':>11}")
    for name in ("teacher", "fine_tune_only", "student"):
        row = run.metrics[name]
        accuracy = row["test"]["accuracy"]
        print(f"{name:<16}{accuracy:>9.3f}{row['num_parameters']:>13,}{row['latency_ms']:>11.2f}")
    print(f"retention: {run.metrics['retention']:.1%} of the teacher's accuracy")

    for answer in predict(run, ["A warm and funny film.", "It never comes to life."]):
        print(answer.label, f"{answer.score:.0%}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "runs/own-rows")
