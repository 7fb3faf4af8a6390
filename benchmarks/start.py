"""What a student answers before its first training step, by shape and by start.

    python benchmarks/start.py --data DATA/sst2_sentences --teacher runs/bench/sst2_sentences-teacher-42

The teacher is a fine-tuned run; without --teacher one is made first, as `tinybert finetune` makes it.
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


def score(data: Path, teacher: str, shape: str, start: str) -> float | None:
    """Return the student's score on the test rows, untrained; None where such a start cannot be."""
    recipe = build_recipe(
        {
            "data": {"path": str(data)},
            "teacher": {"path": teacher},
            "student": {"shape": shape, "start": start},
        }
    )
    try:
        plan = plan_distill(recipe)
    except RecipeError:
        return None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows, encoded, _ = prepare_rows(plan, str(data), folder)
        begin = StartPlan(plan.start, plan.source, plan.shape, plan.layer_map, keep_head=start != "random")
        begun = start_student(
            begin, plan.task, rows.labels, rows=encoded.train, collator=encoded.collator, seed=42
        )
        save_checkpoint(begun.model, encoded, folder / "model")
        scores = score_checkpoint(
            folder / "model", rows.splits["test"], labels=rows.labels, max_length=recipe.data.max_length
        )
        return 100 * scores["test"][plan.task.main_metric]


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--teacher", help="a fine-tuned run")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    quiet_libraries()
    teacher = options.teacher or str(
        tinybert.finetune(
            options.data, model="bundled:minilm", out=f"runs/bench/{options.data.name}-teacher-42"
        ).path
    )
    table = {
        shape: {start: score(options.data, teacher, shape, start) for start in STARTS} for shape in SHAPES
    }
    if options.json:
        print(json.dumps(table, indent=2))
        return
    print(f"| student | {' | '.join(STARTS)} |\n| --- | {' | '.join('---' for _ in STARTS)} |")
    for shape, scores in table.items():
        cells = ("–" if value is None else f"{value:.1f}" for value in scores.values())
        print(f"| {shape} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
