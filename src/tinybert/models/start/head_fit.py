"""A new head's first weights: fitted on vectors of the frozen encoder, before any fine-tuning.

A head of `transformers` reads the first token: logits = V · act(W · first + b) + c. The dense layer (W, b)
is set by ridge regression to give the text's pooled vector, which for a sentence encoder is what it was
trained for; the logits layer (V, c) is set by minimising the task's own loss on what comes out of it. The
result is an ordinary checkpoint.

The encoder runs with its dropout on, as fine-tuning will run it: what dropout drowns is then not relied on.
Fitted without it, the head of an encoder whose first tokens hardly differ would be lost at the first step.
Few rows are run several times, with another dropout mask each, so that the dense layer is fitted to more
vectors than it has inputs.

Shapes: N texts, D width, C logits, L tokens, B texts of a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedConfig, PreTrainedModel

from tinybert.models.families import FAMILIES, encoder
from tinybert.models.head import head_activation, logits_layer, pooler_layer
from tinybert.models.inputs import model_inputs
from tinybert.models.pooling import POOLINGS
from tinybert.models.start.refit import refit_linear

PENALTIES = (300.0, 30.0, 3.0)
"""λ of the logits layer, strongest first: each fit begins from the one before."""
HELD_OUT = 5
"""Every fifth row is held out while λ is chosen."""
MAX_ITERATIONS = 100
SPREAD = 0.5
"""Standard deviation of what the activation is given: tanh is nearly linear there, and not yet flat."""
OFFSET = 2 * SPREAD
"""Where an activation other than tanh (GELU, ReLU), linear only above 0, is given its inputs."""

LabelLoss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class HeadFit:
    """How a head was fitted.

    Attributes:
        num_rows: Texts it was fitted on.
        penalty: λ that was chosen.
    """

    num_rows: int
    penalty: float


@dataclass(frozen=True)
class FrozenVectors:
    """What the frozen encoder makes of N texts.

    Attributes:
        first: (N, D) last hidden states of the first tokens.
        pooled: (N, D) vectors of the texts, of length 1.
        labels: (N) or (N, C).
    """

    first: Tensor
    pooled: Tensor
    labels: Tensor


def can_fit_head(config: PreTrainedConfig) -> bool:
    """Return whether the parts of a model's head are known here."""
    return config.model_type in FAMILIES


def fit_head(
    model: PreTrainedModel,
    batches: Iterable[Mapping[str, Tensor]],
    *,
    loss: LabelLoss,
    pooling: str = "mean",
    num_passes: int = 1,
    bf16: bool = False,
    seed: int = 0,
) -> HeadFit:
    """Set a classifier's head by what its encoder makes of labelled texts.

    Args:
        model: Of a supported family, with one output a text; its head is set, the rest is unchanged.
        batches: Tokens and ``labels``; all texts, ``num_passes`` times.
        loss: ``(logits, labels) -> ()``, the mean over rows.
        pooling: What the dense layer imitates; a key of ``POOLINGS``.
        num_passes: Of all texts, each with another dropout mask. The dense layer is fitted to all of them,
            the logits layer, for which rows are held out, to the first.
        bf16: Run the encoder in bf16.
        seed: Of the dropout; no global seed is touched.

    Source: a linear probe before fine-tuning, arXiv:2202.10054.
    Differs: the probe is fitted to its optimum on frozen vectors, with dropout; below it is a dense
    layer that imitates the pooled vector.
    """
    vectors = frozen_vectors(model, batches, pooling=pooling, bf16=bf16, seed=seed)
    fit_dense(model, vectors)
    num_rows = len(vectors.labels) // num_passes
    dense = cast(nn.Linear, pooler_layer(model))
    with torch.no_grad():
        inputs_ND = head_activation(model)(dense(vectors.first[:num_rows]))
    labels = vectors.labels[:num_rows]
    return fit_logits_layer(cast(nn.Linear, logits_layer(model)), inputs_ND, labels, loss=loss)


@torch.no_grad()
def frozen_vectors(
    model: PreTrainedModel,
    batches: Iterable[Mapping[str, Tensor]],
    *,
    pooling: str,
    bf16: bool = False,
    seed: int | None = None,
) -> FrozenVectors:
    """Run the encoder over texts and keep two vectors of each; with dropout where there is a seed for it."""
    body, device = encoder(model), model.device
    training = model.training
    model.train(seed is not None)
    kept: list[tuple[Tensor, Tensor, Tensor]] = []
    with (
        torch.random.fork_rng([device] if device.type == "cuda" else []),
        torch.autocast(device.type, torch.bfloat16, enabled=bf16),
    ):
        torch.manual_seed(seed or 0)
        for batch in batches:
            inputs = {name: value.to(device) for name, value in model_inputs(body, batch).items()}
            states_BLD = body(**inputs).last_hidden_state.float()
            pooled_BD = functional.normalize(POOLINGS[pooling](states_BLD, inputs["attention_mask"]), dim=-1)
            kept.append((states_BLD[:, 0].clone(), pooled_BD, batch["labels"].to(device)))
    model.train(training)
    return FrozenVectors(*(torch.cat(parts) for parts in zip(*kept, strict=True)))


def fit_dense(model: PreTrainedModel, vectors: FrozenVectors) -> None:
    """Set the dense layer to give the pooled vectors, where the activation above it is nearly linear."""
    centred_ND = vectors.pooled - vectors.pooled.mean(0)
    scale = SPREAD / centred_ND.std(correction=0).clamp_min(1e-6)
    dense = cast(nn.Linear, pooler_layer(model))
    offset = 0.0 if head_activation(model) is torch.tanh else OFFSET
    targets_ND = centred_ND * scale + offset
    refit_linear(dense, vectors.first, targets_ND, start_OI=torch.zeros_like(dense.weight))


@torch.no_grad()
def fit_logits_layer(layer: nn.Linear, inputs_ND: Tensor, labels: Tensor, *, loss: LabelLoss) -> HeadFit:
    """Set a linear layer to the minimum of loss + λ/2N · |weights|², the inputs brought to a spread of 1.

    λ is the one of ``PENALTIES`` with the least loss on every fifth row, which is held out meanwhile.

    Args:
        layer: Set.
        inputs_ND: What it is given.
        labels: (N) or (N, C), as the loss reads them.
        loss: ``(logits, labels) -> ()``, the mean over rows.
    """
    mean_D, spread = inputs_ND.mean(0), inputs_ND.std(correction=0).clamp_min(1e-6)
    scaled_ND = (inputs_ND - mean_D) / spread
    probe = Probe(inputs_ND.new_zeros(layer.weight.shape), inputs_ND.new_zeros(layer.out_features), loss)
    penalty = choose_penalty(probe, scaled_ND, labels)
    probe.fit(scaled_ND, labels, penalty=penalty)
    weight_CD = probe.weight / spread
    layer.weight.copy_(weight_CD)
    layer.bias.copy_(probe.bias - weight_CD @ mean_D)
    return HeadFit(len(labels), penalty)


@dataclass(frozen=True)
class Probe:
    """A linear layer being fitted: weight (C, D), bias (C), and its loss."""

    weight: Tensor
    bias: Tensor
    loss: LabelLoss

    def loss_on(self, inputs_ND: Tensor, labels: Tensor) -> Tensor:
        """Return the loss on some rows."""
        return self.loss(functional.linear(inputs_ND, self.weight, self.bias), labels)

    @torch.enable_grad()
    def fit(self, inputs_ND: Tensor, labels: Tensor, *, penalty: float) -> None:
        """Minimise the loss and the penalty by L-BFGS, from where the weights are."""
        parameters = [self.weight.requires_grad_(), self.bias.requires_grad_()]
        optimiser = torch.optim.LBFGS(parameters, max_iter=MAX_ITERATIONS, line_search_fn="strong_wolfe")

        def closure() -> Tensor:
            optimiser.zero_grad()
            held = penalty / (2 * len(labels)) * self.weight.square().sum()
            total = self.loss_on(inputs_ND, labels) + held
            total.backward()  # pyright: ignore[reportUnknownMemberType]
            return total

        optimiser.step(closure)  # pyright: ignore[reportUnknownMemberType, reportArgumentType]


def choose_penalty(probe: Probe, inputs_ND: Tensor, labels: Tensor) -> float:
    """Return the best λ on every fifth row; the probe is left as the last fit left it."""
    held_out_N = torch.arange(len(labels), device=labels.device) % HELD_OUT == HELD_OUT - 1
    if not held_out_N.any():
        return PENALTIES[0]
    losses: dict[float, float] = {}
    for penalty in PENALTIES:
        probe.fit(inputs_ND[~held_out_N], labels[~held_out_N], penalty=penalty)
        losses[penalty] = probe.loss_on(inputs_ND[held_out_N], labels[held_out_N]).item()
    return min(losses, key=losses.__getitem__)
