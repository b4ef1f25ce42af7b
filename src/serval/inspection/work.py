"""How much a model computes for a second of audio, and in which precision."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from serval.models.profile import RanNode, Tensor

_PRODUCTS = """
    MatMul FusedMatMul Gemm FusedGemm MatMulNBits MatMulInteger MatMulIntegerToFloat
    DynamicQuantizeMatMul
"""
PRODUCTS: Mapping[str, tuple[int, int]] = {
    **dict.fromkeys(_PRODUCTS.split(), (0, 1)),
    **dict.fromkeys(("QLinearMatMul", "QGemm"), (0, 3)),
}
"""Matrix products, with the places of their two factors."""

CONVOLUTIONS: Mapping[str, tuple[int, int]] = {
    **dict.fromkeys(("Conv", "FusedConv", "NhwcFusedConv", "ConvInteger"), (0, 1)),
    "QLinearConv": (0, 3),
}
"""Convolutions, with the places of input and kernel."""

UNCOUNTED = frozenset(
    ("Attention", "MultiHeadAttention", "QAttention", "ConvTranspose", "Einsum", "RNN", "GRU",
     "LSTM", "DynamicQuantizeLSTM")
)  # fmt: skip
"""Operators that multiply too, but whose shapes do not say how much."""

FLOATS = {"float": "fp32", "float16": "fp16", "double": "fp64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What ran for one clip.

    Attributes:
        clip_s: Length of the clip in seconds.
        macs: Multiply-accumulates of all products and convolutions.
        shares: Precision -> share of the multiply-accumulates, in [0, 1].
        op_shares: Operator -> share of the multiply-accumulates, in [0, 1].
        ops: Operator -> how often it ran.
        signed_share: Share in products of two signed 8-bit factors.
        flat_share: Share in two-dimensional convolutions and products of two matrices.
        uncounted: Operators that multiply but are not counted.
    """

    clip_s: float
    macs: int
    shares: Mapping[str, float]
    op_shares: Mapping[str, float]
    ops: Mapping[str, int]
    signed_share: float
    flat_share: float
    uncounted: tuple[str, ...]

    @property
    def gmac_per_s(self) -> float:
        """10^9 multiply-accumulates for each second of audio."""
        return self.macs / self.clip_s / 1e9


def work_of(nodes: Sequence[RanNode], clip_s: float, bits: Mapping[str, int]) -> Work:
    """Return how much the operators computed.

    Args:
        nodes: What ran for one clip.
        clip_s: Its length in seconds.
        bits: Name of a `MatMulNBits` node -> bits of its weights.
    """
    counted = [(node, macs_of(node)) for node in nodes]
    total = sum(macs for _, macs in counted)
    return Work(
        clip_s=clip_s,
        macs=total,
        shares=_shares((_precision(node, bits), macs) for node, macs in counted),
        op_shares=_shares((node.op, macs) for node, macs in counted),
        ops=dict(Counter(node.op for node in nodes).most_common()),
        signed_share=sum(m for node, m in counted if is_signed_pair(node)) / max(total, 1),
        flat_share=sum(m for node, m in counted if _is_flat(node)) / max(total, 1),
        uncounted=tuple(sorted({node.op for node in nodes} & UNCOUNTED)),
    )


def macs_of(node: RanNode) -> int:
    """Return the multiply-accumulates of one operator; 0 for one that multiplies nothing.

    Examples:
        >>> from serval.models.profile import RanNode, Tensor
        >>> a, b, c = (Tensor(type="float", shape=s) for s in ((1, 10, 4), (4, 3), (1, 10, 3)))
        >>> macs_of(RanNode(name="n", op="MatMul", inputs=(a, b), outputs=(c,)))
        120
    """
    if node.op in PRODUCTS:
        return prod(node.outputs[0].shape) * _inner(node.inputs[0].shape, node.outputs[0].shape)
    if node.op in CONVOLUTIONS:
        kernel = node.inputs[CONVOLUTIONS[node.op][1]].shape
        return prod(node.outputs[0].shape) * prod(kernel[1:])
    return 0


def is_signed_pair(node: RanNode) -> bool:
    """Tell whether both factors are signed 8-bit integers."""
    return [factor.type for factor in _factors(node)] == ["int8", "int8"]


def _inner(left: tuple[int, ...], out: tuple[int, ...]) -> int:
    """Return the length of the sum in a product, whether or not the left factor is transposed."""
    if len(left) > 1 and len(out) > 1 and left[-2] != out[-2]:
        return left[-2]
    return left[-1]


def _factors(node: RanNode) -> list[Tensor]:
    places = PRODUCTS.get(node.op) or CONVOLUTIONS.get(node.op) or ()
    return [node.inputs[place] for place in places if place < len(node.inputs)]


def _precision(node: RanNode, bits: Mapping[str, int]) -> str:
    if node.op == "MatMulNBits":
        return f"int{bits.get(node.name) or _packed_bits(node)} weights"
    types = {factor.type for factor in _factors(node)}
    if types & {"int8", "uint8"}:
        return "int8"
    return FLOATS.get(next(iter(sorted(types)), ""), "other")


def _packed_bits(node: RanNode) -> int:
    """Return the bits of each weight of a node that ONNX Runtime made itself."""
    values = node.inputs[0].shape[-1] * node.outputs[0].shape[-1]
    return min((2, 4, 8), key=lambda bits: abs(bits - 8 * prod(node.inputs[1].shape) / values))


def _is_flat(node: RanNode) -> bool:
    """Tell whether all factors have the dimensions of an image convolution or of a matrix."""
    wanted = 4 if node.op in CONVOLUTIONS else 2
    factors = _factors(node)
    return bool(factors) and all(len(factor.shape) == wanted for factor in factors)


def _shares(counts: Iterable[tuple[str, int]]) -> dict[str, float]:
    totals: Counter[str] = Counter()
    for key, macs in counts:
        totals[key] += macs
    return {key: n / totals.total() for key, n in totals.most_common() if n}
