"""Folders of other programs: the paper's release, old sentence-transformers."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from tests import easy
from transformers import BertConfig, BertForSequenceClassification, BertModel

from tinybert.errors import ModelError
from tinybert.models import load_classifier, load_config, load_encoder, load_tokenizer
from tinybert.models.pooling import SentenceEncoder, read_sentence_encoder

NUM_PIECES = len(easy.WORDS) + 5
CONFIG = BertConfig(**easy.SIZE, vocab_size=NUM_PIECES)
IDS = torch.tensor([[2, 6, 7, 3]])


def save(folder: Path, kind: type[BertModel | BertForSequenceClassification] = BertModel) -> BertModel:
    torch.manual_seed(0)
    model = kind(CONFIG).eval()
    model.save_pretrained(folder)
    easy.make_tokenizer().save_pretrained(folder)
    return model


def pickle_weights(folder: Path, weights: dict[str, torch.Tensor]) -> None:
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")


def run_command(error: ModelError) -> None:
    """Run the code that a message tells to run."""
    found = re.search(r'python -c "([^"]+)"', str(error))
    assert found is not None
    exec(found[1], {})


@pytest.mark.parametrize("load", [load_config, load_encoder])
def test_the_papers_release_is_named_and_its_command_converts_it(tmp_path: Path, load) -> None:
    folder = tmp_path / "General_4L_312D"
    model = save(folder)
    weights = {f"bert.{name}": tensor for name, tensor in model.state_dict().items()}
    pickle_weights(folder, {**weights, "fit_denses.0.weight": torch.zeros(48, 32)})
    config = json.loads((folder / "config.json").read_text())
    kept = {name: value for name, value in config.items() if name not in ("model_type", "architectures")}
    (folder / "config.json").write_text(json.dumps(kept | {"cell": {}, "structure": []}))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    pieces = easy.make_tokenizer().get_vocab()
    (folder / "vocab.txt").write_text("\n".join(sorted(pieces, key=pieces.__getitem__)))
    with pytest.raises(ModelError, match=r"release of the TinyBERT paper.*fit_denses") as raised:
        load(folder)
    run_command(raised.value)
    converted = tmp_path / "General_4L_312D-safetensors"
    torch.testing.assert_close(
        load_encoder(converted)(IDS).last_hidden_state, model(IDS).last_hidden_state, atol=1e-6, rtol=1e-5
    )
    assert load_tokenizer(converted)("bab bel")["input_ids"] == easy.make_tokenizer()("bab bel")["input_ids"]


def test_pickled_weights_are_converted_with_their_head(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    model = save(folder, BertForSequenceClassification)
    pickle_weights(folder, model.state_dict())
    with pytest.raises(ModelError, match="weights are pickled; if you trust them") as raised:
        load_classifier(folder)
    run_command(raised.value)
    found = load_classifier(tmp_path / "model-safetensors")(IDS).logits
    torch.testing.assert_close(found, model(IDS).logits, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(("part", "kind"), [("0_Transformer", "Transformer"), ("0_BERT", "BERT")])
def test_the_model_of_an_old_sentence_transformers_folder_is_read(
    tmp_path: Path, part: str, kind: str
) -> None:
    model = save(tmp_path / part)
    modules = [
        {"path": part, "type": f"sentence_transformers.models.{kind}"},
        {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    ]
    (tmp_path / "modules.json").write_text(json.dumps(modules))
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text('{"pooling_mode_mean_tokens": true}')
    found = load_encoder(tmp_path)(IDS).last_hidden_state
    torch.testing.assert_close(found, model(IDS).last_hidden_state, atol=1e-6, rtol=1e-5)
    assert load_tokenizer(tmp_path)("bab")["input_ids"] == easy.make_tokenizer()("bab")["input_ids"]
    assert read_sentence_encoder(tmp_path) == SentenceEncoder("mean")
    shutil.rmtree(tmp_path / part)
    with pytest.raises(ModelError, match="not a checkpoint"):
        load_config(tmp_path)
