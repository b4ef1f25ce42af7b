"""How many nodes of a file the accelerators of phones take, told from their published lists."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import onnx
from onnx import TensorProto

from serval.models.graph import operator_name, parsed, read_skeleton

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

FLOATS = frozenset((TensorProto.FLOAT, TensorProto.FLOAT16))
BYTES = frozenset((TensorProto.INT8, TensorProto.UINT8))

XNNPACK_FLOAT = frozenset(
    ("AveragePool", "Conv", "ConvTranspose", "Gemm", "MatMul", "MaxPool", "Resize", "Softmax")
)
XNNPACK_BYTES = frozenset(
    ("QLinearConv", "com.microsoft:QLinearAveragePool", "com.microsoft:QLinearConvTranspose",
     "com.microsoft:QLinearSoftmax")
)  # fmt: skip
"""Source: ONNX Runtime's documentation of its XNNPACK execution provider, "Supported ops"."""

_COREML = """
    Add And ArgMax AveragePool Cast Ceil Clip Concat Conv ConvTranspose Cos DepthToSpace Div Elu
    Erf Exp GatherND Gelu Gemm GlobalAveragePool GlobalMaxPool GridSample GroupNormalization
    HardSigmoid Identity InstanceNormalization LayerNormalization LeakyRelu MatMul Max MaxPool
    Mul PRelu Pow Reciprocal ReduceMax ReduceMean ReduceSum Relu Reshape Resize Round Shape
    Sigmoid Sin Slice Softmax Softplus Split Sqrt Squeeze Sub Tanh Tile Transpose Unsqueeze
    Where com.microsoft:FusedConv com.microsoft:QuickGelu
"""
COREML = frozenset(_COREML.split())
"""Source: `coreml_supported_mlprogram_ops.md` of ONNX Runtime 1.32, for the format MLProgram."""

LOGICAL = frozenset(("And", "Where"))
"""What takes booleans first; the rest of that list is for floats."""

POOLS = frozenset(("AveragePool", "MaxPool", "GlobalAveragePool", "GlobalMaxPool"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What an accelerator takes of a file.

    Attributes:
        n: Number of nodes that it takes.
        of: Number of nodes, without those that depend on constants alone.
        left: Operator that it leaves to the CPU -> number of nodes, the most frequent first.
    """

    n: int
    of: int
    left: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Node:
    """A node with what the lists make conditions of: types, ranks, constant inputs."""

    op: str
    kind: int
    ranks: tuple[int | None, ...]
    constant: tuple[bool, ...]

    @property
    def has_constant_weights(self) -> bool:
        return all(self.constant[1:])


def taken_by(path: Path) -> dict[str, Taken]:
    """Return what each of `ACCELERATORS` takes of a file by its published list; empty if unread.

    A list says less than the accelerator tries, so it may take fewer: a number is a bound.
    """
    model = parsed(read_skeleton(path))
    if model is None:
        return {}
    nodes = list(_nodes(model))
    return {name: _taken(nodes, takes) for name, takes in ACCELERATORS.items()}


def _taken(nodes: list[_Node], takes: Callable[[_Node], bool]) -> Taken:
    left = Counter(node.op for node in nodes if not takes(node))
    return Taken(n=len(nodes) - left.total(), of=len(nodes), left=dict(left.most_common()))


def _nodes(model: onnx.ModelProto) -> Iterator[_Node]:
    """Yield the nodes of the main graph whose result depends on the clip."""
    seen = _tensor_types(model)
    constants = {tensor.name for tensor in model.graph.initializer} | {""}
    for node in model.graph.node:
        if all(name in constants for name in node.input):
            constants.update(node.output)
            continue
        types = [seen.get(name) for name in node.input]
        yield _Node(
            op=operator_name(node),
            kind=types[0].elem_type if types[0] else TensorProto.UNDEFINED,
            ranks=tuple(len(t.shape.dim) if t and t.HasField("shape") else None for t in types),
            constant=tuple(name in constants for name in node.input),
        )


def _tensor_types(model: onnx.ModelProto) -> dict[str, onnx.TypeProto.Tensor]:
    """Return what is known of the type and rank of each tensor."""
    try:
        graph = onnx.shape_inference.infer_shapes(model).graph
    except (onnx.shape_inference.InferenceError, RuntimeError, ValueError):
        graph = model.graph
    described = (*graph.input, *graph.value_info, *graph.output)
    return {value.name: value.type.tensor_type for value in described}


def _xnnpack_takes(node: _Node) -> bool:
    if node.op in XNNPACK_BYTES:
        flat = node.ranks[0] == 4 or node.op == "com.microsoft:QLinearSoftmax"
        return node.kind in BYTES and flat and node.has_constant_weights
    if node.op not in XNNPACK_FLOAT or node.kind not in FLOATS:
        return False
    if node.op in {"MatMul", "Gemm"}:
        return node.ranks[0] == 2 and node.has_constant_weights
    return node.op == "Softmax" or (node.ranks[0] == 4 and node.has_constant_weights)


def _coreml_takes(node: _Node) -> bool:
    if node.op not in COREML or (node.kind not in FLOATS and node.op not in LOGICAL):
        return False
    if node.op in POOLS:
        return node.ranks[0] == 4
    if node.op in {"Conv", "ConvTranspose", "com.microsoft:FusedConv"}:
        return node.ranks[0] in {3, 4} and node.has_constant_weights
    return node.op not in {"Gemm", "Slice", "Split"} or node.has_constant_weights


ACCELERATORS: Mapping[str, Callable[[_Node], bool]] = {
    "XNNPACK": _xnnpack_takes,
    "CoreML": _coreml_takes,
}
"""What ONNX Runtime can use on a phone beside its own kernels -> whether it takes a node."""
