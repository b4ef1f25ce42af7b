"""From a graph and a plan, which precision each layer gets, to the quantized graph."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import helper

from serval.quantize.graph import (
    Index,
    add_tensor,
    copied,
    drop_unused,
    index_of,
    made_name,
    replace_nodes,
)
from serval.quantize.rounding import (
    block_weights,
    channel_weights,
    portable_kernel_scales,
    portable_scales,
    symmetric_scales,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    import onnx
    from numpy.typing import NDArray

    from serval.quantize.layers import Layer, Precision
    from serval.quantize.rounding import QuantParams

MICROSOFT = "com.microsoft"
INT8_COMPUTE = 4
"""`accuracy_level` of MatMulNBits: activations are rounded to 8 bits in blocks, row by row, so
that a clip's answer does not depend on its neighbours."""
BLOCK_BITS = {"weight-only int8": 8, "int4": 4}
STORED_AS = {"int4": "int4", "int8": "int8", "weight-only int8": "int8", "fp16": "fp16"}
S32_LIMIT = 2.0**31
SMALLEST_SHARE = np.float32(1e-4)
"""Smallest scale of an output channel of an integer convolution, as a share of the largest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything that the quantized file depends on, beside the FP32 graph.

    Attributes:
        plan: Precision of each layer, by its name; the others stay FP32.
        params: Scale and zero point of each tensor that an `int8` layer reads, or an `int8`
            convolution makes.
        tables: Constants to be stored as FP16.
        block: Weights that share a scale in MatMulNBits.
        portable: Whether 16-bit sums must not saturate on processors without VNNI.
        qdq: Whether linear layers, too, stand between QuantizeLinear and DequantizeLinear.
        corrections: What rounding adds to the mean of a layer's output, `(N,)`; is taken off its
            bias.
    """

    plan: Mapping[str, Precision]
    params: Mapping[str, QuantParams] = field(default_factory=dict)
    tables: tuple[str, ...] = ()
    block: int = 128
    portable: bool = True
    qdq: bool = False
    corrections: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    @property
    def precision(self) -> str:
        """The smallest in which a layer or table is stored: `int4`, `int8`, `fp16` or `fp32`."""
        stored = {*self.plan.values(), *["fp16"] * bool(self.tables)}
        return next((said for made, said in STORED_AS.items() if made in stored), "fp32")

    def rounds(self, layer: Layer) -> bool:
        """Tell whether the recipe changes what a layer computes."""
        return self.plan.get(layer.name, "fp32") not in {"fp32", "fp16"}

    def block_bits(self, layer: Layer) -> int | None:
        """Return the bits of weights stored in the blocks of MatMulNBits; of others `None`."""
        precision = self.plan.get(layer.name, "fp32")
        if not layer.is_linear or (self.qdq and precision == "weight-only int8"):
            return None
        return BLOCK_BITS.get(precision)

    def with_plan(self, changes: Mapping[str, Precision]) -> Recipe:
        """Return the recipe with other precisions for some layers."""
        return replace(self, plan={**self.plan, **changes})


def built(graph: onnx.ModelProto, layers: tuple[Layer, ...], recipe: Recipe) -> onnx.ModelProto:
    """Return the graph with each layer in the precision that the recipe plans for it."""
    rounded = {layer.weight for layer in layers if recipe.plan.get(layer.name, "fp32") != "fp32"}
    twin = copied(graph, frozenset(rounded) | frozenset(recipe.tables))
    builder = _Builder(graph=twin, index=index_of(graph), recipe=recipe)
    by_name = {layer.name: layer for layer in layers}
    nodes = [_cast(twin, builder.index, name) for name in recipe.tables]
    for node in twin.graph.node:
        layer = by_name.get(node.name)
        if layer is not None and recipe.rounds(layer) and layer.name in recipe.corrections:
            builder.correct_bias(layer, node)
        nodes.extend([node] if layer is None else builder.rewritten(layer, node))
    replace_nodes(twin, nodes)
    drop_unused(twin)
    domains = {known.domain for known in twin.opset_import}
    if MICROSOFT in {node.domain for node in nodes} - domains:
        twin.opset_import.append(helper.make_opsetid(MICROSOFT, 1))
    return twin


def stored_weights(
    weights: NDArray[np.float32], layer: Layer, recipe: Recipe
) -> NDArray[np.float32]:
    """Return the weights as the quantized file gives them back."""
    if bits := recipe.block_bits(layer):
        return block_weights(weights, bits=bits, block=recipe.block).matrix(len(weights), bits)
    if recipe.plan.get(layer.name) in {"int8", "weight-only int8"}:
        axis, scales = _channel_scales(weights, layer, recipe)
        shape = [-1 if i == axis else 1 for i in range(weights.ndim)]
        return channel_weights(weights, scales, axis) * scales.reshape(shape)
    return weights


def _channel_scales(
    weights: NDArray[np.float32], layer: Layer, recipe: Recipe
) -> tuple[int, NDArray[np.float32]]:
    if layer.is_linear:
        return 1, portable_scales(weights) if recipe.portable else symmetric_scales(weights, 1)
    if recipe.plan.get(layer.name) != "int8":
        return 0, symmetric_scales(weights, 0)
    scales = portable_kernel_scales(weights) if recipe.portable else symmetric_scales(weights, 0)
    # A channel of nearly no weight must not make the scale of its 32-bit bias too small to hold it.
    return 0, np.maximum(scales, SMALLEST_SHARE * scales.max())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Builder:
    """Adds tensors to a graph while its nodes are gone through once."""

    graph: onnx.ModelProto
    index: Index
    recipe: Recipe
    met: set[str] = field(default_factory=set)

    def rewritten(self, layer: Layer, node: onnx.NodeProto) -> list[onnx.NodeProto]:
        """Return the nodes that take the place of a layer's node."""
        precision = self.recipe.plan.get(layer.name, "fp32")
        if precision == "fp32":
            return [node]
        if precision == "fp16":
            return [_cast(self.graph, self.index, layer.weight), node]
        if bits := self.recipe.block_bits(layer):
            return [self._blocks(layer, node, bits)]
        if precision == "weight-only int8" or not self._bias_fits(layer, node):
            return [self._dequantized_weight(layer, node), node]
        if layer.is_linear and not self.recipe.qdq and not self._adds_another_length(layer):
            return self._integer_product(layer, node)
        nodes = [*self._rounded_source(layer, node), self._dequantized_weight(layer, node)]
        return [*nodes, node] if layer.is_linear else [*nodes, *self._convolution(layer, node)]

    def correct_bias(self, layer: Layer, node: onnx.NodeProto) -> None:
        """Take off a layer's bias what rounding adds to the mean of its output."""
        readers = [] if not layer.is_linear else self._nodes_after(layer.output)
        places = (
            [(node, 2)]
            if not layer.is_linear
            else [(add, i) for add in readers if add.op_type == "Add" for i in (0, 1)]
        )
        for place, number in places:
            name = place.input[number] if number < len(place.input) else ""
            if not name and not layer.is_linear:
                taken = -self.recipe.corrections[layer.name].astype(np.float32)
                del place.input[2:]
                place.input.extend(self._constants(layer.name, bias=taken))
            elif name in self.index.weights and len(readers) <= 1:
                bias = self.index.array(name) - self.recipe.corrections[layer.name]
                [place.input[number]] = self._constants(layer.name, bias=bias.astype(np.float32))

    def _constants(self, of: str, **values: NDArray[Any]) -> list[str]:
        """Return the names of constants that were added for a layer or a tensor."""
        return [add_tensor(self.graph, made_name(of, what), v) for what, v in values.items()]

    def _nodes_after(self, tensor: str) -> list[onnx.NodeProto]:
        return [node for node in self.graph.graph.node if tensor in node.input]

    def _rounded_source(self, layer: Layer, node: onnx.NodeProto) -> list[onnx.NodeProto]:
        """Return the nodes that round a tensor, unless another layer has made them already."""
        node.input[0] = made_name(layer.source, "rounded")
        return self._unless_met(self._round_trip(layer.source, node.input[0]))

    def _unless_met(self, nodes: list[onnx.NodeProto]) -> list[onnx.NodeProto]:
        """Return those that no other layer with the same source has brought in before."""
        new = [node for node in nodes if node.output[0] not in self.met]
        self.met.update(node.output[0] for node in new)
        return new

    def _round_trip(self, source: str, target: str, named: str = "") -> list[onnx.NodeProto]:
        there = self._quantize(source, self.recipe.params[named or source])
        inputs = [there.output[0], *there.input[1:]]
        back = helper.make_node(
            "DequantizeLinear", inputs, [target], name=made_name(source, "back")
        )
        return [there, back]

    def _quantize(self, source: str, params: QuantParams) -> onnx.NodeProto:
        """Return what rounds a tensor to 8 bits."""
        scale = np.array(params.scale, dtype=np.float32)
        zero_point = np.array(params.zero_point, dtype=np.uint8)
        constants = self._constants(source, step=scale, zero_point=zero_point)
        target = made_name(source, "u8")
        return helper.make_node("QuantizeLinear", [source, *constants], [target], name=target)

    def _adds_another_length(self, layer: Layer) -> bool:
        """Tell whether the product is added to a row of constants that is longer than its own.

        ONNX Runtime takes every row of constants for a bias of the product, whatever its length,
        where the product is written in integers.
        """
        length = self.index.weights[layer.weight].dims[1]
        added = {
            name
            for node in self._nodes_after(layer.output)
            if node.op_type == "Add"
            for name in node.input
        }
        rows = [t.dims[0] for t in self.graph.graph.initializer
                if t.name in added and len(t.dims) == 1]  # fmt: skip
        return any(n != length for n in rows)

    def _integer_product(self, layer: Layer, node: onnx.NodeProto) -> list[onnx.NodeProto]:
        """Return a product of integers and what scales it.

        ONNX Runtime makes one step of it and of the bias behind it; behind a MatMul that stands
        between QuantizeLinear and DequantizeLinear the bias stays an addition of its own. It looks
        for a Mul of two scales, which must not be folded before: hence the DequantizeLinear that
        gives the scale of the source.
        """
        there = self._quantize(layer.source, self.recipe.params[layer.source])
        step = self._unfolded(layer.source, there.input[1])
        whole, scale, plain, end = (
            made_name(layer.name, what) for what in ("s32", "scale", "f32", "scaled")
        )
        levels, scales, _ = self._stored_weight(layer)
        factors = [there.output[0], levels, there.input[2]]
        return [
            *self._unless_met([there, step]),
            helper.make_node("MatMulInteger", factors, [whole], name=layer.name),
            helper.make_node("Cast", [whole], [plain], name=plain, to=1),
            helper.make_node("Mul", [step.output[0], scales], [scale], name=scale),
            helper.make_node("Mul", [plain, scale], list(node.output), name=end),
        ]

    def _unfolded(self, source: str, scale: str) -> onnx.NodeProto:
        """Return what gives a tensor's scale where the runtime does not take it as constant."""
        ones = self._constants(source, one=np.array(1, dtype=np.uint8))
        name = made_name(source, "unfolded_step")
        return helper.make_node("DequantizeLinear", [*ones, scale], [name], name=name)

    def _stored_weight(self, layer: Layer) -> list[str]:
        """Return the names of a layer's weights in 8 bits, their scales and their zero points."""
        weights = self.index.array(layer.weight)
        axis, scales = _channel_scales(weights, layer, self.recipe)
        levels = channel_weights(weights, scales, axis)
        zeros = np.zeros(len(scales), dtype=np.int8)
        return self._constants(layer.name, s8=levels, scales=scales, zeros=zeros)

    def _dequantized_weight(self, layer: Layer, node: onnx.NodeProto) -> onnx.NodeProto:
        node.input[1] = made_name(layer.name, "weights")
        return _dequantize(self._stored_weight(layer), node.input[1], 1 if layer.is_linear else 0)

    def _convolution(self, layer: Layer, node: onnx.NodeProto) -> list[onnx.NodeProto]:
        """Return an integer convolution: 32-bit bias, and an output with a scale of its own."""
        nodes = [self._integer_bias(layer, node)] if _is_biased(node) else []
        raw = made_name(layer.output, "raw")
        node.output[0] = raw
        return [*nodes, node, *self._round_trip(raw, layer.output, layer.output)]

    def _bias_fits(self, layer: Layer, node: onnx.NodeProto) -> bool:
        """Tell whether 32 bits hold the bias; else the convolution is left to FP32."""
        if layer.is_linear or not _is_biased(node):
            return True
        bias, bias_scales = self._bias(layer, node)
        return float(np.abs(bias / bias_scales).max()) < S32_LIMIT

    def _bias(
        self, layer: Layer, node: onnx.NodeProto
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the bias of a convolution as it is by now, and the scale of each channel."""
        tensors = {tensor.name: tensor for tensor in self.graph.graph.initializer}
        scales = _channel_scales(self.index.array(layer.weight), layer, self.recipe)[1]
        bias_scales = scales * np.float32(self.recipe.params[layer.source].scale)
        return replace(self.index, weights=tensors).array(node.input[2]), bias_scales.astype(
            np.float32
        )

    def _integer_bias(self, layer: Layer, node: onnx.NodeProto) -> onnx.NodeProto:
        bias, bias_scales = self._bias(layer, node)
        levels = np.rint(bias / bias_scales).astype(np.int32)
        constants = self._constants(layer.name, b32=levels, bias_scales=bias_scales)
        node.input[2] = made_name(layer.name, "bias_rounded")
        return _dequantize(constants, node.input[2], 0)

    def _blocks(self, layer: Layer, node: onnx.NodeProto, bits: int) -> onnx.NodeProto:
        weights = self.index.array(layer.weight)
        blocks = block_weights(weights, bits=bits, block=self.recipe.block)
        constants = self._constants(layer.name, packed=blocks.packed, scales=blocks.scales)
        return helper.make_node(
            "MatMulNBits",
            [node.input[0], *constants],
            list(node.output),
            name=node.name,
            domain=MICROSOFT,
            K=weights.shape[0],
            N=weights.shape[1],
            bits=bits,
            block_size=self.recipe.block,
            accuracy_level=INT8_COMPUTE,
        )


def _is_biased(node: onnx.NodeProto) -> bool:
    return len(node.input) > 2 and bool(node.input[2])


def _dequantize(inputs: list[str], output: str, axis: int) -> onnx.NodeProto:
    return helper.make_node("DequantizeLinear", inputs, [output], name=output, axis=axis)


def _cast(graph: onnx.ModelProto, index: Index, name: str) -> onnx.NodeProto:
    """Return the node that makes FP32 of a constant from now on stored as FP16."""
    values: NDArray[Any] = index.array(name).astype(np.float16)
    stored = add_tensor(graph, made_name(name, "fp16"), values)
    for tensor in [known for known in graph.graph.initializer if known.name == name]:
        graph.graph.initializer.remove(tensor)
    return helper.make_node("Cast", [stored], [name], name=made_name(name, "cast"), to=1)
