"""What is done to samples once they are one channel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import soxr
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Waveform", "peak_normalized", "resampled", "resampled_blocks", "zscored"]

Waveform = NDArray[np.float32]
"""`(T,) float32` samples, nominally in [-1, 1]."""


QUALITY = "HQ"


def resampled(samples: Waveform, from_rate: int, to_rate: int) -> Waveform:
    """Return the waveform at another sample rate (soxr, quality HQ); the same one if equal."""
    if from_rate == to_rate:
        return samples
    return np.asarray(soxr.resample(samples, from_rate, to_rate, quality=QUALITY), dtype=np.float32)


def resampled_blocks(
    blocks: Iterator[Waveform], from_rate: int, to_rate: int
) -> Iterator[Waveform]:
    """Yield what `resampled` returns of all blocks together, to the last bit."""
    if from_rate == to_rate:
        yield from blocks
        return
    stream = soxr.ResampleStream(from_rate, to_rate, 1, dtype="float32", quality=QUALITY)
    for block in blocks:
        yield stream.resample_chunk(np.ascontiguousarray(block))
    yield stream.resample_chunk(np.zeros(0, dtype=np.float32), last=True)


def peak_normalized(samples: Waveform) -> Waveform:
    """Return the samples divided by their largest magnitude; digital silence stays as it is.

    Examples:
        >>> peak_normalized(np.float32([0.1, -0.5])).tolist()
        [0.20000000298023224, -1.0]
    """
    peak = np.abs(samples).max(initial=0.0)
    return samples / peak if peak > 0 else samples


def zscored(samples: Waveform) -> Waveform:
    """Return the samples with mean 0 and variance 1.

    Source: `Wav2Vec2FeatureExtractor.zero_mean_unit_var_norm` of transformers: variance plus 1e-7.
    """
    centred = samples - samples.mean()
    return np.asarray(centred / np.sqrt(samples.var() + 1e-7), dtype=np.float32)
