"""A narrower student's first weights, computed from the teacher's without a training step.

Shapes: B rows, L tokens, N real tokens of all calibrating rows end to end, D the teacher's width, S the
student's, C classes.

The student is built from the embeddings upwards. Each of its linear layers starts from the teacher's layer in
the student's basis and is then fitted, in closed form, from what the student itself gives that layer to what
the teacher has there: so each layer corrects the errors of those before it, also of skipped ones.

- *Width*: hidden states move to the S leading eigenvectors of their second moment over the mapped layers.
- *Heads*: a student with fewer heads keeps those that move the residual stream most; none are merged, because
  two attention patterns cannot be one. A kept head's scores and its output are cut to the new head's rank by
  a singular value decomposition weighted with the calibrating tokens' queries, keys and values.
  MPNet's layers share a bias of relative positions: a student of that family keeps the same heads in all
  layers, and their bias; a BERT has none.
- *Neurons*: those that move the residual stream most.
- *LayerNorm*: weight and bias by regression, coordinate by coordinate.
- *Head*: the pooler units that move the logits most, then pooler and classifier by regression.

:func:`adapt_student` instead adapts a student that has learnt its teacher's layers by general distillation
to the same teacher fine-tuned, also in closed form.

At the teacher's own width the basis stays, and at its own sizes nothing is cut: a student of all layers is
then the teacher itself, and one of fewer layers is a slice whose layers have been fitted to close the gaps.

Differs: this is not in the TinyBERT paper (arXiv:1909.10351), which starts narrow students from general
distillation. The hidden states' principal directions are from SliceGPT (arXiv:2401.15024), the least-squares
fit of what is kept from channel pruning (arXiv:1707.06168).
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel

from tinybert.errors import ModelError
from tinybert.models.capture import Capture
from tinybert.models.families import EncoderInfo, blocks, describe, embeddings, encoder
from tinybert.models.head import head_activation, head_of, logits_layer, pooler_layer
from tinybert.models.inputs import logits_of, model_inputs
from tinybert.models.mpnet import copy_position_bias, has_position_bias
from tinybert.models.start.flat import run_attention, run_block
from tinybert.models.start.initialise import first_position, random_start, student_families
from tinybert.models.start.layer_fit import LayerFit, LayerMove, head_power, strongest
from tinybert.models.start.refit import refit_linear, refit_map, refit_norm

MAX_TOKENS = 20_000  # some 800 sentences: enough for the widest regression here


@dataclass(frozen=True)
class ProjectedStart:
    """A student and the way back to its teacher.

    Attributes:
        student: A BERT or an MPNet with the head its config names, in evaluation mode, fp32, on the teacher's
            device.
        projection: (D, S), orthonormal columns: student hidden ≈ teacher hidden @ projection, so the map of a
            hidden loss from student to teacher starts at its transpose.
    """

    student: PreTrainedModel
    projection: Tensor


@dataclass
class _Calibration:
    """What the teacher does with the calibrating rows.

    Attributes:
        batches: The rows.
        masks: (B, L) per batch, true at real tokens.
        hidden: Index → hidden states at the real tokens (N, D).
        first: Last hidden state of each row's first token (B, D), of all rows.
        logits: (B, C) of all rows, or (N, C) where every token has logits; None from a bare encoder.
    """

    batches: list[dict[str, Tensor]] = field(default_factory=list[dict[str, Tensor]])
    masks: list[Tensor] = field(default_factory=list[Tensor])
    hidden: dict[int, Tensor] = field(default_factory=dict[int, Tensor])
    first: Tensor = field(default_factory=lambda: torch.empty(0))
    logits: Tensor | None = None


@torch.no_grad()
def project_start(
    teacher: PreTrainedModel,
    config: PreTrainedConfig,
    layer_map: Sequence[int],
    *,
    batches: Iterable[Mapping[str, Tensor]],
    keep_head: bool,
    seed: int = 0,
) -> ProjectedStart:
    """Compute a student's first weights from the teacher's and a few hundred unlabelled rows.

    Args:
        teacher: A classifier, or a bare encoder when the head is not kept.
        config: Of the student: a BERT, or of an MPNet teacher an MPNet; no wider than the teacher anywhere.
        layer_map: For each student layer a teacher layer, counted from 1.
        batches: Rows to calibrate with, padded on the right: input_ids, attention_mask, token_type_ids; other
            keys are not read. Above 20,000 real tokens only every second batch is used, or every third, ….
        keep_head: Fit the student's head to the teacher's logits; else the classifier is drawn at random.
        seed: For what is drawn at random.

    Raises:
        ModelError: The student is wider somewhere or reads other tokens, the teacher's family cannot be
            projected, there is no head to keep, or there are no batches.
    """
    _check(teacher, config, layer_map, keep_head=keep_head)
    teacher = copy.deepcopy(teacher).float() if teacher.dtype != torch.float32 else teacher
    training = teacher.training
    teacher.eval()
    try:
        seen = _calibrate(teacher, layer_map, batches)
        student = random_start(config, seed=seed)
        nn.Module.to(student, teacher.device)
        basis_DS = _hidden_basis(seen, [0, *layer_map], config.hidden_size)
        hidden_NS = _start_embeddings(teacher, student, seen, basis_DS)
        heads = _start_position_bias(teacher, student, seen, layer_map)
        for index, layer in enumerate(layer_map):
            theirs = run_block(blocks(teacher)[layer - 1], seen.hidden[layer - 1], seen.masks)
            fit = LayerFit(blocks(teacher)[layer - 1], blocks(student)[index], theirs, basis_DS, heads)
            hidden_NS = fit.run(hidden_NS, seen.masks)
        if (head := head_of(config)) is not None and head.is_pooled:
            first_BS = hidden_NS[_first_tokens(seen.masks)]
            _start_head(teacher, student, seen, basis_DS, first_BS, keep_head=keep_head)
        elif keep_head:
            _start_token_head(teacher, student, seen, basis_DS, hidden_NS)
    finally:
        teacher.train(training)
    return ProjectedStart(student, basis_DS)


@torch.no_grad()
def adapt_student(
    origin: PreTrainedModel,
    teacher: PreTrainedModel,
    student: PreTrainedModel,
    *,
    batches: Iterable[Mapping[str, Tensor]],
    layer_map: Sequence[int],
    maps: Tensor | None,
) -> Tensor | None:
    """Adapt a student of general distillation to a task, in closed form.

    The student was taught the layers of a teacher that knew no task yet. Layer by layer its weights follow
    what fine-tuning changed in that teacher (:class:`~tinybert.models.start.layer_fit.LayerMove`); then the
    maps to the teacher's width are fitted again, and the head to the teacher's outputs.

    Args:
        origin: The teacher that the student was taught by.
        teacher: The same, fine-tuned.
        student: A model with the same kind of head and as many logits; its weights are set.
        batches: Rows to calibrate with, as :func:`project_start` takes them.
        layer_map: Which teacher layer each student layer was taught, from 1.
        maps: (N + 1, D, S): teacher hidden ≈ map · student hidden, as general distillation learnt them; None
            where it learnt none.

    Returns:
        The maps after the fit; None at the teacher's own width, which needs none.

    Raises:
        ModelError: There are no batches.

    Differs: in the TinyBERT paper (arXiv:1909.10351) the general student meets the fine-tuned teacher as it
    is.
    """
    for model in (origin, teacher, student):
        model.eval()
    batches = list(batches)
    seen, before = _calibrate(teacher, layer_map, batches), _calibrate(origin, layer_map, batches)
    (hidden_NS,) = _hidden_of(student, seen, [0])
    own_NS = hidden_NS
    for target, layer in zip(blocks(student), layer_map, strict=True):
        theirs, was = (
            run_block(blocks(model)[layer - 1], states.hidden[layer - 1], seen.masks)
            for model, states in ((teacher, seen), (origin, before))
        )
        own = run_block(target, own_NS, seen.masks)
        hidden_NS = LayerMove(target, was, theirs, own).run(hidden_NS, seen.masks)
        own_NS = own.hidden
    indices = [0, *layer_map]
    states = _hidden_of(student, seen, range(len(indices)))
    widths = states[-1].shape[1], seen.first.shape[1]
    if maps is None and widths[0] != widths[1]:
        maps = states[-1].new_zeros(len(indices), widths[1], widths[0])
    if maps is not None:
        fitted = [
            refit_map(map_DS, state_NS, seen.hidden[index])
            for map_DS, state_NS, index in zip(maps, states, indices, strict=True)
        ]
        maps = torch.stack(fitted)
    last_DS = torch.eye(widths[0], device=states[-1].device) if maps is None else maps[-1]
    if (head := head_of(student.config)) is not None and head.is_pooled:
        first_BS = states[-1][_first_tokens(seen.masks)]
        _start_head(teacher, student, seen, last_DS, first_BS, keep_head=True)
    else:
        _start_token_head(teacher, student, seen, last_DS, states[-1])
    return maps


def _hidden_of(student: PreTrainedModel, seen: _Calibration, indices: Sequence[int]) -> list[Tensor]:
    """Return a student's hidden states at the real tokens, (N, S) each."""
    taking = Capture(student, hidden=list(indices))
    flat: list[list[Tensor]] = [[] for _ in indices]
    for batch, mask in zip(seen.batches, seen.masks, strict=True):
        with taking as taken:
            student(**batch)
        for parts, index in zip(flat, indices, strict=True):
            parts.append(taken.hidden[index][mask])
    return [torch.cat(parts) for parts in flat]


def _check(
    teacher: PreTrainedModel, config: PreTrainedConfig, layer_map: Sequence[int], *, keep_head: bool
) -> None:
    allowed = student_families(teacher.config.model_type)
    if config.model_type not in allowed:
        raise ModelError(
            "project", f"the student must be of family {' or '.join(allowed)}, not {config.model_type}"
        )
    given, wanted = describe(teacher.config), describe(config)
    problems = [
        f"{name} = {getattr(wanted, name)}: the teacher has {getattr(given, name)}, and projecting only "
        "narrows; or set student.start=random"
        for name in ("hidden_size", "num_attention_heads", "intermediate_size")
        if getattr(wanted, name) > getattr(given, name)
    ]
    problems += _mapping_problems(given, wanted, layer_map)
    if hasattr(encoder(teacher), "embeddings_project"):
        problems.append("the teacher widens its embeddings behind their LayerNorm; slice it instead")
    head = logits_layer(teacher)
    if keep_head and head is None:
        problems.append("the teacher has no classification head to keep; fine-tune it first")
    if keep_head and head is not None and head.out_features != config.num_labels:
        problems.append(f"the teacher predicts {head.out_features} classes, the student {config.num_labels}")
    if problems:
        raise ModelError("project", problems)


def _mapping_problems(given: EncoderInfo, wanted: EncoderInfo, layer_map: Sequence[int]) -> list[str]:
    problems = [
        f"layer {layer}: the teacher has layers 1 to {given.num_hidden_layers}"
        for layer in layer_map
        if not 1 <= layer <= given.num_hidden_layers
    ]
    if len(layer_map) != wanted.num_hidden_layers:
        problems.append(f"{len(layer_map)} mapped layers for {wanted.num_hidden_layers} student layers")
    if given.vocab_size != wanted.vocab_size:
        problems.append(f"vocab_size = {wanted.vocab_size}: the teacher's is {given.vocab_size}")
    return problems


def _calibrate(
    teacher: PreTrainedModel, layer_map: Sequence[int], batches: Iterable[Mapping[str, Tensor]]
) -> _Calibration:
    """Run the teacher once, and keep the inputs of the mapped layers at the real tokens."""
    last = describe(teacher.config).num_hidden_layers
    wanted = sorted({0, last, *layer_map, *(layer - 1 for layer in layer_map)})
    taking = Capture(teacher, hidden=wanted)
    seen, flat = _Calibration(), {index: list[Tensor]() for index in wanted}
    first, logits = list[Tensor](), list[Tensor]()
    for batch in _few(batches):
        inputs = {name: value.to(teacher.device) for name, value in model_inputs(teacher, batch).items()}
        mask = inputs.setdefault("attention_mask", torch.ones_like(inputs["input_ids"])).bool()
        with taking as taken:
            output = teacher(**inputs)
        for index in wanted:
            flat[index].append(taken.hidden[index][mask])
        first.append(taken.hidden[last][:, 0])
        if logits_layer(teacher) is not None:
            scores = logits_of(output)
            logits.append(scores[mask] if scores.dim() == 3 else scores)
        seen.batches.append(inputs)
        seen.masks.append(mask)
    if not seen.batches:
        raise ModelError("project", "no rows to calibrate with")
    seen.hidden = {index: torch.cat(parts) for index, parts in flat.items()}
    seen.first = torch.cat(first)
    seen.logits = torch.cat(logits) if logits else None
    return seen


def _few(batches: Iterable[Mapping[str, Tensor]]) -> list[Mapping[str, Tensor]]:
    """Thin out batches evenly, as they may lie in order of length, until they hold few enough tokens."""
    given = list(batches)
    num_tokens = sum(int(batch.get("attention_mask", batch["input_ids"] * 0 + 1).sum()) for batch in given)
    return given[:: max(1, -(-num_tokens // MAX_TOKENS))]


def _hidden_basis(seen: _Calibration, indices: Sequence[int], width: int) -> Tensor:
    """Return the S leading directions of the hidden states (D, S)."""
    states = [seen.hidden[index] for index in indices]
    moment_DD = torch.stack([state.T @ state for state in states]).sum(0).double()
    if width == len(moment_DD):
        return torch.eye(width, device=moment_DD.device)
    return torch.linalg.eigh(moment_DD).eigenvectors[:, -width:].float().contiguous()


def _start_embeddings(
    teacher: PreTrainedModel, student: PreTrainedModel, seen: _Calibration, basis_DS: Tensor
) -> Tensor:
    """Project the tables, fit the LayerNorm, and return the student's embedding output (N, S)."""
    source, target = embeddings(teacher), embeddings(student)
    first, own = first_position(teacher.config), first_position(student.config)
    for name in ("word_embeddings", "position_embeddings", "token_type_embeddings"):
        if not hasattr(target, name):
            continue
        table = cast(nn.Embedding, target.get_submodule(name)).weight.data
        if not hasattr(source, name):
            table.zero_()
            continue
        rows_D = cast(nn.Embedding, source.get_submodule(name)).weight
        if name == "position_embeddings":
            rows_D, table = rows_D[first:], table[own:]
        table.copy_(rows_D[: len(table)] @ basis_DS)
    norm = cast(nn.LayerNorm, target.get_submodule("LayerNorm"))
    summed_NS: list[Tensor] = []
    handle = norm.register_forward_pre_hook(lambda _module, args: summed_NS.append(args[0]))
    for batch in seen.batches:
        target(**model_inputs(target, batch))
    handle.remove()
    before_NS = torch.cat([part[mask] for part, mask in zip(summed_NS, seen.masks, strict=True)])
    start_S = basis_DS.square().T @ cast(nn.LayerNorm, source.get_submodule("LayerNorm")).weight
    refit_norm(norm, before_NS, seen.hidden[0] @ basis_DS, start_O=start_S)
    return norm(before_NS)


def _start_position_bias(
    teacher: PreTrainedModel, student: PreTrainedModel, seen: _Calibration, layer_map: Sequence[int]
) -> list[int] | None:
    """Give a student that has one the bias of the heads it keeps; return these, the same in all layers.

    None where each of its layers may keep heads of its own.
    """
    if not has_position_bias(encoder(student)):
        return None
    powers = [
        head_power(block, run_attention(block, seen.hidden[layer - 1], seen.masks)[-1])
        for layer, block in enumerate(blocks(teacher), start=1)
        if layer in layer_map
    ]
    power_H = torch.stack([power / power.sum() for power in powers]).sum(0)
    heads = strongest(power_H, describe(student.config).num_attention_heads).tolist()
    copy_position_bias(encoder(teacher), encoder(student), heads)
    return heads


def _first_tokens(masks_BL: Sequence[Tensor]) -> Tensor:
    """Return, among the N real tokens, where each row begins (B,)."""
    lengths_B = torch.cat([mask.sum(1) for mask in masks_BL])
    return lengths_B.cumsum(0) - lengths_B


def _start_head(
    teacher: PreTrainedModel,
    student: PreTrainedModel,
    seen: _Calibration,
    basis_DS: Tensor,
    first_BS: Tensor,
    *,
    keep_head: bool,
) -> None:
    """Fit the pooler to some of the teacher's pooler units, and the classifier to the teacher's logits."""
    source, classifier = pooler_layer(teacher), logits_layer(teacher)
    if source is None:
        return
    before_BD = source(seen.first)
    power_D = head_activation(teacher)(before_BD).std(0, correction=0)
    if keep_head and classifier is not None:
        power_D = power_D * classifier.weight.norm(dim=0)
    kept_S = power_D.argsort(descending=True)[: basis_DS.shape[1]].sort().values
    pooler = cast(nn.Linear, pooler_layer(student))
    refit_linear(pooler, first_BS, before_BD[:, kept_S], start_OI=source.weight[kept_S] @ basis_DS)
    if keep_head and classifier is not None and seen.logits is not None:
        own = cast(nn.Linear, logits_layer(student))
        pooled_BS = head_activation(student)(pooler(first_BS))
        refit_linear(own, pooled_BS, seen.logits, start_OI=classifier.weight[:, kept_S])


def _start_token_head(
    teacher: PreTrainedModel,
    student: PreTrainedModel,
    seen: _Calibration,
    basis_DS: Tensor,
    hidden_NS: Tensor,
) -> None:
    """Fit the layer that scores every token to the teacher's logits."""
    classifier, own = logits_layer(teacher), logits_layer(student)
    assert classifier is not None
    assert own is not None
    assert seen.logits is not None
    refit_linear(own, hidden_NS, seen.logits, start_OI=classifier.weight @ basis_DS)
