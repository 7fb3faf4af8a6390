"""The recipe: one frozen tree of settings. YAML on disk, ``key.path=value`` on the command line.

A class here only says what a setting is called, what it means and which values it may have. What needs
a file, a model or another setting to be judged is checked where it is used, by the stage or the doctor,
always before any weights load.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Literal, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

GENERAL = "general"
STAGES_AS_TASKS: Mapping[str, str] = {GENERAL: GENERAL}
"""Tasks that a distillation may be asked for, but that are stages."""
StageName = Literal[
    "tokenizer", "trim", "pretrain", "general", "augment", "finetune", "distill", "export", "bench"
]
StartName = Literal["auto", "random", "slice", "project", "checkpoint"]


def _epochs(value: object) -> object:
    """Check a number of epochs; recipes of earlier versions hold null for what is now auto."""
    if value is None or value == "auto" or (type(value) is int and value >= 1):
        return value or "auto"
    raise ValueError("must be a whole number, 1 or more, or auto")


NO_GROUP = "none"
"""Value of ``data.group``: each text is alone."""
NumEpochs = Annotated[int | Literal["auto"], BeforeValidator(_epochs)]


def _weight(value: object) -> object:
    """Check a weight that may be auto."""
    if value == "auto":
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf:
        return float(value)
    raise ValueError("must be a number, 0 or more, or auto")


Weight = Annotated[float | Literal["auto"], BeforeValidator(_weight)]


class Section(BaseModel):
    """A part of the recipe: frozen, and closed to keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DataSection(Section):
    """Where the rows come from and how they become tensors."""

    path: str | None = Field(default=None, description="file, folder, hub name or bundled:NAME")
    encoding: str = Field(
        default="auto",
        description="of files of text, such as utf-8, gb18030, big5, shift_jis, utf-16 or cp1252; auto: "
        "UTF-8, what the file's mark says, or an East Asian encoding that is recognised for sure",
    )
    text: str | None = Field(default=None, description="column of the text; detected when not given")
    text_pair: str | None = Field(default=None, description="column of the second text of a pair")
    label: str | None = Field(default=None, description="column of the label; detected when not given")
    group: str = Field(
        default="auto",
        description="column whose equal values stay in one split, such as a document; auto: the context for "
        "qa, none for other tasks; none: each text is alone",
    )
    max_length: int | None = Field(
        default=None,
        ge=4,
        description="longest row in tokens, 128 by default, 384 for qa, 512 for extractive, or less where a "
        "model reads less; ner, qa and extractive read longer rows in windows, else data.long_text says "
        "what is read of them",
    )
    long_text: Literal["truncate", "head_tail", "windows"] = Field(
        default="truncate",
        description="rows longer than data.max_length (not ner, qa, extractive): truncate reads their "
        "beginning; head_tail a quarter from the beginning and the rest from the end; windows all, in "
        "overlapping windows whose logits are pooled",
    )
    window_pooling: Literal["mean", "max"] = Field(
        default="mean",
        description="windows: how the logits of a row's windows become one; regression: always mean",
    )
    max_windows: int = Field(
        default=8,
        ge=2,
        le=1000,
        description="windows: most of a row; of a longer one so many are read, spread over it",
    )
    label_pieces: Literal["first", "all"] = Field(
        default="first", description="ner: which pieces of a word carry its tag"
    )
    history: str | None = Field(
        default=None,
        description="seq2seq: column of the earlier turns of a dialogue; detected when not given (history, "
        "or context where it is a list)",
    )
    max_turns: int = Field(
        default=3,
        ge=0,
        description="seq2seq: earlier turns that are read before the last one, at most; 0: none",
    )
    max_train_rows: int | None = Field(
        default=None, ge=1, description="train on N rows spread over the split"
    )
    max_labelled_rows: int | None = Field(
        default=None,
        ge=1,
        description="use the labels of N training rows only; distill: the teacher labels the others",
    )
    on_bad_row: Literal["stop", "skip"] = Field(
        default="stop",
        description="stop: list all bad rows and exit; skip: set them aside in bad_rows.jsonl",
    )
    on_orphan_tag: Literal["repair", "refuse"] = Field(
        default="repair", description="ner: an I- tag without its B- begins an entity, or is a bad row"
    )
    max_leakage: float = Field(
        default=0.2,
        ge=0,
        le=1,
        description="share of test rows that may also be in train; above it training stops, below it "
        "scores are given with and without them",
    )

    @field_validator("max_leakage", mode="before")
    @classmethod
    def _default_of_before(cls, value: object) -> object:
        """Read the null that recipes of earlier versions hold."""
        return 0.2 if value is None else value


class TeacherSection(Section):
    """The teacher: a model, or a file of soft labels."""

    path: str | None = Field(
        default=None,
        description="run, checkpoint, hub name, a file of soft labels, or bundled:minilm, bundled:mpnet, "
        "bundled:e5",
    )
    pretrained: str | None = Field(
        default=None,
        description="the weights the teacher was fine-tuned from, for the baseline; read from runs of ours",
    )
    fine_tune: Literal["auto", "never"] = Field(
        default="auto", description="auto: a teacher without a task head is fine-tuned on the data first"
    )
    check: bool = Field(
        default=True,
        description="stop where a teacher with a head is no better on the validation rows than always "
        "predicting the same; false: report it and continue",
    )
    num_epochs: NumEpochs = Field(
        default="auto",
        description="epochs of that fine-tuning, ≥ 1; auto: 3, but at least 400 steps, and more while the "
        "validation score rises, at most three times as many",
    )
    learning_rate: float | None = Field(
        default=None, gt=0, description="its peak learning rate; default: 5e-5, for seq2seq 3e-4"
    )
    layer_decay: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="of that fine-tuning: the rate of each layer over that of the layer above; 1: all alike",
    )
    frozen_layers: int = Field(
        default=0,
        ge=0,
        description="of that fine-tuning: the embeddings and so many layers are kept",
    )
    gradient_checkpointing: bool = Field(
        default=False, description="of that fine-tuning: less memory, slower steps"
    )
    store: Literal["auto", "on", "off"] = Field(
        default="auto",
        description="auto: keep the teacher's outputs on disk where they fit the budget; off: compute them",
    )
    store_budget_mb: int = Field(default=4096, ge=0, description="disk for all stored outputs together")

    @field_validator("store", mode="before")
    @classmethod
    def _read_yaml_booleans(cls, value: object) -> object:
        """YAML 1.1 reads on and off as true and false."""
        return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


class StudentSection(Section):
    """The student's shape and where its first weights come from."""

    shape: str = Field(default="4l-384d", description="a named shape, or a checkpoint to start from")
    num_hidden_layers: int | None = Field(default=None, ge=1, description="overrides the named shape")
    hidden_size: int | None = Field(default=None, ge=1, description="overrides the named shape")
    num_attention_heads: int | None = Field(default=None, ge=1, description="overrides the named shape")
    intermediate_size: int | None = Field(default=None, ge=1, description="overrides the named shape")
    num_decoder_layers: int | None = Field(
        default=None,
        ge=1,
        description="seq2seq: overrides the named shape; a shape without a decoder gets one of a third of "
        "its layers",
    )
    start: StartName = Field(
        default="auto",
        description="auto: project where the teacher can be projected, else slice, else random",
    )
    source: str | None = Field(
        default=None,
        description="what the student is cut from, if not its teacher: a checkpoint whose size is nearer to "
        "the student's; it brings its tokenizer, and the teacher then teaches predictions only",
    )
    family: str = Field(
        default="auto",
        description="bert, or of an mpnet teacher also mpnet, which keeps its bias of relative positions; "
        "auto: the teacher's own where it is one of these, else bert; a slice is always of the teacher's",
    )
    layer_map: str | list[int] = Field(
        default="auto",
        description=(
            "for each student layer the teacher layer it starts from and learns from, counted from 1; auto: "
            "first for ner and qa where half of the teacher or more is kept, else uniform"
        ),
    )
    vocabulary: Literal["keep", "trim"] = Field(
        default="keep",
        description="trim: only the pieces that the training rows use, for the student and for a teacher "
        "that reads with the same tokenizer; the teacher is scored and kept with its whole vocabulary",
    )
    vocabulary_text: str | None = Field(
        default=None, description="trim: file or folder of raw text whose pieces are kept too"
    )


class GenerationSection(Section):
    """How texts are written, and by what they are scored (task seq2seq)."""

    metric: Literal["bleu", "chrf", "rougeL", "token_f1", "exact_match"] = Field(
        default="bleu",
        description="main score, 0 to 100: bleu or chrf of translations, rougeL of summaries, token_f1 of "
        "replies, exact_match",
    )
    tokenize: str = Field(
        default="auto",
        description="how sacrebleu cuts words for BLEU: 13a, zh, …; auto: zh where references are Chinese",
    )
    max_new_tokens: int = Field(
        default=128,
        ge=2,
        le=4096,
        description="longest text that is written, in tokens; longer targets are truncated to it in training",
    )
    num_beams: int = Field(default=4, ge=1, le=64, description="beams of the search; 1: greedy")
    length_penalty: float = Field(
        default=1.0,
        ge=0,
        le=10,
        description="a beam's log-probability is divided by its length to this power; more: longer texts",
    )
    no_repeat_ngram_size: int = Field(
        default=0, ge=0, le=100, description="no run of so many tokens is written twice; 0: allowed"
    )
    num_decoder_layers: int | None = Field(
        default=None,
        ge=1,
        le=100,
        description="of a new decoder beside an encoder; default: a third of the encoder's, one at least",
    )
    decoder_start: Literal["encoder", "random"] = Field(
        default="encoder",
        description="a new decoder begins as a copy of the encoder's layers, or at random; its "
        "cross-attention is always drawn at random",
    )


class DistillSection(Section):
    """What the student learns."""

    dropout: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="of the student's hidden states: 0.1, but 0 on raw text, which it cannot memorise, and "
        "for a student that starts from general distillation; the teacher's is always off",
    )
    phases: Literal["joint", "two"] = Field(
        default="joint",
        description="joint: all losses at once; two: intermediate layers, then prediction",
    )
    losses: dict[str, float] | Literal["auto"] = Field(default="auto", description="loss name → weight")
    temperature: float | None = Field(
        default=None, gt=0, description="of the prediction losses; default: 2, for seq2seq 1"
    )
    targets: Literal["auto", "reference", "teacher", "best"] = Field(
        default="auto",
        description="seq2seq: what the student learns to write: the references of the data; what the teacher "
        "writes of each source (sequence-level distillation); the best of what it writes, by chrF against "
        "the reference; auto: teacher. A source without a target is always the teacher's to write",
    )
    num_relation_heads: int | None = Field(
        default=None,
        ge=1,
        description="of relation_kl; if none, the most that divide both widths, up to the teacher's heads",
    )
    intermediate_num_epochs: int = Field(default=5, ge=1, description="epochs of the first of two")


class TrainSection(Section):
    """The optimiser and its schedule."""

    num_epochs: NumEpochs = Field(
        default="auto",
        description="≥ 1; auto: 3 to 6 by the student's start and the task, but at least 400 steps, and more "
        "while the validation score rises, at most three times as many; on raw text by the start alone",
    )
    num_steps: int | None = Field(
        default=None, ge=1, le=10**9, description="raw text: stop there; overrides num_epochs"
    )
    eval_steps: int | None = Field(
        default=None,
        ge=1,
        description="raw text: steps from one evaluation and checkpoint to the next; default: ten of them",
    )
    learning_rate: float | None = Field(default=None, gt=0, description="peak; default: by the start")
    batch_size: int = Field(default=32, ge=1, le=65_536, description="rows a step and device")
    batch_tokens: int | None = Field(
        default=None,
        ge=8,
        le=10**7,
        description="a batch holds rows of like length with so many tokens, padding and targets included; "
        "overrides batch_size",
    )
    gradient_accumulation_steps: int = Field(default=1, ge=1, description="batches that make one step")
    weight_decay: float = Field(default=0.01, ge=0, description="of AdamW")
    warmup_ratio: float = Field(default=0.1, ge=0, lt=1, description="share of steps spent warming up")
    schedule: Literal["linear", "cosine"] = Field(
        default="linear", description="how the rate falls after the warm-up"
    )
    label_smoothing: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="of hard_loss=cross_entropy: share of a label's probability that is spread over all "
        "classes, or over all pieces of the vocabulary",
    )
    max_grad_norm: float = Field(default=1.0, gt=0, description="gradients are clipped to this norm")
    layer_decay: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="finetune: the rate of each layer over that of the layer above; 1: all alike. The last "
        "layer and the head learn at learning_rate",
    )
    frozen_layers: int = Field(
        default=0,
        ge=0,
        description="finetune: the embeddings and so many layers above them are kept; 0: nothing is",
    )
    gradient_checkpointing: bool = Field(
        default=False,
        description="finetune: compute each layer's activations again for its gradients; less memory, slower "
        "steps, the same result",
    )
    early_stopping_patience: int | None = Field(
        default=None,
        ge=1,
        description="stop after so many scores without a better one: one an epoch, of many short epochs "
        "about ten a training",
    )
    class_weights: Literal["none", "balanced"] | dict[str, float] = Field(
        default="none",
        description="what a row of each class counts in the hard loss: label → weight, 1 where not named; "
        "balanced: rows / (classes · rows of the class). multilabel: what a yes counts beside a no; "
        "balanced: rows without the label / rows with it. Not for regression, qa and extractive",
    )
    focal_gamma: float = Field(
        default=2.0,
        ge=0,
        description="of hard_loss=focal: how much less a row counts that is predicted well already; 0: not",
    )
    contrastive_weight: Weight = Field(
        default="auto",
        description="classification, learning from labels alone (teacher, baseline, finetune): weight of the "
        "supervised contrastive loss beside the hard loss, ≥ 0; 0: without it; auto: 1 where a new head was "
        "fitted for at most 1,000 rows of single texts",
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        default="auto", description="auto: bf16 where a quick measurement finds it faster"
    )
    seed: int = Field(default=42, ge=0, lt=2**32, description="of weights drawn at random, order and dropout")
    trackers: list[Literal["tensorboard", "wandb", "trackio"]] = Field(
        default_factory=list, description="where to log besides the run"
    )

    @field_validator("class_weights", mode="before")
    @classmethod
    def _read_labels(cls, value: object) -> object:
        """YAML reads the labels 1 and true as a number and a truth value; labels are text.

        It reads yes, no, on and off as truth values too, and does not say which word stood there.
        """
        if not isinstance(value, Mapping):
            if value not in ("none", "balanced"):
                raise ValueError("must be none, balanced or a mapping such as {label: 2}")
            return value
        weights = cast(Mapping[object, object], value)
        for key, weight in weights.items():
            if isinstance(weight, bool) or not isinstance(weight, int | float) or not math.isfinite(weight):
                hint = "; put a label with a dot in quotes: {'a.b': 2}" if isinstance(weight, Mapping) else ""
                raise ValueError(f"the weight of {key} must be a finite number, not {weight!r}{hint}")
        return {
            str(key).lower() if isinstance(key, bool) else str(key): each for key, each in weights.items()
        }


class CorpusSection(Section):
    """How raw text becomes documents, and documents become blocks."""

    documents: Literal["line", "blank_line", "file"] = Field(
        default="line", description="plain text: a document is a line, ends at a blank line, or is a file"
    )
    language: Literal["auto", "en", "zh", "other"] = Field(
        default="auto", description="decides what a word is: Chinese is cut by a segmenter"
    )
    min_chars: int = Field(default=8, ge=1, description="shorter documents are skipped")
    near_duplicates: float | None = Field(
        default=0.8,
        gt=0,
        le=1,
        description="documents that share this part of their 5-word runs (Jaccard) count as one; null: only "
        "equal ones do",
    )
    held_out: float = Field(
        default=0.01,
        gt=0,
        lt=1,
        description="share of the documents that is only evaluated on (at most 2,000)",
    )
    cross_documents: bool = Field(
        default=False, description="fill each block with the beginning of the next document"
    )


class PretrainSection(Section):
    """Masked language modelling."""

    tokenizer: str | None = Field(
        default=None, description="folder or checkpoint; needed where the model is a named shape"
    )
    mask_share: float = Field(default=0.15, ge=0.01, lt=1, description="of the tokens that are predicted")
    whole_words: bool = Field(default=True, description="mask all pieces of a word or none")
    train_only: Literal["all", "head"] = Field(
        default="all",
        description="head: the encoder is kept, and only the head that predicts masked words is trained",
    )


class TokenizerSection(Section):
    """A WordPiece vocabulary, learned from raw text."""

    vocab_size: int | None = Field(
        default=None, ge=6, le=10_000_000, description="pieces, the five special tokens included; must be set"
    )
    cased: bool = Field(default=False, description="keep capitals and accents")
    min_frequency: int = Field(
        default=2, ge=1, description="characters and pieces seen less often are dropped"
    )


class TrimSection(Section):
    """A model's vocabulary, without the pieces that a text never uses."""

    vocab_size: int | None = Field(
        default=None, ge=6, le=10_000_000, description="keep at most so many pieces, the most frequent"
    )
    min_count: int = Field(default=1, ge=1, description="drop pieces used less often; characters stay")


class ExportSection(Section):
    """A model for another runtime, proved on rows."""

    format: str = Field(default="onnx", description="onnx, openvino or litert")
    precision: Literal["fp32", "bf16", "int8"] = Field(
        default="int8", description="of its matrices; bf16: openvino only"
    )
    min_kept: float | None = Field(
        default=None,
        gt=0,
        le=2,
        description="share of the checkpoint's metric that must be kept, such as 0.98",
    )
    check: bool = Field(
        default=False, description="export nothing; measure the exports that are there once more"
    )


class BenchSection(Section):
    """Models and all their exports side by side."""

    runs: list[str] = Field(default_factory=list, description="runs or checkpoints")
    against: list[str] = Field(
        default_factory=list, description="other models beside them: the teacher, any checkpoint"
    )
    batch_sizes: list[int] = Field(default_factory=lambda: [1, 32], description="rows a batch")


class AugmentSection(Section):
    """Copies of training rows with some words changed."""

    copies: int = Field(
        default=0, ge=0, le=1000, description="copies of each row, N of the paper (20 there); 0: none"
    )
    method: str = Field(
        default="tinybert",
        description="tinybert (the paper's: masked LM and neighbours), masked_lm, neighbours, synonyms, "
        "swap, drop, insert, or package.module:attr",
    )
    model: str | None = Field(
        default=None, description="masked language model that proposes words: a run of pretrain, or another"
    )
    probability: float = Field(
        default=0.4, gt=0, le=1, description="that a word is changed in a copy, p of the paper"
    )
    num_candidates: int = Field(
        default=15, ge=1, le=1000, description="words that may replace one, K of the paper"
    )
    word_vectors: str | None = Field(
        default=None,
        description="neighbours: file in word2vec text or GloVe format; default: the model's own embeddings",
    )
    wordnet: str | None = Field(default=None, description="synonyms: folder with the files of WordNet")
    language: Literal["auto", "en", "zh", "other"] = Field(
        default="auto", description="decides what a word is and which are stop words"
    )
    max_shift: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="copies that shift the teacher's prediction by more than this (total variation) are "
        "dropped; null: all are kept",
    )
    ablation: bool = Field(
        default=True, description="distill: also train the student without copies, for as many steps"
    )
    processes: int = Field(
        default=1, ge=1, le=256, description="processes that make copies, each with a model of its own"
    )


class Recipe(Section):
    """Everything one run does."""

    stage: StageName = Field(default="distill", description="what the run does")
    task: str = Field(
        default="classification",
        description="classification, multilabel, regression, ner, qa, extractive or seq2seq; general: the "
        "stage of this name",
    )
    hard_loss: str = Field(
        default="auto",
        description="the task's own, or another it allows (focal for classification, multilabel and ner; mse "
        "for classification)",
    )
    head_start: str = Field(
        default="auto",
        description="how a new head begins: random, or fitted on vectors of the frozen encoder (logistic for "
        "classification and multilabel, ridge for regression); auto: fitted where the task and the model can",
    )
    model: str | None = Field(
        default=None,
        description="finetune, pretrain, trim, export: run, checkpoint, hub name or bundled:minilm; "
        "pretrain: or a shape",
    )
    data: DataSection = DataSection()
    corpus: CorpusSection = CorpusSection()
    tokenizer: TokenizerSection = TokenizerSection()
    trim: TrimSection = TrimSection()
    pretrain: PretrainSection = PretrainSection()
    teacher: TeacherSection = TeacherSection()
    student: StudentSection = StudentSection()
    distill: DistillSection = DistillSection()
    generation: GenerationSection = GenerationSection()
    train: TrainSection = TrainSection()
    augment: AugmentSection = AugmentSection()
    export: ExportSection = ExportSection()
    bench: BenchSection = BenchSection()
    baseline: list[str] = Field(
        default_factory=lambda: ["auto"],
        description="what the student is compared with: fine_tune_only, tfidf; auto: all that the task has; "
        "[] or false: nothing",
    )

    @field_validator("baseline", mode="before")
    @classmethod
    def _names_of_baselines(cls, value: object) -> object:
        """Read a single name, and the truth values that recipes of earlier versions hold."""
        if isinstance(value, bool):
            return ["auto"] if value else []
        return [value] if isinstance(value, str) else value

    @model_validator(mode="before")
    @classmethod
    def _stage_of_task(cls, tree: object) -> object:
        """Distillation on raw text may also be asked for as a task."""
        if not isinstance(tree, Mapping):
            return tree
        given = dict(cast(Mapping[str, object], tree))
        stage = STAGES_AS_TASKS.get(str(given.get("task")))
        if stage is not None and given.get("stage", "distill") in ("distill", stage):
            del given["task"]
            given["stage"] = stage
        return given
