"""Speech-like sound for tests that compare recordings: syllables with formants and pauses."""

import io

import numpy as np
import soundfile
import soxr


def utterance(words, *, take=0, pitch=120.0, seconds=1.6, rate=16_000):
    """Syllables chosen by `words`, spoken with the timing and melody of `take`: `(T,) float32`.

    The same `words` and `pitch` with another `take` is one sentence said twice by one speaker.
    """
    texts, how = np.random.default_rng([1, words]), np.random.default_rng([2, words, take])
    n = round(seconds * 4)
    formants = texts.uniform([250, 800], [850, 2400], (n, 2))
    parts = [_syllable(f, pitch * how.uniform(0.85, 1.2), how, rate) for f in formants]
    sound = np.concatenate(parts) + how.normal(0, 1e-3, sum(map(len, parts)))
    return (0.5 * sound / np.abs(sound).max()).astype(np.float32)


def _syllable(formants, pitch, rng, rate):
    n = round(rng.uniform(0.15, 0.28) * rate)
    t = np.arange(n) / rate
    phase = 2 * np.pi * np.cumsum(pitch * (1 + rng.uniform(-0.15, 0.15) * t / t[-1])) / rate
    harmonics = np.arange(1, int(3600 / pitch))
    gains = sum(1 / (1 + ((harmonics * pitch - f) / 90) ** 2) for f in formants)
    voiced = (gains[:, None] * np.sin(np.outer(harmonics, phase))).sum(axis=0)
    noise = rng.normal(0, 0.3, n) * (t < 0.04)
    gap = np.zeros(round(rng.uniform(0.02, 0.08) * rate))
    return np.concatenate([(voiced + noise) * np.hanning(n), gap])


def after_silence(samples, rate=16_000, seconds=0.3):
    """The samples after digital silence."""
    return np.concatenate([np.zeros(int(seconds * rate), np.float32), samples])


def resampled(samples, to_rate, rate=16_000):
    """The samples at another rate."""
    return np.asarray(soxr.resample(samples, rate, to_rate), dtype=np.float32)


def opus(samples, rate=16_000, level=0.928):
    """An Ogg/Opus file; level 0.928 of libsndfile is 24 kbit/s."""
    buffer = io.BytesIO()
    with soundfile.SoundFile(
        buffer, "w", rate, 1, format="OGG", subtype="OPUS", compression_level=level
    ) as file:
        file.write(samples)
    return buffer.getvalue()


def decoded(encoded):
    """The samples of a file and their rate."""
    return soundfile.read(io.BytesIO(encoded), dtype="float32")
