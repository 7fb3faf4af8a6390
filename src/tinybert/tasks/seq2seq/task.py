"""Texts written from texts: translation, summaries, replies. Legend: N rows, B rows of a batch, V pieces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from torch import Tensor

from tinybert.config import GenerationSection, Recipe
from tinybert.data.encode import IGNORED_CLASS
from tinybert.data.labels import LabelScheme
from tinybert.errors import DataError
from tinybert.losses import cross_entropy
from tinybert.metrics import intervals, signature, text_scores
from tinybert.models.generation import NewDecoder
from tinybert.models.head import SEQ2SEQ, head_of
from tinybert.tasks.lead import first_sentences, lead
from tinybert.tasks.seq2seq.prediction import WrittenText
from tinybert.tasks.seq2seq.rows import SequenceRows
from tinybert.tasks.task import Batch, Columns, Outputs, Settings, Task

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

BESIDE = {
    "bleu": ("bleu", "chrf"),
    "chrf": ("chrf", "bleu"),
    "rougeL": ("rougeL", "rouge1", "rouge2"),
    "token_f1": ("token_f1", "bleu", "distinct1", "distinct2"),
    "exact_match": ("exact_match", "token_f1"),
}
"""Main metric → what is scored."""
MIN_CHINESE = 0.3
DEFAULTS = GenerationSection()
NOTE = "generation"
SEARCH = ("max_new_tokens", "num_beams", "length_penalty", "no_repeat_ngram_size")


@dataclass(frozen=True, kw_only=True)
class WritingTask(Task):
    """A task whose models write texts; ``generation`` says how, and by what they are scored."""

    generation: GenerationSection = DEFAULTS

    def configured(self, recipe: Recipe) -> WritingTask:
        """Return the task with the settings of a recipe."""
        return self.with_generation(recipe.generation)

    def with_notes(self, notes: Mapping[str, object]) -> WritingTask:
        """Return the task as a saved model was trained for it."""
        if NOTE not in notes:
            return self
        return self.with_generation(GenerationSection.model_validate(notes[NOTE]))

    def notes(self) -> dict[str, object]:
        """Return what a saved model keeps."""
        return {NOTE: self.generation.model_dump()}

    def with_generation(self, section: GenerationSection) -> WritingTask:
        """Return the task with other settings of writing."""
        return replace(
            self,
            generation=section,
            format=replace(cast(SequenceRows, self.format), max_target_length=section.max_new_tokens),
            main_metric=section.metric,
            metrics=partial(metrics, section=section),
            free={"lead": lead(first_texts)} if section.metric == "rougeL" else {},
        )

    def intervals(
        self, outputs: Outputs, gold: Sequence[Sequence[str] | None]
    ) -> dict[str, tuple[float, float]]:
        """Return the 95 % bootstrap intervals of all metrics."""
        texts, references = scored_texts(outputs, gold)
        return intervals(texts, references, **_as_scored(self.generation, references))

    def signatures(self, gold: Sequence[Sequence[str] | None]) -> list[str]:
        """Return each metric's signature, that of sacrebleu for BLEU and chrF."""
        references = [list(targets) for targets in gold if targets]
        count, arguments = {*map(len, references)}, _as_scored(self.generation, references)
        number, tokenize = (count.pop() if len(count) == 1 else None), str(arguments["tokenize"])
        return [
            f"{name}: {signature(name, tokenize=tokenize, num_references=number)}"
            for name in BESIDE[self.generation.metric]
        ]

    def search(self) -> dict[str, Any]:
        """Return the settings of writing by the names of :class:`~tinybert.models.generation`."""
        return {name: getattr(self.generation, name) for name in SEARCH}

    @property
    def new_decoder(self) -> NewDecoder:
        """How a decoder is made where a checkpoint has none."""
        return NewDecoder(self.generation.num_decoder_layers, self.generation.decoder_start)


def loss_rows(logits: Tensor, batch: Batch) -> tuple[Tensor, Tensor | None]:
    """Return the logits of every target token, (B, T, V), and which are real."""
    return logits, batch["labels"] != IGNORED_CLASS


def aggregate(
    scores: Sequence[object],
    features: Columns,
    rows: Columns,
    *,
    labels: LabelScheme,
    settings: Settings,
) -> Outputs:
    """Return the texts: each row is written as a whole."""
    return list(scores)


def decode(outputs: Outputs, labels: LabelScheme) -> list[WrittenText]:
    """Return the texts."""
    return list(cast("Sequence[WrittenText]", outputs))


def metrics(
    outputs: Outputs, gold: Sequence[Sequence[str] | None], *, section: GenerationSection
) -> dict[str, float]:
    """Score texts against their references.

    Raises:
        DataError: No row has a target.
    """
    texts, references = scored_texts(outputs, gold)
    return text_scores(texts, references, **_as_scored(section, references))


def scored_texts(outputs: Outputs, gold: Sequence[Sequence[str] | None]) -> tuple[list[str], list[list[str]]]:
    """Return the texts of the rows that have a target, and their references.

    Raises:
        DataError: No row has a target.
    """
    pairs = [
        (written.text, list(targets))
        for written, targets in zip(cast("Sequence[WrittenText]", outputs), gold, strict=True)
        if targets
    ]
    if not pairs:
        raise DataError("metrics", f"none of {len(gold):,} rows has a target")
    return [text for text, _ in pairs], [targets for _, targets in pairs]


def _as_scored(section: GenerationSection, references: Sequence[Sequence[str]]) -> dict[str, Any]:
    return {"names": BESIDE[section.metric], "tokenize": tokenizer_of(section, references)}


def tokenizer_of(section: GenerationSection, references: Sequence[Sequence[str]]) -> str:
    """Return how sacrebleu cuts words: as set, or by characters where the references are Chinese."""
    if section.tokenize != "auto":
        return section.tokenize
    sample = "".join(targets[0] for targets in references[:200])
    num_chinese = sum("\u4e00" <= mark <= "\u9fff" for mark in sample)
    return "zh" if num_chinese > MIN_CHINESE * max(1, len(sample)) else "13a"


def first_texts(rows: Columns, num_sentences: int) -> list[WrittenText]:
    """Return the first sentences of each source, as if they had been written."""
    texts = [first_sentences(text, num_sentences) for text in rows["text"]]
    return [WrittenText(text, 0.0, len(text.split())) for text in texts]


def matches(config: PreTrainedConfig) -> bool:
    """Say that a saved model writes texts."""
    return head_of(config) == SEQ2SEQ


SEQ2SEQ_TASK = WritingTask(
    name="seq2seq",
    format=SequenceRows(),
    head=SEQ2SEQ,
    matches=matches,
    max_length=256,
    longest_unset=256,
    main_metric="bleu",
    best_score=100.0,
    hard_losses={"cross_entropy": cross_entropy},
    soft_losses=("kl_divergence", "soft_cross_entropy"),
    loss_rows=loss_rows,
    aggregate=aggregate,
    decode=decode,
    metrics=partial(metrics, section=GenerationSection()),
    is_bounded=False,
    temperature=1.0,
    training=(10, 3e-4),
)
