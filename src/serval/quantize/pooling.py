"""Means over time as matrix products, which ONNX Runtime computes several times as fast.

The mean over the last axis but one runs down columns, and its kernel takes them one by one; a
product with a row of ones reads the same values in the order in which they lie.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import helper, numpy_helper

from serval.models.graph import opset_of
from serval.quantize.graph import add_tensor, copied, index_of, made_name, replace_nodes

if TYPE_CHECKING:
    from serval.quantize.graph import Index

ONE_AXIS_OPSET = 15
"""Shape gives a single axis from here on."""
SMALL_BYTES = 1_024
"""Constants below may be shapes, whose values say how many axes a tensor has."""


def means_as_products(graph: onnx.ModelProto) -> int:
    """Return how many means over the last axis but one became products, in the graph itself.

    Tensors of which nothing tells how many axes they have are left alone.
    """
    if opset_of(graph, 1) < ONE_AXIS_OPSET:
        return 0
    index, ranks = index_of(graph), _ranks(graph)
    nodes: list[onnx.NodeProto] = []
    found = 0
    for node in graph.graph.node:
        rank = ranks.get(node.input[0], 0) if node.op_type == "ReduceMean" else 0
        over_time = rank > 1 and [axis % rank for axis in _axes(node, index)] == [rank - 2]
        nodes.extend(_product(graph, node, rank) if over_time else [node])
        found += over_time
    replace_nodes(graph, nodes)
    return found


def _ranks(graph: onnx.ModelProto) -> dict[str, int]:
    """Return the number of axes of each tensor, as far as the file or its operators tell."""
    return {
        value.name: len(value.type.tensor_type.shape.dim)
        for value in (*_inferred(graph).graph.value_info, *graph.graph.value_info)
        if value.type.tensor_type.HasField("shape")
    }


def _inferred(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Return the graph with shapes; large weights are inputs in it, which onnx need not copy."""
    small = frozenset(t.name for t in graph.graph.initializer if t.ByteSize() < SMALL_BYTES)
    large = frozenset(t.name for t in graph.graph.initializer) - small
    twin = copied(graph, without=large)
    twin.graph.input.extend(
        helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
        for tensor in graph.graph.initializer
        if tensor.name in large
    )
    return onnx.shape_inference.infer_shapes(twin)


def _axes(node: onnx.NodeProto, index: Index) -> list[int]:
    """Return what a mean is over, given as an attribute or, from opset 18 on, as an input."""
    if len(node.input) > 1:
        known = index.weights.get(node.input[1])
        return [] if known is None else numpy_helper.to_array(known).tolist()
    return next((list(a.ints) for a in node.attribute if a.name == "axes"), [])


def _product(graph: onnx.ModelProto, node: onnx.NodeProto, rank: int) -> list[onnx.NodeProto]:
    """Return what multiplies `(..., T, C)` by a row of 1 / T in the place of a mean."""
    source, [output] = node.input[0], node.output
    kept = next((a.i for a in node.attribute if a.name == "keepdims"), 1)
    length, count, share, shape, row, sums = (
        made_name(output, what) for what in ("length", "count", "share", "shape", "row", "sums")
    )
    ones = add_tensor(graph, made_name("means", "one"), np.array([1]))
    nodes = [
        helper.make_node("Shape", [source], [length], start=rank - 2, end=rank - 1),
        helper.make_node("Cast", [length], [count], to=onnx.TensorProto.FLOAT),
        helper.make_node("Reciprocal", [count], [share]),
        helper.make_node("Concat", [ones, length], [shape], axis=0),
        helper.make_node("Expand", [share, shape], [row]),
        helper.make_node("MatMul", [row, source], [output if kept else sums]),
    ]
    if not kept:
        axis = add_tensor(graph, made_name(f"means/{rank}", "axis"), np.array([rank - 2]))
        nodes.append(helper.make_node("Squeeze", [sums, axis], [output]))
    for one in nodes:
        one.name = made_name(one.output[0], "mean")
    return nodes
