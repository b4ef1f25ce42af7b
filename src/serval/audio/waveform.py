"""What is done to samples: channels made one, resampled, normalized."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import soxr
from numpy.typing import NDArray

from serval.records import Sound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from serval.audio.encoded import Blocks


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


LEAST_LEFT = 0.2
"""Share of what unrelated channels leave in their mean, below which channels cancel out.

The mean of N unrelated channels has 1/N of the mean power of a channel. For two channels the limit
is thus 10 % of that power, where an inverted copy leaves nothing, an inverted copy at half the
level 10 %, one silent channel 50 % and equal channels 100 %.
"""

ONE: NDArray[np.float32] = np.zeros((0, 1), dtype=np.float32)
"""A block of one channel without samples."""

LOUDER_CHANNEL = "its channels cancel out; the louder one was taken"


def mixed(blocks: Callable[[], Blocks]) -> tuple[Waveform, tuple[str, ...]]:
    """Return the mean of the channels, or the loudest of them where the mean cancels out.

    Args:
        blocks: Starts to decode and yields `(n, channels) float32`, again at each call.

    Returns:
        `(T,) float32`, and the notes on what was done.
    """
    power = _Power()
    means = [power.mean_of(block) for block in blocks()]
    loudest = power.loudest_of_cancelling()
    if loudest is None:
        return _joined(means), ()
    return _joined([block[:, loudest] for block in blocks()]), (LOUDER_CHANNEL,)


def mixed_blocks(blocks: Callable[[], Blocks], note: Callable[[str], None]) -> Iterator[Waveform]:
    """Yield what `mixed` returns a block at a time; several channels are decoded once more first.

    Args:
        blocks: Starts to decode and yields `(n, channels) float32`, again at each call.
        note: Is told what was done.
    """
    power = _Power()
    if next(blocks(), ONE).shape[1] > 1:
        for block in blocks():
            power.mean_of(block)
    loudest = power.loudest_of_cancelling()
    if loudest is not None:
        note(LOUDER_CHANNEL)
    for block in blocks():
        yield power.mean_of(block) if loudest is None else block[:, loudest]


class _Power:
    """Power of the channels and of their mean, without their constant part, over all blocks."""

    def __init__(self) -> None:
        self._n = 0
        self._sums: NDArray[np.float64] = np.zeros(0)
        self._squares: NDArray[np.float64] = np.zeros(0)

    def mean_of(self, block: NDArray[np.float32]) -> Waveform:
        """Return the mean channel of a block, `(n,) float32`, having counted it."""
        if block.shape[1] == 1:
            return block[:, 0]
        with np.errstate(all="ignore"):  # infinite samples are told later
            mean: Waveform = block.mean(axis=1, dtype=np.float32)
            self._count(np.column_stack([block, mean]).astype(np.float64))
        return mean

    def loudest_of_cancelling(self) -> int | None:
        """Return the channel with the most power if the channels cancel out, else `None`."""
        if not self._n:
            return None
        with np.errstate(all="ignore"):
            *channels, mean = self._squares / self._n - (self._sums / self._n) ** 2
        unrelated = np.mean(channels) / len(channels)
        return int(np.argmax(channels)) if mean < LEAST_LEFT * unrelated else None

    def _count(self, columns: NDArray[np.float64]) -> None:
        if not self._n:
            self._sums = np.zeros(columns.shape[1])
            self._squares = np.zeros(columns.shape[1])
        self._n += len(columns)
        self._sums += columns.sum(axis=0)
        self._squares += np.square(columns).sum(axis=0)


def _joined(blocks: list[Waveform]) -> Waveform:
    return np.concatenate(blocks) if blocks else np.zeros(0, dtype=np.float32)


SILENT_PEAK = 0.001
"""-60 dB of full scale; speech that peaks below it is not to be heard."""

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
