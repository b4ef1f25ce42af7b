"""Level, clipping, offset, channels and the number of bits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from serval.audio import Waveform

__all__ = ["clipped", "gain", "offset", "one_channel_silent", "quantized"]


def gain(
    samples: Waveform, sample_rate: int, rng: np.random.Generator, *, gain_db: float
) -> Waveform:
    """Return the samples louder by `gain_db`.

    Source: audeering ser-tests, robustness to small changes, gain.
    """
    del sample_rate, rng
    return np.asarray(samples * 10 ** (gain_db / 20), dtype=np.float32)


def clipped(
    samples: Waveform, sample_rate: int, rng: np.random.Generator, *, percent: float
) -> Waveform:
    """Return the samples with the `percent` that are largest in magnitude cut to one level.

    Source: audeering ser-tests, robustness to small changes, clipping.
    """
    del sample_rate, rng
    level = np.quantile(np.abs(samples), 1 - percent / 100, method="lower")
    return np.clip(samples, -level, level)


def offset(
    samples: Waveform, sample_rate: int, rng: np.random.Generator, *, shift: float
) -> Waveform:
    """Return the samples plus a constant, as cheap sound cards add it.

    Source: the definition; 0.05 of full scale is a plain fault, and louder than quiet speech.
    """
    del sample_rate, rng
    return np.asarray(samples + np.float32(shift), dtype=np.float32)


def one_channel_silent(samples: Waveform, sample_rate: int, rng: np.random.Generator) -> Waveform:
    """Return what the mean of two channels is when one of them is silent: half of the samples.

    Source: `serval.audio.decode`, which takes the mean of channels.
    """
    del sample_rate, rng
    stereo = np.stack([samples, np.zeros_like(samples)], axis=1)
    return np.asarray(stereo.mean(axis=1), dtype=np.float32)


def quantized(
    samples: Waveform, sample_rate: int, rng: np.random.Generator, *, bits: int
) -> Waveform:
    """Return the samples rounded to `2 ** bits` steps of full scale, without dither.

    Source: linear PCM, as `audiomentations.BitCrush` has it.
    """
    del sample_rate, rng
    steps = 2 ** (bits - 1)
    return np.asarray(np.clip(np.round(samples * steps), -steps, steps - 1) / steps, np.float32)
