"""Logits of windows become one row of logits a text, with torch and without."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tinybert.data.pooling import Pooling, pool_scores, pool_windows

COUNTS = [2, 1, 4, 1]
POOLINGS = pytest.mark.parametrize("pooling", ["mean", "max"])


@POOLINGS
def test_it_is_what_a_loop_gives(pooling: Pooling) -> None:
    logits = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    expected = [
        [getattr(np, pooling)([float(logits[window, output]) for window in windows]) for output in range(3)]
        for windows in ([0, 1], [2], [3, 4, 5, 6], [7])
    ]
    found = pool_windows(logits, torch.tensor(COUNTS), pooling=pooling)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)
    assert torch.equal(found[1], logits[2])
    examples = [0, 0, 1, 2, 2, 2, 2, 3]
    without = pool_scores(list(logits.numpy()), examples, pooling=pooling)
    np.testing.assert_allclose(np.stack(without), found.numpy(), rtol=1e-6)
    assert without[0].dtype == np.float32
    np.testing.assert_array_equal(without[3], logits[7].numpy())


@pytest.mark.parametrize(("pooling", "expected"), [("mean", [0.5, 0.5, 1.0]), ("max", [0.0, 1.0, 1.0])])
def test_gradients_reach_the_windows_that_count(pooling: Pooling, expected: list[float]) -> None:
    logits = torch.tensor([[1.0], [3.0], [2.0]], requires_grad=True)
    pool_windows(logits, torch.tensor([2, 1]), pooling=pooling).sum().backward()
    assert logits.grad is not None
    assert logits.grad[:, 0].tolist() == expected


def test_half_precision_is_averaged_in_full() -> None:
    logits = torch.tensor([[256.0], [1.0], [1.0]], dtype=torch.bfloat16)
    pooled = pool_windows(logits, torch.tensor([3]), pooling="mean")
    assert pooled.dtype == torch.float32
    assert pooled.item() == pytest.approx(86)


def test_no_window_is_no_row() -> None:
    assert pool_scores([], [], pooling="mean") == []
