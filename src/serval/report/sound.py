"""The clips that a report lets people hear: small Opus files with a picture of each."""

from __future__ import annotations

import hashlib
import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import soundfile
from PIL import Image
from scipy.signal import get_window

from serval.audio import Waveform, decode, encoded_bytes, resampled
from serval.errors import AudioError, DatasetError
from serval.evaluation import open_dataset, stored_options
from serval.machine import available_cores

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from numpy.typing import NDArray

    from serval.records import Clip
    from serval.run import Run

__all__ = [
    "Sound",
    "Sounds",
    "mel_picture",
    "outline",
    "sound_of",
    "sound_of_samples",
    "sounds_of",
]

OPUS_RATES = (8000, 12000, 16000, 24000)
"""Sample rates in Hz that Opus takes; 48 kHz would add nothing that a judgement of speech needs."""

COMPRESSION = 0.93
"""libsndfile's scale from 0 (largest file) to 1: about 24 kbit/s for speech."""

POINTS = 240
"""Columns of a waveform's outline."""

MEL_RATE, MEL_BANDS, MEL_WINDOW, MEL_STEP, MEL_COLUMNS = 16000, 56, 512, 256, 480
"""The picture: 0-8 kHz, 62.5 columns a second, at most 480 columns in a long clip."""

FLOOR_DB = -65.0
SHADES = 16
RAMP = ((0, 0, 4), (59, 15, 112), (140, 41, 129), (222, 73, 104), (254, 159, 109), (252, 253, 191))
"""Dark to bright with even steps in lightness, so that the picture also reads in grey."""

BATCH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """One clip, ready to be heard and seen.

    Attributes:
        ogg: Opus in Ogg, mono.
        outline: `POINTS` bytes: the largest magnitude in each part of the clip, 255 = full scale.
        mel: PNG of the mel spectrogram, time to the right, pitch upwards.
    """

    ogg: bytes
    outline: bytes
    mel: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Sounds:
    """The sounds of a report by `Clip` sha256, and a sentence on each thing that is missing."""

    by_sha256: dict[str, Sound]
    notes: tuple[str, ...] = ()


def sounds_of(run: Run, wanted: Collection[int]) -> Sounds:
    """Return the clips at the positions `wanted` of a run, fetched from its dataset again.

    A clip whose file is no longer the one that was evaluated is left out and counted. Where the
    whole dataset is out of reach, as on another machine, there are no sounds and a note says why.
    """
    if not wanted:
        return Sounds(by_sha256={})
    if reason := run.provenance.dataset.get("no_audio"):
        return Sounds(by_sha256={}, notes=(f"No clip can be heard: {reason}.",))
    expected = {int(run.index[i]): run.audio_sha256[i] for i in wanted}
    found: dict[str, Sound] = {}
    try:
        found.update(_fetched(run, expected))
    except DatasetError as error:
        return Sounds(by_sha256=found, notes=(f"No audio beyond this point: {error}.",))
    missing = len(set(expected.values()) - found.keys())
    changed = (
        "1 clip is not the file that was evaluated"
        if missing == 1
        else f"{missing:,} clips are not the files that were evaluated"
    )
    return Sounds(
        by_sha256=found, notes=(f"{changed} and cannot be heard here.",) if missing else ()
    )


def sound_of(encoded: bytes, max_seconds: float) -> Sound:
    """Return one encoded clip as a sound.

    Raises:
        AudioError: It cannot be decoded.
    """
    audio = decode(encoded, OPUS_RATES[-1], max_seconds=max_seconds)
    rate = next((r for r in OPUS_RATES if r >= audio.source_rate), OPUS_RATES[-1])
    return sound_of_samples(audio.samples, audio.sample_rate, rate)


def sound_of_samples(samples: Waveform, sample_rate: int, rate: int = MEL_RATE) -> Sound:
    """Return samples, `(T,) float32`, as a sound that is kept at `rate`, one of `OPUS_RATES`."""
    heard = resampled(samples, sample_rate, rate)
    return Sound(
        ogg=_opus(heard, rate),
        outline=outline(heard),
        mel=mel_picture(resampled(samples, sample_rate, MEL_RATE)),
    )


def outline(samples: Waveform) -> bytes:
    """Return `POINTS` bytes: the largest magnitude of each part, 255 = full scale.

    Examples:
        >>> outline(np.float32([0.0] * 240 + [1.0] * 240))[::60].hex()
        '0000ffff'
    """
    edges = np.linspace(0, len(samples), POINTS + 1).astype(int)
    peaks = [np.abs(samples[a:b]).max(initial=0.0) for a, b in pairwise(edges)]
    return bytes((np.clip(peaks, 0, 1) * 255).round().astype(np.uint8))


def mel_picture(samples: Waveform) -> bytes:
    """Return the mel spectrogram of samples at 16 kHz as a PNG of 16 shades."""
    power = _spectrum(samples) @ _mel_filters().T
    decibels = 10 * np.log10(np.maximum(power, 1e-10))
    level = np.clip(1 - (decibels - decibels.max()) / FLOOR_DB, 0, 1)
    shades = (level.T[::-1] * (SHADES - 1)).round().astype(np.uint8)
    picture = Image.fromarray(shades, "P")
    picture.putpalette(_palette())
    file = io.BytesIO()
    picture.save(file, "PNG", bits=4, optimize=True)
    return file.getvalue()


def _fetched(run: Run, expected: dict[int, str]) -> Iterator[tuple[str, Sound]]:
    """Yield sha256 and sound of the wanted clips that are still the files that were evaluated."""
    contract = run.provenance.model.get("contract", {})
    max_seconds = float(contract.get("max_seconds", 120.0))
    with ThreadPoolExecutor(max_workers=available_cores(), thread_name_prefix="serval") as pool:
        for batch in _batches(_clips(run, expected)):
            jobs = [(clip, expected[clip.index], max_seconds) for clip in batch]
            for sha256, sound in pool.map(_checked, jobs):
                if sound is not None:
                    yield sha256, sound


def _checked(job: tuple[Clip, str, float]) -> tuple[str, Sound | None]:
    clip, sha256, max_seconds = job
    try:
        encoded = encoded_bytes(clip.audio)
        if hashlib.sha256(encoded).hexdigest() != sha256:
            return sha256, None
        return sha256, sound_of(encoded, max_seconds)
    except AudioError:
        return sha256, None


def _clips(run: Run, expected: dict[int, str]) -> Iterator[Clip]:
    dataset = open_dataset(stored_options(run))
    for clip in dataset.clips(min(expected), max(expected) + 1):
        if clip.index in expected:
            yield clip


def _batches(clips: Iterator[Clip]) -> Iterator[list[Clip]]:
    batch: list[Clip] = []
    for clip in clips:
        batch.append(clip)
        if len(batch) == BATCH:
            yield batch
            batch = []
    yield batch


def _opus(samples: Waveform, rate: int) -> bytes:
    file = io.BytesIO()
    soundfile.write(
        file, samples, rate, format="OGG", subtype="OPUS", compression_level=COMPRESSION
    )
    return file.getvalue()


def _spectrum(samples: Waveform) -> NDArray[np.float64]:
    """Return `(frames, bins)` power of windowed frames, at most `MEL_COLUMNS` of them."""
    padded = np.pad(samples, (0, max(0, MEL_WINDOW - len(samples))))
    step = max(MEL_STEP, -(-len(padded) // MEL_COLUMNS))
    frames = np.lib.stride_tricks.sliding_window_view(padded, MEL_WINDOW)[::step]
    return np.asarray(np.abs(np.fft.rfft(frames * get_window("hann", MEL_WINDOW))) ** 2)


def _mel_filters() -> NDArray[np.float64]:
    """Return `(bands, bins)` triangles that are evenly spaced on the mel scale.

    Source: mel = 2595 log10(1 + f / 700), O'Shaughnessy (1987), Speech Communication.
    """
    top = 2595 * np.log10(1 + MEL_RATE / 2 / 700)
    corners = 700 * (10 ** (np.linspace(0, top, MEL_BANDS + 2) / 2595) - 1)
    bins = np.fft.rfftfreq(MEL_WINDOW, 1 / MEL_RATE)
    rising = (bins - corners[:-2, None]) / (corners[1:-1] - corners[:-2])[:, None]
    falling = (corners[2:, None] - bins) / (corners[2:] - corners[1:-1])[:, None]
    return np.asarray(np.maximum(0, np.minimum(rising, falling)) + 1e-12)


def _palette() -> list[int]:
    places = np.linspace(0, len(RAMP) - 1, SHADES)
    channels = [np.interp(places, range(len(RAMP)), channel) for channel in np.transpose(RAMP)]
    return [int(value) for value in np.stack(channels, axis=1).round().ravel()]
