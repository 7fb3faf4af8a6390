"""What a student that writes learns to write: the data's targets, or those that its teacher writes.

The teacher's texts are kept beside its other outputs, block by block: a run that resumes, or another student
of the same teacher, finds them again.

Source: sequence-level distillation, arXiv:1606.07947, section 3.2; the best of several texts against the
reference, section 3.3 there. Differs: the best is chosen by chrF, which tells short texts apart where BLEU
is 0.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import pyarrow as pa
from datasets import Dataset

from tinybert.checksums import is_kept, record_file
from tinybert.config import Recipe
from tinybert.console import progress, say
from tinybert.inference import Predictor
from tinybert.metrics import text_scores
from tinybert.models import load_seq2seq
from tinybert.sources.arrow import write_batches
from tinybert.stages.steps.distillation import Distillation, encode_for
from tinybert.storage import cache_folder, write_text
from tinybert.teachers import weights_digest

BLOCK_ROWS = 512
BATCH_ROWS = 64


def with_written_targets(work: Distillation) -> Distillation:
    """Return a distillation whose training rows have the targets that the student shall learn."""
    wanted = str(work.recipe.distill.targets)
    rows = work.data.splits["train"]
    given = cast("list[list[str] | None]", list(rows["label"]))
    chosen = [row for row, targets in enumerate(given) if wanted != "reference" or not targets]
    if not chosen:
        return work
    sources = list(rows["text"])
    written = teacher_texts(work, [sources[row] for row in chosen], several=wanted == "best")
    targets = list(given)
    for row, texts in zip(chosen, written, strict=True):
        targets[row] = [best_of(texts, given[row]) if wanted == "best" else texts[0]]
    train = with_targets(rows, targets, work.run.work / "targets")
    data = replace(work.data, splits={**work.data.splits, "train": train})
    encoded, prefix = encode_for(work.plan, data, work.run.work)
    return replace(work, data=data, encoded=encoded, teacher_prefix=prefix)


def best_of(texts: Sequence[str], references: Sequence[str] | None) -> str:
    """Return the text that is nearest to a reference; the likeliest where there is none."""
    if not references:
        return texts[0]
    scores = [text_scores([text], [references], names=["chrf"])["chrf"] for text in texts]
    return texts[scores.index(max(scores))]


def teacher_texts(work: Distillation, sources: Sequence[str], *, several: bool) -> list[list[str]]:
    """Return what the teacher writes of each source, the likeliest text first; kept in the teacher store."""
    plan = work.plan
    backend = "torch-bf16" if work.bf16 else "torch"
    digest = f"{weights_digest(load_seq2seq(plan.teacher.path))}|{backend}|{several}"
    predictor = Predictor(
        plan.teacher.path,
        backend=backend,
        batch_size=BATCH_ROWS,
        max_length=plan.training.max_length,
        task=plan.task,
        format=plan.task.format,
    )
    assert predictor.writing is not None
    how = predictor.writing.settings
    folder = _folder(f"{digest}|{how}", sources)
    folder.mkdir(parents=True, exist_ok=True)
    say(f"the teacher writes {len(sources):,} targets")
    num_return = how.num_beams if several else 1
    found: list[list[str]] = []
    with progress("teacher's texts", len(sources), unit="rows") as advance:
        for number, start in enumerate(range(0, len(sources), BLOCK_ROWS)):
            block = list(sources[start : start + BLOCK_ROWS])
            found += _block(folder / f"texts-{number:05d}.json", predictor, block, num_return=num_return)
            advance(len(block))
    return found


def _folder(request: str, sources: Sequence[str]) -> Path:
    digest = hashlib.sha256(request.encode())
    for source in sources:
        digest.update(json.dumps(source).encode())
    return cache_folder() / "teacher-stores" / digest.hexdigest()[:24]


def _block(file: Path, predictor: Predictor, sources: list[str], *, num_return: int) -> list[list[str]]:
    """Return the texts of some sources, written once."""
    if not is_kept(file):
        features = predictor.encode({"text": sources})
        written = predictor.candidates(features, num_return=num_return)
        texts = [[each.text for each in candidates] for candidates in written]
        write_text(file, json.dumps(texts, ensure_ascii=False))
        record_file(file)
    return cast("list[list[str]]", json.loads(file.read_text(encoding="utf-8")))


def with_targets(rows: Dataset, targets: Sequence[list[str] | None], folder: Path) -> Dataset:
    """Return rows with other targets, on disk; a text that is empty is no target."""
    kept = [None if not each or not each[0].strip() else each for each in targets]
    schema = rows.features.arrow_schema
    columns = [name for name in rows.column_names if name != "label"]
    folder.mkdir(parents=True, exist_ok=True)
    table = {name: list(rows[name]) for name in columns} | {"label": kept}
    batch = pa.record_batch([pa.array(table[name], schema.field(name).type) for name in schema.names], schema)
    file = folder / "train.arrow"
    write_batches(file, schema, iter([batch]))
    return Dataset.from_file(str(file))


def targets_note(recipe: Recipe) -> str:
    """Return the sentence on what the student learnt to write."""
    return {
        "reference": "The student learnt the references of the data.",
        "best": "The student learnt, of the texts that its teacher writes of each source, the one nearest to "
        "the reference by chrF.",
    }.get(str(recipe.distill.targets), "The student learnt the texts that its teacher writes of each source.")
