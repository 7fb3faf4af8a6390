import json

import numpy as np
import pytest
import torch
from datasets import Dataset
from tests import easy, writing

from tinybert.data import Collator, encode_split
from tinybert.losses import kl_divergence
from tinybert.tasks import BUILTIN
from tinybert.teachers import ModelTeacher, TargetStore, Wanted, estimate_targets_mb, store_key
from tinybert.teachers.target_store import NUM_KEPT, spread

FORMAT = BUILTIN["seq2seq"].format


def encoded(count=20):
    rows = writing.make_rows(count)
    columns = {"text": [row["source"] for row in rows], "label": [[row["target"]] for row in rows]}
    tokenizer = easy.make_tokenizer(writing.WORDS)
    return encode_split(Dataset.from_dict(columns), tokenizer, max_length=16, format=FORMAT), Collator(
        tokenizer
    )


def filled(folder, rows, collator):
    store = TargetStore(folder, num_rows=len(rows), wanted=Wanted())
    store.fill(ModelTeacher(writing.make_pair(), Wanted()), rows, collator)
    return store


def test_spread_evenly_over_the_tokens_that_are_not_kept():
    whole = spread(torch.tensor([[3, 0]]), torch.tensor([[0.6, 0.1]]).log(), num_pieces=5).exp()
    torch.testing.assert_close(whole, torch.tensor([[0.1, 0.1, 0.1, 0.6, 0.1]]))


def test_where_all_tokens_are_kept_nothing_is_left_to_spread():
    whole = spread(torch.tensor([[1, 0]]), torch.tensor([[0.75, 0.25]]).log(), num_pieces=2).exp()
    torch.testing.assert_close(whole, torch.tensor([[0.25, 0.75]]))


def test_what_is_stored_teaches_as_the_model_does(tmp_path):
    rows, collator = encoded()
    batch = collator([rows[index] for index in (7, 0, 12)])
    stored = filled(tmp_path, rows, collator).answer(batch).logits
    live = ModelTeacher(writing.make_pair(), Wanted()).answer(batch).logits
    real = batch["labels"] != -100
    assert stored.shape == live.shape
    torch.testing.assert_close(stored[real].softmax(-1), live[real].softmax(-1), atol=2e-3, rtol=0)
    student = torch.randn(live.shape, generator=torch.Generator().manual_seed(0))[real]
    one, other = (kl_divergence(student, each[real], temperature=1.0) for each in (stored, live))
    torch.testing.assert_close(one, other, atol=5e-3, rtol=0)


def test_a_shard_that_is_there_is_not_made_again(tmp_path, monkeypatch):
    rows, collator = encoded()
    filled(tmp_path, rows, collator)
    monkeypatch.setattr(ModelTeacher, "answer", lambda *_: pytest.fail("asked again"))
    filled(tmp_path, rows, collator)
    next(tmp_path.glob("*.safetensors")).write_bytes(b"cut")
    with pytest.raises(pytest.fail.Exception, match="asked again"):
        filled(tmp_path, rows, collator)


def test_its_name_depends_on_the_targets():
    rows, _ = encoded()
    others = rows.map(lambda row: {"labels": row["labels"][::-1]})
    keys = {store_key("w", each, Wanted(), with_labels=True) for each in (rows, others)}
    assert len(keys) == 2
    assert len({store_key("w", each, Wanted()) for each in (rows, others)}) == 1


def test_its_size_is_that_of_the_files(tmp_path):
    lengths = np.array([3, 5])
    assert estimate_targets_mb(lengths.tolist()) == pytest.approx(8 * NUM_KEPT * 6 / 1e6)
    assert json.dumps(estimate_targets_mb([])) == "0.0"
