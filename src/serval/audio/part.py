"""One sound of an encoded file: most files hold one, files joined end to end hold several."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Blocks", "Part", "Stream"]

Blocks = Iterator[NDArray[np.float32]]
"""Decoded sound, `(n, channels) float32` at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The bytes of one sound, ready for a decoder.

    Attributes:
        encoded: A whole file, mended where its sizes were wrong.
        promised: Samples of each channel that the file promises, 0 where it promises nothing;
            `None` where the decoder knows.
        otherwise: The bytes to decode if these fail, if any.
        demuxer: Name in FFmpeg of the format, if libsndfile does not know it.
        streams: Sounds that play at the same time, of which the first is decoded.
    """

    encoded: bytes
    promised: int | None = None
    otherwise: bytes = b""
    demuxer: str = ""
    streams: int = 1


class Stream(Protocol):
    """An opened sound. What it says of itself is a header's promise."""

    @property
    def sample_rate(self) -> int:
        """In Hz."""

    @property
    def channels(self) -> int:
        """Channel count."""

    @property
    def frames(self) -> int:
        """Samples of each channel; 0 where that is not known."""

    @property
    def encoding(self) -> str:
        """Container and codec, such as `FLAC/PCM_16`."""

    @property
    def streams(self) -> int:
        """Sounds that play at the same time, of which this is the first; 0 if not known."""

    @property
    def counts_exactly(self) -> bool:
        """Whether `frames` comes from a count, not from an estimate."""

    def blocks(self) -> Blocks:
        """Yield the samples, to the end of the sound."""
