"""Sound that libsndfile decodes, a block at a time, so that no header decides what is allocated.

libmpg123, inside libsndfile, prints on stderr what it thinks of a file, and libsndfile's decoder of
MIDI sample dumps on stdout; neither can be told not to. They print with C's `stderr` and `stdout`,
which are variables: while they decode, the variables point at a stream to nowhere. Python writes to
the file descriptors and ONNX Runtime to C++'s `cerr`, so their messages and those of other threads
come through; to redirect the descriptors would swallow them. Where C is not glibc the variables may
be read-only, and the messages stay.
"""

from __future__ import annotations

import ctypes
import io
import os
import platform
import threading
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import TYPE_CHECKING

import soundfile

from serval.audio.encoded import UNKNOWN_FROM, Stream, refuse_absurd
from serval.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serval.audio.encoded import Blocks

BLOCK = 4096
"""Samples of each channel that are decoded at once: an error costs no more than these."""

ESTIMATED = frozenset({"OGG", "MPEG"})
"""Formats whose length libsndfile derives from what it finds, not from a count in the header."""


PRINTING = (b"\xff", b"ID3", b"\xf0\x7e")
"""How files begin whose decoders print what they think of them."""


class UnknownSoundError(AudioError):
    """Libsndfile does not know what it is, or not its codec."""


class _Forward(soundfile.SoundFile):  # type: ignore[misc]
    """A file that soundfile does not seek in: it would after each block, which changes lossy ones.

    Nor does it ask for no more than the length in the header then.
    """

    def seekable(self) -> bool:
        return False


class _Contents(io.BytesIO):
    """The bytes of a file, whose reading libsndfile may begin before the first of them.

    It does so where a header is wrong, and the error would be printed and not raised.
    """

    def seek(self, offset: int, whence: int = 0, /) -> int:
        try:
            return super().seek(offset, whence)
        except (ValueError, OverflowError):
            return self.tell()


@contextmanager
def opened(encoded: bytes) -> Iterator[Stream]:
    """Open a sound; blocks must be read before it is left.

    Raises:
        UnknownSoundError: libsndfile cannot open it.
        AudioError: Its header is absurd.
    """
    with _quietly(encoded):
        try:
            file = _Forward(_Contents(encoded))
        except soundfile.SoundFileError as error:
            raise UnknownSoundError(reason_of(error)) from error
        with file:
            refuse_absurd(file.samplerate, file.channels)
            yield Stream(
                blocks=_blocks(file),
                sample_rate=file.samplerate,
                channels=file.channels,
                frames=file.frames if 0 < file.frames < UNKNOWN_FROM else 0,
                encoding=f"{file.format}/{file.subtype}",
                counts_exactly=file.format not in ESTIMATED,
            )


def _blocks(file: soundfile.SoundFile) -> Blocks:
    left = file.frames  # a decoder that is asked for more may fail on what comes then
    while left > 0 and len(block := file.read(min(BLOCK, left), dtype="float32", always_2d=True)):
        yield block
        left -= len(block)


def frames_of(encoded: bytes) -> int:
    """Return how many samples of each channel libsndfile would decode at most; 0 if it cannot."""
    try:
        with _quietly(encoded), _Forward(_Contents(encoded)) as file:
            return int(file.frames)
    except soundfile.SoundFileError:
        return 0


def reason_of(error: Exception) -> str:
    """Return what a decoder says, without what soundfile or PyAV puts round it."""
    said = getattr(error, "error_string", "") or getattr(error, "strerror", "") or str(error)
    return "no MPEG audio that can be decoded" if "not a regular file" in said else str(said)


def _quietly(encoded: bytes) -> AbstractContextManager[None]:
    """Keep the decoders quiet that print: libmpg123, and libsndfile's own of MIDI sample dumps."""
    is_mpeg_in_wav = encoded.startswith(b"RIFF") and encoded[20:21] == b"\x55"
    prints = encoded.startswith(PRINTING) or is_mpeg_in_wav
    return c_output_silenced() if prints else nullcontext()


@contextmanager
def c_output_silenced() -> Iterator[None]:
    """While any thread is inside, what C code prints with `stderr` and `stdout` goes nowhere."""
    output = _output()
    output.silence()
    try:
        yield
    finally:
        output.restore()


class _Output:
    """C's streams, and how many threads want them silent."""

    def __init__(self, variables: list[ctypes.c_void_p], nowhere: int | None) -> None:
        self._variables = variables if nowhere else []
        self._nowhere = nowhere
        self._before: list[int | None] = []
        self._n_inside = 0
        self._lock = threading.Lock()

    def silence(self) -> None:
        with self._lock:
            self._n_inside += 1
            if self._n_inside == 1:
                self._before = [variable.value for variable in self._variables]
                for variable in self._variables:
                    variable.value = self._nowhere

    def restore(self) -> None:
        with self._lock:
            self._n_inside -= 1
            if not self._n_inside:
                for variable, before in zip(self._variables, self._before, strict=True):
                    variable.value = before


@cache
def _output() -> _Output:
    if platform.libc_ver()[0] != "glibc":
        return _Output([], None)
    libc = ctypes.CDLL(None)
    libc.fopen.restype = ctypes.c_void_p
    variables = [ctypes.c_void_p.in_dll(libc, name) for name in ("stderr", "stdout")]
    return _Output(variables, libc.fopen(os.devnull.encode(), b"w"))
