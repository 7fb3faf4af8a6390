"""Writes an encoder–decoder for ONNX Runtime: see :mod:`tinybert.inference.backends.onnx_seq2seq`.

The decoder is exported twice, a first step and a later one that reads caches, and joined by an ``If``. The
weights, found by their content, lie once outside of both.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tinybert.inference.backends.contract import Precision
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
from tinybert.inference.backends.onnx_session import quiet

if TYPE_CHECKING:
    import onnx
    from torch import Tensor, nn
    from transformers import EncoderDecoderModel

FULL = ("encoder.onnx", "first.onnx", "later.onnx")
"""In fp32, kept in the work folder for all attempts."""

TEXT, WRITTEN = "encoder_sequence_length", "decoder_sequence_length"
ENCODER_AXES = dict.fromkeys((*ENCODER_READS, *ENCODER_WRITES), TEXT)
DECODER_AXES = dict(zip(DECODER_READS, (WRITTEN, TEXT, TEXT), strict=True)) | {"logits": WRITTEN}

Weights = dict[tuple[int, tuple[int, ...], bytes], "onnx.TensorProto"]
"""Type, shape and content → a tensor that both branches read."""


def write_seq2seq(model: EncoderDecoderModel, folder: Path, work: Path, precision: Precision) -> None:
    """Write both files of a precision.

    Args:
        model: What is written; it is left as it is.
        folder: Where to.
        work: Where what several attempts share is kept.
        precision: Of the matrices.
    """
    import onnx

    full = [work / name for name in FULL]
    if not all(file.is_file() for file in full):
        _write_full(model, full)
    if precision == "int8":
        encoder, first, later = (_quantized(file) for file in full)
    else:
        encoder, first, later = (onnx.load(str(file)) for file in full)
    _name_axes(encoder.graph, ENCODER_AXES)
    for graph, name in zip((encoder, merged(first, later)), SEQ2SEQ_FILES[precision], strict=True):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(graph, str(target))


def _write_full(model: EncoderDecoderModel, targets: Sequence[Path]) -> None:
    from tinybert.inference.seq2seq_graph import DecoderGraph, EncoderGraph

    encoder, decoder = EncoderGraph(model), DecoderGraph(model)
    layers = decoder.config.num_hidden_layers
    writes = ["logits", *cache_names(PRESENT, layers)]
    _write_graph(encoder, encoder.example(), targets[0], reads=ENCODER_READS, writes=ENCODER_WRITES)
    _write_graph(decoder, decoder.example(past=False), targets[1], reads=DECODER_READS, writes=writes)
    reads = [*DECODER_READS, *cache_names(PAST, layers)]
    _write_graph(decoder, decoder.example(past=True), targets[2], reads=reads, writes=writes)


def _write_graph(
    module: nn.Module, example: tuple[Tensor, ...], target: Path, *, reads: Sequence[str], writes: Sequence[str]
) -> None:
    """Write a graph in fp32, free in the number of rows and in all lengths."""
    import torch

    free = torch.export.Dim.AUTO
    axes = [{0: free, 2 if each.ndim == 4 else 1: free} for each in example]
    num_named = len(DECODER_READS)
    grouped = (*axes[:num_named], tuple(axes[num_named:])) if len(axes) > num_named else tuple(axes)
    with quiet("torch.onnx"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module,
            example,
            dynamo=True,
            verbose=False,
            input_names=list(reads),
            output_names=list(writes),
            dynamic_shapes=grouped,
        )
    assert program is not None
    program.save(str(target), external_data=False)


def _quantized(full: Path) -> onnx.ModelProto:
    """Return a graph with matrices and embeddings in int8; a table that is both lies in it once."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    shared = _shared_tables(onnx.load(str(full)).graph)
    target = full.with_suffix(".int8.onnx")
    with quiet():  # it advises to run a pre-processing that the graph does not need
        quantize_dynamic(
            full, target, weight_type=QuantType.QInt8, per_channel=True, nodes_to_exclude=list(shared)
        )
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
    _replace(graph.node, nodes)
    _replace(graph.initializer, kept)


def merged(first: onnx.ModelProto, later: onnx.ModelProto) -> onnx.ModelProto:
    """Return one decoder: ``later`` where ``use_cache_branch`` is true, else ``first``."""
    from onnx import TensorProto, helper

    weights: Weights = {}
    inputs, outputs = list(later.graph.input), list(first.graph.output)
    names = [output.name for output in outputs]
    then, otherwise = _branch(later, "later", weights), _branch(first, "first", weights)
    node = helper.make_node("If", [USE_CACHE], names, then_branch=then, else_branch=otherwise)
    inputs.append(helper.make_tensor_value_info(USE_CACHE, TensorProto.BOOL, [1]))
    graph = helper.make_graph([node], "decoder", inputs, outputs, initializer=list(weights.values()))
    _name_axes(graph, DECODER_AXES)
    return helper.make_model(graph, opset_imports=first.opset_import, ir_version=first.ir_version)


def _branch(model: onnx.ModelProto, prefix: str, weights: Weights) -> onnx.GraphProto:
    """Return a graph as a branch: inputs and weights from outside, all else under names of its own."""
    from onnx import GraphProto, helper, numpy_helper

    names = {value.name: value.name for value in model.graph.input}
    taken = {tensor.name for tensor in weights.values()}
    for tensor in model.graph.initializer:
        key = (tensor.data_type, tuple(tensor.dims), numpy_helper.to_array(tensor).tobytes())
        names[tensor.name] = weights.setdefault(key, tensor).name
        if weights[key] is tensor and tensor.name in taken:
            names[tensor.name] = tensor.name = f"{prefix}.{tensor.name}"
    graph = GraphProto(name=prefix)
    for node in model.graph.node:
        node.name = node.name and f"{prefix}.{node.name}"
        for values in (node.input, node.output):
            _replace(values, [name and names.get(name, f"{prefix}.{name}") for name in values])
        graph.node.append(node)
    for output in model.graph.output:
        graph.output.append(helper.make_empty_tensor_value_info(f"{prefix}.{output.name}"))
    return graph


def _name_axes(graph: onnx.GraphProto, axes: Mapping[str, str]) -> None:
    """Name the free axes of what a graph reads and writes as Optimum does: transformers.js goes by them."""
    del graph.value_info[:]  # they hold other names
    for value in (*graph.input, *graph.output):
        dims = value.type.tensor_type.shape.dim
        if value.name == USE_CACHE:
            continue
        dims[0].dim_param = "batch_size"
        if value.name in axes:
            dims[1].dim_param = axes[value.name]
        else:
            own = f"past_{WRITTEN}" + (" + 1" if value.name.startswith(PRESENT) else "")
            dims[2].dim_param = f"{TEXT}_out" if ".encoder." in value.name else own


def _replace(field: object, values: Iterable[object]) -> None:
    """Replace what a repeated field of a message holds."""
    values = list(values)
    del field[:]
    field.extend(values)
