"""What an ONNX file holds: its operators, its weights and how each is stored. No session."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto

from serval.errors import ModelError
from serval.models.graph import (
    external_names,
    operator_name,
    opset_of,
    read_skeleton,
    refuse_odd_names,
    stored_nodes,
    tensors_of,
)
from serval.models.onnx import refuse_no_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

PRECISIONS: Mapping[int, str] = {
    TensorProto.FLOAT: "fp32",
    TensorProto.DOUBLE: "fp64",
    TensorProto.FLOAT16: "fp16",
    TensorProto.BFLOAT16: "bf16",
    TensorProto.INT8: "int8",
    TensorProto.UINT8: "int8",
    TensorProto.INT16: "int16",
    TensorProto.UINT16: "int16",
    TensorProto.INT4: "int4",
    TensorProto.UINT4: "int4",
    TensorProto.INT32: "int32",
}
"""How weights may be stored; 64-bit integers and booleans are shapes and indices, not weights."""

SCALES: Mapping[str, tuple[int, ...]] = {
    "QuantizeLinear": (1, 2),
    "DequantizeLinear": (1, 2),
    "QLinearConv": (1, 2, 4, 5, 6, 7),
    "QLinearMatMul": (1, 2, 4, 5, 6, 7),
    "MatMulInteger": (2, 3),
    "ConvInteger": (2, 3),
    "MatMulIntegerToFloat": (2, 3, 4, 5),
    "DynamicQuantizeMatMul": (2, 3),
    "MatMulNBits": (2, 3, 4),
    "QGemm": (1, 2, 4, 5, 7, 8),
    "QLinearAdd": (1, 2, 4, 5, 6, 7),
    "QAttention": (3, 4, 6, 7),
    "DynamicQuantizeLSTM": (8, 9, 10, 11),
}
"""Which inputs of an operator are scales and zero points: they describe weights, and are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """One tensor of weights.

    Attributes:
        name: Its name in the graph.
        shape: As the network means it, not as it is packed.
        precision: `fp32`, `fp16`, `int8`, `int4`, ...
    """

    name: str
    shape: tuple[int, ...]
    precision: str

    @property
    def parameters(self) -> int:
        """Number of values."""
        return prod(self.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredGraph:
    """An ONNX file, read without its external weights.

    Attributes:
        model: The parsed file.
        opset: Version of the standard operators.
        ops: Operator -> number of nodes, the most frequent first.
        weights: Every tensor of weights.
        size_bytes: Of the file and its external weights together.
        external: Names of the files with external weights.
    """

    model: onnx.ModelProto
    opset: int
    ops: Mapping[str, int]
    weights: tuple[Weight, ...]
    size_bytes: int
    external: tuple[str, ...]

    @property
    def parameters(self) -> int:
        """Number of weights, whatever the precision."""
        return sum(weight.parameters for weight in self.weights)

    @property
    def weight_shares(self) -> dict[str, float]:
        """Share of the weights in each precision, in [0, 1]; empty without weights."""
        counts: Counter[str] = Counter()
        for weight in self.weights:
            counts[weight.precision] += weight.parameters
        total = counts.total()
        return {precision: n / total for precision, n in counts.most_common() if n}


def stored_graph(path: Path) -> StoredGraph:
    """Return what an .onnx file holds.

    Raises:
        ModelError: It is missing, empty, not an ONNX file, or lacks its external weights.
    """
    model = _parsed(path)
    ops: Counter[str] = Counter(operator_name(node) for node in stored_nodes(model.graph))
    external = external_names(read_skeleton(path), path)
    return StoredGraph(
        model=model,
        opset=opset_of(model, 0),
        ops=dict(ops.most_common()),
        weights=tuple(_weights(model.graph)),
        size_bytes=sum(_sizes(path, external)),
        external=tuple(external),
    )


def bits_of(node: onnx.NodeProto) -> int:
    """Return the bits of each weight of a `MatMulNBits` node; 4 where it does not say."""
    return next((int(a.i) for a in node.attribute if a.name == "bits"), 4)


def at(names: Sequence[str], place: int) -> str:
    """Return the name at a place of a node's inputs or outputs; empty where none is, as it may."""
    return names[place] if place < len(names) else ""


def _parsed(path: Path) -> onnx.ModelProto:
    refuse_no_file(path)
    try:
        model = onnx.load_model(path, load_external_data=False)
    except (DecodeError, UnicodeDecodeError) as error:
        raise ModelError(
            f"{path} is not an ONNX file, or is damaged; copy or download it again"
        ) from error
    refuse_odd_names(model)
    if not model.graph.node:
        raise ModelError(f"{path} holds no ONNX graph; copy or download it again")
    return model


def _sizes(path: Path, external: list[str]) -> Iterator[int]:
    yield path.stat().st_size
    for name in external:
        file = path.parent / name
        if not file.is_file():
            raise ModelError(f"{path} has weights in {name}, which is not beside it; copy both")
        yield file.stat().st_size


def _weights(graph: onnx.GraphProto) -> Iterator[Weight]:
    nodes = list(stored_nodes(graph))
    scales = {
        node.input[index]
        for node in nodes
        for index in SCALES.get(node.op_type, ())
        if index < len(node.input)
    }
    # What is multiplied with the step of an activation: found at run time, or that of a 1.
    ones = {tensor.name for tensor in tensors_of(graph) if prod(tensor.dims) == 1}
    steps = {at(node.output, 1) for node in nodes if node.op_type == "DynamicQuantizeLinear"}
    for node in nodes:
        if node.op_type == "DequantizeLinear" and at(node.input, 0) in ones:
            scales.add(node.input[0])
            steps.add(at(node.output, 0))
    for node in nodes:
        if node.op_type == "Mul" and steps & set(node.input):
            scales |= set(node.input)
    packed = {at(node.input, 1): node for node in nodes if node.op_type == "MatMulNBits"}
    for tensor in tensors_of(graph):
        if tensor.name in packed:
            yield _unpacked(tensor.name, packed[tensor.name])
        elif tensor.data_type in PRECISIONS and tensor.dims and tensor.name not in scales:
            yield Weight(
                name=tensor.name,
                shape=tuple(tensor.dims),
                precision=PRECISIONS[tensor.data_type],
            )


def _unpacked(name: str, node: onnx.NodeProto) -> Weight:
    sizes = {attribute.name: int(attribute.i) for attribute in node.attribute}
    shape = (sizes.get("K", 0), sizes.get("N", 0))
    return Weight(name=name, shape=shape, precision=f"int{bits_of(node)}")
