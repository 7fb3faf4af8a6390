"""Attention forward and backward, fused against written out: why bf16 training on a CPU writes it out.

    python benchmarks/attention.py

32 rows, 12 heads of 32, one layer; medians of milliseconds, the contestants taking turns.
"""

from __future__ import annotations

import json
import statistics
import time

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

ROWS, HEADS, WIDTH, REPEATS = 32, 12, 32, 15


def written_out(query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
    """Return softmax(QKᵀ/√d) V."""
    scores = (query @ key.transpose(2, 3)) * query.shape[-1] ** -0.5
    return scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(-1) @ value


def fused(query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
    """Return the same from PyTorch's fused kernel."""
    return scaled_dot_product_attention(query, key, value, attn_mask=mask)


def main() -> None:
    """Print JSON."""
    results = []
    for dtype in (torch.float32, torch.bfloat16):
        for length in (16, 24, 40, 64):
            tensors = [
                torch.randn(ROWS, HEADS, length, WIDTH, dtype=dtype, requires_grad=True) for _ in range(3)
            ]
            mask = torch.ones(ROWS, 1, length, length, dtype=torch.bool)
            mask[::3, :, :, -2:] = False
            milliseconds: dict[str, list[float]] = {"fused": [], "written_out": []}
            for _ in range(REPEATS):
                for attend in (fused, written_out):
                    start = time.perf_counter()
                    attend(*tensors, mask).sum().backward()
                    milliseconds[attend.__name__].append(1000 * (time.perf_counter() - start))
            medians = {name: round(statistics.median(values), 2) for name, values in milliseconds.items()}
            results.append({"dtype": str(dtype), "length": length, **medians})
    print(json.dumps({"threads": torch.get_num_threads(), "forward_and_backward_ms": results}, indent=2))


if __name__ == "__main__":
    main()
