"""Files that are written whole or not at all."""

from __future__ import annotations

import csv
import errno
import hashlib
import itertools
import json
import os
import platform
import re
import shutil
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from serval.errors import ConfigError, RunLockedError, ServalError, WriteError
from serval.wording import printable, without_nan

if TYPE_CHECKING:
    from _csv import Writer
    from collections.abc import Iterator, Mapping

_SEARCHED: set[tuple[int, str]] = set()
_COUNTER = itertools.count()

PART = re.compile(
    r"\.serval-(?P<place>[0-9a-f]{8})-(?P<pid>[0-9]{1,10})-(?P<start>[0-9]{1,12})-[0-9]+-.*",
    re.DOTALL,
)
"""A file in the making: `.serval-PLACE-PID-START-NUMBER-NAME`."""

SAME_START_S = 60.0
"""Clocks are set; a process whose number was given anew within a minute is taken for its owner."""

LONGEST_NAME = 48
"""Characters of a name that are kept, its end: with what stands before it, no system refuses it."""


def refuse_odd_place(what: str, place: str) -> None:
    """Raise where text names no place that every part of this program can write to.

    Raises:
        ConfigError: It is empty, no UTF-8, or holds a character that no file name may.
    """
    if not place.strip():
        raise ConfigError(f"{what} is empty; name a file or folder")
    if "\0" in place or place != place.encode("utf-8", "replace").decode("utf-8"):
        raise ConfigError(f"{what} '{printable(place)}' is not UTF-8; choose another name")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the system has against writing to `path` into one line.

    Raises:
        WriteError: The disk is full, the place is read-only, a folder is a file, ...
    """
    try:
        yield
    except ServalError:
        raise
    except OSError as error:
        raise WriteError(
            f"cannot write {path}: {error.strerror or error}; "
            "choose another place, or make room and give the same command again"
        ) from error


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` that takes its name once the block has ended well.

    The suffix is kept, for libraries that choose a format by it. If the block raises, the file
    that was there before is untouched and nothing else is left. What a kill leaves is removed by
    the next process that writes into that folder.

    Raises:
        WriteError: It cannot be written.
    """
    with writing(path):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_orphans(path.parent)
        part = path.with_name(_part_name(path.name))
        try:
            yield part
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


@contextmanager
def whole_files(path: Path) -> Iterator[Path]:
    """Yield `path` in a new folder beside it; once the block has ended well, its files move out.

    For a file that comes with others, which it names: they have their final names from the start,
    and `path` itself moves last. If the block raises, nothing is left.

    Raises:
        WriteError: They cannot be written.
    """
    with writing(path), scratch_folder(path.parent, path.name) as folder:
        part = folder / path.name
        yield part
        for file in sorted(folder.iterdir(), key=lambda file: file == part):
            file.replace(path.with_name(file.name))


@contextmanager
def scratch_folder(parent: Path, name: str = "") -> Iterator[Path]:
    """Yield a new hidden folder in `parent` that is removed at the end.

    What a kill leaves is removed by the next process that writes into `parent`.

    Raises:
        WriteError: It cannot be made, which is better known before the work.
    """
    folder = parent / _part_name(name)
    with writing(folder):
        parent.mkdir(parents=True, exist_ok=True)
        remove_orphans(parent)
        folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_orphans(folder: Path) -> None:
    """Remove from a folder the unfinished files whose process is gone, once in a process.

    They bear the names that `whole_file` and `scratch_folder` give, of this machine and user; what
    may still be of use to somebody stays.
    """
    if (done := (os.getpid(), os.path.realpath(folder))) in _SEARCHED:
        return
    _SEARCHED.add(done)
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in list(entries):
            owner = PART.fullmatch(entry.name)
            if owner and owner["place"] == _place() and _is_mine(entry) and not _lives(owner):
                _remove(entry)


def _part_name(name: str) -> str:
    start = _start_of(os.getpid())
    return f".serval-{_place()}-{os.getpid()}-{start:.0f}-{next(_COUNTER)}-{name[-LONGEST_NAME:]}"


@cache
def _place() -> str:
    """Return what tells the processes of this machine, or container, from those of others."""
    try:
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        namespace = ""
    return hashlib.sha256(f"{platform.node()} {namespace}".encode()).hexdigest()[:8]


@cache
def _start_of(pid: int) -> float:
    """Return when a process of this program began, in seconds since 1970."""
    import psutil  # takes a while to load, and a command that writes nothing needs none

    return float(psutil.Process(pid).create_time())


def _lives(owner: re.Match[str]) -> bool:
    import psutil

    try:
        process = psutil.Process(int(owner["pid"]))
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return bool(abs(process.create_time() - int(owner["start"])) < SAME_START_S)
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return True


def _is_mine(entry: os.DirEntry[str]) -> bool:
    if entry.is_symlink() or not hasattr(os, "getuid"):
        return not entry.is_symlink()
    return entry.stat(follow_symlinks=False).st_uid == os.getuid()


def _remove(entry: os.DirEntry[str]) -> None:
    if entry.is_dir(follow_symlinks=False):
        shutil.rmtree(entry.path, ignore_errors=True)
    else:
        Path(entry.path).unlink(missing_ok=True)


def write_text(path: Path, text: str) -> Path:
    """Return `path` after writing `text` there: in UTF-8 with its own line ends.

    What UTF-8 cannot hold, as of a path in an older encoding, becomes an escape, which JSON reads.
    """
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8", errors="backslashreplace", newline="")
    return path


@contextmanager
def csv_writer(path: Path) -> Iterator[Writer]:
    """Yield what writes the rows of a CSV file, which is whole or not there at all.

    Half a character of an older encoding becomes a question mark.

    Raises:
        WriteError: It cannot be written.
    """
    with (
        whole_file(path) as part,
        part.open("w", encoding="utf-8", errors="replace", newline="") as file,
    ):
        yield csv.writer(file, lineterminator="\n")


def write_json(document: Mapping[str, Any], path: Path) -> Path:
    """Return `path` after writing the document as UTF-8 JSON, with `null` for NaN.

    It is written piece by piece: the text of a large document takes more room than the document.
    """
    plain = without_nan(document)
    parts = json.JSONEncoder(indent=2, ensure_ascii=False, default=str).iterencode(plain)
    with (
        whole_file(path) as part,
        part.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        file.writelines(parts)
        file.write("\n")
    return path


def write_bytes(path: Path, content: bytes) -> Path:
    """Return `path` after writing `content` there."""
    with whole_file(path) as part:
        part.write_bytes(content)
    return path


def locked(folder: Path, name: str) -> FileLock:
    """Return the lock of a folder, which this process now holds.

    Raises:
        RunLockedError: Another process holds it.
    """
    lock = FileLock(folder / name)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise RunLockedError(
            f"{folder} is in use by another serval process; wait for it or choose another --output"
        ) from None
    return lock


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file as 64 hex digits, reading it in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_file(path: Path | str) -> bool:
    """Tell whether there is a regular file, whatever text somebody wrote as its path."""
    return os.path.isfile(path)  # noqa: PTH113 - False for what cannot be a path, where Path raises


MOST_BESIDE = 2_000
"""Names in a folder; of more, nobody waits for the one that is like what was written."""


def names_beside(path: Path | str) -> list[str]:
    """Return what lies in the folder of a path, to tell somebody who misspelt its name."""
    try:
        return sorted(os.listdir(os.path.dirname(path) or "."))[:MOST_BESIDE]  # noqa: PTH120, PTH208 - takes any text
    except (OSError, ValueError):
        return []


def existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    return next(path for path in (folder, *folder.parents) if path.exists())


PREDICTIONS = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
"""What the name of a file of predictions ends in."""


def is_predictions(name: Path | str) -> bool:
    """Tell whether a name is that of a file of predictions, there or not, and of no folder."""
    return str(name).lower().endswith(PREDICTIONS) and not is_folder(name)


def is_folder(path: Path | str) -> bool:
    """Tell whether there is a folder, whatever text somebody wrote as its path."""
    return os.path.isdir(path)  # noqa: PTH112 - False for what cannot be a path, where Path raises
