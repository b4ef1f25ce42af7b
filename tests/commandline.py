"""The command line called in this process, which saves each test the start of another."""

import os
import sys
import tempfile
import traceback
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from functools import cache
from io import TextIOWrapper
from unittest.mock import patch

from serval.cli import exit_code, group


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a command leaves, with the names of `subprocess.CompletedProcess`."""

    returncode: int
    stdout: str
    stderr: str


def called(arguments, cwd, environment):
    """The command in that folder: its exit code, and all that reached standard output and error.

    A fault that is no `ServalError` is a traceback in `stderr` and code 1, as in a process.
    """
    with chdir(cwd), patch.dict(os.environ, environment), _captured() as said:
        returncode = _code([str(argument) for argument in arguments])
    return Done(returncode=returncode, stdout=said[0], stderr=said[1])


def _code(arguments):
    try:
        return exit_code(
            lambda: group.main(arguments, prog_name="serval", standalone_mode=False) or 0
        )
    except SystemExit as done:
        return done.code or 0
    except Exception:  # noqa: BLE001 - a bug is shown as Python shows it
        traceback.print_exc()
        return 1


@contextmanager
def _captured():
    """Give standard output and error to files, for what C++ prints too; then list their texts."""
    said, streams = [], _streams()
    for stream in streams:
        stream.seek(0)
        stream.truncate()
    kept = [os.dup(fd) for fd in (1, 2)]
    with patch.object(sys, "stdout", streams[0]), patch.object(sys, "stderr", streams[1]):
        for fd, stream in zip((1, 2), streams, strict=True):
            os.dup2(stream.fileno(), fd)
        try:
            yield said
        finally:
            for fd, stream, before in zip((1, 2), streams, kept, strict=True):
                stream.flush()
                os.dup2(before, fd)
                os.close(before)
            said += [_text(stream) for stream in streams]


@cache
def _streams():
    """The same two files for all calls: what logs to `sys.stderr` keeps the one that it found."""
    return tuple(
        TextIOWrapper(tempfile.TemporaryFile(buffering=0), encoding="utf-8", write_through=True)
        for _ in range(2)
    )


def _text(stream):
    stream.seek(0)
    return stream.read()
