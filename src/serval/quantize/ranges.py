"""From what was seen of a tensor to the range that eight bits shall cover."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["RANGE_METHODS", "Grid", "Histogram", "RangeMethod", "grid_of", "range_of"]

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
class Grid:
    """The U8 values of a tensor: `real = scale * (level - zero_point)`, levels 0 to 255."""

    scale: float
    zero_point: int

    def rounded(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the values as the grid gives them back."""
        levels = np.clip(np.rint(values / self.scale) + self.zero_point, 0, LEVELS - 1)
        return np.asarray((levels - self.zero_point) * self.scale, dtype=np.float32)


def grid_of(low: float, high: float) -> Grid:
    """Return the grid that covers `[low, high]` and has 0 on it.

    Examples:
        >>> grid_of(-1.0, 2.984375)
        Grid(scale=0.015625, zero_point=64)
    """
    low, high = min(low, 0.0), max(high, 0.0)
    scale = float(np.float32((high - low) / (LEVELS - 1))) or 1.0
    return Grid(scale=scale, zero_point=int(np.clip(round(-low / scale), 0, 255)))


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
    losses = [_divergence(magnitudes, int(limit)) for limit in limits]
    return float(limits[int(np.argmin(losses))] * width)


def _folded(seen: Histogram) -> tuple[NDArray[np.float64], float]:
    """Return the histogram of magnitudes and the width of its bins."""
    width = max(seen.high - seen.low, 1e-12) / BINS
    centres = seen.low + width * (np.arange(BINS) + 0.5)
    bins = np.minimum((np.abs(centres) / width).astype(int), BINS - 1)
    size = int(np.ceil(max(-seen.low, seen.high) / width)) or 1
    counts = np.bincount(bins, weights=seen.counts.astype(np.float64), minlength=size)
    return np.asarray(counts[:BINS], dtype=np.float64), width


def _divergence(counts: NDArray[np.float64], limit: int) -> float:
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
