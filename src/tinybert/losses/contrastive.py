"""Pull the embeddings of texts of one class together. Legend: N texts, D width."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from tinybert.errors import ModelError
from tinybert.losses.hard import UNLABELLED
from tinybert.losses.precision import raised, without_autocast


def supervised_contrastive(embeddings_ND: Tensor, labels_N: Tensor, *, temperature: float) -> Tensor:
    """Cross-entropy of finding a text's positives, the others of its class, among all other texts by cosine.

    With s = cosine/τ, the loss of a text is the mean over its positives of
    −log(exp(s) / Σ exp(s over all other texts)). Averaged over the texts that have a positive.

    Minimum: the mean over texts of log(number of positives), approached at a low temperature where classes
    are far apart. No two texts of one class: 0.0 with zero gradients.
    Gradient: (softmax over the others − 1/positives at the positives)/(τ·M) for a cosine, M the number of
    texts that have a positive. Each text is compared with its batch, so parts of a batch do not join to the
    whole.

    Args:
        embeddings_ND: (N, D), of any norm.
        labels_N: (N), int64 classes; −100 is no label, and such a text is not compared.
        temperature: τ, above 0.

    Returns:
        Shape (), float32 (float64 for float64 embeddings).

    Raises:
        ModelError: The shapes do not fit.

    Source: supervised contrastive learning, arXiv:2004.11362, equation 2; beside the cross-entropy in
    fine-tuning, arXiv:2011.01403.
    Differs: no projection head, and one view of each text in the batch, not two.

    Example:
        Two texts of a class, alike, and one of another class at a right angle to them.

        >>> import torch
        >>> embeddings, labels = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 0, 1])
        >>> round(supervised_contrastive(embeddings, labels, temperature=0.5).item(), 4)  # log(1 + exp(-2))
        0.1269
    """
    if embeddings_ND.dim() != 2 or labels_N.shape != embeddings_ND.shape[:1]:
        raise ModelError(
            "supervised_contrastive",
            f"embeddings {tuple(embeddings_ND.shape)}, labels {tuple(labels_N.shape)}: (N, D) and (N) are "
            "needed",
        )
    labelled_N = labels_N != UNLABELLED
    labels_N, embeddings_ND = labels_N[labelled_N], raised(embeddings_ND[labelled_N])
    itself_NN = torch.eye(len(labels_N), dtype=torch.bool, device=labels_N.device)
    positives_NN = (labels_N[:, None] == labels_N) & ~itself_NN
    counts_N = positives_NN.sum(1)
    with without_autocast(embeddings_ND):
        units_ND = functional.normalize(embeddings_ND, dim=-1)
        scores_NN = units_ND @ units_ND.T / temperature
    scores_NN = scores_NN.masked_fill(itself_NN, torch.finfo(scores_NN.dtype).min)  # −∞ is NaN where N is 1
    log_shares_NN = scores_NN.log_softmax(-1).masked_fill(~positives_NN, 0.0)
    losses_N = -log_shares_NN.sum(1) / counts_N.clamp_min(1)
    return losses_N.sum() / (counts_N > 0).sum().clamp_min(1)
