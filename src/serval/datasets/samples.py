"""Samples that stand in a table, as the encoded file that every clip is."""

from __future__ import annotations

import operator
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

PCM, FLOAT = 1, 3
"""Format tags of WAV files."""


def wav_of(samples: list[object], rate: object) -> bytes:
    """Return samples as a WAV file; empty where they are no samples, which fails the clip.

    Args:
        samples: T numbers, or channels of T numbers each: floats in [-1, 1], or integers at the
            full scale of 16 or 32 bits; arrays of 8 bits are at that scale, unsigned around 128.
        rate: In Hz.

    Examples:
        >>> len(wav_of([0.5, -0.5], 16000)), wav_of([], 16000), wav_of([0.5], None)
        (52, b'', b'')
    """
    hertz = hertz_of(rate)
    try:
        values = np.asarray(samples)
    except ValueError:
        return b""
    if hertz is None or values.ndim not in (1, 2) or not values.size or not is_sound(values.dtype):
        return b""
    frames = _frames(values)
    return _file(frames, hertz) if frames.shape[1] < 2**16 else b""


def hertz_of(rate: object) -> int | None:
    """Return a sample rate as a whole number, or `None` where it is none that a file can have.

    Examples:
        >>> hertz_of(np.int64(16000)), hertz_of(np.float32(16000)), hertz_of(0), hertz_of("16000")
        (16000, 16000, None, None)
    """
    if isinstance(rate, float | np.floating) and rate.is_integer():
        rate = int(rate)
    try:
        hertz = 0 if isinstance(rate, bool) else operator.index(rate)  # type: ignore[arg-type]
    except TypeError:
        return None
    return hertz if 0 < hertz < 2**31 else None


def is_sound(kind: np.dtype[Any]) -> bool:
    """Tell whether samples of a type have a known full scale."""
    return kind.kind in "if" or kind == np.uint8


def _frames(values: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return `(T, channels)` samples in the type in which they are written."""
    if values.ndim == 1:
        values = values[:, np.newaxis]
    elif values.shape[0] < values.shape[1]:
        values = values.T
    if values.dtype.kind == "f":
        return values.astype("<f4")
    if values.dtype.itemsize == 1:
        middle = 128 if values.dtype.kind == "u" else 0
        return (values.astype("<i2") - middle) * 256
    largest = max(abs(int(values.max())), abs(int(values.min()) + 1))
    return values.astype("<i2" if largest < 2**15 else "<i4")


def _file(frames: NDArray[np.generic], rate: int) -> bytes:
    width, channels = frames.dtype.itemsize, frames.shape[1]
    content = frames.tobytes()
    tag = FLOAT if frames.dtype.kind == "f" else PCM
    shape = (tag, channels, rate, rate * channels * width % 2**32, channels * width % 2**16)
    head = struct.pack("<4sIHHIIHH", b"fmt ", 16, *shape, 8 * width)
    start = struct.pack("<4sI4s", b"RIFF", (36 + len(content)) % 2**32, b"WAVE")
    return start + head + struct.pack("<4sI", b"data", len(content) % 2**32) + content
