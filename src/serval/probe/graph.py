"""The encoder up to its hidden levels as an ONNX file of its own, with or without a head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper, numpy_helper

from serval.errors import ModelError
from serval.models.graph import INLINE_LIMIT_BYTES, names_read, opset_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

OUTPUT = "logits"
PREFIX = "serval_probe"
"""How the names of the nodes and tensors begin that are added to a graph."""

AXES_AS_INPUT = 18
"""The opset since which ReduceMean takes its axes as an input."""

Pooling = str
"""`mean`, or `mean+std`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A hidden level whose shape is known.

    Attributes:
        name: As people call it.
        tensor: In the graph.
        time: The axis of `(B, T, F)` or `(B, F, T)` that is time; `None` of `(B, F)`.
        width: F.
    """

    name: str
    tensor: str
    time: int | None
    width: int

    def size(self, pooling: Pooling) -> int:
        """Return how many features it gives."""
        return self.width * (2 if pooling == "mean+std" and self.time is not None else 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear:
    """A linear layer, standardisation included.

    Attributes:
        weight: `(F, K) float32`.
        bias: `(K,) float32`.
    """

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]


def cut(
    model: onnx.ModelProto,
    levels: Sequence[Level],
    pooling: Pooling,
    head: Linear | None = None,
) -> onnx.ModelProto:
    """Return the part of a model that the levels depend on, pooled over time.

    Its one output `logits` is what a head makes of their pooled features, `(B, K) float32`, or
    without one these features beside each other, `(B, F)`. A level without time is not pooled.
    """
    opset = opset_of(model, 17)
    build = _Nodes(opset)
    parts = [part for level in levels for part in build.pooled(level, pooling)]
    features = build.add("Concat", parts, axis=1)
    if head is not None:
        product = build.add("MatMul", [features, build.constant(head.weight)])
        features = build.add("Add", [product, build.constant(head.bias)])
    build.add("Identity", [features], output=OUTPUT)
    width = sum(level.size(pooling) for level in levels) if head is None else len(head.bias)
    nodes = _needed(model.graph.node, {level.tensor for level in levels})
    output = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["batch", width])
    return _rebuilt(model, [*nodes, *build.nodes], build.constants, [output])


def read_model(path: Path) -> onnx.ModelProto:
    """Return the whole model in a file, its weights included."""
    try:
        return onnx.load(path)
    except (DecodeError, OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read as an ONNX model; download it again") from error


def with_outputs(model: onnx.ModelProto, tensors: Iterable[str]) -> onnx.ModelProto:
    """Return the part of a model that makes these tensors, with each of them as an output."""
    names = list(dict.fromkeys(tensors))
    outputs = [onnx.ValueInfoProto(name=name) for name in names]
    return _rebuilt(model, _needed(model.graph.node, set(names)), [], outputs)


def save_model(model: onnx.ModelProto, path: Path, metadata: Mapping[str, str]) -> None:
    """Write a model with what it says of itself, its weights beside it where they are too large."""
    del model.metadata_props[:]
    helper.set_model_props(model, dict(metadata))
    size = sum(len(tensor.raw_data) for tensor in model.graph.initializer)
    beside = size > INLINE_LIMIT_BYTES
    onnx.save(model, path, save_as_external_data=beside, location=f"{path.name}.data")


class _Nodes:
    """Nodes that are added to a graph."""

    def __init__(self, opset: int) -> None:
        self.opset = opset
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(
        self, kind: str, inputs: Sequence[str], output: str = "", **attributes: int | list[int]
    ) -> str:
        """Return the output of a new node."""
        name = output or f"{PREFIX}_{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(
                kind,
                inputs,
                [name],
                name=f"{PREFIX}/{len(self.nodes)}",
                **attributes,  # type: ignore[arg-type]  # of the operator
            )
        )
        return name

    def constant(self, value: NDArray[np.generic]) -> str:
        """Return the name of a new constant."""
        name = f"{PREFIX}_constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def mean(self, tensor: str, axis: int, *, keep: bool = False) -> str:
        """Return the mean over an axis."""
        if self.opset < AXES_AS_INPUT:
            return self.add("ReduceMean", [tensor], axes=[axis], keepdims=int(keep))
        axes = self.constant(np.array([axis], dtype=np.int64))
        return self.add("ReduceMean", [tensor, axes], keepdims=int(keep))

    def pooled(self, level: Level, pooling: Pooling) -> list[str]:
        """Return the pooled features of a level: its mean, and its standard deviation."""
        values = self.add("Cast", [level.tensor], to=TensorProto.FLOAT)
        if level.time is None:
            return [values]
        mean = self.mean(values, level.time)
        if pooling == "mean":
            return [mean]
        centred = self.add("Sub", [values, self.mean(values, level.time, keep=True)])
        square = self.add("Mul", [centred, centred])
        return [mean, self.add("Sqrt", [self.mean(square, level.time)])]


def _needed(nodes: Sequence[onnx.NodeProto], tensors: set[str]) -> list[onnx.NodeProto]:
    """Return the nodes that make these tensors, in their order."""
    wanted, kept = set(tensors), []
    for node in reversed(nodes):
        if wanted & set(node.output):
            kept.append(node)
            wanted.update(names_read(node))
    return kept[::-1]


def _rebuilt(
    model: onnx.ModelProto,
    nodes: Sequence[onnx.NodeProto],
    constants: Sequence[onnx.TensorProto],
    outputs: Sequence[onnx.ValueInfoProto],
) -> onnx.ModelProto:
    """Return a model of these nodes, with those weights and inputs that they need."""
    used = set[str]().union(*map(names_read, nodes))
    if any(name.startswith(PREFIX) for node in model.graph.node for name in node.output):
        raise ModelError("the encoder is itself a file of serval probe --save; probe the original")
    graph = helper.make_graph(
        list(nodes),
        model.graph.name or "encoder",
        [one for one in model.graph.input if one.name in used],
        list(outputs),
        [*(one for one in model.graph.initializer if one.name in used), *constants],
    )
    graph.sparse_initializer.extend(model.graph.sparse_initializer)
    made = helper.make_model(
        graph, opset_imports=list(model.opset_import), ir_version=model.ir_version
    )
    made.functions.extend(model.functions)
    return made
