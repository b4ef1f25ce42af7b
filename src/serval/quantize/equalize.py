"""Changes of the FP32 graph and its biases that make eight bits enough.

Sources: Xiao et al., SmoothQuant (ICML 2023), eq. 4: `x W = (x / s)(s W)` for any `s > 0`. Nagel
et al., Data-Free Quantization (ICCV 2019), section 4.1: channels of unlike size share a scale
badly, and a positive factor for each makes them alike; section 4.2: the mean error that rounding
brings into a layer is taken off its bias, here with means from calibration clips. A model that
averages over time cancels noise, but not a constant error.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np
from onnx import helper

from serval.quantize.build import stored_weights
from serval.quantize.graph import Index, add_tensor, copied, index_of, made_name, replace_nodes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import onnx
    from numpy.typing import NDArray

    from serval.quantize.build import Recipe
    from serval.quantize.layers import Layer
    from serval.quantize.observe import ChannelBounds, Means

SMALLEST = 1e-5
SMALLEST_SHARE = 1e-3
"""A channel is taken to be at least this large beside the largest: silence would divide by zero."""
Factors = dict[str, "NDArray[np.float32]"]


def smooth_factors(
    graph: onnx.ModelProto,
    layers: Iterable[Layer],
    bounds: Mapping[str, ChannelBounds],
    strength: float,
) -> Factors:
    """Return the factor of each input channel, by the name of the tensor; geometric mean 1.

    Layers that read the same tensor share its factors, and must agree on where its channels are.
    """
    index = index_of(graph)
    factors: Factors = {}
    for source, readers in _by_source(layers).items():
        peaks = [_input_peaks(index.array(layer.weight), layer) for layer in readers]
        weights = np.maximum(np.max(peaks, axis=0), SMALLEST)
        activations = np.maximum(bounds[source].peak, SMALLEST)
        factors[source] = _centred(activations**strength / weights ** (1 - strength))
    return factors


def smoothed(graph: onnx.ModelProto, layers: Iterable[Layer], factors: Factors) -> onnx.ModelProto:
    """Return a graph that computes the same with activations divided by their factors.

    Before a linear layer the division goes into the layer before, where that is a normalisation or
    a product with one constant for each channel that nobody else reads; else it becomes a Mul
    before the layer. A product with a single number stays as it is: that number may be the half of
    a GELU, which runtimes compute in one step only if they recognize it.
    """
    twin = copied(graph)
    index = index_of(twin)
    outputs = {output.name for output in twin.graph.output}
    divisions: dict[str, list[onnx.NodeProto]] = {}
    for source, readers in _by_source(layers).items():
        if source not in factors:
            continue
        scale = factors[source]
        for layer in readers:
            weights = index.array(layer.weight)
            add_tensor(twin, layer.weight, weights * _on_inputs(scale, weights, layer))
        everyone = len(index.consumers[source]) == len(readers) and readers[0].is_linear
        everyone &= source not in outputs
        if not (everyone and _folded(twin, index, source, scale)):
            divisions |= _division(twin, index, readers, scale)
    _replace(twin, divisions)
    return twin


def equalized(
    graph: onnx.ModelProto, layers: Iterable[Layer], bounds: Mapping[str, ChannelBounds]
) -> onnx.ModelProto:
    """Return a graph that computes the same, output channels of convolutions equalized.

    They all reach the same peak, and a Div behind it gives each its own again. Kept in
    eight bits between the two, no channel is the small one under a scale made for a large one.
    Weights have a scale for each output channel, so that they are rounded as before. The Div is
    none of the Muls by which runtimes recognize a GELU.
    """
    twin = copied(graph)
    index = index_of(twin)
    made: dict[str, list[onnx.NodeProto]] = {}
    nodes = {node.name: node for node in twin.graph.node}
    for layer in layers:
        peak = bounds[layer.output].peak
        factors = _centred(np.maximum(peak, max(SMALLEST_SHARE * peak.max(), SMALLEST)))
        node = nodes[layer.name]
        made[layer.name] = [node, _equalized_node(twin, index, layer, node, factors)]
    _replace(twin, made)
    return twin


def _equalized_node(
    graph: onnx.ModelProto,
    index: Index,
    layer: Layer,
    node: onnx.NodeProto,
    factors: NDArray[np.float32],
) -> onnx.NodeProto:
    """Return the Div behind a convolution whose output channels were divided by their factors."""
    weights = index.array(layer.weight)
    around = [1] * (weights.ndim - 2)
    add_tensor(graph, layer.weight, weights / factors.reshape(-1, 1, *around))
    if len(node.input) > 2 and node.input[2]:
        bias = index.array(node.input[2]) / factors
        node.input[2] = add_tensor(graph, made_name(layer.name, "level_bias"), bias)
    node.output[0] = made_name(layer.output, "level")
    shares = (1 / factors).reshape(-1, *around)
    inputs = [node.output[0], add_tensor(graph, made_name(layer.output, "shares"), shares)]
    return helper.make_node(
        "Div", inputs, [layer.output], name=made_name(layer.output, "unlevelled")
    )


def _centred(raw: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return positive factors divided by their geometric mean."""
    return np.asarray(raw / np.exp(np.log(raw).mean()), dtype=np.float32)


def _input_peaks(weights: NDArray[np.float32], layer: Layer) -> NDArray[np.float32]:
    """Return the largest weight that meets each input channel, `(C,)`."""
    if layer.is_linear:
        return np.asarray(np.abs(weights).max(axis=1))
    grouped = np.abs(weights).reshape(layer.groups, -1, *weights.shape[1:])
    peaks = grouped.reshape(*grouped.shape[:3], -1).max(axis=(1, 3))
    return np.asarray(peaks.ravel())


def _on_inputs(
    scale: NDArray[np.float32], weights: NDArray[np.float32], layer: Layer
) -> NDArray[np.float32]:
    """Return the factors of the input channels `(C,)` in a shape that multiplies the weights."""
    if layer.is_linear:
        return scale[:, np.newaxis]
    of_group = np.repeat(scale.reshape(layer.groups, -1), len(weights) // layer.groups, axis=0)
    return of_group.reshape(*weights.shape[:2], *[1] * (weights.ndim - 2))


def _by_source(layers: Iterable[Layer]) -> dict[str, list[Layer]]:
    grouped: dict[str, list[Layer]] = defaultdict(list)
    for layer in layers:
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
    if value.shape[-1:] != scale.shape:
        return False
    node.input[number] = add_tensor(graph, made_name(source, "smoothing"), value / scale)
    return True


def _fold_into_norm(
    graph: onnx.ModelProto, index: Index, node: onnx.NodeProto, scale: NDArray[np.float32]
) -> bool:
    names = [name for name in node.input[1:3] if name]
    if any(name not in index.weights for name in names):
        return False
    for number, name in enumerate(names, start=1):
        node.input[number] = add_tensor(
            graph, made_name(node.name, f"smoothed_{number}"), index.array(name) / scale
        )
    return True


def _division(
    graph: onnx.ModelProto, index: Index, readers: list[Layer], scale: NDArray[np.float32]
) -> dict[str, list[onnx.NodeProto]]:
    """Return a Mul with the first of the layers that read one tensor, by the name of that one."""
    source, last = readers[0].source, readers[0].is_linear
    around = 0 if last else index.array(readers[0].weight).ndim - 2
    what = "smoothed" if last else "smoothed_channels"
    name, values = made_name(source, what), (1 / scale).reshape(-1, *[1] * around)
    factor = add_tensor(graph, made_name(source, f"{what}_factor"), values)
    named = {layer.name for layer in readers}
    nodes = [node for node in graph.graph.node if node.name in named]
    for node in nodes:
        node.input[0] = name
    product = helper.make_node("Mul", [source, factor], [name], name=name)
    return {nodes[0].name: [product, nodes[0]]}


def _replace(graph: onnx.ModelProto, places: Mapping[str, list[onnx.NodeProto]]) -> None:
    """Put nodes in the place of those of the given names."""
    replace_nodes(
        graph, [one for node in graph.graph.node for one in places.get(node.name, [node])]
    )


def bias_corrections(
    graph: onnx.ModelProto, layers: tuple[Layer, ...], recipe: Recipe, means: Mapping[str, Means]
) -> dict[str, NDArray[np.float64]]:
    """Return the mean error of each rounded layer's output, `(N,) float64`, by the layer's name.

    Borders of convolutions are taken to look like the rest of the clip.
    """
    index = index_of(graph)
    corrections = {}
    for layer in layers:
        precision = recipe.plan.get(layer.name)
        if not recipe.rounds(layer):
            continue
        exact = index.array(layer.weight)
        stored = stored_weights(exact, layer, recipe)
        seen = means[layer.source]
        arriving = seen.rounded if precision == "int8" else seen.exact
        corrections[layer.name] = _mean_output(stored, arriving, layer) - _mean_output(
            exact, seen.exact, layer
        )
    return corrections


def _mean_output(
    weights: NDArray[np.float32], mean: NDArray[np.float64], layer: Layer
) -> NDArray[np.float64]:
    if layer.is_linear:
        return np.asarray(mean @ weights.astype(np.float64))
    kernel = weights.astype(np.float64).reshape(layer.groups, -1, *weights.shape[1:])
    sums = kernel.reshape(*kernel.shape[:3], -1).sum(axis=3)
    outputs = np.einsum("gmc,gc->gm", sums, mean.reshape(layer.groups, -1))
    return np.asarray(outputs.ravel())
