"""A task's own losses, against gold labels. Legend: N rows, C classes; (B, L, C) counts as B·L rows.

A row without a label (−100, or NaN where labels are numbers) counts for nothing: unlabelled text can stand
in the same batch.

Class weights multiply each row's loss, and the sum is divided by the number of labelled rows, not by the sum
of their weights as in torch. So a batch of one class is weighted too, batches join by their rows, and
``balanced`` weights of single labels, whose mean over the training rows is 1, keep the size of the gradient;
those of several labels a text raise it.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from tinybert.errors import ModelError
from tinybert.losses.precision import raised

UNLABELLED = -100


def cross_entropy(
    logits: Tensor,
    labels: Tensor,
    *,
    class_weights: Tensor | None = None,
    label_smoothing: float = 0.0,
) -> Tensor:
    """Cross-entropy against one class a row, averaged over labelled rows.

    Minimum: 0, approached as the label's logit outgrows the rest; with label smoothing the entropy of the
    smoothed label. No label at all: 0.0 with zero gradients.
    Gradient: w·(softmax(logits) − one-hot)/N an entry, w the weight of the label. To join parts of a batch,
    weigh each by its labelled rows.

    Args:
        logits: (N, C) or (B, L, C).
        labels: (N) or (B, L), int64 classes; −100 is no label.
        class_weights: (C), what a row of each class counts; None: 1.
        label_smoothing: Share of a label's probability that is spread over all classes, in [0, 1).

    Returns:
        Shape (), float32 (float64 for float64 logits).

    Raises:
        ModelError: The shapes do not fit.

    Source: BERT's fine-tuning, arXiv:1810.04805, section 4; label smoothing arXiv:1512.00567, section 7.
    Differs: torch gives NaN when no row has a label, ours gives 0; torch divides by the sum of the weights,
    ours by the number of rows.

    Example:
        >>> import torch
        >>> logits = torch.tensor([[0.0, 0.0], [9.0, -9.0]])
        >>> round(cross_entropy(logits, torch.tensor([1, -100])).item(), 4)
        0.6931
    """
    logits_NC, labels_N = _labelled_classes("cross_entropy", logits, labels)
    weights_C = _weights("cross_entropy", class_weights, logits_NC)
    total = functional.cross_entropy(
        logits_NC, labels_N, weight=weights_C, reduction="sum", label_smoothing=label_smoothing
    )
    return total / max(len(labels_N), 1)


def focal_cross_entropy(
    logits: Tensor, labels: Tensor, *, class_weights: Tensor | None = None, focal_gamma: float = 2.0
) -> Tensor:
    """Cross-entropy in which rows that are predicted well already count less, averaged over labelled rows.

    A row counts −w·(1 − p)^γ·log p, with p the probability of its label and w the weight of its class.

    Minimum: 0, approached as the label's logit outgrows the rest. No label at all: 0.0 with zero gradients.
    Gradient: w·((1 − p)^γ − γ·p·(1 − p)^(γ − 1)·log p)·(softmax(logits) − one-hot)/N an entry. To join parts
    of a batch, weigh each by its labelled rows.

    Args:
        logits: (N, C) or (B, L, C).
        labels: (N) or (B, L), int64 classes; −100 is no label.
        class_weights: (C), α of the paper; None: 1.
        focal_gamma: γ of the paper, at least 0; at 0 this is the cross-entropy.

    Returns:
        Shape (), float32 (float64 for float64 logits).

    Raises:
        ModelError: The shapes do not fit.

    Source: focal loss, arXiv:1708.02002, equations 4 and 5.
    Differs: with a softmax over the classes, and divided by the number of labelled rows; the paper has a
    sigmoid a class and divides by the number of objects.

    Example:
        >>> import torch
        >>> round(focal_cross_entropy(torch.zeros(1, 2), torch.tensor([1])).item(), 4)
        0.1733
    """
    logits_NC, labels_N = _labelled_classes("focal_cross_entropy", logits, labels)
    weights_C = _weights("focal_cross_entropy", class_weights, logits_NC)
    losses_N = functional.cross_entropy(logits_NC, labels_N, weight=weights_C, reduction="none")
    is_label_NC = functional.one_hot(labels_N, logits_NC.shape[-1]).bool()
    others_NC = logits_NC.masked_fill(is_label_NC, torch.finfo(logits_NC.dtype).min)
    log_rest_N = others_NC.logsumexp(-1) - logits_NC.logsumexp(-1)  # log(1 − p), exact also where p is near 1
    return ((focal_gamma * log_rest_N).exp() * losses_N).sum() / max(len(labels_N), 1)


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


def binary_cross_entropy(logits: Tensor, labels: Tensor, *, class_weights: Tensor | None = None) -> Tensor:
    """Cross-entropy of each class by itself, for rows that may carry several labels or none.

    The mean over labelled rows and over classes: each class is a yes-or-no question of its own.

    Minimum: 0, approached as the logits grow in the labels' direction (above 0 for targets in between: the
    targets' own entropy). No label at all: 0.0 with zero gradients.
    Gradient: (sigmoid(logits) − labels)/(N·C) an entry, times the class's weight where the label is 1. To
    join parts of a batch, weigh each by its labelled rows.

    Args:
        logits: (N, C).
        labels: (N, C) floats of 0 and 1 or in between; a row that holds a NaN is unlabelled.
        class_weights: (C), what a "yes" of each class counts beside a "no"; None: 1.

    Returns:
        Shape (), float32 (float64 for float64 logits).

    Raises:
        ModelError: The shapes differ.

    Source: transformers' own loss for several labels (``BCEWithLogitsLoss``; its ``pos_weight``).
    Differs: unlabelled rows are skipped.

    Example:
        >>> import torch
        >>> labels = torch.tensor([[1.0, 0.0], [float("nan")] * 2])
        >>> round(binary_cross_entropy(torch.zeros(2, 2), labels).item(), 4)
        0.6931
    """
    logits_NC, labels_NC = _labelled_values("binary_cross_entropy", logits, labels)
    weights_C = _weights("binary_cross_entropy", class_weights, logits_NC)
    total = functional.binary_cross_entropy_with_logits(
        logits_NC, labels_NC, pos_weight=weights_C, reduction="sum"
    )
    return total / max(labels_NC.numel(), 1)


def focal_binary_cross_entropy(
    logits: Tensor, labels: Tensor, *, class_weights: Tensor | None = None, focal_gamma: float = 2.0
) -> Tensor:
    """Cross-entropy of each class by itself, in which what is predicted well already counts less.

    With p = sigmoid(logit), a "yes" counts −w·(1 − p)^γ·log p and a "no" −p^γ·log(1 − p): the mean over
    labelled rows and over classes.

    Minimum: 0, approached as the logits grow in the labels' direction (above 0 for targets in between). No
    label at all: 0.0 with zero gradients.
    Gradient: for a "yes" w·((1 − p)^γ·(p − 1) + γ·p·(1 − p)^γ·log p)/(N·C) an entry, for a "no" the same of
    1 − p with the opposite sign, without w. To join parts of a batch, weigh each by its labelled rows.

    Args:
        logits: (N, C).
        labels: (N, C) floats of 0 and 1 or in between; a row that holds a NaN is unlabelled.
        class_weights: (C), what a "yes" of each class counts beside a "no"; None: 1.
        focal_gamma: γ of the paper, at least 0; at 0 this is the binary cross-entropy.

    Returns:
        Shape (), float32 (float64 for float64 logits).

    Raises:
        ModelError: The shapes differ.

    Source: focal loss, arXiv:1708.02002, equations 4 and 5.
    Differs: the paper weighs a "yes" by α and a "no" by 1 − α, and divides by the number of objects.

    Example:
        >>> import torch
        >>> round(focal_binary_cross_entropy(torch.zeros(1, 2), torch.tensor([[1.0, 0.0]])).item(), 4)
        0.1733
    """
    logits_NC, labels_NC = _labelled_values("focal_binary_cross_entropy", logits, labels)
    weights_C = _weights("focal_binary_cross_entropy", class_weights, logits_NC)
    log_yes_NC, log_no_NC = functional.logsigmoid(logits_NC), functional.logsigmoid(-logits_NC)
    yes_NC = labels_NC * (focal_gamma * log_no_NC).exp() * log_yes_NC
    no_NC = (1 - labels_NC) * (focal_gamma * log_yes_NC).exp() * log_no_NC
    total = -(no_NC + (yes_NC if weights_C is None else weights_C * yes_NC)).sum()
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


def _weights(loss: str, class_weights: Tensor | None, logits_NC: Tensor) -> Tensor | None:
    """Return the weights of the classes, (C), in the type and on the device of the logits."""
    if class_weights is not None and class_weights.shape != logits_NC.shape[1:]:
        raise ModelError(
            loss,
            f"class_weights {tuple(class_weights.shape)}: one a class is needed, shape "
            f"{tuple(logits_NC.shape[1:])}",
        )
    return None if class_weights is None else class_weights.to(logits_NC)


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
