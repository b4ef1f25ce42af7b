"""Encoded audio: the bytes of a clip's file, what one clip may cost, and one sound of it.

Only regular files are read, and none that is too large; headers are believed about nothing that
has to be allocated. Most files hold one sound, files joined end to end hold several.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from serval.errors import AudioError, TooLongError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

AT_ONCE = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""Without O_NONBLOCK the opening of a pipe waits for somebody who writes into it."""

ADDRESS = re.compile(r"(?:^|/)(https?|ftp|s3|gs|hf):/+(.*)", re.DOTALL | re.IGNORECASE)
"""An address, also as a path, in which two slashes are one."""

PIECE = 1 << 16
"""Bytes that are read at once of a file that is longer than it says."""

OTHER_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def encoded_bytes(source: bytes | Path) -> bytes:
    """Return the encoded file.

    Raises:
        AudioError: The file is missing, unreadable, no regular file, too large or empty.
    """
    encoded = source if isinstance(source, bytes) else _contents(source)
    if not encoded:
        raise AudioError("empty file (0 bytes)")
    return encoded


def address_in(path: str) -> str:
    """Return the web address that stands where a path should, or `""`.

    Examples:
        >>> address_in("sets/https:/x.org/a.wav"), address_in("s3://bucket/a.wav")
        ('https://x.org/a.wav', 's3://bucket/a.wav')
        >>> address_in("sets/http/a.wav")
        ''
    """
    found = ADDRESS.search(path)
    return f"{found[1]}://{found[2]}" if found else ""


def _contents(path: Path) -> bytes:
    try:
        _refuse_other_kinds(path, path.stat())  # before opening: some devices act when opened
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | AT_ONCE)) as file:
            status = os.fstat(file.fileno())
            _refuse_other_kinds(path, status)
            encoded = b"".join(_pieces(file, status.st_size))
    except AudioError:
        raise
    except OSError as error:
        if address := address_in(str(path)):
            raise AudioError(
                f"{address} is a web address, which serval does not fetch; download the file, and "
                "write its path"
            ) from error
        raise AudioError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise AudioError(f"{str(path)!r} cannot be the name of a file") from error
    if len(encoded) > LARGEST_BYTES:
        raise _too_large(path)
    return encoded


def _pieces(file: BinaryIO, size: int) -> Iterator[bytes]:
    """Yield what a file holds, up to little more than the bound.

    A read allocates what it is asked for, so the size of the file is asked for first; those of
    /proc hold more than they say.
    """
    total, piece = 0, file.read(size or PIECE)
    while piece and total <= LARGEST_BYTES:
        yield piece
        total += len(piece)
        piece = file.read(PIECE)


def _refuse_other_kinds(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = OTHER_KINDS.get(stat.S_IFMT(status.st_mode), "no regular file")
        raise AudioError(f"cannot read {path}: it is {kind}; clips are read from regular files")
    if status.st_size > LARGEST_BYTES:
        raise _too_large(path)


def _too_large(path: Path) -> AudioError:
    return AudioError(f"cannot read {path}: larger than {LARGEST_BYTES // 2**20} MiB; cut it up")


LARGEST_BYTES = 2**30
"""Size of an encoded file. An hour of 96 kHz in stereo is 1.4 GB, and no clip."""

LONGEST_CLIP_S = 600.0
"""A recording of a set that is longer is no clip, and is not decoded."""

LARGEST_VALUES = 2**27
"""Decoded values over all channels, 512 MiB as float32: ten minutes of 96 kHz in stereo."""

RATES_HZ = (1_000, 768_000)
"""Below, there is nothing above 500 Hz and no speech; above, no converter samples."""

MOST_CHANNELS = 64
"""Ambisonics of the seventh order; nothing that records speech has more."""

UNKNOWN_FROM = 2**31 - 2**16
"""A length from here on is what programs write that do not know it, near 2^31, 2^32 or 2^36."""

MISSING = 0.02
"""Share of a promised length that may be missing."""

MISSING_BYTES = 128
"""So many bytes may be missing of any file: 4 ms of 16-bit speech at 16 kHz, or a header that was
counted as sound."""


def refuse_absurd(sample_rate: int, channels: int) -> None:
    """Raise an AudioError where a header cannot be right, before anything is allocated."""
    lowest, highest = RATES_HZ
    if not lowest <= sample_rate <= highest:
        raise AudioError(
            f"its header says {sample_rate} Hz; sample rates from {lowest} to {highest} Hz are read"
        )
    if not 1 <= channels <= MOST_CHANNELS:
        raise AudioError(
            f"its header says {channels} channels; files of up to {MOST_CHANNELS} are read"
        )


def is_missing_much(there: int, promised: int, least: int = MISSING_BYTES) -> bool:
    """Tell whether so much less is there than was promised that sound was lost.

    Args:
        there: Bytes or samples, from 0.
        promised: The same, from 0.
        least: What may be missing of anything.

    Examples:
        >>> is_missing_much(99_000, 100_000), is_missing_much(97_000, 100_000)
        (False, True)
    """
    return promised - there > max(least, MISSING * promised)


def too_long(seconds: float, max_seconds: float) -> TooLongError:
    """Return the error of a clip over the model's limit.

    Args:
        seconds: As far as its length is known.
        max_seconds: The limit.
    """
    shown = f"{seconds:.0f} s long" if seconds > max_seconds + 0.5 else "too long"
    return TooLongError(f"{shown}, but the limit is {max_seconds:g} s")


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """An opened sound. What it says of itself is a header's promise.

    Attributes:
        blocks: The samples, to the end of the sound.
        sample_rate: In Hz.
        channels: Channel count.
        frames: Samples of each channel; 0 where that is not known.
        encoding: Container and codec, such as `FLAC/PCM_16`.
        streams: Sounds that play at the same time, of which this is the first; 0 if not known.
        counts_exactly: Whether `frames` comes from a count, not from an estimate.
    """

    blocks: Blocks
    sample_rate: int
    channels: int
    frames: int
    encoding: str
    streams: int = 0
    counts_exactly: bool = False
