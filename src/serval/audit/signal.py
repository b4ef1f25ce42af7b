"""What is wrong with the samples of one clip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serval.audio import Waveform

__all__ = ["Signal", "clipped_share", "signal_of"]

FULL_SCALE = 1.0
"""What integers cannot exceed; a lossy codec gives more where it was fed with flat tops."""

RUN = 3
"""Samples in a row that make a flat top: a sine never has as many at 16 bit and full scale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """A clip's samples in three numbers.

    Attributes:
        peak: Largest magnitude, 1 being full scale.
        offset: Mean of all samples, in [-1, 1].
        clipped: Share of samples, in [0, 1], that are in a flat top.
    """

    peak: float
    offset: float
    clipped: float


def signal_of(samples: Waveform) -> Signal:
    """Return the numbers of one clip, which has at least one sample."""
    return Signal(
        peak=float(np.abs(samples).max()),
        offset=float(samples.mean(dtype=np.float64)),
        clipped=clipped_share(samples),
    )


def clipped_share(samples: Waveform) -> float:
    """Return the share of samples that lie in flat tops, in [0, 1].

    A flat top is a run of at least three samples that all have the largest or the smallest value
    of the clip, whatever that is: so it is found in what was turned down afterwards as well. What
    is beyond full scale counts too, since a lossy codec bends the tops that it was given.

    Examples:
        >>> clipped_share(np.float32([0, 0.5, 0.5, 0.5, 0, -0.1, 0, 0, 0.1, 0]))
        0.3
    """
    high, low = float(samples.max()), float(samples.min())
    if high == low:
        return 0.0
    beyond = _in_runs(samples >= min(high, FULL_SCALE)) | _in_runs(samples <= max(low, -FULL_SCALE))
    return float(beyond.mean())


def _in_runs(flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the flags that are part of at least three in a row."""
    middle = flags.copy()
    middle[0] = middle[-1] = False
    middle[1:-1] &= flags[:-2] & flags[2:]
    grown = middle.copy()
    grown[:-1] |= middle[1:]
    grown[1:] |= middle[:-1]
    return grown
