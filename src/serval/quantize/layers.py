"""The layers of a speech classifier that hold nearly all of its weights, and the role of each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from serval.quantize.graph import Index, index_of

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

Role = Literal["linear", "convolution", "first convolution", "grouped convolution", "classifier"]

Precision = Literal["int8", "weight-only int8", "int4", "fp16", "fp32"]
"""`int8`: products of U8 activations and S8 weights. `weight-only int8` and `int4`: only weights
are stored so. `fp16`: stored as FP16, computed in FP32."""

TABLE_VALUES = 4_096
"""Smallest constant that is worth storing as FP16."""
FP16_MAX = 65_504.0
FP16_ERROR = 1e-3
"""Root mean square that FP16 may change values by, as a share of their standard deviation. It is
about 2e-4 of values around 0 that do not underflow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One MatMul or Conv with constant weights.

    Attributes:
        name: The name of its node in the graph.
        role: What it is in the network; decides which precisions are open to it.
        source: The tensor that it reads.
        weight: The initializer with its weights: `(K, N)` of a MatMul, `(M, C/g, k...)` of a Conv.
        output: The tensor that it makes.
        size: Number of weights.
        groups: Of a Conv; each output channel reads one group of the input channels.
    """

    name: str
    role: Role
    source: str
    weight: str
    output: str
    size: int
    groups: int = 1

    @property
    def is_linear(self) -> bool:
        """Whether the weights are a matrix `(K, N)` and not a kernel."""
        return "convolution" not in self.role


def layers_of(graph: onnx.ModelProto, classes: int) -> tuple[Layer, ...]:
    """Return every layer in the order of the graph; weights with several readers are none.

    Nor is a convolution that reads the same tensor as a linear layer, which has its channels
    elsewhere, or whose bias is computed.

    The classifier is the last product before the output, with one column for each class. The first
    convolution reads the raw waveform. A grouped convolution is the positional one of the wav2vec2
    family, or the depthwise one of a conformer.
    """
    index = index_of(graph)
    last = _last_products(graph, index)
    found = []
    for node in graph.graph.node:
        if not _has_constant_weights(node, index):
            continue
        dims = list(index.weights[node.input[1]].dims)
        found.append(
            Layer(
                name=node.name,
                role=_role(node, dims, is_last=node.name in last and dims[-1] == classes),
                source=node.input[0],
                weight=node.input[1],
                output=node.output[0],
                size=math.prod(dims),
                groups=_groups(node),
            )
        )
    read = {layer.source for layer in found if layer.is_linear}
    return tuple(layer for layer in found if layer.is_linear or layer.source not in read)


def tables_of(graph: onnx.ModelProto, layers: tuple[Layer, ...]) -> tuple[str, ...]:
    """Return the large constants of no layer that FP16 holds: position tables, filter banks."""
    taken = {layer.weight for layer in layers}
    index = index_of(graph)
    large = [
        name
        for name, tensor in index.weights.items()
        if tensor.data_type == 1 and math.prod(list(tensor.dims)) >= TABLE_VALUES
    ]
    return tuple(name for name in large if name not in taken and fits_fp16(index.array(name)))


def fits_fp16(values: NDArray[np.float32]) -> bool:
    """Return whether FP16 keeps what tells values apart.

    Whole numbers, such as positions, have to come back as they are.

    Examples:
        >>> [fits_fp16(n + np.arange(4, dtype=np.float32)) for n in (2000, 3000)]
        [True, False]
    """
    if not np.abs(values).max(initial=0) < FP16_MAX:
        return False
    error = values - values.astype(np.float16).astype(np.float32)
    if np.array_equal(values, np.rint(values)):
        return not error.any()
    rms = float(np.sqrt(np.mean(np.square(error), dtype=np.float64)))
    return rms <= FP16_ERROR * float(np.std(values, dtype=np.float64))


def _has_constant_weights(node: onnx.NodeProto, index: Index) -> bool:
    if node.op_type not in {"MatMul", "Conv"} or node.input[0] in index.weights:
        return False
    tensor = index.weights.get(node.input[1])
    if tensor is None or tensor.data_type != 1:
        return False
    if len(index.consumers[tensor.name]) > 1:
        # Rounding them for one reader would change what the others read.
        return False
    if node.op_type == "MatMul":
        return len(tensor.dims) == 2
    return len(tensor.dims) >= 3 and all(name in index.weights for name in node.input[2:] if name)


def _role(node: onnx.NodeProto, dims: list[int], *, is_last: bool) -> Role:
    if node.op_type == "MatMul":
        return "classifier" if is_last else "linear"
    if _groups(node) > 1:
        return "grouped convolution"
    return "first convolution" if dims[1] == 1 else "convolution"


def _groups(node: onnx.NodeProto) -> int:
    return next((a.i for a in node.attribute if a.name == "group"), 1)


def _last_products(graph: onnx.ModelProto, index: Index) -> set[str]:
    """Return the names of the layers from which an output is reached without another layer."""
    found: set[str] = set()
    waiting = [output.name for output in graph.graph.output]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        node = index.producer.get(name)
        if node is None or name in seen:
            continue
        seen.add(name)
        if _has_constant_weights(node, index):
            found.add(node.name)
        else:
            waiting.extend(node.input)
    return found
