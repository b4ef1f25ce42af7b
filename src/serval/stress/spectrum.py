"""Filters: what is cut off, and what is tilted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import signal

if TYPE_CHECKING:
    from serval.audio import Waveform

__all__ = ["passed", "telephone", "tilted"]


def passed(
    samples: Waveform,
    sample_rate: int,
    rng: np.random.Generator,
    *,
    cutoff_hz: float,
    side: Literal["highpass", "lowpass"],
) -> Waveform:
    """Return the samples after a Butterworth filter of order 4, -3 dB at `cutoff_hz`.

    A low-pass at or above half the sample rate changes nothing.

    Source: audeering ser-tests, robustness to small changes; `scipy.signal.butter`.
    """
    del rng
    if cutoff_hz >= sample_rate / 2:
        return samples
    sos = signal.butter(4, cutoff_hz, side, fs=sample_rate, output="sos")
    return np.asarray(signal.sosfilt(sos, samples), dtype=np.float32)


def telephone(samples: Waveform, sample_rate: int, rng: np.random.Generator) -> Waveform:
    """Return the samples with nothing left below 300 Hz and above 3.4 kHz.

    Source: ITU-T G.712, the band of a telephone channel; a Chebyshev filter of type 2, order 10.
    """
    del rng
    edges = [200.0, min(3900.0, 0.49 * sample_rate)]
    sos = signal.cheby2(10, 40, edges, "band", fs=sample_rate, output="sos")
    return np.asarray(signal.sosfilt(sos, samples), dtype=np.float32)


def tilted(
    samples: Waveform, sample_rate: int, rng: np.random.Generator, *, tilt: float
) -> Waveform:
    """Return the samples through 1 + `tilt` z^-1, at the level that they had.

    A negative tilt lifts the high frequencies, as a voice raised does, a positive one the low.

    Source: audeering ser-tests, spectral tilt; pre-emphasis as in Rabiner and Schafer (1978).
    """
    del sample_rate, rng
    bent = signal.lfilter([1.0, tilt], [1.0], samples.astype(np.float64))
    before, after = np.sqrt(np.mean(samples.astype(np.float64) ** 2)), np.sqrt(np.mean(bent**2))
    return np.asarray(bent * (before / after if after > 0 else 1.0), dtype=np.float32)
