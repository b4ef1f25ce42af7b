"""SmoothQuant: move the outliers of activations into the weights, where eight bits can hold them.

Source: Xiao et al., SmoothQuant (ICML 2023), eq. 4. `x W = (x / s)(s W)` for any `s > 0`.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np
from onnx import helper

from serval.quantize.graph import Index, add_tensor, copied, index_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import onnx
    from numpy.typing import NDArray

    from serval.quantize.layers import Layer
    from serval.quantize.observe import Bounds

__all__ = ["smooth_factors", "smoothed"]

SMALLEST = 1e-5
Factors = dict[str, "NDArray[np.float32]"]


def smooth_factors(
    graph: onnx.ModelProto,
    layers: tuple[Layer, ...],
    bounds: Mapping[str, Bounds],
    strength: float,
) -> Factors:
    """Return the factor of each input channel, by the name of the tensor; geometric mean 1.

    Layers that read the same tensor share its factors.
    """
    index = index_of(graph)
    factors: Factors = {}
    for source, readers in _by_source(layers).items():
        peaks = [np.abs(index.array(layer.weight)).max(axis=1) for layer in readers]
        weights = np.maximum(np.max(peaks, axis=0), SMALLEST)
        activations = np.maximum(bounds[source].peak, SMALLEST)
        raw = activations**strength / weights ** (1 - strength)
        factors[source] = (raw / np.exp(np.log(raw).mean())).astype(np.float32)
    return factors


def smoothed(
    graph: onnx.ModelProto, layers: tuple[Layer, ...], factors: Factors
) -> onnx.ModelProto:
    """Return a graph that computes the same with activations divided by their factors.

    The division goes into the layer before where that is a normalisation or a product with a
    constant that nobody else reads; else it becomes a Mul before the layer.
    """
    twin = copied(graph)
    index = index_of(twin)
    for source, readers in _by_source(layers).items():
        if source not in factors:
            continue
        scale = factors[source]
        for layer in readers:
            add_tensor(twin, layer.weight, index.array(layer.weight) * scale[:, np.newaxis])
        everyone = len(index.consumers[source]) == len(readers)
        if not (everyone and _folded(twin, index, source, scale)):
            _divide_before(twin, source, {layer.name for layer in readers}, scale)
    return twin


def _by_source(layers: tuple[Layer, ...]) -> dict[str, list[Layer]]:
    grouped: dict[str, list[Layer]] = defaultdict(list)
    for layer in layers:
        if layer.role == "matmul":
            grouped[layer.source].append(layer)
    return grouped


def _folded(graph: onnx.ModelProto, index: Index, source: str, scale: NDArray[np.float32]) -> bool:
    """Return whether the division went into the node that makes the tensor."""
    node = index.producer.get(source)
    if node is None:
        return False
    if node.op_type == "LayerNormalization":
        return _fold_into_norm(graph, index, node, scale)
    constants = [i for i, name in enumerate(node.input) if name in index.weights]
    if node.op_type != "Mul" or len(constants) != 1:
        return False
    number = constants[0]
    value = index.array(node.input[number])
    if value.size != 1 and value.shape[-1:] != scale.shape:
        return False
    node.input[number] = add_tensor(graph, f"{source}_smoothing", value / scale)
    return True


def _fold_into_norm(
    graph: onnx.ModelProto, index: Index, node: onnx.NodeProto, scale: NDArray[np.float32]
) -> bool:
    names = [name for name in node.input[1:3] if name]
    if any(name not in index.weights for name in names):
        return False
    for number, name in enumerate(names, start=1):
        node.input[number] = add_tensor(graph, f"{name}_{node.name}", index.array(name) / scale)
    return True


def _divide_before(
    graph: onnx.ModelProto, source: str, readers: set[str], scale: NDArray[np.float32]
) -> None:
    factor = add_tensor(graph, f"{source}_smoothing", 1 / scale)
    divided = f"{source}_smoothed"
    nodes = list(graph.graph.node)
    first = next(i for i, node in enumerate(nodes) if node.name in readers)
    for node in nodes:
        if node.name in readers:
            node.input[0] = divided
    product = helper.make_node("Mul", [source, factor], [divided], name=f"{source}/smoothing")
    graph.graph.node.insert(first, product)
