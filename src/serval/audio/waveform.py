"""What is done to samples once they are one channel."""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray

__all__ = ["Waveform", "peak_normalized", "resampled", "zscored"]

Waveform = NDArray[np.float32]
"""`(T,) float32` samples, nominally in [-1, 1]."""


def resampled(samples: Waveform, from_rate: int, to_rate: int) -> Waveform:
    """Return the waveform at another sample rate (soxr, quality HQ); the same one if equal."""
    if from_rate == to_rate:
        return samples
    return np.asarray(soxr.resample(samples, from_rate, to_rate, quality="HQ"), dtype=np.float32)


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
