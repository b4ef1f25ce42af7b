"""The acoustic fingerprint of a clip: what outlives resampling, gain and lossy coding."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import fft, sparse

from serval.audio import resampled

if TYPE_CHECKING:
    from serval.audio import Waveform

__all__ = ["Fingerprint", "fingerprint_of_audio"]

SAMPLE_RATE = 8000
WINDOW = 512
HOP = 128
LOW_HZ, HIGH_HZ = 200.0, 3400.0
BANDS = 33
ACTIVE_DB = 35.0
LONGEST_S = 120.0
MODULATIONS, AVERAGED, PERIOD = 24, 3, 512

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """About 1.5 kB for a clip of three seconds.

    Attributes:
        words: `(T,) uint32`, one word of 32 bits for each 16 ms.
        active: `(T,) bool`, where the clip is loud enough for its word to mean something.
        outline: `(384,) float32` of length 1, the same wherever in the file the speech begins.
    """

    words: NDArray[np.uint32]
    active: NDArray[np.bool_]
    outline: Floats


def fingerprint_of_audio(samples: Waveform, sample_rate: int) -> Fingerprint | None:
    """Return the fingerprint of at most the first two minutes, or `None` of digital silence.

    A bit says whether the energy difference between two neighbouring bands grew since the frame
    before. The outline is the magnitude of the spectrum of each band over time, which a shift in
    time leaves alone.

    Source: bits as in Haitsma and Kalker, A Highly Robust Audio Fingerprinting System (ISMIR
    2002), with a band of 200-3400 Hz so that 8 kHz telephone audio keeps them all; modulation
    spectrum as in Greenberg and Kingsbury (ICASSP 1997).
    """
    start = samples[: int(LONGEST_S * sample_rate)]
    energy = _band_energy(resampled(start, sample_rate, SAMPLE_RATE))
    loudness = energy.sum(axis=1)
    loudest = loudness.max()
    if not loudest > 0:
        return None
    active = loudness > loudest * 10 ** (-ACTIVE_DB / 10)
    slopes = np.diff(np.log(energy + loudest * 1e-7), axis=1)
    growth = np.diff(slopes, axis=0, prepend=slopes[:1])
    bits = np.packbits(growth > 0, axis=1, bitorder="little")
    return Fingerprint(
        words=bits.view(np.uint32)[:, 0], active=active, outline=_outline(slopes, active)
    )


def _band_energy(samples: Waveform) -> Floats:
    """Return `(T, 33)` energies, with a window's length of silence before and after the clip."""
    silence = np.zeros(WINDOW - HOP, np.float32)
    padded = np.concatenate([silence, samples, silence])
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    spectrum = fft.rfft(frames * np.hanning(WINDOW).astype(np.float32), axis=1)
    power = np.square(np.abs(spectrum))
    return np.ascontiguousarray((_filters() @ power.T).T, dtype=np.float32)


@cache
def _filters() -> sparse.csr_array[np.float32]:
    """Return `(33, 257)` triangles evenly spaced in log frequency, two bins wide at least.

    Sparse, because a dense product would start BLAS threads inside of each worker thread.
    """
    edges = np.geomspace(LOW_HZ, HIGH_HZ, BANDS + 2)
    bins = np.fft.rfftfreq(WINDOW, 1 / SAMPLE_RATE)[:, np.newaxis]
    width = np.maximum(edges[2:] - edges[:-2], 2 * SAMPLE_RATE / WINDOW)
    triangles = np.clip(1 - np.abs(bins - edges[1:-1]) / (width / 2), 0, None)
    return sparse.csr_array(triangles.T.astype(np.float32))


def _outline(slopes: Floats, active: NDArray[np.bool_]) -> Floats:
    centred = (slopes - slopes[active].mean(axis=0)) * active[:, np.newaxis]
    halved = centred.reshape(len(centred), -1, 2).sum(axis=2)
    stretch = 1
    while PERIOD * stretch < len(halved):
        stretch *= 2
    spectrum = np.abs(fft.rfft(halved, PERIOD * stretch, axis=0))[::stretch]
    used = spectrum[1 : 1 + MODULATIONS * AVERAGED].reshape(MODULATIONS, AVERAGED, -1)
    outline = np.sqrt(used.mean(axis=1)).ravel()
    return np.asarray(outline / max(float(np.linalg.norm(outline)), 1e-12), dtype=np.float32)
