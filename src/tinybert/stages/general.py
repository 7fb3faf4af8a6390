"""General distillation: a small BERT learns the layers of a large one from raw text, before any task.

The first stage of TinyBERT (arXiv:1909.10351, section 3.2): attention scores, hidden states and the embedding
output, no labels, no task.

Differs: the student starts projected from its teacher (:mod:`tinybert.models.start.project`) where it can be,
the paper's from random weights; where head counts or widths differ the relations of MiniLMv2
(arXiv:2012.15828) take the place of the scores.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel

from tinybert.config import GENERAL
from tinybert.losses import cross_entropy
from tinybert.models import (
    load_config,
    load_encoder,
    load_tokenizer,
    project_start,
    random_start,
    slice_start,
    student_config,
)
from tinybert.models.dropout import config_rates, set_dropout
from tinybert.models.masked_lm import load_masked_lm, random_masked_lm
from tinybert.objectives import (
    HARD,
    MASKED_LM,
    DistillObjective,
    GeneralObjective,
    Teaching,
)
from tinybert.runs import Run, RunInProgress
from tinybert.stages.plan.general import GeneralPlan
from tinybert.stages.plan.losses import relation_heads
from tinybert.stages.pretrain import refuse_without_mask
from tinybert.stages.steps.fit import MODEL, add_to_config, fit, precision_of, settings_of
from tinybert.stages.steps.raw_text import Blocks, finish_text, load_blocks, masking_of, pace_of
from tinybert.stages.steps.start import PROJECTION_FILE, calibration
from tinybert.storage import Json
from tinybert.teachers import ModelTeacher
from tinybert.training import check_trackers


def distill_general(plan: GeneralPlan, run: RunInProgress, source: object) -> Run:
    """Distil an encoder, from raw text to report; what is done already is not done again.

    Args:
        plan: Made by :func:`tinybert.stages.plan.general.plan_general`.
        run: The run, begun.
        source: Anything :func:`tinybert.corpus.corpus.load_corpus` reads.
    """
    recipe = plan.recipe
    check_trackers(recipe.train.trackers)
    tokenizer = load_tokenizer(plan.teacher)
    if MASKED_LM in plan.losses:
        refuse_without_mask(tokenizer, plan.teacher)
    blocks = load_blocks(source, recipe, tokenizer, run, max_length=plan.training.max_length)
    bf16 = precision_of(run) == "bf16"
    begin, _ = run.step("start", lambda folder: _keep_start(folder, plan, blocks))
    folder, summary = run.step("student", lambda folder: _train(folder, plan, blocks, begin, bf16=bf16))
    metrics: Json = {
        "task": GENERAL,
        "teacher_path": _from_anywhere(plan.teacher),
        "teacher_layers": plan.info.num_hidden_layers,
        "teacher_hidden_size": plan.info.hidden_size,
        "student_start": plan.start,
        "layer_map": list(plan.layer_map),
        "losses": dict(plan.losses),
    }
    return finish_text(
        run,
        blocks,
        metrics,
        model=folder / MODEL,
        summary=summary,
        main_metric="loss",
        notes=_notes(plan),
    )


def _from_anywhere(name: str) -> str:
    """Return a folder's absolute path: a task that begins from this student looks for its teacher."""
    return str(Path(name).resolve()) if Path(name).exists() else name


def _keep_start(folder: Path, plan: GeneralPlan, blocks: Blocks) -> Json:
    model, projection = _start(plan, blocks)
    model.save_pretrained(folder)
    if projection is not None:
        save_file({"projection": projection.contiguous()}, folder / PROJECTION_FILE)
    return {}


def _start(plan: GeneralPlan, blocks: Blocks) -> tuple[PreTrainedModel, Tensor | None]:
    """Return the student before its first step, and the projection that made it, if one did."""
    seed, path = plan.recipe.train.seed, plan.source
    if plan.start == "checkpoint":
        if MASKED_LM in plan.losses:
            return load_masked_lm(path, new_head=True, seed=seed), _learnt_maps(path, plan)
        return load_encoder(path, seed=seed), _learnt_maps(path, plan)
    config = student_config(load_config(path), plan.shape, num_labels=2, family=plan.family)
    projection = None
    if plan.start == "random":
        student = random_start(config, seed=seed)
    elif plan.start == "slice":
        student = slice_start(
            load_encoder(path, seed=seed), plan.layer_map, config, keep_head=False, seed=seed
        )
    else:
        projected = project_start(
            load_encoder(path, seed=seed),
            config,
            plan.layer_map,
            batches=calibration(blocks.train, blocks.collator),
            keep_head=False,
            seed=seed,
        )
        student, projection = projected.student, projected.projection
    return _with_head(student.base_model, plan), projection


def _learnt_maps(path: str, plan: GeneralPlan) -> Tensor | None:
    """Return the maps between widths that an earlier general distillation learnt, if they fit this one."""
    file = Path(path) / PROJECTION_FILE
    maps = load_file(file)["projection"] if file.exists() else None
    wanted = (len(plan.layer_map) + 1, plan.info.hidden_size, plan.shape.hidden_size)
    return maps if maps is not None and tuple(maps.shape) == wanted else None


def _with_head(student: nn.Module, plan: GeneralPlan) -> PreTrainedModel:
    """Return the encoder as it is, or with a masked-LM head where words are guessed too."""
    assert isinstance(student, PreTrainedModel)
    if MASKED_LM not in plan.losses:
        return student
    model = random_masked_lm(_bare(student.config), seed=plan.recipe.train.seed)
    model.base_model.load_state_dict(student.state_dict(), strict=False)  # a masked LM has no pooler
    return model


def _bare(config: PreTrainedConfig) -> PreTrainedConfig:
    config.architectures = None
    return config


def _load_start(folder: Path, plan: GeneralPlan) -> tuple[PreTrainedModel, Tensor | None]:
    model = load_masked_lm(folder) if MASKED_LM in plan.losses else load_encoder(folder)
    file = folder / PROJECTION_FILE
    return model, load_file(file)["projection"] if file.exists() else None


def _train(folder: Path, plan: GeneralPlan, blocks: Blocks, begin: Path, *, bf16: bool) -> Json:
    recipe = plan.recipe
    student, projection = _load_start(begin, plan)
    rates = config_rates(student)
    set_dropout(student, plan.dropout)
    teaching = Teaching(
        {HARD if name == MASKED_LM else name: weight for name, weight in plan.losses.items()},
        plan.layer_map,
        num_relation_heads=relation_heads(recipe, plan.shape.hidden_size, plan.info),
    )
    teacher = load_encoder(plan.teacher)
    if torch.cuda.is_available():
        nn.Module.to(teacher, "cuda")
    inner = DistillObjective(
        student,
        ModelTeacher(teacher, teaching.wanted(), bf16=bf16),
        teaching,
        hard_loss=lambda logits, batch: cross_entropy(logits, batch["labels"]),
        teacher_hidden_size=plan.info.hidden_size,
        projection_start=projection,
    )
    masking = masking_of(recipe, blocks.tokenizer) if MASKED_LM in plan.losses else None
    objective = GeneralObjective(inner, masking)
    pace = pace_of(recipe, blocks, num_epochs=plan.training.num_epochs)
    summary = fit(
        folder,
        student,
        objective,
        rows=blocks,
        evaluator=blocks.evaluator(
            objective.held_out,
            main_metric="loss",
            batch_size=recipe.train.batch_size,
            masked_lm_weight=plan.losses.get(MASKED_LM, 1.0),
        ),
        settings=settings_of(recipe, plan.training, rows=blocks, name=GENERAL, bf16=bf16, **pace),
    )
    add_to_config(folder / MODEL, rates)  # who trains it next has the usual dropout
    if (maps := inner.learnt_projections()) is not None:
        save_file({"projection": maps}, folder / MODEL / PROJECTION_FILE)
    return summary


def _notes(plan: GeneralPlan) -> list[str]:
    lines = [
        f"Student start: {plan.start}; student layers 1–{len(plan.layer_map)} learn teacher layers "
        f"{list(plan.layer_map)}.",
        "Held-out losses are means over batches, weighted by their tokens; they say how near the layers are, "
        "not how well a task goes.",
    ]
    if plan.start == "project":
        lines.append("Differs from the paper: the student started projected from its teacher, not at random.")
    return lines
