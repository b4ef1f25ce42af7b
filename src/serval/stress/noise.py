"""Sound added to the speech at a stated signal-to-noise ratio.

The ratio is between the mean powers over the whole clip, pauses included. Samples may pass 1.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import scipy  # its signal, a second to load, only where it is called

from serval.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from serval.audio import Waveform

    Floats = NDArray[np.float64]

Again = Callable[[Callable[[], "Floats"]], "Floats"]
"""Has the noise of a clip from another level of the same kind, or calls what makes it."""

TINY = 1e-12
VOICES = 5
"""Talkers in the babble: enough that none is understood."""


def mixed(samples: Waveform, noise: Floats, snr_db: float) -> Waveform:
    """Return `samples` plus `noise` scaled to that ratio; digital silence stays as it is.

    Source: SNR = 10 log10(P_speech / P_noise), as `audiomentations.AddBackgroundNoise` has it.
    """
    speech_power = float(np.mean(samples.astype(np.float64) ** 2))
    noise_power = float(np.mean(noise**2))
    if speech_power < TINY or noise_power < TINY:
        return samples
    gain = np.sqrt(speech_power / noise_power / 10 ** (snr_db / 10))
    return np.asarray(samples + gain * noise, dtype=np.float32)


def white(
    samples: Waveform, sample_rate: int, rng: np.random.Generator, *, snr_db: float
) -> Waveform:
    """Return the samples with white Gaussian noise.

    Source: audeering ser-tests, robustness to small changes and to background noise.
    """
    return mixed(samples, rng.standard_normal(len(samples)), snr_db)


def pink(
    samples: Waveform, sample_rate: int, rng: np.random.Generator, *, snr_db: float
) -> Waveform:
    """Return the samples with noise of equal power in each octave.

    Source: `coloured` with a slope of 1.
    """
    return mixed(samples, coloured(len(samples), sample_rate, 1.0, rng), snr_db)


def tone(
    samples: Waveform, sample_rate: int, rng: np.random.Generator, *, snr_db: float
) -> Waveform:
    """Return the samples with a sine of a frequency drawn from 5 to 7 kHz.

    Source: audeering ser-tests, robustness to small changes, additive tone.
    """
    top = min(7000.0, 0.45 * sample_rate)
    frequency, phase = rng.uniform(min(5000.0, top), top), rng.uniform(0, 2 * np.pi)
    t = np.arange(len(samples)) / sample_rate
    return mixed(samples, np.sin(2 * np.pi * frequency * t + phase), snr_db)


def babble(
    samples: Waveform,
    sample_rate: int,
    rng: np.random.Generator,
    *,
    snr_db: float,
    voices: Sequence[Waveform],
) -> Waveform:
    """Return the samples with several of `voices` talking at once, each from a random place.

    Source: audeering ser-tests, babble of 4 to 7 talkers; here the set's own clips talk.

    Args:
        samples: `(T,) float32`.
        sample_rate: In Hz, of `samples` and of `voices`.
        rng: Draws who talks, and from where.
        snr_db: Ratio to the sum of all talkers.
        voices: Clips that are not this one.

    Raises:
        AudioError: There is no other clip.
    """
    if not voices:
        raise AudioError("babble needs other clips, but the set has none")
    talkers = rng.choice(len(voices), size=VOICES, replace=len(voices) < VOICES)
    noise = np.zeros(len(samples))
    for voice in (voices[int(i)].astype(np.float64) for i in talkers):
        level = np.sqrt(np.mean(voice**2)) + TINY
        looped = np.resize(np.roll(voice, -int(rng.integers(len(voice)))), len(samples))
        noise += looped / level
    return mixed(samples, noise, snr_db)


def anew(make: Callable[[], Floats]) -> Floats:
    """Return what is made, kept by nobody."""
    return make()


def music(
    samples: Waveform,
    sample_rate: int,
    rng: np.random.Generator,
    *,
    snr_db: float,
    again: Again = anew,
) -> Waveform:
    """Return the samples with synthetic music: a bass, and broken chords of plucked strings.

    Source: the plucked string is Karplus and Strong (1983), Digital synthesis of plucked-string
    and drum timbres. Made here, so that nothing of anybody's music has to be shipped.
    """
    return mixed(samples, again(partial(_music, len(samples), sample_rate, rng)), snr_db)


def _music(n: int, sample_rate: int, rng: np.random.Generator) -> Floats:
    beat = round(sample_rate * rng.uniform(0.18, 0.32))
    root = 110 * 2 ** (rng.integers(12) / 12)
    chords = ((0, 4, 7, 12), (9, 12, 16, 21), (5, 9, 12, 17), (7, 11, 14, 19))
    track = np.zeros(n + 4 * beat)
    for i, start in enumerate(range(0, n, beat)):
        chord = chords[(i // 4) % 4]
        for semitone in {chord[0] - 12, chord[i % 4]}:
            note = _plucked(root * 2 ** (semitone / 12), 4 * beat, sample_rate, rng)
            track[start : start + len(note)] += note[: len(track) - start]
    return track[:n].copy()


def environment(
    samples: Waveform,
    sample_rate: int,
    rng: np.random.Generator,
    *,
    snr_db: float,
    again: Again = anew,
) -> Waveform:
    """Return the samples with one of: rain, an engine that hums, wind in gusts.

    Source: spectra as Schafer and Truax describe them (Handbook for Acoustic Ecology); synthetic,
    for recordings of such sounds with a free licence are larger than this package.
    """
    sounds = (_rain, _engine, _wind)
    sound = sounds[int(rng.integers(len(sounds)))]
    return mixed(samples, again(partial(sound, len(samples), sample_rate, rng)), snr_db)


def burst(
    samples: Waveform, sample_rate: int, rng: np.random.Generator, *, snr_db: float, kind: str
) -> Waveform:
    """Return the samples with one cough or sneeze at a random place.

    A cough is two short bursts of low noise, a sneeze an intake and one long burst of high noise.

    Source: audeering ser-tests adds recorded coughs and sneezes at 10 dB, the ratio taken over
    the whole clip; phases and bands after Korpas et al. (1996), Analysis of the cough sound.

    Args:
        samples: `(T,) float32`.
        sample_rate: In Hz.
        rng: Draws the noise and the place.
        snr_db: Ratio over the whole clip.
        kind: `cough` or `sneeze`.
    """
    phases = {"cough": ((0.0, 0.06, 900.0, 1.0), (0.14, 0.12, 600.0, 0.6)),
              "sneeze": ((0.0, 0.2, 1500.0, 0.15), (0.25, 0.22, 2800.0, 1.0))}[kind]  # fmt: skip
    length = round(0.5 * sample_rate)
    sound = np.zeros(length)
    for start_s, decay_s, centre, level in phases:
        start = round(start_s * sample_rate)
        t = np.arange(length - start) / sample_rate
        noise = _band(rng.standard_normal(len(t)), 0.4 * centre, 1.8 * centre, sample_rate)
        sound[start:] += level * noise * np.minimum(t / 0.005, 1) * np.exp(-3 * t / decay_s)
    track = np.zeros(len(samples) + length)
    place = int(rng.integers(max(1, len(samples) - length)))
    track[place : place + length] = sound
    return mixed(samples, track[: len(samples)], snr_db)


def coloured(n: int, sample_rate: int, slope: float, rng: np.random.Generator) -> Floats:
    """Return `(n,)` Gaussian noise whose power falls as 1 / f^slope above 20 Hz.

    Source: Timmer and König (1995), On generating power law noise.
    """
    frequencies = np.maximum(np.fft.rfftfreq(n, 1 / sample_rate), 20.0)
    spectrum = np.fft.rfft(rng.standard_normal(n)) / frequencies ** (slope / 2)
    return np.asarray(np.fft.irfft(spectrum, n))


def _plucked(frequency: float, n: int, sample_rate: int, rng: np.random.Generator) -> Floats:
    period = max(2, round(sample_rate / frequency))
    string = np.zeros(n + 1)  # begins with the rest before the first sample
    string[1 : period + 1] = rng.uniform(-1, 1, min(period, n))
    # A period at a time: as a filter it would multiply by all the zeros between its two taps.
    for start in range(period, n, period):
        before = slice(start - period, min(start, n - period))
        late, prompt = string[before], string[1:][before]
        string[start + 1 : start + 1 + len(late)] = 0.498 * late + 0.498 * prompt
    return string[1:]


def _rain(n: int, sample_rate: int, rng: np.random.Generator) -> Floats:
    hiss = _band(rng.standard_normal(n), 1000.0, 7000.0, sample_rate)
    drops = (rng.random(n) < 60 / sample_rate) * rng.exponential(6.0, n)
    ring = scipy.signal.lfilter([1.0], [1.0, -0.95], drops)
    return np.asarray(hiss + _band(ring, 800.0, 6000.0, sample_rate))


def _engine(n: int, sample_rate: int, rng: np.random.Generator) -> Floats:
    t = np.arange(n) / sample_rate
    phase = 2 * np.pi * rng.uniform(30, 60) * t + 0.6 * np.sin(2 * np.pi * rng.uniform(0.2, 1) * t)
    hum = sum(np.sin(k * phase + rng.uniform(0, 6)) / k for k in range(1, 15))
    rumble = coloured(n, sample_rate, 2.0, rng)
    return np.asarray(hum + 1.5 * rumble / (rumble.std() + TINY))


def _wind(n: int, sample_rate: int, rng: np.random.Generator) -> Floats:
    t = np.arange(n) / sample_rate
    gusts = 1 + 0.8 * np.sin(2 * np.pi * rng.uniform(0.15, 0.6) * t + rng.uniform(0, 6))
    return coloured(n, sample_rate, 1.6, rng) * gusts


def _band(noise: Floats, low: float, high: float, sample_rate: int) -> Floats:
    edges = [low, min(high, 0.45 * sample_rate)]
    return np.asarray(
        scipy.signal.sosfilt(
            scipy.signal.butter(2, edges, "band", fs=sample_rate, output="sos"), noise
        )
    )
