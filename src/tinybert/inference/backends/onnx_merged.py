"""Writes an encoder–decoder for ONNX Runtime: see :mod:`tinybert.inference.backends.onnx_seq2seq`.

The decoder's nodes stand twice in its file, in both branches of an ``If``: on the first step they read empty
caches and what is computed from the encoder's output, on a later one the caches that are given. Its weights
lie outside of the branches, once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from tinybert.inference.backends.contract import Precision
from tinybert.inference.backends.onnx_file import quantize, write_file
from tinybert.inference.backends.onnx_seq2seq import (
    DECODER_READS,
    ENCODER_READS,
    ENCODER_WRITES,
    PAST,
    PRESENT,
    SEQ2SEQ_FILES,
    USE_CACHE,
    cache_names,
)

if TYPE_CHECKING:
    import onnx
    from transformers import EncoderDecoderModel, PreTrainedModel

FULL = ("encoder.onnx", "cross.onnx", "decoder.onnx")
"""In fp32, kept in the work folder for all attempts."""

BATCH, TEXT = "batch_size", "encoder_sequence_length"
WRITTEN, READ = "decoder_sequence_length", "past_decoder_sequence_length"
MAX_LENGTH = 4096

Weights = dict[tuple[int, tuple[int, ...], bytes], "onnx.TensorProto"]
"""Type, shape and content → a tensor that both branches read."""


def write_seq2seq(model: PreTrainedModel, folder: Path, work: Path, precision: Precision) -> None:
    """Write both files of a precision.

    Args:
        model: An encoder–decoder; it is left as it is.
        folder: Where to.
        work: Where what several attempts share is kept.
        precision: Of the matrices: fp32 or int8.

    Raises:
        ModelError: Its encoder or its decoder is not supported.
    """
    import onnx

    full = [work / name for name in FULL]
    if not all(file.is_file() for file in full):
        _write_full(model, full)
    read = _quantized if precision == "int8" else onnx.load
    encoder, cross, decoder = (read(file) for file in full)
    for part, name in zip((encoder, merged(cross, decoder)), SEQ2SEQ_FILES[precision], strict=True):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(part, str(target))


def _write_full(model: PreTrainedModel, targets: Sequence[Path]) -> None:
    from torch.export import Dim

    from tinybert.inference.seq2seq_graph import CrossGraph, DecoderGraph, EncoderGraph, check_seq2seq

    check_seq2seq(model.config)
    model = cast("EncoderDecoderModel", model)
    rows, text, written, read = (Dim(name, min=1, max=MAX_LENGTH) for name in (BATCH, TEXT, WRITTEN, READ))
    encoder, cross, decoder = EncoderGraph(model), CrossGraph(model), DecoderGraph(model)
    layers = decoder.config.num_hidden_layers
    past, present = cache_names(PAST, layers), cache_names(PRESENT, layers)
    ids, mask, states = DECODER_READS
    of_text = {0: rows, 1: text}
    write_file(
        encoder,
        encoder.example(),
        targets[0],
        input_names=ENCODER_READS,
        output_names=ENCODER_WRITES,
        axes=dict.fromkeys(ENCODER_READS, of_text),
    )
    write_file(
        cross,
        cross.example(),
        targets[1],
        input_names=[states],
        output_names=[name for name in present if ".encoder." in name],
        axes={states: of_text},
    )
    caches = tuple({0: rows, 2: text if ".encoder." in name else read} for name in past)
    write_file(
        decoder,
        decoder.example(),
        targets[2],
        input_names=[ids, mask, *past],
        output_names=["logits", *(name for name in present if ".decoder." in name)],
        axes={ids: {0: rows, 1: written}, mask: of_text, "past": caches},
    )


def _quantized(full: Path) -> onnx.ModelProto:
    """Return a graph in int8; a table that is looked up in and multiplied with lies in it once."""
    import onnx

    shared = _shared_tables(onnx.load(str(full)).graph)
    target = full.with_suffix(".int8.onnx")
    quantize(full, target, but=list(shared))
    model = onnx.load(str(target))
    target.unlink()
    _read_quantized(model.graph, shared)
    return model


def _shared_tables(graph: onnx.GraphProto) -> dict[str, str]:
    """Return the look-ups in a table that is also multiplied with, node → table: tied embeddings."""
    multiplied = {node.input[1] for node in graph.node if node.op_type == "MatMul"}
    return {
        node.name: node.input[0]
        for node in graph.node
        if node.op_type == "Gather" and node.input[0] in multiplied
    }


def _read_quantized(graph: onnx.GraphProto, shared: Mapping[str, str]) -> None:
    """Let look-ups read the int8 table (D, V) that the head multiplies with, and its scales (V,)."""
    from onnx import TensorProto, helper

    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.name not in shared:
            nodes.append(node)
            continue
        (table, ids), (output,) = node.input, node.output
        whole, real, scale = (f"{output}.{name}" for name in ("int8", "float", "scale"))
        nodes += [
            helper.make_node("Gather", [f"{table}_quantized", ids], [whole], axis=1),
            helper.make_node("Cast", [whole], [real], to=TensorProto.FLOAT),
            helper.make_node("Gather", [f"{table}_scale", ids], [scale], axis=0),
            helper.make_node("Mul", [real, scale], [output]),
        ]
    kept = [tensor for tensor in graph.initializer if tensor.name not in shared.values()]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend(kept)


def merged(cross: onnx.ModelProto, decoder: onnx.ModelProto) -> onnx.ModelProto:
    """Return one decoder for first and later steps.

    Args:
        cross: What a first step computes from the encoder's output.
        decoder: What every step computes.
    """
    from onnx import TensorProto, helper

    values = {
        value.name: value for graph in (cross.graph, decoder.graph) for value in (*graph.input, *graph.output)
    }
    past = [name for name in values if name.startswith(PAST)]
    present = [name.replace(PAST, PRESENT) for name in past]
    reads, writes = [*DECODER_READS, *past], ["logits", *present]
    weights: Weights = {}
    branches = [
        helper.make_graph(
            nodes, name, [], [helper.make_empty_tensor_value_info(f"{name}.{each}") for each in writes]
        )
        for name, nodes in (
            ("later", _later(decoder, past, weights)),
            ("first", _first(cross, decoder, past, weights)),
        )
    ]
    flag = helper.make_tensor_value_info(USE_CACHE, TensorProto.BOOL, [1])
    graph = helper.make_graph(
        [helper.make_node("If", [USE_CACHE], writes, then_branch=branches[0], else_branch=branches[1])],
        "decoder",
        [*(values[name] for name in reads), flag],
        [values[name] for name in writes],
        initializer=[*weights.values(), *_slice_bounds()],
    )
    _name_cache_axes(graph)
    return helper.make_model(graph, opset_imports=decoder.opset_import, ir_version=decoder.ir_version)


def _first(
    cross: onnx.ModelProto, decoder: onnx.ModelProto, past: Sequence[str], weights: Weights
) -> list[onnx.NodeProto]:
    """Return the nodes of a first step; whatever caches are given are not read."""
    own = {name: f"first.{name}" for name in past if ".decoder." in name}
    computed = {name: f"first.{name.replace(PAST, PRESENT)}" for name in past if name not in own}
    return [
        *(_emptied(name, empty) for name, empty in own.items()),
        *_copied(
            cross, "cross", weights, names={name.removeprefix("first."): name for name in computed.values()}
        ),
        *_copied(decoder, "first", weights, names=own | computed),
    ]


def _later(decoder: onnx.ModelProto, past: Sequence[str], weights: Weights) -> list[onnx.NodeProto]:
    """Return the nodes of a later step."""
    text = [name for name in past if ".encoder." in name]
    return [
        *_copied(decoder, "later", weights),
        *(_emptied(name, f"later.{name.replace(PAST, PRESENT)}") for name in text),
    ]


def _copied(
    model: onnx.ModelProto, prefix: str, weights: Weights, *, names: Mapping[str, str] | None = None
) -> list[onnx.NodeProto]:
    """Return the nodes of a graph; its values are renamed, but for what it reads, weights, and ``names``."""
    from onnx import NodeProto, TensorProto, numpy_helper

    known = {value.name: value.name for value in model.graph.input} | dict(names or {})
    for tensor in model.graph.initializer:
        key = (tensor.data_type, tuple(tensor.dims), numpy_helper.to_array(tensor).tobytes())
        if key not in weights:
            weights[key] = TensorProto()
            weights[key].CopyFrom(tensor)
            weights[key].name = f"{tensor.name}.{len(weights)}"
        known[tensor.name] = weights[key].name
    nodes: list[NodeProto] = []
    for original in model.graph.node:
        node = NodeProto()
        node.CopyFrom(original)
        node.name = node.name and f"{prefix}.{node.name}"
        for values in (node.input, node.output):
            values[:] = [name and known.get(name, f"{prefix}.{name}") for name in values]
        nodes.append(node)
    return nodes


def _emptied(cache: str, empty: str) -> onnx.NodeProto:
    """Return the node that makes a cache (R, H, n, d) one of length 0."""
    from onnx import helper

    return helper.make_node("Slice", [cache, "slice.nothing", "slice.nothing", "slice.axis"], [empty])


def _slice_bounds() -> list[onnx.TensorProto]:
    from onnx import TensorProto, helper

    bounds = {"slice.nothing": 0, "slice.axis": 2}
    return [helper.make_tensor(name, TensorProto.INT64, [1], [value]) for name, value in bounds.items()]


def _name_cache_axes(graph: onnx.GraphProto) -> None:
    """Name the free axes of caches as Optimum does."""
    for value in (*graph.input, *graph.output):
        if value.name.startswith((PAST, PRESENT)):
            own = READ if value.name.startswith(PAST) else f"{READ} + 1"
            dims = value.type.tensor_type.shape.dim
            dims[2].dim_param = f"{TEXT}_out" if ".encoder." in value.name else own
