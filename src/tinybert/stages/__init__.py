"""What a run does: one file a stage, and the table of them."""

from __future__ import annotations

from tinybert.stages import (
    augment,
    bench,
    distill,
    export,
    finetune,
    general,
    pretrain,
    tokenizer,
    trim,
)
from tinybert.stages.plan.distillation import plan_distill
from tinybert.stages.plan.general import plan_general
from tinybert.stages.plan.training import LAYER_SETTINGS
from tinybert.stages.stage import Stage

OPTIMISER = (
    *("train.num_epochs", "train.learning_rate", "train.batch_size", "train.batch_tokens"),
    "train.gradient_accumulation_steps",
    *("train.weight_decay", "train.warmup_ratio", "train.schedule", "train.max_grad_norm"),
    *("train.precision", "train.seed", "train.trackers"),
)
COLUMNS = ("data.path", "data.encoding", "data.text", "data.text_pair", "data.label", "data.on_bad_row")
DOCUMENTS = (
    *("data.path", "data.text", "corpus.documents", "corpus.language", "corpus.min_chars"),
    *("corpus.near_duplicates", "corpus.held_out"),
)
COPIES = (
    *("augment.copies", "augment.method", "augment.model", "augment.probability", "augment.num_candidates"),
    *("augment.word_vectors", "augment.wordnet", "augment.language", "augment.max_shift"),
)
SIZE = (
    *("student.shape", "student.num_hidden_layers", "student.hidden_size", "student.num_attention_heads"),
    *(
        "student.intermediate_size",
        "student.num_decoder_layers",
        "student.family",
        "student.start",
        "student.layer_map",
    ),
)
ROWS = (
    *("task", "hard_loss", "head_start", "data", *OPTIMISER, "train.early_stopping_patience"),
    *("train.class_weights", "train.focal_gamma", "train.label_smoothing", "train.contrastive_weight"),
    "generation",
)
LAYERS = tuple(f"train.{name}" for name in LAYER_SETTINGS)
TEXT = (
    *("data.path", "data.text", "data.max_length", "corpus"),
    *(*OPTIMISER, "train.num_steps", "train.eval_steps"),
)

STAGES: dict[str, Stage] = {
    "tokenizer": Stage(
        "tokenizer",
        reads=(*DOCUMENTS, "tokenizer"),
        plan=tokenizer.plan_tokenizer,
        run=tokenizer.train_tokenizer,
        makes_run=False,
    ),
    "trim": Stage(
        "trim",
        reads=("model", *DOCUMENTS, "trim"),
        plan=trim.plan_trim,
        run=trim.trim_vocabulary,
        makes_run=False,
    ),
    "pretrain": Stage(
        "pretrain", reads=("model", *TEXT, "pretrain"), plan=pretrain.plan_pretrain, run=pretrain.pretrain
    ),
    "general": Stage(
        "general",
        reads=(
            *(*TEXT, "teacher.path", *SIZE, "pretrain.mask_share", "pretrain.whole_words"),
            *("distill.losses", "distill.dropout", "distill.num_relation_heads"),
        ),
        plan=plan_general,
        run=general.distill_general,
    ),
    "finetune": Stage(
        "finetune", reads=("model", *ROWS, *LAYERS), plan=finetune.plan_finetune, run=finetune.finetune
    ),
    "distill": Stage(
        "distill",
        reads=(*ROWS, "teacher", "student", "distill", *COPIES, "augment.ablation", "baseline"),
        plan=plan_distill,
        run=distill.distill,
        switches={
            "augment": ("augment.copies", 0),
            "distill.intermediate_num_epochs": ("distill.phases", "joint"),
            "teacher.store_budget_mb": ("teacher.store", "off"),
            "student.vocabulary_text": ("student.vocabulary", "keep"),
        },
    ),
    "augment": Stage(
        "augment",
        reads=(
            *("task", *COLUMNS, "data.group", "data.max_train_rows", "data.on_orphan_tag"),
            *("teacher.path", "train.seed", "train.precision"),
            *(*COPIES, "augment.processes"),
        ),
        plan=augment.plan_augment,
        run=augment.augment,
        makes_run=False,
    ),
    "export": Stage(
        "export",
        reads=("task", "model", *COLUMNS, "export"),
        plan=export.plan_export,
        run=export.run_export,
        makes_run=False,
        needs_data=False,
        target=lambda plan: plan.target,
    ),
    "bench": Stage(
        "bench",
        reads=("task", *COLUMNS, "bench"),
        plan=bench.plan_bench,
        run=bench.bench,
        makes_run=False,
        needs_data=False,
        target=lambda plan: plan.target,
    ),
}
"""Name → stage."""
