"""Keep a C library from printing, without touching what Python prints.

libmpg123, inside libsndfile, prints on stderr what it thinks of a file, and libsndfile's decoder of
MIDI sample dumps on stdout; neither can be told not to. They print with C's `stderr` and `stdout`,
which are variables: while they decode, the variables point at a stream to nowhere. Python writes to
the file descriptors and ONNX Runtime to C++'s `cerr`, so their messages and those of other threads
come through; to redirect the descriptors would swallow them. Where C is not glibc the variables may
be read-only, and the messages stay.
"""

from __future__ import annotations

import ctypes
import os
import platform
import threading
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["c_output_silenced"]


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
