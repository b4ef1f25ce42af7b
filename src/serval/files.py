"""Files that are written whole or not at all."""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from serval.errors import ServalError, WriteError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "is_file",
    "is_folder",
    "sha256_of",
    "whole_file",
    "whole_files",
    "write_text",
    "writing",
]


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
    that was there before is untouched and nothing else is left.

    Raises:
        WriteError: It cannot be written.
    """
    part = path.with_name(f".{path.stem}-{os.getpid()}{path.suffix}")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
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
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}-") as folder:
            part = Path(folder) / path.name
            yield part
            for file in sorted(Path(folder).iterdir(), key=lambda file: file == part):
                file.replace(path.with_name(file.name))


def write_text(path: Path, text: str) -> Path:
    """Return `path` after writing `text` there: in UTF-8 with its own line ends.

    What UTF-8 cannot hold, as of a path in an older encoding, becomes an escape, which JSON reads.
    """
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8", errors="backslashreplace", newline="")
    return path


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file as 64 hex digits, reading it in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_file(path: Path | str) -> bool:
    """Tell whether there is a regular file, whatever text somebody wrote as its path."""
    return os.path.isfile(path)  # noqa: PTH113 - False for what cannot be a path, where Path raises


def is_folder(path: Path | str) -> bool:
    """Tell whether there is a folder, whatever text somebody wrote as its path."""
    return os.path.isdir(path)  # noqa: PTH112 - False for what cannot be a path, where Path raises
