"""Where a clip is -> the bytes of its file. Only regular files, and none that is too large."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from serval.audio.limits import LARGEST_BYTES
from serval.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

__all__ = ["encoded_bytes"]

AT_ONCE = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""Without O_NONBLOCK the opening of a pipe waits for somebody who writes into it."""

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


def _contents(path: Path) -> bytes:
    try:
        _refuse_other_kinds(path, path.stat())  # before opening: some devices act when opened
        with open(path, "rb", opener=_opened_at_once) as file:
            status = os.fstat(file.fileno())
            _refuse_other_kinds(path, status)
            encoded = b"".join(_pieces(file, status.st_size))
    except AudioError:
        raise
    except OSError as error:
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


def _opened_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | AT_ONCE)


def _too_large(path: Path) -> AudioError:
    return AudioError(f"cannot read {path}: larger than {LARGEST_BYTES // 2**20} MiB; cut it up")
