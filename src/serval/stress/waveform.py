"""What changes the speech itself: level and clipping, filters, time and pitch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import scipy  # its signal, a second to load, only where it is called
import soxr

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serval.audio import Waveform


def gain(
    samples: Waveform, sample_rate: int, rng: np.random.Generator, *, gain_db: float
) -> Waveform:
    """Return the samples louder by `gain_db`.

    Source: audeering ser-tests, robustness to small changes, gain.
    """
    return np.asarray(samples * 10 ** (gain_db / 20), dtype=np.float32)


def clipped(
    samples: Waveform, sample_rate: int, rng: np.random.Generator, *, percent: float
) -> Waveform:
    """Return the samples with the `percent` that are largest in magnitude cut to one level.

    Source: audeering ser-tests, robustness to small changes, clipping.
    """
    level = np.quantile(np.abs(samples), 1 - percent / 100, method="lower")
    return np.clip(samples, -level, level)


def offset(
    samples: Waveform, sample_rate: int, rng: np.random.Generator, *, shift: float
) -> Waveform:
    """Return the samples plus a constant, as cheap sound cards add it.

    Source: the definition; 0.05 of full scale is a plain fault, and louder than quiet speech.
    """
    return np.asarray(samples + np.float32(shift), dtype=np.float32)


def one_channel_silent(samples: Waveform, sample_rate: int, rng: np.random.Generator) -> Waveform:
    """Return what the mean of two channels is when one of them is silent: half of the samples.

    Source: `serval.audio.decode`, which takes the mean of channels.
    """
    stereo = np.stack([samples, np.zeros_like(samples)], axis=1)
    return np.asarray(stereo.mean(axis=1), dtype=np.float32)


def quantized(
    samples: Waveform, sample_rate: int, rng: np.random.Generator, *, bits: int
) -> Waveform:
    """Return the samples rounded to `2 ** bits` steps of full scale, without dither.

    Source: linear PCM, as `audiomentations.BitCrush` has it.
    """
    steps = 2 ** (bits - 1)
    return np.asarray(np.clip(np.round(samples * steps), -steps, steps - 1) / steps, np.float32)


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
    if cutoff_hz >= sample_rate / 2:
        return samples
    sos = scipy.signal.butter(4, cutoff_hz, side, fs=sample_rate, output="sos")
    return np.asarray(scipy.signal.sosfilt(sos, samples), dtype=np.float32)


def telephone(samples: Waveform, sample_rate: int, rng: np.random.Generator) -> Waveform:
    """Return the samples with nothing left below 300 Hz and above 3.4 kHz.

    Source: ITU-T G.712, the band of a telephone channel; a Chebyshev filter of type 2, order 10.
    """
    edges = [200.0, min(3900.0, 0.49 * sample_rate)]
    sos = scipy.signal.cheby2(10, 40, edges, "band", fs=sample_rate, output="sos")
    return np.asarray(scipy.signal.sosfilt(sos, samples), dtype=np.float32)


def tilted(
    samples: Waveform, sample_rate: int, rng: np.random.Generator, *, tilt: float
) -> Waveform:
    """Return the samples through 1 + `tilt` z^-1, at the level that they had.

    A negative tilt lifts the high frequencies, as a voice raised does, a positive one the low.

    Source: audeering ser-tests, spectral tilt; pre-emphasis as in Rabiner and Schafer (1978).
    """
    bent = scipy.signal.lfilter([1.0, tilt], [1.0], samples.astype(np.float64))
    before, after = np.sqrt(np.mean(samples.astype(np.float64) ** 2)), np.sqrt(np.mean(bent**2))
    return np.asarray(bent * (before / after if after > 0 else 1.0), dtype=np.float32)


End = Literal["start", "end"]
FINE = 10_000
"""Steps in which a factor of speed is told to the resampler."""


def cropped(
    samples: Waveform, sample_rate: int, rng: np.random.Generator, *, count: int, end: End
) -> Waveform:
    """Return the samples without the first or last `count`; at least one stays.

    Source: audeering ser-tests, robustness to small changes, crop.
    """
    kept = max(1, len(samples) - count)
    return samples[-kept:] if end == "start" else samples[:kept]


def padded(
    samples: Waveform, sample_rate: int, rng: np.random.Generator, *, count: int, end: End
) -> Waveform:
    """Return the samples with `count` zeros before the start or after the end.

    Source: audeering ser-tests, robustness to small changes, append and prepend zeros.
    """
    return np.pad(samples, (count, 0) if end == "start" else (0, count))


def silence(
    samples: Waveform, sample_rate: int, rng: np.random.Generator, *, seconds: float, end: End
) -> Waveform:
    """Return the samples with `seconds` of digital silence before or after them.

    Source: the definition; `padded` by a time.
    """
    return padded(samples, sample_rate, rng, count=round(seconds * sample_rate), end=end)


def speed(
    samples: Waveform, sample_rate: int, rng: np.random.Generator, *, percent: float
) -> Waveform:
    """Return the samples played faster by `percent`: shorter, and as much higher in pitch.

    Source: Ko et al. (2015), Audio augmentation for speech recognition; resampled by soxr.
    """
    return _resampled(samples, 1 + percent / 100)


def tempo(
    samples: Waveform, sample_rate: int, rng: np.random.Generator, *, percent: float
) -> Waveform:
    """Return the samples spoken faster by `percent`, at the same pitch.

    Source: WSOLA, see `stretched`.
    """
    return stretched(samples, sample_rate, 1 / (1 + percent / 100))


def pitch(
    samples: Waveform, sample_rate: int, rng: np.random.Generator, *, percent: float
) -> Waveform:
    """Return the samples higher by `percent`, formants too, at the same length.

    Source: stretched by WSOLA, then resampled by soxr, as `librosa.effects.pitch_shift` does it.
    """
    factor = 1 + percent / 100
    raised = _resampled(stretched(samples, sample_rate, factor), factor)
    return np.resize(np.pad(raised, (0, max(0, len(samples) - len(raised)))), len(samples))


def stretched(samples: Waveform, sample_rate: int, factor: float) -> Waveform:
    """Return the samples `factor` times as long at the same pitch; under 80 ms they stay as is.

    Overlapping windows are laid at an even distance; each is taken from where, within 8 ms of its
    proper place, it resembles most what followed the window before it.

    Source: Verhelst and Roelands (1993), An overlap-add technique based on waveform similarity
    (WSOLA) for high quality time-scale modification of speech.
    """
    window, reach = 2 * round(0.016 * sample_rate), round(0.008 * sample_rate)
    hop = window // 2
    if len(samples) < 2 * window + 2 * reach:
        return samples
    length = round(len(samples) * factor)
    source = np.pad(samples.astype(np.float64), (reach, window + 2 * reach + hop))
    shape = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    out, weight = np.zeros(length + 2 * window), np.full(length + 2 * window, 1e-6)
    place = reach
    for start in range(0, length, hop):
        proper = min(round(start / factor), len(samples)) + reach
        if start:
            place = _most_alike(source, place + hop, proper, (window, reach))
        out[start : start + window] += shape * source[place : place + window]
        weight[start : start + window] += shape
    return np.asarray((out / weight)[:length], dtype=np.float32)


def _most_alike(
    source: NDArray[np.float64], follows: int, proper: int, sizes: tuple[int, int]
) -> int:
    """Return the start within `reach` of `proper` whose window is most like that at `follows`."""
    window, reach = sizes
    wanted = source[follows : follows + window]
    around = source[proper - reach : proper + reach + window]
    return proper - reach + int(np.correlate(around, wanted[: len(around)], "valid").argmax())


def _resampled(samples: Waveform, factor: float) -> Waveform:
    shorter = soxr.resample(samples, round(FINE * factor), FINE, quality="HQ")
    return np.asarray(shorter, dtype=np.float32)
