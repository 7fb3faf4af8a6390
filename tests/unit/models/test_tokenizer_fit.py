"""A tokenizer and the model beside it: what fits is read alike by every command, what does not is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tests import easy
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForMaskedLM,
    BertJapaneseTokenizer,
    LongformerConfig,
    MPNetConfig,
    PreTrainedConfig,
    RobertaConfig,
    RobertaForSequenceClassification,
    T5Config,
    XLNetConfig,
)

from tinybert import predict
from tinybert.augmentation.filler import WordFiller
from tinybert.data.windows import encode_windows
from tinybert.errors import ModelError
from tinybert.models import Shape, load_tokenizer, num_positions, random_start, student_config
from tinybert.models.quiet import SENTENCEPIECE_PACKAGES

NUM_PIECES = len(easy.WORDS) + 5


def roberta(folder: Path, *, num_types: int = 1, **changes: object) -> Path:
    """A RoBERTa with a BERT tokenizer, which tells the texts of a pair apart by type ids."""
    config = RobertaConfig(
        **easy.SIZE | {"num_hidden_layers": 2, "vocab_size": NUM_PIECES, "type_vocab_size": num_types},
        pad_token_id=0,
        num_labels=2,
        **changes,
    )
    torch.manual_seed(0)
    RobertaForSequenceClassification(config).save_pretrained(folder)
    easy.make_tokenizer().save_pretrained(folder)
    return folder


def test_type_ids_are_left_out_where_the_model_knows_one_type(tmp_path: Path) -> None:
    path = roberta(tmp_path / "one")
    assert "token_type_ids" not in load_tokenizer(path)("bab", "bel")
    assert "token_type_ids" in load_tokenizer(roberta(tmp_path / "two", num_types=2))("bab", "bel")
    (prediction,) = predict(path, [("bab", "bel")])
    model = RobertaForSequenceClassification.from_pretrained(path).eval()
    ids = easy.make_tokenizer()("bab", "bel", return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        wanted = model(input_ids=ids).logits.softmax(-1).max().item()
    assert max(prediction.scores_compared()) == pytest.approx(wanted, abs=1e-5)


def test_a_student_of_a_teacher_without_types_has_one() -> None:
    config = RobertaConfig(**easy.SIZE, vocab_size=NUM_PIECES, type_vocab_size=0)
    shape = Shape(num_hidden_layers=1, hidden_size=32, num_attention_heads=4, intermediate_size=32)
    student = random_start(student_config(config, shape, num_labels=2), seed=0)
    assert student(input_ids=torch.tensor([[2, 6, 3]])).logits.shape == (1, 2)


@pytest.mark.parametrize("config", [XLNetConfig(vocab_size=40), T5Config(vocab_size=40)])
def test_a_student_of_a_teacher_without_a_table_of_positions_has_those_of_bert(config) -> None:
    shape = Shape(num_hidden_layers=1, hidden_size=32, num_attention_heads=4, intermediate_size=32)
    student = random_start(student_config(config, shape, num_labels=2), seed=0)
    assert student.config.max_position_embeddings == 512
    types = torch.tensor([[0, 1, getattr(config, "type_vocab_size", 2 + (config.model_type == "xlnet")) - 1]])
    assert student(input_ids=torch.tensor([[2, 6, 3]]), token_type_ids=types).logits.shape == (1, 2)


def test_added_tokens_without_a_row_are_refused_with_both_sizes(tmp_path: Path) -> None:
    path = roberta(tmp_path / "model")
    tokenizer = AutoTokenizer.from_pretrained(path)
    tokenizer.add_tokens(["<user>", "<url>"])
    tokenizer.save_pretrained(path)
    message = rf"has {NUM_PIECES + 2} pieces, its embedding table {NUM_PIECES} rows.*resize_token_embeddings"
    for load in (load_tokenizer, lambda path: predict(path, ["bab"])):
        with pytest.raises(ModelError, match=message):
            load(path)


def test_a_tokenizer_alone_is_compared_with_nothing(tmp_path: Path) -> None:
    easy.make_tokenizer().save_pretrained(tmp_path)
    assert "token_type_ids" in load_tokenizer(tmp_path)("bab", "bel")


@pytest.mark.parametrize(
    ("error", "package"),
    [
        (ImportError("You need to install fugashi to use MecabTokenizer. See https://pypi.org"), "fugashi"),
        (ImportError("The unidic_lite dictionary is not installed. See https://github.com"), "unidic-lite"),
        (ModuleNotFoundError("No module named 'rhoknp'", name="rhoknp"), "rhoknp"),
    ],
)
def test_a_package_that_is_missing_is_named_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: ImportError, package: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(AutoTokenizer, "from_pretrained", fail)
    with pytest.raises(ModelError, match=rf"cannot be read: .*; run: pip install {package}$"):
        load_tokenizer(roberta(tmp_path / "model"))


@pytest.mark.parametrize("name", ["spiece.model", "spm.model", "sentencepiece.bpe.model"])
@pytest.mark.parametrize(
    ("missing", "packages"),
    [({"sentencepiece"}, "sentencepiece"), ({"sentencepiece", "protobuf"}, "sentencepiece protobuf")],
)
def test_a_file_of_sentencepiece_names_its_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, missing: set[str], packages: str
) -> None:
    """What ``transformers`` raises asks for tiktoken, which does not help."""
    path = roberta(tmp_path / "model")
    (path / "tokenizer.json").unlink()
    (path / name).write_bytes(b"pieces")

    def fail(*_: object, **__: object) -> None:
        raise ValueError("`tiktoken` is required to read a `tiktoken` file.")

    monkeypatch.setattr(AutoTokenizer, "from_pretrained", fail)
    monkeypatch.setattr(
        "tinybert.models.quiet._is_there", lambda module: SENTENCEPIECE_PACKAGES[module] not in missing
    )
    with pytest.raises(ModelError, match=rf"its {name} needs .*; run: pip install {packages}$"):
        load_tokenizer(path)


def test_a_tokenizer_without_a_padding_token_takes_that_of_the_config(tmp_path: Path) -> None:
    path = roberta(tmp_path / "model")
    file = path / "tokenizer_config.json"
    settings = json.loads(file.read_text())
    file.write_text(json.dumps({key: value for key, value in settings.items() if key != "pad_token"}))
    assert AutoTokenizer.from_pretrained(path).pad_token is None
    assert load_tokenizer(path).pad_token == "[PAD]"


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        (MPNetConfig(max_position_embeddings=514, pad_token_id=0), 512),
        (XLNetConfig(), None),
        (T5Config(), None),
        (RobertaConfig(max_position_embeddings=514), 512),
        (LongformerConfig(max_position_embeddings=4098), 4096),
        (BertConfig(max_position_embeddings=512), 512),
    ],
)
def test_positions_that_a_text_can_use(config: PreTrainedConfig, wanted: int | None) -> None:
    assert num_positions(config) == wanted


def test_a_text_longer_than_the_positions_is_read_to_the_last_of_them(tmp_path: Path) -> None:
    path = roberta(tmp_path / "model")  # 64 rows of positions, the first of padding: 63 tokens
    tokenizer = AutoTokenizer.from_pretrained(path)
    tokenizer.model_max_length = 64
    tokenizer.save_pretrained(path)
    first, cut = predict(path, ["bab " * 200, "bab " * 61])
    assert first.scores_compared() == pytest.approx(cut.scores_compared(), abs=1e-5)


def test_the_filler_cuts_a_sentence_by_the_positions_a_text_can_use(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = BertConfig(**easy.SIZE, vocab_size=NUM_PIECES)
    model = BertForMaskedLM(config)
    filler = WordFiller(model, easy.make_tokenizer(), num_candidates=2)
    assert filler._max_pieces == 62
    model.config.model_type = "mpnet"
    model.config.pad_token_id = 1
    assert WordFiller(model, easy.make_tokenizer(), num_candidates=2)._max_pieces == 60


def test_windows_of_a_slow_tokenizer_are_refused(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a"]))
    slow = BertJapaneseTokenizer(str(tmp_path / "vocab.txt"), word_tokenizer_type="basic")
    for contexts in (None, ["a a"]):
        with pytest.raises(ModelError, match="slow tokenizer, which has no offsets"):
            encode_windows(slow, ["a a"], contexts, max_length=16)
