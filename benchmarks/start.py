"""What a student answers before its first training step, by shape and by start, or by the layers it keeps.

    python benchmarks/start.py --data DATA/sst2_sentences --teacher runs/bench/sst2_sentences-teacher-42
    python benchmarks/start.py --data DATA/squad11 --task qa --teacher runs/bench/squad11-teacher-42 \
        --layer-maps 1,3,4,6 2,3,4,5

The teacher is a fine-tuned run; without --teacher one is made first, as `tinybert finetune` makes it. Layers
are to be chosen with it, so they are compared on the validation rows; shapes and starts on the test rows.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import tinybert
from tinybert.config import build_recipe
from tinybert.errors import RecipeError
from tinybert.evaluate import score_checkpoint
from tinybert.stages.distillation import prepare_rows
from tinybert.stages.fit import save_checkpoint
from tinybert.stages.pipeline import quiet_libraries
from tinybert.stages.plan import plan_distill
from tinybert.stages.start import StartPlan, start_student

SHAPES = ("4l-384d", "3l-384d", "4l-312d", "4l-192d", "2l-128d")
STARTS = ("random", "slice", "project")


def score(options: argparse.Namespace, student: dict[str, object], split: str) -> float | None:
    """Return the student's score on a split, untrained; None where such a start cannot be."""
    data = str(options.data)
    given = {"task": options.task, "data": {"path": data}, "teacher": {"path": options.teacher}}
    recipe = build_recipe({**given, "student": student})
    try:
        plan = plan_distill(recipe)
    except RecipeError:
        return None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows, encoded, _ = prepare_rows(plan, data, folder)
        knows = plan.start != "random"
        begin = StartPlan(plan.start, plan.source, plan.shape, plan.layer_map, keep_head=knows)
        begun = start_student(
            begin, plan.task, rows.labels, rows=encoded.train, collator=encoded.collator, seed=42
        )
        save_checkpoint(begun.model, encoded, folder / "model")
        scores = score_checkpoint(
            folder / "model", rows.splits[split], labels=rows.labels, max_length=plan.recipe.data.max_length
        )
        return 100 * scores["test"][plan.task.main_metric]


def of_layers(options: argparse.Namespace) -> dict[str, dict[str, float | None]]:
    """Return the score on validation rows for each choice of layers."""
    return {
        given: {
            "project": score(
                options,
                {
                    "num_hidden_layers": given.count(",") + 1,
                    "layer_map": [int(layer) for layer in given.split(",")],
                    "start": "project",
                },
                "validation",
            )
        }
        for given in options.layer_maps
    }


def of_shapes(options: argparse.Namespace) -> dict[str, dict[str, float | None]]:
    """Return the score on test rows for each shape and start."""
    return {
        shape: {start: score(options, {"shape": shape, "start": start}, "test") for start in STARTS}
        for shape in SHAPES
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
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    quiet_libraries()
    if not options.teacher:
        out = f"runs/bench/{options.data.name}-teacher-42"
        run = tinybert.finetune(options.data, model="bundled:minilm", task=options.task, out=out)
        options.teacher = str(run.path)
    table = of_layers(options) if options.layer_maps else of_shapes(options)
    if options.json:
        print(json.dumps(table, indent=2))
        return
    starts = next(iter(table.values()))
    print(f"| student | {' | '.join(starts)} |\n| --- | {' | '.join('---' for _ in starts)} |")
    for shape, scores in table.items():
        cells = ("–" if value is None else f"{value:.1f}" for value in scores.values())
        print(f"| {shape} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
