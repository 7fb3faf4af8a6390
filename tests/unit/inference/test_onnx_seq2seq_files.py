from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tests import encdec
from transformers import BertConfig, EncoderDecoderConfig, EncoderDecoderModel, MarianConfig, PreTrainedConfig

from tinybert.errors import ModelError
from tinybert.inference.backends import BUILTIN
from tinybert.inference.backends.contract import Loading
from tinybert.inference.backends.onnx_file import open_session
from tinybert.inference.backends.onnx_merged import write_seq2seq
from tinybert.inference.backends.onnx_seq2seq import (
    PAST,
    PRESENT,
    SEQ2SEQ_FILES,
    OnnxDecoder,
    cache_names,
    load_seq2seq,
)
from tinybert.inference.exports import refuse_without_metadata
from tinybert.inference.seq2seq_graph import CrossGraph, DecoderGraph, EncoderGraph, check_seq2seq

onnx = pytest.importorskip("onnx")

B, S, T, P = (
    "batch_size",
    "encoder_sequence_length",
    "decoder_sequence_length",
    "past_decoder_sequence_length",
)
OWN, TEXT, LONGER = [B, 4, P, 8], [B, 4, f"{S}_out", 8], [B, 4, f"{P} + 1", 8]
ENCODER = {"input_ids": [B, S], "attention_mask": [B, S], "last_hidden_state": [B, S, 32]}
READS = {
    "input_ids": [B, T],
    "encoder_attention_mask": [B, S],
    "encoder_hidden_states": [B, S, 32],
    "past_key_values.0.decoder.key": OWN,
    "past_key_values.0.decoder.value": OWN,
    "past_key_values.0.encoder.key": TEXT,
    "past_key_values.0.encoder.value": TEXT,
    "past_key_values.1.decoder.key": OWN,
    "past_key_values.1.decoder.value": OWN,
    "past_key_values.1.encoder.key": TEXT,
    "past_key_values.1.encoder.value": TEXT,
    "use_cache_branch": [1],
}
WRITES = {
    "logits": [B, T, 60],
    "present.0.decoder.key": LONGER,
    "present.0.decoder.value": LONGER,
    "present.0.encoder.key": TEXT,
    "present.0.encoder.value": TEXT,
    "present.1.decoder.key": LONGER,
    "present.1.decoder.value": LONGER,
    "present.1.encoder.key": TEXT,
    "present.1.encoder.value": TEXT,
}


def session(folder: Path, precision: str = "fp32", part: int = 1):
    return open_session(folder / SEQ2SEQ_FILES[precision][part], Loading(1, 1))


def first_step(decoder, *, length: int) -> dict[str, np.ndarray]:
    """Run a first step as a loader does that gives caches of some length, and return what is written."""
    draw = np.random.default_rng(0)
    states = draw.normal(size=(3, 7, 32)).astype(np.float32)
    caches = {name: draw.normal(size=(3, 4, length, 8)).astype(np.float32) for name in cache_names(PAST, 2)}
    read = {"input_ids": np.array([[2], [7], [9]]), "encoder_hidden_states": states}
    mask = {"encoder_attention_mask": np.ones((3, 7), np.int64)}
    outputs = decoder.run(list(WRITES), read | mask | caches | {"use_cache_branch": np.array([False])})
    return dict(zip(WRITES, outputs, strict=True))


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_files_read_and_write_what_transformers_js_and_optimum_expect(
    exported_seq2seq: Path, precision: str
) -> None:
    encoder, decoder = (session(exported_seq2seq, precision, part) for part in (0, 1))
    ending = "_quantized" if precision == "int8" else ""
    assert (exported_seq2seq / f"onnx/encoder_model{ending}.onnx").is_file()
    assert (exported_seq2seq / f"onnx/decoder_model_merged{ending}.onnx").is_file()
    assert {each.name: each.shape for each in (*encoder.get_inputs(), *encoder.get_outputs())} == ENCODER
    reads, writes = decoder.get_inputs(), decoder.get_outputs()
    assert list({each.name: each.shape for each in reads}.items()) == list(READS.items())
    assert list({each.name: each.shape for each in writes}.items()) == list(WRITES.items())
    assert reads[-1].type == "tensor(bool)"


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_every_weight_lies_in_the_file_once(exported_seq2seq: Path, precision: str) -> None:
    file = onnx.load(str(exported_seq2seq / SEQ2SEQ_FILES[precision][1]))
    (node,) = file.graph.node
    assert all(not attribute.g.initializer for attribute in node.attribute)
    matrices = [tensor for tensor in file.graph.initializer if len(tensor.dims) == 2]
    expected = [weight for weight in encdec.make_model().decoder.parameters() if weight.ndim == 2]
    assert sorted(np.prod(each.dims) for each in matrices) == sorted(each.numel() for each in expected)
    table = [each for each in matrices if sorted(each.dims) == [32, 60]]
    assert len(table) == 1  # word embeddings and head
    kinds = {each.data_type for each in matrices}
    assert kinds == ({onnx.TensorProto.FLOAT} if precision == "fp32" else kinds - {onnx.TensorProto.FLOAT})


@pytest.mark.parametrize("length", [1, 5])
def test_a_first_step_does_not_read_the_caches_that_it_is_given(exported_seq2seq: Path, length: int) -> None:
    decoder = session(exported_seq2seq)
    expected, own = first_step(decoder, length=0), first_step(decoder, length=length)
    for name in WRITES:
        np.testing.assert_array_equal(own[name], expected[name])
    lengths = {name: cache.shape[2] for name, cache in own.items() if name.startswith(PRESENT)}
    assert lengths == {name: 1 if ".decoder." in name else 7 for name in cache_names(PRESENT, 2)}


def test_a_later_step_does_not_read_the_encoders_output_and_returns_no_caches_of_it(
    exported_seq2seq: Path,
) -> None:
    decoder = session(exported_seq2seq)
    past = {name.replace(PRESENT, PAST): cache for name, cache in first_step(decoder, length=0).items()}
    del past["logits"]
    read = {"input_ids": np.array([[5], [6], [7]]), "encoder_attention_mask": np.ones((3, 7), np.int64)}
    runs = [
        dict(
            zip(
                WRITES,
                decoder.run(
                    list(WRITES),
                    read | past | {"use_cache_branch": np.array([True]), "encoder_hidden_states": states},
                ),
                strict=True,
            )
        )
        for states in (np.ones((3, 7, 32), np.float32), np.zeros((3, 1, 32), np.float32))
    ]
    for name in WRITES:
        np.testing.assert_array_equal(runs[0][name], runs[1][name])
    lengths = {name: cache.shape[2] for name, cache in runs[0].items() if name.startswith(PRESENT)}
    assert lengths == {name: 2 if ".decoder." in name else 0 for name in cache_names(PRESENT, 2)}


def test_several_tokens_at_once_are_read_as_one_by_one(exported_seq2seq: Path) -> None:
    decoder = session(exported_seq2seq)
    states, mask = np.ones((2, 3, 32), np.float32), np.ones((2, 3), np.int64)
    empty = {name: np.zeros((2, 4, 0, 8), np.float32) for name in cache_names(PAST, 2)}
    tokens = np.array([[2, 8, 11, 4], [2, 30, 31, 32]])
    (logits,) = decoder.run(
        ["logits"],
        {"input_ids": tokens, "encoder_attention_mask": mask, "encoder_hidden_states": states}
        | empty
        | {"use_cache_branch": np.array([False])},
    )
    stepwise = OnnxDecoder(decoder, states, mask)
    for place in range(4):
        np.testing.assert_allclose(stepwise.step(tokens[:, place]), logits[:, place], atol=1e-5, rtol=0)


def test_the_beams_of_a_text_share_what_is_read_of_it(exported_seq2seq: Path) -> None:
    decoder = OnnxDecoder(
        session(exported_seq2seq), np.ones((2, 3, 32), np.float32), np.ones((2, 3), np.int64)
    )
    decoder.select(np.array([0, 0, 1, 1]))
    decoder.step(np.array([2, 3, 4, 5]))
    before = dict(decoder._past)
    decoder.select(np.array([1, 0, 3, 3]))
    moved = {name for name, cache in decoder._past.items() if cache is not before[name]}
    assert moved == {name for name in cache_names(PAST, 2) if ".decoder." in name}
    decoder.select(np.array([2, 0, 3, 3]))
    assert all(decoder._past[name] is not before[name] for name in before)


def test_rows_may_be_selected_before_the_first_step(exported_seq2seq: Path) -> None:
    engine = BUILTIN["onnx"].load_seq2seq
    assert engine is load_seq2seq
    assert BUILTIN["onnx"].write_seq2seq is write_seq2seq
    assert BUILTIN["onnx"].seq2seq_files == SEQ2SEQ_FILES
    batch = {name: values.numpy() for name, values in encdec.make_batch().items()}
    one, other = (engine(exported_seq2seq, "fp32", Loading(1, 1))(batch) for _ in range(2))
    other.select(np.array([1, 1, 3]))
    rows = one.step(np.full(5, 2))[[1, 1, 3]]
    np.testing.assert_allclose(other.step(np.full(3, 2)), rows, atol=1e-5, rtol=0)


@pytest.mark.parametrize("tied", [True, False])
@torch.inference_mode()
def test_the_graphs_compute_what_the_model_does(tied: bool) -> None:
    model, batch = encdec.make_model(encoder_width=32, tied=tied), encdec.make_batch()
    tokens = torch.tensor([[2, 7, 9, 11]] * 5)
    expected = model(**batch, decoder_input_ids=tokens, decoder_attention_mask=torch.ones_like(tokens))
    keys = {name: value.clone() for name, value in model.state_dict().items()}
    hidden = EncoderGraph(model)(**batch)
    torch.testing.assert_close(hidden, expected.encoder_last_hidden_state, atol=1e-5, rtol=0)
    cross, read = CrossGraph(model)(hidden), torch.zeros(5, 4, 0, 8)
    past = [cache for layer in (0, 1) for cache in (read, read, *cross[2 * layer : 2 * layer + 2])]
    logits = DecoderGraph(model)(tokens, batch["attention_mask"], *past)[0]
    torch.testing.assert_close(logits, expected.logits, atol=1e-5, rtol=0)
    assert model.state_dict().keys() == keys.keys()
    assert all(torch.equal(value, keys[name]) for name, value in model.state_dict().items())


def other_pair(*, encoder: str = "bert", decoder: str = "bert") -> EncoderDecoderConfig:
    """Return the config of an encoder–decoder of some families."""
    sizes = encdec.SIZES | {"hidden_size": 32}
    return EncoderDecoderConfig(
        encoder={"model_type": encoder, **sizes}, decoder={"model_type": decoder, **sizes}
    )


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (MarianConfig(), r"model_type marian: cannot be exported .*supported encoder–decoders: encoder-dec"),
        (other_pair(encoder="gpt2"), r"model_type gpt2: cannot be exported .*supported: bert, "),
        (other_pair(decoder="roberta"), r"decoder of model_type roberta: .*exported .supported: bert.; "),
    ],
)
def test_another_family_is_refused(config: PreTrainedConfig, message: str, tmp_path: Path) -> None:
    check_seq2seq(other_pair())
    with pytest.raises(ModelError, match=message):
        check_seq2seq(config)
    with pytest.raises(ModelError, match=message):
        write_seq2seq(SimpleNamespace(config=config), tmp_path, tmp_path, "fp32")
    assert not any(tmp_path.iterdir())


def test_files_without_what_they_were_made_from_are_refused(exported_seq2seq: Path, tmp_path: Path) -> None:
    for name in SEQ2SEQ_FILES["int8"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(exported_seq2seq / name, tmp_path / name)
    with pytest.raises(ModelError, match=r"export\.json is missing"):
        refuse_without_metadata(tmp_path)


@pytest.mark.slow
def test_an_int8_student_of_8000_pieces_is_at_most_20_mb(tmp_path: Path) -> None:
    sizes = {"vocab_size": 8000, "hidden_size": 256, "num_attention_heads": 4, "intermediate_size": 1024}
    encoder = BertConfig(**sizes, num_hidden_layers=4)
    decoder = BertConfig(**sizes, num_hidden_layers=1, is_decoder=True, add_cross_attention=True)
    config = EncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    for precision, limit in {"fp32": 36e6, "int8": 9.6e6}.items():
        write_seq2seq(EncoderDecoderModel(config), tmp_path, tmp_path, precision)
        assert sum((tmp_path / name).stat().st_size for name in SEQ2SEQ_FILES[precision]) < limit
