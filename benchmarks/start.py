"""What a student predicts before its first training step, by shape and by start, or by the layers it keeps.

    python benchmarks/start.py --data DATA/sst2_sentences --teacher runs/bench/sst2_sentences-teacher-42
    python benchmarks/start.py --data DATA/squad11 --task qa --teacher runs/bench/squad11-teacher-42 \
        --layer-maps 1,3,4,6 2,3,4,5
    python benchmarks/start.py --data DATA/sst2_sentences --teacher MPNET_RUN --family bert
    python benchmarks/start.py --data DATA/mrpc --teacher runs/bench/mrpc-teacher-42 --student runs/general

The last one compares a student of general distillation, as it is and as it is adapted to the task, with
one of its shape that is projected from the teacher.

The teacher is a fine-tuned run; without --teacher one is made first, as `tinybert finetune` makes it. Layers
are to be chosen with it, so they are compared on the validation rows; shapes and starts on the test rows.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

import tinybert
from tinybert.config import build_recipe
from tinybert.data import TextData
from tinybert.errors import RecipeError
from tinybert.evaluation import score_checkpoint
from tinybert.inference import Predictor
from tinybert.models import describe, load_config
from tinybert.stages.pipeline import make_plan, quiet_libraries
from tinybert.stages.steps.distillation import encode_for, read_rows
from tinybert.stages.steps.fit import save_checkpoint
from tinybert.stages.steps.start import start_student
from tinybert.stages.steps.student import first_weights

SHAPES = ("4l-384d", "3l-384d", "4l-312d", "4l-192d", "2l-128d")
STARTS = ("random", "slice", "project")
Table = dict[str, dict[str, float] | None]


def score(
    options: argparse.Namespace, student: dict[str, object], split: str, *, adapted: bool = True
) -> dict[str, float] | None:
    """Return an untrained student's score on a split and its distance; None where such a start cannot be."""
    data = str(options.data)
    given = {"task": options.task, "data": {"path": data}, "teacher": {"path": options.teacher}}
    recipe = build_recipe({**given, "student": student})
    try:
        plan = make_plan(recipe)
    except RecipeError:
        return None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = read_rows(plan, data, folder)
        encoded, _ = encode_for(plan, rows, folder)
        begin = first_weights(plan, rows.labels, same_tokens=True)
        if not adapted:
            begin = replace(begin, origin=None)
        begun = start_student(
            begin, plan.task, rows.labels, rows=encoded.train, collator=encoded.collator, seed=42
        )
        save_checkpoint(begun.model, encoded.tokenizer, folder / "model")
        scores = score_checkpoint(
            folder / "model",
            rows.splits[split],
            task=plan.task,
            labels=rows.labels,
            max_length=plan.training.max_length,
        )
        found = {plan.task.main_metric: 100 * scores["test"][plan.task.main_metric]}
        if options.student:
            found["KL to the teacher"] = divergence(options.teacher, folder / "model", rows, split)
        return found


def divergence(teacher: str, student: Path, rows: TextData, split: str) -> float:
    """Return KL(teacher ‖ student) of the predictions, the mean over rows."""
    outputs = [Predictor(path, labels=rows.labels).outputs(rows.splits[split]) for path in (teacher, student)]
    theirs, own = (torch.tensor(np.asarray(logits)).float().log_softmax(-1) for logits in outputs)
    return float((theirs.exp() * (theirs - own)).sum(-1).mean())


def of_general(options: argparse.Namespace) -> Table:
    """Return scores and distances of a general student and of a projected one of its shape."""
    info = describe(load_config(options.student))
    sizes = ("num_hidden_layers", "hidden_size", "num_attention_heads", "intermediate_size")
    own: dict[str, object] = {"shape": options.student}
    return {
        "projected": score(
            options, {**{size: getattr(info, size) for size in sizes}, "start": "project"}, "test"
        ),
        "general, as it is": score(options, own, "test", adapted=False),
        "general, adapted": score(options, own, "test"),
    }


def of_layers(options: argparse.Namespace) -> Table:
    """Return the score on validation rows for each choice of layers."""
    return {
        given: score(
            options,
            {
                "num_hidden_layers": given.count(",") + 1,
                "layer_map": [int(layer) for layer in given.split(",")],
                "start": "project",
            },
            "validation",
        )
        for given in options.layer_maps
    }


def of_shapes(options: argparse.Namespace) -> Table:
    """Return the score on test rows for each shape and start."""
    return {
        shape: {
            start: next(iter(found.values()))
            for start in STARTS
            if (found := score(options, {"shape": shape, "start": start, "family": options.family}, "test"))
        }
        for shape in options.shapes
    }


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--task", default="classification")
    parser.add_argument("--teacher", help="a fine-tuned run")
    parser.add_argument("--layer-maps", nargs="*", help="layers of the teacher to keep, such as 2,3,4,5")
    parser.add_argument("--student", help="a run of general distillation")
    parser.add_argument("--shapes", nargs="*", default=SHAPES, help="of the students")
    parser.add_argument("--family", default="auto", help="of the students, where the start leaves a choice")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    quiet_libraries()
    if not options.teacher:
        out = f"runs/bench/{options.data.name}-teacher-42"
        run = tinybert.finetune(options.data, model="bundled:minilm", task=options.task, out=out)
        options.teacher = str(run.path)
    options.teacher = str(options.teacher)
    table = (
        of_general(options)
        if options.student
        else of_layers(options)
        if options.layer_maps
        else of_shapes(options)
    )
    if options.json:
        print(json.dumps(table, indent=2))
        return
    starts = list(dict.fromkeys(name for scores in table.values() for name in scores or {}))
    print(f"| student | {' | '.join(starts)} |\n| --- | {' | '.join('---' for _ in starts)} |")
    for shape, scores in table.items():
        cells = (
            f"{scores[name]:.{1 if scores[name] > 1 else 3}f}" if scores and name in scores else "–"
            for name in starts
        )
        print(f"| {shape} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
