"""Tokens a second on raw text, side by side with a plain ``transformers.Trainer``, in one process.

    python benchmarks/raw_text.py --data TEXT --out raw_text.json

Two trainings of a 4 × 312 BERT with 30,522 pieces, in steps of 32 blocks of up to 128 tokens:

- *pre-training*: ours against ``Trainer`` with its own ``DataCollatorForLanguageModeling``;
- *general distillation* from bundled:minilm (hidden states and attention): ours against ``Trainer`` with a
  ``compute_loss`` as one writes it: both models with ``output_hidden_states`` and ``output_attentions``.

The rival pads each block to 128 and trains in fp32, as the defaults are, and once more in bf16. All go by
``Trainer.training_step``; they take turns, step by step, so that a busy moment of the machine falls on all.
Tokens are real ones, without padding. Without --data the snippets that come through pip are used.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from speed import matrix_peak, operations
from torch import nn
from torch.nn import functional
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertModel,
    DataCollatorForLanguageModeling,
    Trainer,
    TrainingArguments,
)

from tinybert.config import CorpusSection, PretrainSection, Recipe
from tinybert.corpus.blocks import encode_blocks
from tinybert.corpus.corpus import load_corpus
from tinybert.data import Collator, LengthGroupedSampler, lengths_of
from tinybert.losses import cross_entropy
from tinybert.models import load_encoder, load_tokenizer
from tinybert.models.dropout import set_dropout
from tinybert.models.kernel import training_attention
from tinybert.objectives import DistillObjective, GeneralObjective, MaskedLMObjective, Teaching
from tinybert.sources import fetch
from tinybert.stages.steps.raw_text import masking_of
from tinybert.teachers import ModelTeacher
from tinybert.training import Settings, choose_precision
from tinybert.training.trainer import ObjectiveTrainer

BATCH, LENGTH = 32, 128
LAYER_MAP = (1, 3, 4, 6)
TEACHING = Teaching({"hidden_state_mse": 1.0, "attention_score_mse": 1.0}, LAYER_MAP)
Batches = list[dict[str, torch.Tensor]]
Step = Callable[[int], None]


def config(attention: str = "sdpa") -> BertConfig:
    """Return the shape that is trained."""
    return BertConfig(
        hidden_size=312,
        num_hidden_layers=4,
        num_attention_heads=12,
        intermediate_size=1200,
        attn_implementation=attention,
    )


def arguments(folder: Path) -> TrainingArguments:
    """Return what all contestants train with; accelerate keeps one precision a process, so none is set here."""
    return TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=BATCH,
        use_cpu=not torch.cuda.is_available(),
        remove_unused_columns=False,
        report_to="none",
        disable_tqdm=True,
    )


def stepper(trainer: Trainer, batches: Batches, *, bf16: bool) -> Step:
    """Return one optimiser step of a trainer on its n-th batch, the forward in bf16 as accelerate wraps it."""
    model = trainer.model
    if bf16:
        model.forward = torch.autocast(trainer.args.device.type, torch.bfloat16)(model.forward)
    trainer.current_gradient_accumulation_steps = 1  # what `train` would set
    optimizer = trainer.create_optimizer()
    model.train()

    def step(number: int) -> None:
        trainer.training_step(model, dict(batches[number % len(batches)]))
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return step


def ours(model, objective, batches: Batches, folder: Path, *, bf16: bool) -> Step:
    """Return our step."""
    trainer = ObjectiveTrainer(
        objective,
        evaluator=None,
        settings=Settings(num_epochs=1, learning_rate=5e-5),
        model=model,
        args=arguments(folder),
    )
    plain = stepper(trainer, batches, bf16=bf16)

    def step(number: int) -> None:
        with training_attention(model):
            plain(number)

    return step


class PlainDistiller(Trainer):
    """A teacher in ``compute_loss``, both models asked for every layer's outputs."""

    asked = ("output_hidden_states", "output_attentions")
    layer_map = LAYER_MAP

    def __init__(self, teacher, *, model, bf16, **kwargs) -> None:
        widths = model.config.hidden_size, teacher.config.hidden_size
        self.widen = nn.ModuleList(nn.Linear(*widths, bias=False) for _ in range(len(self.layer_map) + 1))
        model.add_module("widen", self.widen)  # trained with the student, as ours are
        super().__init__(model=model, **kwargs)
        self.teacher = teacher.eval().to(self.args.device)
        self.bf16 = bf16

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        """Return the sum of the losses."""
        inputs = {name: inputs[name] for name in ("input_ids", "attention_mask")} | dict.fromkeys(
            self.asked, True
        )
        with torch.no_grad(), torch.autocast(self.args.device.type, torch.bfloat16, enabled=self.bf16):
            theirs = self.teacher(**inputs)
        own = model(**inputs)
        pairs = [(0, 0), *enumerate(self.layer_map, 1)]
        hidden = [
            functional.mse_loss(self.widen[i](own.hidden_states[i].float()), theirs.hidden_states[j].float())
            for i, j in pairs
        ]
        return torch.stack([*hidden, *self.other_losses(own, theirs, pairs[1:])]).sum()

    def other_losses(self, own, theirs, pairs):
        """Return those beside the hidden states': here of attention, layer by layer."""
        return [
            functional.mse_loss(own.attentions[i - 1].float(), theirs.attentions[j - 1].float())
            for i, j in pairs
        ]


def blocks_of(source: str, folder: Path, count: int):
    """Return the tokenizer and a sample of blocks in the order that our sampler gives."""
    tokenizer = load_tokenizer(fetch("bundled:minilm"))
    corpus = load_corpus(source, settings=CorpusSection(near_duplicates=None), text=None, work_dir=folder)
    documents = corpus.train.select(range(min(len(corpus.train), 4000)))
    rows = encode_blocks(documents, tokenizer, max_length=LENGTH, language=corpus.language, cache_dir=folder)
    order = list(LengthGroupedSampler(lengths_of(rows), batch_size=BATCH, seed=0))[BATCH:]
    picks = [order[i * BATCH : (i + 1) * BATCH] for i in range(min(count, len(order) // BATCH))]
    return tokenizer, [[rows[i] for i in pick] for pick in picks]


def contestants(task: str, tokenizer, samples, folder: Path, *, bf16: bool) -> dict[str, Step]:
    """Return name → step of one training."""
    own = [Collator(tokenizer)(sample) for sample in samples]
    stock = DataCollatorForLanguageModeling(tokenizer, pad_to_multiple_of=LENGTH)
    plain = [dict(stock([{"input_ids": row["input_ids"]} for row in sample])) for sample in samples]
    masking = masking_of(Recipe(pretrain=PretrainSection()), tokenizer)
    precisions = {"Trainer, fp32": False, "Trainer, bf16": True}
    if task == "pre-training":
        steps = {"ours": ours(BertForMaskedLM(config()), MaskedLMObjective(masking), own, folder, bf16=bf16)}
        return steps | {
            name: stepper(Trainer(model=BertForMaskedLM(config()), args=arguments(folder)), plain, bf16=half)
            for name, half in precisions.items()
        }
    teacher, student = load_encoder(fetch("bundled:minilm")), BertModel(config())
    if torch.cuda.is_available():
        teacher.to("cuda")
    set_dropout(student, 0.0)
    objective = DistillObjective(
        student,
        ModelTeacher(teacher, TEACHING.wanted(), bf16=bf16),
        TEACHING,
        hard_loss=cross_entropy,
        teacher_hidden_size=384,
    )
    steps = {"ours": ours(student, GeneralObjective(objective, None), own, folder, bf16=bf16)}
    for name, half in precisions.items():
        eager = load_encoder(fetch("bundled:minilm"))
        eager.set_attn_implementation("eager")
        rival = PlainDistiller(eager, model=BertModel(config("eager")), args=arguments(folder), bf16=half)
        steps[name] = stepper(rival, plain, bf16=half)
    return steps


def measure(task: str, tokenizer, samples, steps: int, folder: Path) -> dict[str, object]:
    """Let the contestants take turns and return medians and ratios."""
    bf16 = choose_precision("auto") == "bf16"
    rivals = contestants(task, tokenizer, samples, folder, bf16=bf16)
    seconds: dict[str, list[float]] = {name: [] for name in rivals}
    for number in range(steps + 2):
        for name, step in rivals.items():
            start = time.perf_counter()
            step(number)
            if number >= 2:
                seconds[name].append(time.perf_counter() - start)
    lengths = np.array([[row["length"] for row in sample] for sample in samples], dtype=np.float64)
    used = [number % len(samples) for number in range(2, steps + 2)]
    rates = {
        name: statistics.median(lengths[row].sum() / taken for row, taken in zip(used, each, strict=True))
        for name, each in seconds.items()
    }
    flop = float(np.mean([operations_of(task, lengths[row]) for row in used]))
    a_step = statistics.median(seconds["ours"])
    peak = matrix_peak(torch.bfloat16 if bf16 else torch.float32)
    return {
        "precision": "bf16" if bf16 else "fp32",
        "tokens_a_second": {name: round(rate) for name, rate in rates.items()},
        "times_trainer_fp32": round(rates["ours"] / rates["Trainer, fp32"], 2),
        "times_trainer_bf16": round(rates["ours"] / rates["Trainer, bf16"], 2),
        "gflop_a_step": round(flop / 1e9, 1),
        "matrix_peak_gflops": round(peak),
        "share_of_peak": round(flop / a_step / 1e9 / peak, 3),
    }


def operations_of(task: str, lengths: np.ndarray) -> float:
    """Return the operations one step of ours needs: real tokens only, the head at 15 % of them."""
    student = operations(lengths, 312, 4, 1200, passes=3)
    if task == "pre-training":
        return student + 6.0 * 0.15 * lengths.sum() * (312 * 30522 + 312**2)
    widening = 6.0 * 5 * lengths.sum() * 312 * 384
    return student + widening + operations(lengths, 384, 6, 1536, passes=1)


def main() -> None:
    """Run the benchmark and print JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="bundled:snippets")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    result: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as name:
        tokenizer, samples = blocks_of(options.data, Path(name), options.steps)
        result["threads"] = torch.get_num_threads()
        result["mean_length"] = round(float(np.mean([row["length"] for one in samples for row in one])), 1)
        for task in ("pre-training", "general distillation"):
            result[task] = measure(task, tokenizer, samples, options.steps, Path(name))
    text = json.dumps(result, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
