"""Keep a C library from printing on stderr, without touching what Python prints there.

libmpg123, inside libsndfile, prints what it thinks of a file and cannot be told not to. It prints
with C's `stderr`, which is a variable: while it decodes, the variable points at a stream to
nowhere. Python writes to the file descriptor and ONNX Runtime to C++'s `cerr`, so their messages
and those of other threads come through; to redirect the descriptor would swallow them. Where C is
not glibc the variable may be read-only, and the messages stay.
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

__all__ = ["c_stderr_silenced"]

_lock = threading.Lock()
_inside = 0
_before: int | None = None


@contextmanager
def c_stderr_silenced() -> Iterator[None]:
    """While any thread is inside, what C code prints with `stderr` goes nowhere."""
    _enter()
    try:
        yield
    finally:
        _leave()


def _enter() -> None:
    global _inside, _before
    stderr, nowhere = _streams()
    with _lock:
        _inside += 1
        if stderr and _inside == 1:
            _before, stderr.value = stderr.value, nowhere


def _leave() -> None:
    global _inside
    stderr, _ = _streams()
    with _lock:
        _inside -= 1
        if stderr and not _inside:
            stderr.value = _before


@cache
def _streams() -> tuple[ctypes.c_void_p | None, int | None]:
    """Return C's `stderr` and a stream to nowhere, where the C library is glibc."""
    if platform.libc_ver()[0] != "glibc":
        return None, None
    libc = ctypes.CDLL(None)
    libc.fopen.restype = ctypes.c_void_p
    nowhere = libc.fopen(os.devnull.encode(), b"w")
    return (ctypes.c_void_p.in_dll(libc, "stderr"), nowhere) if nowhere else (None, None)
