"""Draw the vectors of texts of one class together. Legend: N texts, D width."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from tinybert.errors import ModelError
from tinybert.losses.hard import UNLABELLED
from tinybert.losses.precision import raised, without_autocast


def supervised_contrastive(vectors_ND: Tensor, labels_N: Tensor, *, temperature: float) -> Tensor:
    """Cross-entropy of finding the texts of one's own class among all others by cosine.

    With s = cosine/τ, a text counts the mean over the others of its class of
    −log(exp(s) / Σ exp(s over all other texts)); the loss is the mean over texts that have such a fellow.

    Minimum: log of the number of a text's fellows in the mean, approached at a low temperature where classes
    are far apart and fellows alike. No two texts of one class: 0.0 with zero gradients.
    Gradient: (softmax over the others − 1/fellows at the fellows)/(τ·M) for a cosine, M the number of texts
    that count. Each text is compared with its batch, so parts of a batch do not join to the whole.

    Args:
        vectors_ND: (N, D), of any length.
        labels_N: (N), int64 classes; −100 is no label, and such a text is not compared.
        temperature: τ, above 0.

    Returns:
        Shape (), float32 (float64 for float64 vectors).

    Raises:
        ModelError: The shapes do not fit.

    Source: supervised contrastive learning, arXiv:2004.11362, equation 2; beside the cross-entropy in
    fine-tuning, arXiv:2011.01403.
    Differs: the vectors are the texts' own, without a projection head, and one view of each text stands in
    the batch, not two.

    Example:
        Two texts of a class, equal, and one of another class at a right angle to them.

        >>> import torch
        >>> vectors, labels = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 0, 1])
        >>> round(supervised_contrastive(vectors, labels, temperature=0.5).item(), 4)  # log(1 + exp(-2))
        0.1269
    """
    if vectors_ND.dim() != 2 or labels_N.shape != vectors_ND.shape[:1]:
        raise ModelError(
            "supervised_contrastive",
            f"vectors {tuple(vectors_ND.shape)}, labels {tuple(labels_N.shape)}: (N, D) and (N) are needed",
        )
    labelled_N = labels_N != UNLABELLED
    labels_N, vectors_ND = labels_N[labelled_N], raised(vectors_ND[labelled_N])
    itself_NN = torch.eye(len(labels_N), dtype=torch.bool, device=labels_N.device)
    fellows_NN = (labels_N[:, None] == labels_N) & ~itself_NN
    counts_N = fellows_NN.sum(1)
    if not counts_N.any():
        return (vectors_ND * 0).sum()
    with without_autocast(vectors_ND):
        units_ND = functional.normalize(vectors_ND, dim=-1)
        scores_NN = (units_ND @ units_ND.T / temperature).masked_fill(itself_NN, -torch.inf)
        log_shares_NN = scores_NN.log_softmax(-1).masked_fill(~fellows_NN, 0.0)
    return -(log_shares_NN.sum(1) / counts_N.clamp_min(1))[counts_N > 0].mean()
