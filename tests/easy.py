"""An easy task on a vocabulary of few words: two keywords decide the label, the rest is noise."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    AutoModelForSequenceClassification,
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    MPNetConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from tinybert.data import Collator, LabelScheme, encode_split
from tinybert.evaluation import RowsEvaluator
from tinybert.tasks import BUILTIN as TASKS
from tinybert.teachers import ModelTeacher
from tinybert.teachers.teacher import TeacherOutput

NOISE = [f"{first}{second}" for first in "bdfgklmnprst" for second in ("ab", "el", "in", "or", "un")]
KEYWORDS = {"positive": ["good", "lovely"], "negative": ["bad", "awful"]}
WORDS = [*NOISE, "good", "lovely", "bad", "awful"]
LABELS = ("negative", "positive")
SIZE = {
    "hidden_size": 32,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
}
TINY_STUDENT = [
    "student.num_hidden_layers=2",
    "student.hidden_size=32",
    "student.num_attention_heads=4",
    "student.intermediate_size=64",
]
NARROW_STUDENT = [
    "student.num_hidden_layers=2",
    "student.hidden_size=16",
    "student.num_attention_heads=4",
    "student.intermediate_size=32",
]
FAST = ["train.num_epochs=2", "train.batch_size=16", "train.learning_rate=1e-3", "train.precision=fp32"]

Row = dict[str, object]


def make_tokenizer(words: Sequence[str] = WORDS) -> PreTrainedTokenizerFast:
    vocabulary = {word: i for i, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words])}
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer()
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=64,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )


def make_mpnet_tokenizer(words: Sequence[str] = WORDS) -> PreTrainedTokenizerFast:
    """MPNet's kind: padding is piece 1, there are no token types, and pairs are set apart by two pieces."""
    special = ["<s>", "<pad>", "</s>", "[UNK]", "<mask>"]
    vocabulary = {word: i for i, word in enumerate([*special, *words])}
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer()
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    names = {"unk": "[UNK]", "pad": "<pad>", "cls": "<s>", "sep": "</s>", "mask": "<mask>"}
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        **{f"{name}_token": piece for name, piece in names.items()},
        model_input_names=["input_ids", "attention_mask"],
    )


def save_mpnet(
    folder: Path, kind: type[PreTrainedModel], *, words: Sequence[str] = WORDS, **changes: object
) -> Path:
    """Save an MPNet with weights large enough to matter, drawn at random."""
    torch.manual_seed(0)
    model = kind(
        MPNetConfig(**{"vocab_size": len(words) + 5, **SIZE, "max_position_embeddings": 66, **changes})
    )
    for parameter in model.parameters():
        parameter.data += 0.15 * torch.randn_like(parameter)
    model.save_pretrained(folder)
    make_mpnet_tokenizer(words).save_pretrained(folder)
    return folder


def make_text(rng: random.Random, label: str) -> str:
    words = rng.sample(NOISE, rng.randint(3, 8))
    words.insert(rng.randrange(len(words) + 1), rng.choice(KEYWORDS[label]))
    return " ".join(words)


def make_rows(count: int, *, seed: int = 0) -> list[Row]:
    """Different texts, both labels in turn."""
    rng = random.Random(seed)
    texts: dict[str, Row] = {}
    while len(texts) < count:
        label = LABELS[len(texts) % 2]
        text = make_text(rng, label)
        texts.setdefault(text, {"text": text, "label": label})
    return list(texts.values())


def make_splits(
    *, train: int = 96, validation: int = 32, test: int = 32, seed: int = 0
) -> dict[str, list[Row]]:
    rows = make_rows(train + validation + test, seed=seed)
    return {
        "train": rows[:train],
        "validation": rows[train : train + validation],
        "test": rows[train + validation :],
    }


def make_documents(count: int, *, seed: int = 0) -> list[str]:
    """Raw text in which the next word follows from the one before, so that there is something to learn."""
    rng = random.Random(seed)
    documents: list[str] = []
    for _ in range(count):
        place = rng.randrange(len(NOISE))
        length = rng.randint(8, 40)
        documents.append(" ".join(NOISE[(place + step) % len(NOISE)] for step in range(length)))
    return documents


def write_documents(path: Path, count: int = 160, *, seed: int = 0) -> Path:
    """Write raw text, one document a line, all of them different."""
    lines = [
        f"{text} {WORDS[index % len(WORDS)]}" for index, text in enumerate(make_documents(count, seed=seed))
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_rows(path: Path, rows: Iterable[Mapping[str, object]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write_splits(folder: Path, splits: Mapping[str, Iterable[Mapping[str, object]]]) -> Path:
    for name, rows in splits.items():
        write_rows(folder / f"{name}.jsonl", rows)
    return folder


def make_config(**changes: object) -> BertConfig:
    return BertConfig(**{"vocab_size": len(WORDS) + 5, **SIZE, **changes})


def save_teacher(folder: Path, *, labels: Sequence[str] = LABELS, num_steps: int = 60) -> Path:
    """Train a classifier on the keyword task for a few steps and save it."""
    torch.manual_seed(0)
    names = dict(enumerate(labels))
    model = BertForSequenceClassification(
        make_config(num_labels=len(labels), id2label=names, label2id={name: i for i, name in names.items()})
    )
    tokenizer = make_tokenizer()
    rows = make_rows(480, seed=1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    model.train()
    for step in range(num_steps):
        chosen = [rows[(32 * step + i) % len(rows)] for i in range(32)]
        batch = tokenizer([str(row["text"]) for row in chosen], padding=True, return_tensors="pt")
        gold = torch.tensor([list(labels).index(str(row["label"])) for row in chosen])
        torch.nn.functional.cross_entropy(model(**batch).logits, gold).backward()
        optimizer.step()
        optimizer.zero_grad()
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def save_encoder(folder: Path, *, words: Sequence[str] = WORDS, **changes: object) -> Path:
    """Save an encoder without a task head."""
    torch.manual_seed(1)
    BertModel(make_config(vocab_size=len(words) + 5, **changes)).save_pretrained(folder)
    make_tokenizer(words).save_pretrained(folder)
    return folder


def permuted_copy(teacher: Path, folder: Path) -> Path:
    """Save the same classifier with its outputs, and their names, in the opposite order."""
    model = AutoModelForSequenceClassification.from_pretrained(teacher)
    order = list(reversed(range(model.config.num_labels)))
    model.classifier.weight.data = model.classifier.weight.data[order].clone()
    model.classifier.bias.data = model.classifier.bias.data[order].clone()
    names = [model.config.id2label[i] for i in order]
    model.config.id2label = dict(enumerate(names))
    model.config.label2id = {name: i for i, name in enumerate(names)}
    model.save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    return folder


def same_weights(one: PreTrainedModel, other: PreTrainedModel) -> bool:
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def make_dataset(rows: Sequence[Row]) -> Dataset:
    """Return rows as ``tinybert.data.load`` gives them: labels as numbers."""
    return Dataset.from_list(
        [{"text": row["text"], "label": LABELS.index(str(row["label"]))} for row in rows]
    )


def encode_rows(rows: Sequence[Row]) -> Dataset:
    return encode_split(make_dataset(rows), make_tokenizer(), max_length=32)


def evaluator_of(rows: Sequence[Row]) -> RowsEvaluator:
    """Return what validates a classifier of these labels while it trains."""
    return RowsEvaluator(
        TASKS["classification"],
        encode_rows(rows),
        make_dataset(rows),
        labels=LabelScheme(LABELS),
        collator=Collator(make_tokenizer()),
        hard_loss=TASKS["classification"].hard_loss("cross_entropy"),
    )


def seeded_classifier(*, seed: int = 0, **changes: object) -> BertForSequenceClassification:
    """A classifier without dropout whose weights come from numpy, and so are the same on every machine."""
    rng = np.random.default_rng(seed)
    model = BertForSequenceClassification(
        make_config(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, **changes)
    )
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.from_numpy(rng.normal(0, 0.15, size=tuple(parameter.shape))).float()
            parameter.copy_(noise + 1 if name.endswith("LayerNorm.weight") else noise)
    return model


class Counting:
    """A teacher that counts the rows it is asked about."""

    def __init__(self, teacher: ModelTeacher) -> None:
        self.teacher = teacher
        self.asked: list[int] = []

    def answer(self, batch: dict[str, torch.Tensor]) -> TeacherOutput:
        self.asked += batch["row"].tolist()
        return self.teacher.answer(batch)
