"""Being told to stop: Ctrl-C and SIGTERM are one thing, and nothing that goes on makes them vain.

The handler raises KeyboardInterrupt wherever the main thread is. In the middle of a callback or a
finalizer that is lost, inside C code it comes out as another exception. So it is also remembered:
what does long work asks `stop_if_asked`, and whatever was raised meanwhile is a stop.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

STOPS = (signal.SIGINT, signal.SIGTERM)

STOPPED = 130
"""The exit code of what was told to stop, as shells count it."""


@dataclass(slots=True)
class _Told:
    asked: bool = False
    over: bool = False


_TOLD = _Told()


def hear_stops() -> None:
    """Take Ctrl-C and being told to end as the wish to stop, from here on."""
    _TOLD.asked = _TOLD.over = False
    # The first to be registered is the last to be called.
    atexit.unregister(_leave)
    atexit.register(_leave)
    if threading.current_thread() is threading.main_thread():
        for sent in STOPS:
            signal.signal(sent, _stop)


def no_more_stops() -> None:
    """Let nothing disturb the end: all is written, and the exit code is decided."""
    _TOLD.over = True
    if threading.current_thread() is threading.main_thread():
        for sent in STOPS:
            signal.signal(sent, signal.SIG_IGN)


def stop_was_asked() -> bool:
    """Return whether somebody told this process to stop."""
    return _TOLD.asked


def stop_if_asked() -> None:
    """Raise where a stop was asked for: for the loops of long work.

    Raises:
        KeyboardInterrupt: It was.
    """
    if _TOLD.asked:
        raise KeyboardInterrupt


@contextmanager
def as_stop() -> Iterator[None]:
    """Turn whatever is raised once a stop was asked for into KeyboardInterrupt.

    Raises:
        KeyboardInterrupt: A stop was asked for.
    """
    try:
        yield
    except Exception:
        if _TOLD.asked:
            raise KeyboardInterrupt from None
        raise


@contextmanager
def kept_hearing() -> Iterator[None]:
    """Keep the handlers of this process through a block that would set others, as Ray does.

    Raises:
        KeyboardInterrupt: This process was told to stop meanwhile.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {sent: signal.getsignal(sent) for sent in STOPS}
    try:
        yield
    except SystemExit:
        # Ray's own way to be told to stop, until it has begun.
        _TOLD.asked = True
        raise KeyboardInterrupt from None
    finally:
        for sent, handler in before.items():
            # Told to stop within the block, this process hears the next one otherwise.
            signal.signal(sent, _stop_at_once if _TOLD.asked else handler)


def _stop(_sent: int, _frame: FrameType | None) -> None:
    """Stop tidily; who is told so again meanwhile stops at once."""
    if _TOLD.over:
        return
    _TOLD.asked = True
    for sent in STOPS:
        signal.signal(sent, _stop_at_once)
    # What a finalizer or a helper thread has to say of an interruption is of no use to anybody.
    sys.unraisablehook = _say_nothing
    threading.excepthook = _say_nothing
    raise KeyboardInterrupt


def _leave() -> None:
    """End with the code of a stop where one was asked for.

    Python ends with a signal instead if Ctrl-C once went through C code that runs Python code.
    """
    if _TOLD.asked:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(STOPPED)


def _say_nothing(_what: object) -> None:
    return


def _stop_at_once(_sent: int, _frame: FrameType | None) -> NoReturn:
    """End without waiting for the clips that run: whatever was written is whole at any moment.

    Left to itself, Python would end below their threads, with a signal and a message of C++.
    """
    with suppress(OSError):
        os.write(2, b"\nserval: stopped at once\n")
    os._exit(STOPPED)
