"""Closed-form fits of single layers: give a layer the inputs it will see and the outputs it should give.

Each fit stays near a given start: with nothing to correct it returns the start exactly, and a handful of
tokens cannot carry it away.

Shapes: N tokens, I inputs, O outputs.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

RIDGE = 0.01


def refit_linear(
    linear: nn.Linear, inputs_NI: Tensor, targets_NO: Tensor, *, start_OI: Tensor, ridge: float = RIDGE
) -> None:
    """Set weight and bias to the ridge regression from inputs to targets, drawn towards a start.

    Minimises ‖XWᵀ + b − Y‖² + λ‖W − W₀‖² with λ = ridge · the inputs' mean squared norm per input column.

    Args:
        linear: The layer to set.
        inputs_NI: What it will be given.
        targets_NO: What it should output.
        start_OI: W₀.
        ridge: How strongly W is held at W₀.
    """
    mean_I, mean_O = inputs_NI.mean(0), targets_NO.mean(0)
    inputs = inputs_NI - mean_I
    missing = targets_NO - mean_O - inputs @ start_OI.T
    gram = (inputs.T @ inputs).double()
    gram.diagonal().add_(ridge * gram.diagonal().mean() + 1e-12)
    correction_IO = torch.linalg.solve(gram, (inputs.T @ missing).double())
    weight = start_OI + correction_IO.T.to(start_OI.dtype)
    linear.weight.data.copy_(weight)
    linear.bias.data.copy_(mean_O - weight @ mean_I)


def refit_map(start_OI: Tensor, inputs_NI: Tensor, targets_NO: Tensor, *, ridge: float = RIDGE) -> Tensor:
    """Return the ridge regression without a bias from inputs to targets, (O, I), drawn towards a start."""
    missing_NO = targets_NO - inputs_NI @ start_OI.T
    gram = (inputs_NI.T @ inputs_NI).double()
    gram.diagonal().add_(ridge * gram.diagonal().mean() + 1e-12)
    correction_IO = torch.linalg.solve(gram, (inputs_NI.T @ missing_NO).double())
    return start_OI + correction_IO.T.to(start_OI.dtype)


def refit_norm(
    norm: nn.LayerNorm, inputs_NO: Tensor, targets_NO: Tensor, *, start_O: Tensor, ridge: float = 1e-4
) -> None:
    """Set a LayerNorm's weight and bias to the regression of each coordinate on its normalised self.

    Args:
        norm: The layer to set.
        inputs_NO: What it will be given, before normalising.
        targets_NO: What it should output.
        start_O: Weights to stay near.
        ridge: How strongly.
    """
    normalised = functional.layer_norm(inputs_NO, inputs_NO.shape[-1:], eps=norm.eps)
    mean_in, mean_out = normalised.mean(0), targets_NO.mean(0)
    centred = normalised - mean_in
    energy = centred.square().sum(0)
    held = ridge * energy.mean() + 1e-12
    missing = ((targets_NO - mean_out - centred * start_O) * centred).sum(0)
    weight = start_O + missing / (energy + held)
    norm.weight.data.copy_(weight)
    norm.bias.data.copy_(mean_out - weight * mean_in)
