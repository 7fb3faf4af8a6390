"""A task's own losses, against gold labels. Legend: N rows, C classes; (B, L, C) counts as B·L rows.

A row without a label (−100, or NaN where labels are numbers) counts for nothing: unlabelled text can stand
in the same batch.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from tinybert.errors import ModelError
from tinybert.losses.precision import raised

UNLABELLED = -100


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy against one class a row, averaged over labelled rows.

    Minimum: 0, approached as the label's logit outgrows the rest. No label at all: 0.0 with zero gradients.
    Gradient: (softmax(logits) − one-hot)/N an entry. To join parts of a batch, weigh each by its labelled
    rows.

    Args:
        logits: (N, C) or (B, L, C).
        labels: (N) or (B, L), int64 classes; −100 is no label.

    Returns:
        Shape (), float32 (float64 for float64 logits).

    Raises:
        ModelError: The shapes do not fit.

    Source: BERT's fine-tuning, arXiv:1810.04805, section 4.
    Differs: torch gives NaN when no row has a label; ours gives 0.

    Example:
        >>> import torch
        >>> logits = torch.tensor([[0.0, 0.0], [9.0, -9.0]])
        >>> round(cross_entropy(logits, torch.tensor([1, -100])).item(), 4)
        0.6931
    """
    logits_NC, labels_N = _labelled_classes("cross_entropy", logits, labels)
    total = functional.cross_entropy(logits_NC, labels_N, reduction="sum")
    return total / max(len(labels_N), 1)


def mse_over_classes(logits: Tensor, labels: Tensor) -> Tensor:
    """Squared distance between the logits and the one-hot label, averaged over labelled rows.

    Summed over classes, not averaged. The logits aim at 0 and 1, so their softmax stays far from certain:
    read the order, not the probability.

    Minimum: 0, where the logits are the one-hot label. No label at all: 0.0 with zero gradients.
    Gradient: 2·(logits − one-hot)/N an entry. To join parts of a batch, weigh each by its labelled rows.

    Args:
        logits: (N, C) or (B, L, C).
        labels: (N) or (B, L), int64 classes; −100 is no label.

    Returns:
        Shape (), float32 (float64 for float64 logits).

    Raises:
        ModelError: The shapes do not fit.

    Source: square loss against cross-entropy in classification, arXiv:2006.07322.
    Differs: summed over classes, and the label's class is not weighed more when there are many classes.

    Example:
        >>> import torch
        >>> mse_over_classes(torch.tensor([[1.0, 2.0]]), torch.tensor([0])).item()
        4.0
    """
    logits_NC, labels_N = _labelled_classes("mse_over_classes", logits, labels)
    target_NC = functional.one_hot(labels_N, logits_NC.shape[-1])
    return (logits_NC - target_NC).square().sum() / max(len(labels_N), 1)


def binary_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of each class by itself, for rows that may carry several labels or none.

    The mean over labelled rows and over classes: each class is a yes-or-no question of its own.

    Minimum: 0, approached as the logits grow in the labels' direction (above 0 for targets in between: the
    targets' own entropy). No label at all: 0.0 with zero gradients.
    Gradient: (sigmoid(logits) − labels)/(N·C) an entry. To join parts of a batch, weigh each by its labelled
    rows.

    Args:
        logits: (N, C).
        labels: (N, C) floats of 0 and 1 or in between; a row that holds a NaN is unlabelled.

    Returns:
        Shape (), float32 (float64 for float64 logits).

    Raises:
        ModelError: The shapes differ.

    Source: transformers' own loss for several labels (``BCEWithLogitsLoss``).
    Differs: unlabelled rows are skipped.

    Example:
        >>> import torch
        >>> labels = torch.tensor([[1.0, 0.0], [float("nan")] * 2])
        >>> round(binary_cross_entropy(torch.zeros(2, 2), labels).item(), 4)
        0.6931
    """
    logits_NC, labels_NC = _labelled_values("binary_cross_entropy", logits, labels)
    total = functional.binary_cross_entropy_with_logits(logits_NC, labels_NC, reduction="sum")
    return total / max(labels_NC.numel(), 1)


def mse(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean squared error between a model's one output and the gold value.

    Minimum: 0, where they are equal. No label at all: 0.0 with zero gradients.
    Gradient: 2·(logits − labels)/N an entry. To join parts of a batch, weigh each by its labelled rows.

    Args:
        logits: (N, 1), or (N).
        labels: (N), or (N, 1); NaN is no label.

    Returns:
        Shape (), float32 (float64 for float64 logits).

    Raises:
        ModelError: The shapes do not fit. (N, 1) against (N) is taken row by row, never broadcast to (N, N).

    Source: transformers' own loss for regression (``MSELoss``).
    Differs: unlabelled rows are skipped.

    Example:
        >>> import torch
        >>> mse(torch.tensor([[1.0], [5.0]]), torch.tensor([3.0, float("nan")])).item()
        4.0
    """
    column_N1, values_N1 = (tensor[:, None] if tensor.dim() == 1 else tensor for tensor in (logits, labels))
    if column_N1.shape[1:] != (1,):
        raise ModelError(
            "mse", f"logits {tuple(logits.shape)}: a value task needs one output a row, shape (N, 1)"
        )
    if column_N1.shape != values_N1.shape:
        raise ModelError(
            "mse", f"logits {tuple(logits.shape)}, labels {tuple(labels.shape)}: one label a row is needed"
        )
    logits_N1, labels_N1 = _labelled_values("mse", column_N1, values_N1)
    return (logits_N1 - labels_N1).square().sum() / max(len(labels_N1), 1)


def _labelled_classes(loss: str, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the labelled rows, (N, C) and (N). Taken out: an ignored row of NaN would spoil the gradient."""
    if logits.dim() < 2 or logits.shape[:-1] != labels.shape:
        raise ModelError(
            loss,
            f"logits {tuple(logits.shape)}, labels {tuple(labels.shape)}:"
            " logits (N, C) need labels (N), logits (B, L, C) labels (B, L)",
        )
    labelled = labels != UNLABELLED
    return raised(logits[labelled]), labels[labelled]


def _labelled_values(loss: str, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the rows whose labels hold no NaN, (N, C) each, in one floating type."""
    if logits.dim() != 2 or logits.shape != labels.shape:
        raise ModelError(
            loss,
            f"logits {tuple(logits.shape)}, labels {tuple(labels.shape)}: both need the same shape (N, C)",
        )
    labelled_N = ~labels.isnan().any(-1)
    logits_NC = raised(logits[labelled_N])
    return logits_NC, labels[labelled_N].to(logits_NC.dtype)
