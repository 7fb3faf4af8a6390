"""Where a teacher's outputs come from: a file, the store, or the model itself."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from tinybert.config import Recipe
from tinybert.console import progress, say
from tinybert.errors import RecipeError
from tinybert.objectives import Teaching
from tinybert.stages.steps.distillation import Distillation
from tinybert.stages.steps.prepare import load_for_labels
from tinybert.storage import cache_folder
from tinybert.teachers import (
    ModelTeacher,
    PooledTeacher,
    TargetStore,
    Teacher,
    TeacherShape,
    TeacherStore,
    Wanted,
    estimate_mb,
    estimate_targets_mb,
    make_room,
    read_soft_labels,
    store_key,
    weights_digest,
)


def choose_teacher(work: Distillation, teaching: Teaching) -> Teacher:
    """Return the teacher, its outputs pooled over the student's pieces where its tokenizer is another."""
    teacher = _own_teacher(work, teaching)
    per_piece = work.plan.task.format.windowed or not teaching.wanted().logits_only
    if work.teacher_prefix and per_piece:
        return PooledTeacher(teacher, prefix=work.teacher_prefix)
    return teacher


def _own_teacher(work: Distillation, teaching: Teaching) -> Teacher:
    """Return the file, the store where it fits its budget, or the live model."""
    plan, recipe, rows = work.plan, work.recipe, work.encoded.train
    if plan.teacher.kind == "file":
        texts, labels = work.data.splits["train"], work.data.labels
        answers = read_soft_labels(plan.teacher.path, texts, labels, reader=plan.task.soft_labels)
        return answers.of_windows(rows["example"][:]) if work.data.format.in_windows else answers
    wanted = teaching.wanted()
    model = load_for_labels(plan.teacher.path, plan.task, work.data.labels, seed=0, new_head=False)
    digest = f"{weights_digest(model)}|{work.data.labels.names}|{work.bf16}"
    if torch.cuda.is_available():
        nn.Module.to(model, "cuda")
    live = ModelTeacher(model, wanted, prefix=work.teacher_prefix, bf16=work.bf16)
    if plan.task.writes:
        return _targets_of(work, live, digest, wanted)
    if recipe.teacher.store == "off":
        return live
    needed = _store_mb(work, wanted)
    stores = cache_folder() / "teacher-stores"
    folder = stores / store_key(digest, rows, wanted, prefix=work.teacher_prefix)
    if not make_room(stores, needed, recipe.teacher.store_budget_mb, keep=folder):
        return _live_instead(recipe, live, needed)
    store = TeacherStore(folder, num_rows=len(rows), wanted=wanted)
    say(f"teacher store: {needed:,.0f} MB for {len(rows):,} rows")
    with progress("teacher outputs", len(rows), unit="rows") as advance:
        store.fill(live, rows, work.encoded.collator, prefix=work.teacher_prefix, on_rows=advance)
    return store


def _targets_of(work: Distillation, live: Teacher, digest: str, wanted: Wanted) -> Teacher:
    """Return the store of a decoder's likeliest tokens where that says enough, or the live model.

    A temperature other than 1 would weigh the tokens that are not kept, and layers are not kept at all.
    """
    recipe, rows = work.recipe, work.encoded.train
    is_enough = wanted.logits_only and recipe.distill.temperature == 1
    if recipe.teacher.store == "off" or not is_enough:
        if recipe.teacher.store == "on":
            raise RecipeError(
                "recipe",
                "teacher.store=on: of a teacher that writes only the likeliest tokens are kept, which serve "
                "prediction losses at distill.temperature=1; set teacher.store=auto",
            )
        return live
    needed = estimate_targets_mb([len(ids) for ids in rows["labels"]])
    stores = cache_folder() / "teacher-stores"
    folder = stores / store_key(digest, rows, wanted, with_labels=True)
    if not make_room(stores, needed, recipe.teacher.store_budget_mb, keep=folder):
        return _live_instead(recipe, live, needed)
    store = TargetStore(folder, num_rows=len(rows), wanted=wanted)
    say(f"teacher store: {needed:,.0f} MB for {len(rows):,} rows")
    with progress("teacher outputs", len(rows), unit="rows") as advance:
        store.fill(live, rows, work.encoded.collator, on_rows=advance)
    return store


def _store_mb(work: Distillation, wanted: Wanted) -> float:
    """Return how large the store of the training rows is."""
    lengths = np.asarray([len(ids) for ids in work.encoded.train[work.teacher_prefix + "input_ids"]])
    info = work.plan.teacher.info
    shape = TeacherShape(
        work.data.labels.num_labels,
        info.hidden_size if info else 0,
        info.num_attention_heads if info else 0,
        every_token=work.plan.task.format.windowed,
    )
    return estimate_mb(lengths, shape, wanted)


def _live_instead(recipe: Recipe, live: Teacher, needed: float) -> Teacher:
    budget = recipe.teacher.store_budget_mb
    text = f"the teacher's outputs would take {needed:,.0f} MB, teacher.store_budget_mb is {budget:,}"
    if needed <= budget:
        text += ", and the outputs that other runs are reading fill the rest of it"
    if recipe.teacher.store == "on":
        raise RecipeError("recipe", f"{text}; raise the budget, or set teacher.store=auto")
    say(f"{text}: the teacher runs live")
    return live
