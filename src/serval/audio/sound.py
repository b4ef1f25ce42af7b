"""What a clip sounds like to a model, in three numbers that a run keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from serval.records import Sound

if TYPE_CHECKING:
    from serval.audio.waveform import Waveform

__all__ = ["SILENCE_DB", "sound_of"]

SILENCE_DB = -120.0
"""The level of digital silence, and of anything softer."""

FRAME = 512
"""Samples of a spectrum: 32 ms at 16 kHz, lines 31 Hz apart."""

MOST_FRAMES = 64
"""Of a longer clip so many at most, evenly spread: listening costs less than decoding."""

WINDOW = np.hanning(FRAME).astype(np.float32)

WITHIN_DB = 60.0
"""Far above the stop band of a resampler, and far below speech."""


def sound_of(samples: Waveform, sample_rate: int, source_rate: int) -> Sound:
    """Return level and bandwidth of a clip.

    Args:
        samples: `(T,)` as decoded.
        sample_rate: Theirs, in Hz.
        source_rate: That of the file, in Hz.

    Examples:
        >>> tone = np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000).astype(np.float32)
        >>> sound_of(tone, 16000, 44100).level_db
        -3.01
        >>> sound_of(np.zeros(10, np.float32), 16000, 16000).bandwidth_hz
        0.0
    """
    power = float(np.vdot(samples, samples)) / max(1, len(samples))
    level = 10 * np.log10(power) if power > 0 else SILENCE_DB
    return Sound(
        source_rate=source_rate,
        level_db=round(max(float(level), SILENCE_DB), 2),
        bandwidth_hz=round(_bandwidth(samples, sample_rate), 1) if level > SILENCE_DB else 0.0,
    )


def _bandwidth(samples: Waveform, sample_rate: int) -> float:
    """Return the highest frequency whose mean power is within `WITHIN_DB` of the loudest."""
    if len(samples) < FRAME:
        samples = np.pad(samples, (0, FRAME - len(samples)))
    # A last frame that is cut off would spread over all frequencies.
    whole = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    some = whole[:: -(-len(whole) // MOST_FRAMES)]
    spectrum = np.fft.rfft(some * WINDOW, axis=1)
    power = np.square(np.abs(spectrum)).sum(axis=0)
    heard = np.flatnonzero(power >= power.max() * 10 ** (-WITHIN_DB / 10))
    return float(heard[-1] * sample_rate / FRAME)
