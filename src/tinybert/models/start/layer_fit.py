"""Fit one student layer to one teacher layer, in closed form, from its inputs to its output.

Shapes: N real tokens of all calibrating rows end to end, D the teacher's width, S the student's, H the
teacher's heads, d width of one of them, r width of a student's head, F kept feed-forward neurons.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tinybert.models.families import Block
from tinybert.models.start.flat import Steps, run_attention
from tinybert.models.start.refit import refit_linear, refit_map, refit_norm

MOVE_RIDGE = 0.03


@dataclass(frozen=True)
class LayerFit:
    """A student layer that is to do what a teacher layer does.

    Attributes:
        source: The teacher's layer.
        target: The student's layer, whose weights are set.
        theirs: What the teacher's layer computed at the calibrating tokens.
        basis: (D, S), orthonormal columns: the student's coordinates in the teacher's hidden states.
        heads: The teacher's heads that are kept; None: those whose output varies most.
    """

    source: Block
    target: Block
    theirs: Steps
    basis: Tensor
    heads: Sequence[int] | None = None

    def run(self, hidden_NS: Tensor, masks_BL: Sequence[Tensor]) -> Tensor:
        """Set all weights of the layer; return its output (N, S) for this input."""
        source, target, theirs = self.source, self.target, self.theirs
        context_NS = self._fit_heads(hidden_NS, masks_BL)
        before_NS = hidden_NS + target.o(context_NS)
        attended_NS = self._fit_norm(target.norm1, source.norm1, before_NS, theirs.attended)
        neurons_NF = self._fit_neurons(attended_NS)
        before_NS = attended_NS + target.ffn_out(neurons_NF)
        return self._fit_norm(target.norm2, source.norm2, before_NS, theirs.hidden)

    def _fit_heads(self, hidden_NS: Tensor, masks_BL: Sequence[Tensor]) -> Tensor:
        """Fit queries, keys, values and output; return the attention context (N, S)."""
        source, target, theirs, basis_DS = self.source, self.target, self.theirs, self.basis
        heads = self.heads or strongest(head_power(source, theirs.context), target.num_heads).tolist()
        cuts = [self._cut_head(head) for head in heads]
        for role in ("q", "k", "v"):
            linear: nn.Linear = getattr(target, role)
            weight_HdD = getattr(source, role).weight.unflatten(0, (source.num_heads, -1))
            values_NHd = getattr(theirs, role).unflatten(1, (source.num_heads, -1))
            start_SD = torch.cat([getattr(cut, role).T @ weight_HdD[cut.head] for cut in cuts])
            targets_NS = torch.cat([values_NHd[:, cut.head] @ getattr(cut, role) for cut in cuts], dim=1)
            refit_linear(linear, hidden_NS, targets_NS, start_OI=start_SD @ basis_DS)
        *_, context_NS = run_attention(target, hidden_NS, masks_BL)
        wanted_NS = theirs.before_norm1 @ basis_DS - hidden_NS
        start_SS = torch.cat([cut.output for cut in cuts]).T
        refit_linear(target.o, context_NS, wanted_NS, start_OI=start_SS)
        return context_NS

    def _cut_head(self, head: int) -> HeadCut:
        source, theirs = self.source, self.theirs
        q_Nd, k_Nd, v_Nd = (
            x_ND.unflatten(1, (source.num_heads, -1))[:, head] for x_ND in (theirs.q, theirs.k, theirs.v)
        )
        output_Dd = source.o.weight.unflatten(1, (source.num_heads, -1))[:, head]
        rank = self.target.q.out_features // self.target.num_heads
        return cut_head(head, q_Nd, k_Nd, v_Nd, output_dS=output_Dd.T @ self.basis, rank=rank)

    def _fit_neurons(self, attended_NS: Tensor) -> Tensor:
        """Fit the feed-forward part; return its neurons (N, F)."""
        source, target, theirs = self.source, self.target, self.theirs
        outputs_SF = self.basis.T @ source.ffn_out.weight
        power_F = theirs.neurons.std(0, correction=0) * outputs_SF.norm(dim=0)
        kept_F = strongest(power_F, target.ffn_in.out_features)
        start_FS = source.ffn_in.weight[kept_F] @ self.basis
        refit_linear(target.ffn_in, attended_NS, theirs.before_activation[:, kept_F], start_OI=start_FS)
        neurons_NF = target.activation(target.ffn_in(attended_NS))
        wanted_NS = theirs.before_norm2 @ self.basis - attended_NS
        refit_linear(target.ffn_out, neurons_NF, wanted_NS, start_OI=outputs_SF[:, kept_F])
        return neurons_NF

    def _fit_norm(
        self, norm: nn.LayerNorm, of_teacher: nn.LayerNorm, before_NS: Tensor, after_ND: Tensor
    ) -> Tensor:
        start_S = self.basis.square().T @ of_teacher.weight
        refit_norm(norm, before_NS, after_ND @ self.basis, start_O=start_S)
        return norm(before_NS)


@dataclass(frozen=True)
class LayerMove:
    """A student layer that is to change as its teacher's layer did in fine-tuning.

    At each step of the layer a linear map is fitted from what the teacher computed before it was fine-tuned
    to what the student computes. What fine-tuning changed in the teacher goes through that map, and the
    student's weights are fitted to give what they gave before plus this.

    Attributes:
        target: The student's layer, whose weights are set.
        before: What the teacher's layer computed at the calibrating tokens before it was fine-tuned.
        after: The same of the fine-tuned teacher.
        own: What the student's layer computed, before any of its layers was set.
    """

    target: Block
    before: Steps
    after: Steps
    own: Steps

    def run(self, hidden_NS: Tensor, masks_BL: Sequence[Tensor]) -> Tensor:
        """Set all weights of the layer; return its output (N, S) for this input."""
        target = self.target
        for role in ("q", "k", "v"):
            self._fit(getattr(target, role), hidden_NS, self._wanted(role))
        *_, context_NS = run_attention(target, hidden_NS, masks_BL)
        self._fit(target.o, context_NS, self._wanted("before_norm1") - hidden_NS)
        attended_NS = self._fit_norm(target.norm1, hidden_NS + target.o(context_NS), self._wanted("attended"))
        self._fit(target.ffn_in, attended_NS, self._wanted("before_activation"))
        neurons_NF = target.activation(target.ffn_in(attended_NS))
        self._fit(target.ffn_out, neurons_NF, self._wanted("before_norm2") - attended_NS)
        return self._fit_norm(target.norm2, attended_NS + target.ffn_out(neurons_NF), self._wanted("hidden"))

    def _wanted(self, step: str) -> Tensor:
        before, after, own = (getattr(steps, step) for steps in (self.before, self.after, self.own))
        none = before.new_zeros(own.shape[1], before.shape[1])
        to_student = refit_map(none, before - before.mean(0), own - own.mean(0))
        return own + (after - before) @ to_student.T

    def _fit(self, linear: nn.Linear, inputs_NI: Tensor, targets_NO: Tensor) -> None:
        refit_linear(linear, inputs_NI, targets_NO, start_OI=linear.weight.clone(), ridge=MOVE_RIDGE)

    def _fit_norm(self, norm: nn.LayerNorm, before_NS: Tensor, after_NS: Tensor) -> Tensor:
        refit_norm(norm, before_NS, after_NS, start_O=norm.weight.clone())
        return norm(before_NS)


@dataclass(frozen=True)
class HeadCut:
    """One teacher head at the rank of a student's head.

    Attributes:
        head: Its number.
        q: Queries → the student's queries (d, r); `k` and `v` likewise.
        output: What a unit of the student's context adds to its hidden state (r, S).
    """

    head: int
    q: Tensor
    k: Tensor
    v: Tensor
    output: Tensor


def cut_head(head: int, q_Nd: Tensor, k_Nd: Tensor, v_Nd: Tensor, *, output_dS: Tensor, rank: int) -> HeadCut:
    """Cut a head's scores QKᵀ and its output VW to a rank, at the least squared error over these tokens.

    A rank of the head's width or more cuts nothing: the head is kept as it is, and filled up with zeros.
    Queries and keys are scaled so that scores stay the same under the student's 1/√r.

    Args:
        head: The head's number, handed through.
        q_Nd: Queries.
        k_Nd: Keys.
        v_Nd: Values.
        output_dS: What a unit of context adds to the student's hidden state.
        rank: Width r of the student's head.
    """
    width = q_Nd.shape[1]
    scale = (rank / width) ** 0.25
    if rank >= width:
        keep_dr = torch.eye(width, rank, device=q_Nd.device)
        return HeadCut(head, scale * keep_dr, scale * keep_dr, keep_dr, keep_dr.T @ output_dS)
    root_q, root_k, root_v = _root(q_Nd), _root(k_Nd), _root(v_Nd)
    left_q, right_k = _cut_product(root_q @ root_k, rank)
    left_v, output_rS = _cut_product(root_v @ output_dS.double(), rank)
    to_q, to_k = torch.linalg.solve(root_q, left_q), torch.linalg.solve(root_k, right_k.T)
    to_v = torch.linalg.solve(root_v, left_v)
    return HeadCut(head, scale * to_q.float(), scale * to_k.float(), to_v.float(), output_rS.float())


def _cut_product(product: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Return two factors of the nearest matrix of this rank, the singular values shared between them."""
    left, values, right = torch.linalg.svd(product, full_matrices=False)
    shared = values[:rank].sqrt()
    return left[:, :rank] * shared, shared[:, None] * right[:rank]


def _root(values_Nd: Tensor) -> Tensor:
    """Return the symmetric root of the second moment (d, d), kept away from singular."""
    moment = (values_Nd.T @ values_Nd).double() / len(values_Nd)
    moment.diagonal().add_(1e-6 * moment.diagonal().mean() + 1e-12)
    energies, directions = torch.linalg.eigh(moment)
    return (directions * energies.clamp(min=1e-12).sqrt()) @ directions.T


def head_power(source: Block, context_ND: Tensor) -> Tensor:
    """Return how much each head's output varies over the tokens (H,), in its square.

    Args:
        source: The teacher's layer.
        context_ND: Its attention context.
    """
    context_NHd = context_ND.unflatten(1, (source.num_heads, -1))
    output_DHd = source.o.weight.unflatten(1, (source.num_heads, -1))
    centred_NHd = context_NHd - context_NHd.mean(0)
    covariance_Hdd = torch.einsum("nhd,nhe->hde", centred_NHd, centred_NHd)
    gram_Hdd = torch.einsum("ohd,ohe->hde", output_DHd, output_DHd)
    return (covariance_Hdd * gram_Hdd).sum((1, 2))


def strongest(power: Tensor, count: int) -> Tensor:
    """Return the numbers of the greatest, in their old order."""
    return power.argsort(descending=True)[:count].sort().values
