"""Which number format trains fastest here: measured, not hoped."""

from __future__ import annotations

from typing import Literal

import torch

from tinybert.metrics.timing import median_seconds

Precision = Literal["fp32", "bf16"]

BF16_GAIN_WANTED = 1.2
"""bf16 must be this much faster before it is chosen: below it, its three digits cost more than it brings."""


def choose_precision(wanted: Literal["auto", "fp32", "bf16"]) -> Precision:
    """Return the wanted precision, or for ``auto`` the faster of the two on this device.

    ``auto`` times one encoder-sized matrix product in each format (about 50 ms in all). Processors without
    bf16 units emulate it and lose; they get fp32.
    """
    if wanted != "auto":
        return wanted
    return (
        "bf16"
        if seconds_per_product(torch.float32) > BF16_GAIN_WANTED * seconds_per_product(torch.bfloat16)
        else "fp32"
    )


def seconds_per_product(dtype: torch.dtype, *, rows: int = 768, width: int = 384, repeats: int = 7) -> float:
    """Return the median seconds of one (rows, width) × (width, 4·width) product in a dtype."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    left = torch.randn(rows, width, device=device).to(dtype)
    right = torch.randn(width, 4 * width, device=device).to(dtype)

    def product() -> None:
        torch.mm(left, right)
        if device == "cuda":
            torch.cuda.synchronize()

    return median_seconds(product, repeats=repeats)
