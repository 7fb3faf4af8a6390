import math

import numpy as np
import pytest
import torch
from datasets import Dataset
from tests import easy, writing

from tinybert.data import Collator, encode_split
from tinybert.evaluation import WrittenEvaluator
from tinybert.evaluation.written import MAX_ROWS, perplexity_of, row_losses
from tinybert.tasks import BUILTIN

TASK = BUILTIN["seq2seq"]


def split(count=30):
    rows = writing.make_rows(count)
    return Dataset.from_dict(
        {"text": [row["source"] for row in rows], "label": [[row["target"]] for row in rows]}
    )


def evaluator(rows):
    tokenizer = easy.make_tokenizer(writing.WORDS)
    encoded = encode_split(rows, tokenizer, max_length=16, format=TASK.format)
    return WrittenEvaluator(TASK, encoded, rows, collator=Collator(tokenizer), tokenizer=tokenizer)


@torch.inference_mode()
def test_the_loss_is_the_mean_over_all_real_tokens_of_the_targets():
    model, found = writing.make_pair().eval(), evaluator(split())
    total = count = 0.0
    for row in found.encoded:  # one by one: nothing is padded
        labels = torch.tensor([row["labels"]])
        start = torch.tensor([[writing.SPECIAL.start, *row["labels"][:-1]]])
        logits = model(input_ids=torch.tensor([row["input_ids"]]), decoder_input_ids=start).logits
        total += float(torch.nn.functional.cross_entropy(logits[0], labels[0], reduction="sum"))
        count += labels.shape[1]
    scores = found(model)
    assert scores["loss"] == pytest.approx(total / count, abs=1e-5)
    assert scores["perplexity"] == pytest.approx(math.exp(total / count), rel=1e-5)
    assert set(scores) == {"loss", "perplexity", "bleu", "chrf"}


def test_at_most_a_thousand_rows_spread_over_the_split_are_scored():
    rows = split(40)
    many = Dataset.from_dict({name: (list(rows[name]) * 30)[: MAX_ROWS + 100] for name in rows.column_names})
    found = evaluator(many)
    assert found.num_rows == len(found.gold) == len(found.encoded) == MAX_ROWS
    assert found.gold[0] == many[0]["label"]
    assert found.gold[-1] == many[-1]["label"]


def test_a_saved_models_perplexity_and_its_interval(tmp_path):
    rows, folder = split(), writing.save_pair(tmp_path)
    scores = perplexity_of(folder, rows, task=TASK, max_length=16)
    with torch.inference_mode():
        losses = row_losses(writing.make_pair().eval(), evaluator(rows).batches)
    assert scores["perplexity"] == pytest.approx(np.exp(losses[:, 0].sum() / losses[:, 1].sum()), rel=1e-4)
    assert scores["perplexity_low"] < scores["perplexity"] < scores["perplexity_high"]
