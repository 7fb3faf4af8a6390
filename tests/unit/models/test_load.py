import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.damage import flip
from tests.unit.models.tiny import batch, classifier
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from tinybert.checksums import CHECKSUMS, write_model_checksums
from tinybert.data import LabelScheme
from tinybert.errors import ModelError
from tinybert.models import has_task_head, load_classifier, load_config, load_encoder, load_tokenizer
from tinybert.models.families import encoder
from tinybert.models.label_order import label_order


@pytest.fixture
def checkpoint(tmp_path):
    classifier().save_pretrained(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def bare(tmp_path):
    encoder(classifier()).save_pretrained(tmp_path / "bare")
    return tmp_path / "bare"


def _tokenizer(folder):
    core = Tokenizer(models.WordLevel({"[PAD]": 0, "[UNK]": 1, "a": 2}, unk_token="[UNK]"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    core.enable_padding(length=16)
    core.enable_truncation(8)
    PreTrainedTokenizerFast(tokenizer_object=core, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(
        folder
    )


def test_a_classifier_comes_back_in_evaluation_mode_and_full_precision(checkpoint):
    model = load_classifier(checkpoint)
    assert not model.training
    assert model.dtype == torch.float32
    torch.testing.assert_close(model(**batch()).logits, classifier()(**batch()).logits, atol=1e-6, rtol=1e-5)


def test_loading_prints_nothing(bare, capfd):
    load_classifier(bare, num_labels=4)
    load_encoder(bare)
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""


def test_a_missing_head_is_drawn_from_the_seed_and_the_global_seed_is_left_alone(bare):
    state = torch.random.get_rng_state()
    first, again, other = (load_classifier(bare, num_labels=4, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(first.classifier.weight, again.classifier.weight)
    assert not torch.equal(first.classifier.weight, other.classifier.weight)


def test_labels_and_problem_type_are_written_into_the_config(bare):
    model = load_classifier(
        bare, num_labels=2, id2label={0: "no", 1: "yes"}, problem_type="multi_label_classification"
    )
    assert model.config.label2id == {"no": 0, "yes": 1}
    assert model.config.problem_type == "multi_label_classification"


def test_a_head_for_another_number_of_classes_is_refused_unless_a_new_one_is_wanted(checkpoint):
    with pytest.raises(ModelError, match="predicts 3 classes, the data has 5"):
        load_classifier(checkpoint, num_labels=5)
    assert load_classifier(checkpoint, num_labels=5, new_head=True)(**batch()).logits.shape == (3, 5)


def test_task_heads_are_told_from_bare_encoders(checkpoint, bare):
    assert has_task_head(checkpoint)
    assert has_task_head(load_config(checkpoint))
    assert not has_task_head(bare)
    assert not has_task_head(classifier().config.__class__())


@pytest.mark.parametrize("load", [load_classifier, load_encoder, load_config, load_tokenizer])
def test_a_missing_folder_is_named(load, tmp_path):
    for name in (tmp_path / "nowhere", "./nowhere", "nowhere", "no/where"):
        with pytest.raises(ModelError, match="no such file or folder"):
            load(name)
    (tmp_path / "file").touch()
    with pytest.raises(ModelError, match="a file; give the folder"):
        load(tmp_path / "file")


def test_weights_cut_short_are_explained(checkpoint):
    weights = checkpoint / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ModelError, match=r"cannot be read: .*; the weights are cut short or damaged: copy"):
        load_classifier(checkpoint)


@pytest.mark.parametrize(
    ("rename", "problem"),
    [
        (lambda name: "module." + name, "not there: bert.embeddings"),
        (lambda name: None if name.startswith("classifier.") else name, "not there: classifier.bias"),
        (lambda name: None if ".layer.1." in name else name, "not there: bert.encoder.layer.1."),
    ],
)
def test_weights_that_are_not_the_configs_are_refused(checkpoint, rename, problem):
    file = checkpoint / "model.safetensors"
    weights = {rename(name): tensor for name, tensor in load_file(file).items() if rename(name)}
    save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(ModelError, match=problem):
        load_classifier(checkpoint)


def test_another_vocabulary_than_the_weights_is_refused(checkpoint):
    config = json.loads((checkpoint / "config.json").read_text())
    (checkpoint / "config.json").write_text(json.dumps(config | {"vocab_size": config["vocab_size"] + 1}))
    with pytest.raises(ModelError, match=r"of another size: bert\.embeddings\.word_embeddings\.weight"):
        load_classifier(checkpoint)


def test_a_new_head_is_new_also_where_it_has_the_same_size(checkpoint):
    kept, new = load_classifier(checkpoint), load_classifier(checkpoint, new_head=True, seed=3)
    assert not torch.equal(kept.classifier.weight, new.classifier.weight)
    assert torch.equal(kept.bert.pooler.dense.weight, new.bert.pooler.dense.weight)
    again = load_classifier(checkpoint, new_head=True, seed=3)
    assert torch.equal(new.classifier.weight, again.classifier.weight)


def test_broken_checkpoints_are_explained(checkpoint):
    weights = checkpoint / "model.safetensors"
    weights.rename(checkpoint / "pytorch_model.bin")
    with pytest.raises(ModelError, match="weights are pickled"):
        load_classifier(checkpoint)
    weights.write_bytes(b"not weights")
    with pytest.raises(ModelError, match="cannot be read"):
        load_classifier(checkpoint)
    (checkpoint / "config.json").write_text("{")
    with pytest.raises(ModelError, match="not valid JSON"):
        load_classifier(checkpoint)
    (checkpoint / "config.json").write_text(json.dumps({"model_type": "no-such-type"}))
    with pytest.raises(ModelError, match="cannot be read"):
        load_config(checkpoint)
    (checkpoint / "config.json").unlink()
    with pytest.raises(ModelError, match="not a checkpoint"):
        load_config(checkpoint)


def test_padding_and_truncation_fixed_in_the_file_are_reset(checkpoint):
    _tokenizer(checkpoint)
    assert len(load_tokenizer(checkpoint)("a " * 20)["input_ids"]) == 20
    assert len(load_tokenizer(checkpoint)("a")["input_ids"]) == 1


def test_a_folder_without_a_tokenizer_is_refused_instead_of_an_empty_vocabulary(checkpoint):
    with pytest.raises(ModelError, match="no tokenizer here"):
        load_tokenizer(checkpoint)


def test_labels_that_differ_only_in_case_keep_their_own_places():
    assert label_order({0: "Yes", 1: "yes"}, LabelScheme(("yes", "Yes"))) == [1, 0]
    assert label_order({0: "YES", 1: "NO"}, LabelScheme(("no", "yes"))) == [1, 0]


def test_weights_that_are_not_what_was_recorded_are_refused_and_may_be_taken_on_purpose(checkpoint):
    write_model_checksums(checkpoint)
    config = json.loads((checkpoint / "config.json").read_text())
    names = {name: f"label {name}" for name in config["id2label"]}
    (checkpoint / "config.json").write_text(json.dumps(config | {"id2label": names}))
    assert load_classifier(checkpoint).config.id2label[1] == "label 1"  # an edit is no damage
    flip(checkpoint / "model.safetensors")
    refused = r"model\.safetensors: not the content .* delete checksums\.json in it"
    with pytest.raises(ModelError, match=refused):
        load_classifier(checkpoint)
    (checkpoint / CHECKSUMS).unlink()
    load_classifier(checkpoint)


def test_weights_of_a_bundled_model_are_compared_with_the_pinned_hash(checkpoint, monkeypatch):
    asked = []

    def fetch(name, *, hashes=False):
        asked.append(hashes)
        return checkpoint

    monkeypatch.setattr("tinybert.models.load.fetch", fetch)
    load_config("bundled:minilm")
    assert not any(asked)
    load_classifier("bundled:minilm")
    assert any(asked)


@pytest.mark.parametrize("name", ["tokenizer_config.json", "tokenizer.json"])
def test_a_damaged_file_of_a_foreign_tokenizer_is_named(checkpoint, name):
    _tokenizer(checkpoint)
    (checkpoint / name).write_text("{")
    with pytest.raises(ModelError, match=rf"{name}: not valid JSON; copy it here once more"):
        load_tokenizer(checkpoint)


def test_an_unknown_activation_is_named_by_all_that_load(checkpoint):
    config = json.loads((checkpoint / "config.json").read_text())
    (checkpoint / "config.json").write_text(json.dumps(config | {"hidden_act": "gelu_nwe"}))
    _tokenizer(checkpoint)
    for load in (load_config, load_classifier, load_encoder, load_tokenizer):
        with pytest.raises(
            ModelError,
            match=r"hidden_act = 'gelu_nwe'.*write one that transformers knows; did you mean 'gelu_new'\?",
        ):
            load(checkpoint)


def test_a_missing_file_of_weights_is_named(tmp_path):
    classifier().save_pretrained(tmp_path, max_shard_size="20KB")
    lost = sorted(tmp_path.glob("*.safetensors"))[1]
    lost.unlink()
    with pytest.raises(ModelError, match=rf"cannot be read: .*{lost.name}; copy the whole folder again"):
        load_classifier(tmp_path)


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"vocab.json": "{", "merges.txt": "a b"}, r"vocab\.json: not valid JSON"),
        (
            {"tokenizer.json": '{"a": 1}'},
            "cannot be read: no 'added_tokens' in its files; copy the whole folder again",
        ),
    ],
)
def test_a_tokenizer_that_cannot_be_read_is_explained(checkpoint, files, problem):
    for name, content in files.items():
        (checkpoint / name).write_text(content)
    (checkpoint / "tokenizer_config.json").write_text('{"tokenizer_class": "RobertaTokenizer"}')
    with pytest.raises(ModelError, match=problem):
        load_tokenizer(checkpoint)


def change(file, **values):
    content = json.loads(file.read_text()) | values
    file.write_text(json.dumps({name: value for name, value in content.items() if value is not None}))


def test_weights_of_more_layers_than_the_config_has_are_refused(checkpoint):
    layers = load_config(checkpoint).num_hidden_layers
    change(checkpoint / "config.json", num_hidden_layers=layers - 1)
    for load in (load_classifier, load_encoder):
        with pytest.raises(ModelError, match=r"there, but of no use: .*\.layers?\.\d"):
            load(checkpoint)


def test_names_in_label2id_alone_are_refused_with_those_to_add(checkpoint):
    change(checkpoint / "config.json", label2id={"bad": 0, "good": 1}, id2label=None)
    with pytest.raises(ModelError, match=r'add "id2label": {"0": "bad", "1": "good"}'):
        load_config(checkpoint)
