"""Encoded audio -> one mono float32 waveform at the sample rate that the model wants."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from serval.errors import AudioError

if TYPE_CHECKING:
    from pathlib import Path
from typing import Literal

__all__ = [
    "Audio",
    "Waveform",
    "decode",
    "encoded_bytes",
    "peak_normalized",
    "resampled",
    "zscored",
]

Waveform = NDArray[np.float32]
"""`(T,) float32` samples, nominally in [-1, 1]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audio:
    """One decoded clip.

    Attributes:
        samples: `(T,) float32`, mono, at `sample_rate`.
        sample_rate: In Hz, after resampling.
        duration_s: Length of the file in seconds, at its own rate.
        source_rate: Sample rate of the file in Hz.
        channels: Channel count of the file.
        notes: What was done to the sound beside resampling, as the end of a sentence each.
    """

    samples: Waveform
    sample_rate: int
    duration_s: float
    source_rate: int
    channels: int
    notes: tuple[str, ...] = ()


def encoded_bytes(source: bytes | Path) -> bytes:
    """Return the encoded file.

    Raises:
        AudioError: The file is missing, unreadable or empty.
    """
    if isinstance(source, bytes):
        encoded = source
    else:
        try:
            encoded = source.read_bytes()
        except OSError as error:
            raise AudioError(f"cannot read {source}: {error.strerror or error}") from error
        except ValueError as error:
            raise AudioError(f"{str(source)!r} cannot be the name of a file") from error
    if not encoded:
        raise AudioError("empty file (0 bytes)")
    return encoded


def decode(encoded: bytes, sample_rate: int, *, max_seconds: float = math.inf) -> Audio:
    """Return the clip as mono float32 at `sample_rate`: channels by mean, resampled by soxr HQ.

    The format is found from the content, never from a file name. At most `max_seconds` are ever
    decoded, so that a ten-hour file costs nothing.

    Raises:
        AudioError: Not audio, cut off, no samples, NaN or infinite samples, or too long.
    """
    _refuse_cut_off(encoded)
    try:
        with soundfile.SoundFile(io.BytesIO(encoded)) as file:
            frames = _read(file, max_seconds)
            source_rate, channels = file.samplerate, file.channels
    except soundfile.SoundFileError as error:
        reason = getattr(error, "error_string", str(error))
        raise AudioError(f"not decodable as audio: {reason}") from error
    with np.errstate(over="ignore"):  # an overflow is told below, as samples that are infinite
        mono = frames.mean(axis=1, dtype=np.float32) if channels > 1 else frames[:, 0]
    if not np.isfinite(mono).all():
        raise AudioError(f"{np.count_nonzero(~np.isfinite(mono))} samples are NaN or infinite")
    samples = resampled(mono, source_rate, sample_rate)
    if not len(samples):
        raise AudioError(f"{len(mono)} samples at {source_rate} Hz leave none at {sample_rate} Hz")
    return Audio(
        samples=samples,
        sample_rate=sample_rate,
        duration_s=len(mono) / source_rate,
        source_rate=source_rate,
        channels=channels,
    )


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


def _read(file: soundfile.SoundFile, max_seconds: float) -> NDArray[np.float32]:
    """Return `(frames, channels) float32`, having decoded no more than `max_seconds`."""
    limit = -1 if math.isinf(max_seconds) else math.ceil(max_seconds * file.samplerate) + 1
    claimed_s = file.frames / file.samplerate
    if claimed_s > max_seconds and file.format not in {"OGG", "MPEG"}:
        raise AudioError(_too_long(claimed_s, max_seconds))
    frames: NDArray[np.float32] = file.read(limit, dtype="float32", always_2d=True)
    if not len(frames):
        raise AudioError("no samples in the file (zero length or truncated)")
    if len(frames) != limit and len(frames) < 0.98 * file.frames:
        raise AudioError(f"truncated: {len(frames)} of {file.frames} samples are there")
    if len(frames) == limit:
        raise AudioError(_too_long(max(claimed_s, max_seconds), max_seconds))
    return frames


def _refuse_cut_off(encoded: bytes) -> None:
    """Raise where a WAV or AIFF file ends before the samples that its header promises.

    libsndfile reads such a file without a word. A size of 0 or near 2^32 is what programs write
    that stream to a pipe, and promises nothing.
    """
    kinds: dict[tuple[bytes, bytes], tuple[Literal["little", "big"], bytes]] = {
        (b"RIFF", b"WAVE"): ("little", b"data"),
        (b"FORM", b"AIFF"): ("big", b"SSND"),
        (b"FORM", b"AIFC"): ("big", b"SSND"),
    }
    order, samples = kinds.get((encoded[:4], encoded[8:12]), ("little", b""))
    start = 12
    while samples and start + 8 <= len(encoded):
        size = int.from_bytes(encoded[start + 4 : start + 8], order)
        there = len(encoded) - start - 8
        if encoded[start : start + 4] == samples:
            if there < size < 0x7FFF0000:
                raise AudioError(f"truncated: {there} of {size} bytes of samples are there")
            return
        start += 8 + size + size % 2


def _too_long(seconds: float, max_seconds: float) -> str:
    return f"{seconds:.0f} s long, but the limit is {max_seconds:g} s"
