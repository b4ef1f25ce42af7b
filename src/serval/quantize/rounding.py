"""From arrays to integers and scales: weights at 8 and 4 bits, and the ranges of activations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

S8_MAX = 127
PAIR_MAX = 32_767 // 255
"""What the magnitudes of two weights may add up to, so that 255 times each still fits 16 bits."""
SMALLEST_SCALE = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocks:
    """A matrix `(K, N)` in the layout of the operator MatMulNBits.

    Attributes:
        packed: `(N, ceil(K / block), block * bits / 8) uint8`, low bits first.
        scales: `(N * ceil(K / block),) float32`.
    """

    packed: NDArray[np.uint8]
    scales: NDArray[np.float32]

    def matrix(self, rows: int, bits: int) -> NDArray[np.float32]:
        """Return the `(K, N)` weights that the operator multiplies with."""
        levels = self.packed
        if bits == 4:
            levels = np.stack([levels & 15, levels >> 4], axis=-1).reshape(*levels.shape[:2], -1)
        scales = self.scales.reshape(*levels.shape[:2], 1)
        values = (levels.astype(np.float32) - (1 << (bits - 1))) * scales
        return values.reshape(len(values), -1).T[:rows]


def symmetric_scales(weights: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    """Return one scale for each channel along `axis`, with which the largest weight becomes 127."""
    others = tuple(i for i in range(weights.ndim) if i != axis)
    largest = np.abs(weights).max(axis=others, initial=0)
    return np.asarray(np.maximum(largest / S8_MAX, SMALLEST_SCALE), dtype=np.float32)


def portable_scales(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return one scale for each column of `(K, N)` with which no pair of products saturates.

    Processors without VNNI add the products of two neighbouring weights in 16 bits
    (`vpmaddubsw`), and cut off above 32,767. Halving all weights, which is what `reduce_range`
    does, rules that out at the price of a bit. It is enough that no two neighbours of one sign
    exceed 128 together, which costs a third to half of a bit.

    Examples:
        >>> matrix = np.float32([[1.0], [0.28], [0.1], [-1.0]])
        >>> np.rint(matrix / portable_scales(matrix)).ravel().tolist()
        [99.0, 28.0, 10.0, -99.0]
    """
    rows = np.pad(matrix, ((0, len(matrix) % 2), (0, 0)))
    pairs = [np.maximum(sign * rows, 0) for sign in (1, -1)]
    largest = np.max([(half[0::2] + half[1::2]).max(axis=0, initial=0) for half in pairs], axis=0)
    paired = largest / (PAIR_MAX - 1)
    return np.asarray(np.maximum(symmetric_scales(matrix, 1), paired), dtype=np.float32)


def portable_kernel_scales(kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return one scale for each output channel of `(M, C, k...)` with which no pair saturates.

    Which weights are neighbours depends on how a runtime lays a kernel out: channel after channel,
    or tap after tap with the channels of each in a row, whose last may be left without a partner.
    The scales hold for all of these.
    """
    outputs, channels = kernel.shape[:2]
    taps_last = kernel.reshape(outputs, channels, -1)
    taps_first = taps_last.transpose(0, 2, 1)
    apart = np.pad(taps_first, ((0, 0), (0, 0), (0, channels % 2)))
    layouts = (taps_last, taps_first, apart)
    found = [portable_scales(one.reshape(outputs, -1).T) for one in layouts]
    return np.asarray(np.max(found, axis=0))


def channel_weights(
    weights: NDArray[np.float32], scales: NDArray[np.float32], axis: int
) -> NDArray[np.int8]:
    """Return the weights as S8, one scale for each channel along `axis`."""
    shape = [1] * weights.ndim
    shape[axis] = -1
    levels = np.rint(weights / scales.reshape(shape))
    return np.asarray(np.clip(levels, -S8_MAX, S8_MAX), dtype=np.int8)


def block_weights(matrix: NDArray[np.float32], *, bits: int, block: int) -> Blocks:
    """Return `(K, N)` weights at 4 or 8 bits with one scale for each block of a column.

    The zero point is the operator's own, 8 or 128, so none is stored.
    """
    middle = 1 << (bits - 1)
    blocks = _in_blocks(matrix, block)
    first = np.abs(blocks).argmax(axis=2, keepdims=True)
    # The largest weight takes the level -8 (or -128), which has no positive twin: all are used.
    scales = np.take_along_axis(blocks, first, axis=2) / -middle
    safe = np.where(np.abs(scales) > SMALLEST_SCALE, scales, 1)
    levels = np.clip(np.rint(blocks / safe) + middle, 0, 2 * middle - 1).astype(np.uint8)
    return Blocks(packed=_packed(levels, bits), scales=safe.astype(np.float32).ravel())


def _in_blocks(matrix: NDArray[np.float32], block: int) -> NDArray[np.float32]:
    """Return `(N, blocks, block)`, with zeros behind the last row."""
    rows, columns = matrix.shape
    padded = np.pad(matrix, ((0, -rows % block), (0, 0)))
    return padded.T.reshape(columns, -1, block)


def _packed(levels: NDArray[np.uint8], bits: int) -> NDArray[Any]:
    if bits == 8:
        return levels
    return levels[..., 0::2] | (levels[..., 1::2] << 4)


RangeMethod = Literal["min-max", "percentile", "entropy"]
RANGE_METHODS: tuple[RangeMethod, ...] = ("min-max", "percentile", "entropy")

BINS = 2048
LEVELS = 256
KEPT_SHARE = 0.9999
"""Share of the values that the percentile range covers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """How often each value of one tensor was seen.

    Attributes:
        low: Smallest value, at most 0.
        high: Largest value, at least 0.
        counts: `(2048,) int64`, bins of equal width from low to high.
    """

    low: float
    high: float
    counts: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantParams:
    """The U8 values of a tensor: `real = scale * (level - zero_point)`, levels 0 to 255."""

    scale: float
    zero_point: int

    def rounded(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the values as 8 bits give them back."""
        levels = np.clip(np.rint(values / self.scale) + self.zero_point, 0, LEVELS - 1)
        return np.asarray((levels - self.zero_point) * self.scale, dtype=np.float32)


def params_of(low: float, high: float) -> QuantParams:
    """Return the scale and zero point that cover `[low, high]` and hold 0 exactly.

    Examples:
        >>> params_of(-1.0, 2.984375)
        QuantParams(scale=0.015625, zero_point=64)
    """
    low, high = min(low, 0.0), max(high, 0.0)
    scale = float(np.float32((high - low) / (LEVELS - 1))) or 1.0
    return QuantParams(scale=scale, zero_point=int(np.clip(round(-low / scale), 0, 255)))


def range_of(seen: Histogram, method: RangeMethod) -> tuple[float, float]:
    """Return `(low, high)` of the values that shall be told apart; the rest saturates."""
    if method == "percentile":
        return _percentile_range(seen)
    if method == "entropy":
        limit = _entropy_limit(seen)
        return max(seen.low, -limit), min(seen.high, limit)
    return seen.low, seen.high


def _percentile_range(seen: Histogram) -> tuple[float, float]:
    share = np.cumsum(seen.counts) / max(1, seen.counts.sum())
    edges = np.linspace(seen.low, seen.high, BINS + 1)
    outside = (1 - KEPT_SHARE) / 2
    low = edges[int(np.searchsorted(share, outside, side="right"))]
    high = edges[min(BINS, int(np.searchsorted(share, 1 - outside)) + 1)]
    return min(float(low), 0.0), max(float(high), 0.0)


def _entropy_limit(seen: Histogram) -> float:
    """Return the magnitude at which cutting loses the least information.

    Source: the Kullback-Leibler calibration of Migacz, 8-bit Inference with TensorRT (2017), on
    the histogram of magnitudes.
    """
    magnitudes, width = _folded(seen)
    limits = np.unique(np.linspace(LEVELS // 2, len(magnitudes), 64).astype(int))
    losses = [_lost_information(magnitudes, int(limit)) for limit in limits]
    return float(limits[int(np.argmin(losses))] * width)


def _folded(seen: Histogram) -> tuple[NDArray[np.float64], float]:
    """Return the histogram of magnitudes and the width of its bins."""
    width = max(seen.high - seen.low, 1e-12) / BINS
    centres = seen.low + width * (np.arange(BINS) + 0.5)
    bins = np.minimum((np.abs(centres) / width).astype(int), BINS - 1)
    size = int(np.ceil(max(-seen.low, seen.high) / width)) or 1
    counts = np.bincount(bins, weights=seen.counts.astype(np.float64), minlength=size)
    return np.asarray(counts[:BINS], dtype=np.float64), width


def _lost_information(counts: NDArray[np.float64], limit: int) -> float:
    """Return the divergence of the cut histogram from itself at 128 levels."""
    cut = counts[:limit].copy()
    cut[-1] += counts[limit:].sum()
    level = (np.arange(limit) * (LEVELS // 2)) // limit
    filled = counts[:limit] > 0
    mass = np.bincount(level, weights=counts[:limit], minlength=LEVELS // 2)
    bins = np.bincount(level, weights=filled, minlength=LEVELS // 2)
    coarse = np.where(filled, mass[level] / np.maximum(bins[level], 1), 0)
    p, q = cut / max(cut.sum(), 1), coarse / max(coarse.sum(), 1)
    shared = (p > 0) & (q > 0)
    lost = p[(p > 0) & (q == 0)].sum()
    return float((p[shared] * np.log(p[shared] / q[shared])).sum() + lost)
