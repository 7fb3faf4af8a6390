"""A teacher with a vocabulary of its own teaches a student with another: what do its layers add?

    python benchmarks/two_tokenizers.py --data DATA --out runs/two-tokenizers [--rows N] [--seed S]

DATA holds conll2003 and unlabelled_en. A cased vocabulary of 12,000 pieces is trained on the unlabelled text;
bundled:minilm gets it, each new piece starting as the mean of its old pieces, and is fine-tuned on the named
entities. The student is four layers of bundled:minilm with its own uncased vocabulary. It learns twice from
the same teacher: by the words' tags alone, and by tags and hidden states, both laid over its own pieces.
Every run resumes: give the command again after a kill.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoModel, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerFast

import tinybert
from tinybert.models import Shape, load_config, load_encoder, slice_start, student_config

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
NUM_PIECES = 12_000
LAYERS = (1, 3, 4, 6)
WAYS = {
    "tags alone": "distill.losses={kl_divergence: 1, hard: 0.1}",
    "tags and hidden states": "distill.losses={hidden_state_mse: 1, kl_divergence: 1, hard: 0.1}",
}


def main() -> None:
    """Make the two vocabularies meet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=14_041, help="training rows; a few hundred teach nothing")
    parser.add_argument("--seed", type=int, default=42)
    options = parser.parse_args()
    out, source = options.out, str(options.data / "conll2003")
    common = (f"data.max_train_rows={options.rows}", f"train.seed={options.seed}", "train.learning_rate=1e-4")
    if not (out / "encoder" / "config.json").exists():
        save_other_vocabulary(options.data / "unlabelled_en" / "train.jsonl", out / "encoder")
    if not (out / "student" / "config.json").exists():
        save_student(out / "student")
    teacher = out / f"teacher-{options.seed}"
    tinybert.finetune(source, *common, "train.num_epochs=4", model=out / "encoder", task="ner", out=teacher)
    for name, losses in WAYS.items():
        run = tinybert.distill(
            source,
            *common,
            "train.num_epochs=6",
            losses,
            teacher=teacher,
            student=out / "student",
            task="ner",
            baseline=False,
            out=out / f"{name.replace(' ', '-')}-{options.seed}",
        )
        f1 = {who: run.metrics[who]["test"]["f1"] for who in ("teacher", "student")}
        kept = f"{run.metrics['retention']:.1%}"
        print(f"{name:<24} teacher {f1['teacher']:.4f}   student {f1['student']:.4f}   kept {kept}")


def save_other_vocabulary(text: Path, folder: Path) -> None:
    """Train a vocabulary and give it to bundled:minilm."""
    backend = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=False)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=NUM_PIECES, special_tokens=SPECIAL, show_progress=False)
    backend.train_from_iterator(texts(text), trainer)
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    names = dict(
        zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), SPECIAL, strict=True)
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, model_max_length=512, **names)
    weights = tinybert.fetch("bundled:minilm")
    model = AutoModel.from_pretrained(weights)
    give_vocabulary(model, AutoTokenizer.from_pretrained(weights), tokenizer)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def texts(file: Path) -> Iterator[str]:
    """Yield the texts of a file of rows."""
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)["text"]


def give_vocabulary(
    model: PreTrainedModel, old: PreTrainedTokenizerFast, new: PreTrainedTokenizerFast
) -> None:
    """Replace a model's embeddings: each new piece is the mean of the old pieces of its letters."""
    table = model.get_input_embeddings().weight.detach()
    known = old.get_vocab()
    rows = torch.zeros(len(new), table.shape[1])
    for piece, index in new.get_vocab().items():
        ids = [known[piece]] if piece in known else old(piece, add_special_tokens=False)["input_ids"]
        if piece.startswith("##") and piece not in known:
            inner = old("a" + piece.removeprefix("##"), add_special_tokens=False)["input_ids"]
            ids = inner[1:] or inner
        rows[index] = table[ids].mean(0)
    model.resize_token_embeddings(len(new))
    model.get_input_embeddings().weight.data.copy_(rows)
    model.config.pad_token_id = new.pad_token_id


def save_student(folder: Path) -> None:
    """Save four layers of bundled:minilm, with its own vocabulary."""
    weights = tinybert.fetch("bundled:minilm")
    shape = Shape(len(LAYERS), 384, 12, 1536)
    config = student_config(load_config(weights), shape, num_labels=2, family=load_config(weights).model_type)
    sliced = slice_start(load_encoder(weights), LAYERS, config, keep_head=False)
    sliced.base_model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(weights).save_pretrained(folder)


if __name__ == "__main__":
    main()
