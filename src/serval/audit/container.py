"""What an audio file says of itself before it is decoded."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import soundfile

from serval.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Header", "decodable_frames", "header_of", "ogg_is_cut_off"]

OGG_PAGE = 27
"""Bytes of an Ogg page before its table of segments (RFC 3533, section 6)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The promises of an audio file.

    Attributes:
        sample_rate: In Hz.
        channels: Channel count.
        frames: Samples in each channel.
        encoding: Container and codec, such as `FLAC/PCM_16`.
    """

    sample_rate: int
    channels: int
    frames: int
    encoding: str

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.frames / self.sample_rate


def header_of(encoded: bytes) -> Header:
    """Return what the file promises, without decoding it.

    Raises:
        AudioError: It is not an audio file that libsndfile knows.
    """
    try:
        with soundfile.SoundFile(io.BytesIO(encoded)) as file:
            return Header(
                sample_rate=file.samplerate,
                channels=file.channels,
                frames=file.frames,
                encoding=f"{file.format}/{file.subtype}",
            )
    except soundfile.SoundFileError as error:
        raise AudioError(
            f"not decodable as audio: {getattr(error, 'error_string', error)}"
        ) from error


def decodable_frames(encoded: bytes) -> int:
    """Return how many samples of each channel can be had before decoding stops or fails."""
    return sum(_block_lengths(encoded))


def ogg_is_cut_off(encoded: bytes) -> bool:
    """Tell whether an Ogg file ends within a page, or without the page that is marked as last.

    Source: RFC 3533, section 6: the flags in byte 5, the table of segments from byte 27 on.
    """
    start = encoded.rfind(b"OggS")
    if not encoded.startswith(b"OggS") or len(encoded) < start + OGG_PAGE:
        return encoded.startswith(b"OggS")
    n_segments = encoded[start + OGG_PAGE - 1]
    table = encoded[start + OGG_PAGE : start + OGG_PAGE + n_segments]
    end = start + OGG_PAGE + n_segments + sum(table)
    is_last = bool(encoded[start + 5] & 4)
    return not is_last or len(encoded) < end


def _block_lengths(encoded: bytes) -> Iterator[int]:
    try:
        with soundfile.SoundFile(io.BytesIO(encoded)) as file:
            while n := len(file.read(4096, dtype="float32")):
                yield n
    except soundfile.SoundFileError:
        return
