from __future__ import annotations

import pytest
import torch

from tinybert.training import choose_precision, precision, seconds_per_product


def pretend(monkeypatch: pytest.MonkeyPatch, *, fp32: float, bf16: float) -> None:
    seconds = {torch.float32: fp32, torch.bfloat16: bf16}
    monkeypatch.setattr(precision, "seconds_per_product", lambda dtype: seconds[dtype])


@pytest.mark.parametrize(
    ("fp32", "bf16", "chosen"),
    [(3.0, 1.0, "bf16"), (1.25, 1.0, "bf16"), (1.15, 1.0, "fp32"), (1.0, 1.0, "fp32"), (1.0, 5.0, "fp32")],
)
def test_auto_takes_bf16_only_where_it_is_clearly_faster(
    monkeypatch: pytest.MonkeyPatch, fp32: float, bf16: float, chosen: str
) -> None:
    pretend(monkeypatch, fp32=fp32, bf16=bf16)
    assert choose_precision("auto") == chosen


@pytest.mark.parametrize("wanted", ["fp32", "bf16"])
def test_what_is_asked_for_is_not_measured(monkeypatch: pytest.MonkeyPatch, wanted: str) -> None:
    def refuse(dtype: torch.dtype) -> float:
        raise AssertionError(dtype)

    monkeypatch.setattr(precision, "seconds_per_product", refuse)
    assert choose_precision(wanted) == wanted  # pyright: ignore[reportArgumentType]


def test_a_product_takes_time() -> None:
    assert seconds_per_product(torch.float32, rows=8, width=8, repeats=3) > 0
