"""Adapters: merged into their base model where peft is installed, refused by name where not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from tests import easy
from transformers import (
    AutoModel,
    AutoModelForQuestionAnswering,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    BertConfig,
    BertModel,
)

from tinybert.errors import ModelError
from tinybert.inference import Predictor
from tinybert.models import adapters, load_classifier, load_config, load_encoder, load_tokenizer

CONFIG = BertConfig(**easy.SIZE, vocab_size=len(easy.WORDS) + 5)
IDS = torch.tensor([[2, 6, 7, 3]])
KINDS = {
    "SEQ_CLS": AutoModelForSequenceClassification,
    "TOKEN_CLS": AutoModelForTokenClassification,
    "QUESTION_ANS": AutoModelForQuestionAnswering,
    "FEATURE_EXTRACTION": AutoModel,
}
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing")  # by peft
NAMES = {0: "bad", 1: "fair", 2: "good"}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TINYBERT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def adapt(tmp_path: Path, task: str = "SEQ_CLS", **lora: object) -> PeftModel:
    """Save a base model, and an adapter of it whose weights are not zero; return the two together."""
    torch.manual_seed(0)
    BertModel(CONFIG).save_pretrained(tmp_path / "base")
    easy.make_tokenizer().save_pretrained(tmp_path / "base")
    labels = {"id2label": NAMES} if task in ("SEQ_CLS", "TOKEN_CLS") else {}
    base = KINDS[task].from_pretrained(tmp_path / "base", **labels)
    settings = LoraConfig(task_type=task, r=4, target_modules=["query", "value"], **lora)
    model = get_peft_model(base, settings).eval()
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight)
    model.save_pretrained(tmp_path / "adapter")
    return model


@pytest.mark.parametrize("task", KINDS)
def test_an_adapter_alone_predicts_as_with_peft(tmp_path: Path, task: str) -> None:
    model = adapt(tmp_path, task)
    load = load_encoder if task == "FEATURE_EXTRACTION" else load_classifier
    torch.testing.assert_close(load(tmp_path / "adapter")(IDS)[0], model(IDS)[0], atol=1e-5, rtol=1e-4)
    found = load_tokenizer(tmp_path / "adapter")("bab bel")["input_ids"]
    assert found == easy.make_tokenizer()("bab bel")["input_ids"]


def test_the_names_of_labels_beside_an_adapter_are_kept(tmp_path: Path) -> None:
    model = adapt(tmp_path)
    model.config.save_pretrained(tmp_path / "adapter")
    assert load_config(tmp_path / "adapter").id2label == NAMES
    predicted = Predictor(tmp_path / "adapter", task="classification")(["bab"])[0]
    assert predicted.label in NAMES.values()


def test_an_adapter_is_merged_once_and_again_when_it_changes(tmp_path: Path, cache: Path) -> None:
    adapt(tmp_path)
    load_config(tmp_path / "adapter")
    load_config(tmp_path / "adapter")
    assert len(list(cache.glob("merged-*"))) == 1
    adapt(tmp_path, lora_alpha=32)
    load_config(tmp_path / "adapter")
    assert len(list(cache.glob("merged-*"))) == 2


def test_without_peft_an_adapter_is_refused_with_the_line_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapt(tmp_path)
    monkeypatch.setattr(adapters, "find_spec", lambda name: None)
    for load in (load_config, load_encoder, load_tokenizer, load_classifier):
        with pytest.raises(ModelError, match=r"adapter .* of .*base, which is merged by peft.*pip install"):
            load(tmp_path / "adapter")


def test_weights_beside_an_adapter_are_not_taken_for_its_base(tmp_path: Path) -> None:
    """They may hold it already: merged twice, they would be another model."""
    adapt(tmp_path)
    BertModel(CONFIG).save_pretrained(tmp_path / "adapter")
    model = PeftModel.from_pretrained(
        AutoModelForSequenceClassification.from_pretrained(tmp_path / "base", num_labels=3),
        str(tmp_path / "adapter"),
    ).eval()
    found = load_classifier(tmp_path / "adapter")(IDS).logits
    torch.testing.assert_close(found, model(IDS).logits, atol=1e-5, rtol=1e-4)
    write_setting(tmp_path, "base_model_name_or_path", "/gone/base")
    with pytest.raises(ModelError, match=r"/gone/base is not here; .*hold the adapter already, delete"):
        load_encoder(tmp_path / "adapter")
    write_setting(tmp_path, "base_model_name_or_path", str(tmp_path / "adapter"))
    with pytest.raises(ModelError, match=r"names its own folder.*move them"):
        load_encoder(tmp_path / "adapter")
    write_setting(tmp_path, "base_model_name_or_path", None)
    with pytest.raises(ModelError, match=r"does not name its base model"):
        load_encoder(tmp_path / "adapter")


def test_an_adapter_of_another_model_is_refused(tmp_path: Path) -> None:
    adapt(tmp_path)
    wide = BertConfig(**{**easy.SIZE, "hidden_size": 64}, vocab_size=CONFIG.vocab_size)
    BertModel(wide).save_pretrained(tmp_path / "base")
    with pytest.raises(ModelError, match=r"adapter cannot be merged into .*base"):
        load_encoder(tmp_path / "adapter")


def test_a_head_that_was_not_saved_is_refused(tmp_path: Path) -> None:
    adapt(tmp_path, "FEATURE_EXTRACTION")
    write_setting(tmp_path, "task_type", "SEQ_CLS")
    with pytest.raises(ModelError, match=r"neither the adapter nor its base model holds classifier.bias"):
        load_classifier(tmp_path / "adapter")


def test_pickled_and_damaged_adapters_are_refused(tmp_path: Path) -> None:
    adapt(tmp_path)
    weights = tmp_path / "adapter" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(ModelError, match="cannot be merged"):
        load_encoder(tmp_path / "adapter")
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(ModelError, match="without weights in safetensors is not read"):
        load_encoder(tmp_path / "adapter")
    (tmp_path / "adapter" / "adapter_config.json").write_text("{")
    with pytest.raises(ModelError, match="not valid JSON"):
        load_encoder(tmp_path / "adapter")


def write_setting(tmp_path: Path, name: str, value: object) -> None:
    file = tmp_path / "adapter" / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {name: value}))
