"""What a head fitted on frozen vectors is worth: before any fine-tuning, and after it beside a random head.

    python benchmarks/head_start.py --data DATA/banking77 --epochs 1 3 --rows 3000 --out runs/bench
    python benchmarks/head_start.py --data DATA/banking77 --shape 4l-384d --epochs 3 --out runs/bench
    python benchmarks/head_start.py --data DATA/banking77 --model bundled:mpnet --rows 2000 --frozen --out …

Frozen: a logistic regression on the pooled vectors themselves, which no head of `transformers` can hold, and
the head that was fitted, which is an ordinary checkpoint. With --shape the model is a student of that shape,
projected from the pre-trained --model: what the baseline of a distillation is. What is done already is found
again under --out. Scores are those of the test split.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import cast

import torch
from torch import nn

import tinybert
from tinybert.config import build_recipe
from tinybert.data import encode_split
from tinybert.models import describe, load_config, load_tokenizer, resolve_layer_map, resolve_shape
from tinybert.models.families import encoder
from tinybert.models.head import head_activation, logits_layer, pooler_layer
from tinybert.models.start.head_fit import FrozenVectors, fit_dense, fit_logits_layer, frozen_vectors
from tinybert.models.start.initialise import student_families
from tinybert.stages.finetune import FinetunePlan
from tinybert.stages.pipeline import make_plan, quiet_libraries
from tinybert.stages.steps.head import choose_pooling, spread_batches
from tinybert.stages.steps.prepare import encode_rows, load_for_labels, load_rows
from tinybert.stages.steps.start import StartPlan, start_student

Scores = dict[str, float]


def prepared(options: argparse.Namespace, folder: Path):
    """Return the plan of a fine-tuning, its rows, and the rows as the model reads them."""
    overrides = [f"data.max_train_rows={options.rows}"] if options.rows else []
    tree = {"stage": "finetune", "task": options.task, "model": options.model, "data": {"path": options.data}}
    plan = make_plan(build_recipe(tree, overrides))
    assert isinstance(plan, FinetunePlan)
    data = load_rows(options.data, plan.recipe, plan.task, work_dir=folder / "rows", allow_unlabelled=False)
    encoded = encode_rows(
        data,
        load_tokenizer(options.model),
        recipe=plan.recipe,
        task=plan.task,
        max_length=plan.training.max_length,
        folder=folder / "encoded",
    )
    return plan, data, encoded


def frozen(options: argparse.Namespace, folder: Path) -> Scores:
    """Return the scores before any fine-tuning: of the pooled vectors, and of the fitted head."""
    plan, data, encoded = prepared(options, folder)
    settings = {"pooling": choose_pooling(options.model), "bf16": options.bf16}

    def of_labels(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return encoded.hard_loss(logits, {"labels": labels})

    model = load_for_labels(options.model, plan.task, data.labels, seed=42, new_head=True)
    test = encode_split(
        data.splits["test"],
        load_tokenizer(options.model),
        max_length=plan.training.max_length,
        format=data.format,
        cache_dir=folder / "encoded",
    )
    train, unseen = (
        frozen_vectors(
            model,
            chain.from_iterable(spread_batches(rows, encoded.collator) for _ in range(num_passes)),
            seed=seed,
            **settings,
        )
        for rows, num_passes, seed in (
            (encoded.train, options.passes, 42 if options.dropout else None),
            (test, 1, None),
        )
    )
    dense, layer = cast(nn.Linear, pooler_layer(model)), cast(nn.Linear, logits_layer(model))
    fit_dense(model, train)
    first = slice(len(train.labels) // options.passes)
    train = FrozenVectors(train.first[first], train.pooled[first], train.labels[first])
    with torch.no_grad():
        pooled, pooled_unseen = (head_activation(model)(dense(each.first)) for each in (train, unseen))
    pairs = {"head": (pooled, pooled_unseen), "pooled": (train.pooled, unseen.pooled)}
    found: Scores = {}
    for name, (inputs, inputs_unseen) in pairs.items():
        found[f"{name} penalty"] = fit_logits_layer(layer, inputs, train.labels, loss=of_labels).penalty
        with torch.no_grad():
            logits = layer(inputs_unseen)
        found[name] = 100 * plan.task.metrics(logits.numpy(), unseen.labels.numpy())[plan.task.main_metric]
    return found


def student_of_shape(options: argparse.Namespace, folder: Path) -> str:
    """Return the encoder of a student that is projected from the pre-trained model."""
    plan, data, encoded = prepared(options, folder)
    shape = resolve_shape(options.shape, {})
    config = load_config(options.model)
    depth, family = describe(config).num_hidden_layers, student_families(config.model_type)[0]
    layers = tuple(resolve_layer_map("uniform", shape.num_hidden_layers, depth))
    begin = StartPlan("project", options.model, shape, family, layers, keep_head=False)
    begun = start_student(
        begin, plan.task, data.labels, rows=encoded.train, collator=encoded.collator, seed=42
    )
    target = folder / "student"
    encoder(begun.model).save_pretrained(target)
    encoded.tokenizer.save_pretrained(target)
    return str(target)


def fine_tuned(options: argparse.Namespace, folder: Path, *, start: str, epochs: int) -> Scores:
    """Return the score after a fine-tuning."""
    overrides = [f"train.num_epochs={epochs}", f"head_start={start}"]
    overrides += [f"data.max_train_rows={options.rows}"] if options.rows else []
    run = tinybert.finetune(
        options.data,
        *overrides,
        model=options.model,
        out=folder / f"{start}-{epochs}",
        task=options.task,
    )
    metrics = run.metrics
    model = metrics["model"]
    return {
        "score": 100 * model["test"][metrics["main_metric"]],  # type: ignore[index]
        "seconds": model["train_seconds"],  # type: ignore[index]
    }


def once(file: Path, make: Callable[[], Scores]) -> Scores:
    """Return what a file holds, and make it first where it is not there."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        found = make()
        file.write_text(json.dumps(found), encoding="utf-8")
    return json.loads(file.read_text(encoding="utf-8"))


def main() -> None:
    """Measure what was asked for, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True)
    parser.add_argument("--task", default="classification")
    parser.add_argument("--model", default="bundled:minilm")
    parser.add_argument("--shape")
    parser.add_argument("--rows", type=int)
    parser.add_argument("--epochs", type=int, nargs="*", default=[])
    parser.add_argument("--method", default="logistic")
    parser.add_argument(
        "--passes", type=int, default=1, help="of the training rows, each with another dropout mask"
    )
    parser.add_argument("--frozen", action="store_true")
    parser.add_argument("--dropout", action="store_true", help="frozen: with dropout, as fine-tuning fits it")
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    quiet_libraries()
    name = "-".join(
        (
            Path(options.data).name,
            Path(options.model).name.replace(":", "-"),
            str(options.shape),
            str(options.rows),
        )
    )
    folder = options.out / f"head-{name}"
    if options.shape:
        if not (folder / "student" / "config.json").exists():
            student_of_shape(options, folder)
        options.model = str(folder / "student")
    lines: list[tuple[str, float]] = []
    if options.frozen:
        found = once(
            folder / f"frozen-{options.dropout}-{options.passes}.json", lambda: frozen(options, folder)
        )
        lines += [("pooled vectors + regression (no checkpoint)", found["pooled"])]
        lines += [(f"fitted head, no fine-tuning (λ = {found['head penalty']:g})", found["head"])]
    for epochs in options.epochs:
        for start in ("random", options.method):
            found = fine_tuned(options, folder, start=start, epochs=epochs)
            lines.append((f"{epochs} epochs from a {start} head, {found['seconds']:.0f} s", found["score"]))
    for text, score in lines:
        print(f"{text:55s} {score:6.2f}")


if __name__ == "__main__":
    main()
