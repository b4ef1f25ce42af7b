"""The lines of a journal: whole, bounded, JSON, each of a known kind; and a new name for a run."""

from __future__ import annotations

import hashlib
import json
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from serval.errors import RunError
from serval.files import whole_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import BinaryIO

JOURNAL = "journal.jsonl"
SCHEMA_VERSION = 1

HEADER_START = b'{"kind": "header"'
"""How the first line of every journal begins."""

LINE_START = b'{"kind": "'
"""How every line of a journal begins."""

PARSED = json.JSONDecoder().decode
ENCODED = json.JSONEncoder(ensure_ascii=False).encode

LONGEST_LINE = 1 << 24
"""Bytes: 16 MB are a clip's answers for 400,000 labels. What is longer is no line of ours."""


@dataclass(slots=True)
class Lines:
    """The whole lines of an open journal as JSON objects, once.

    What a kill left of a last line is passed over. While a line is being looked at, `digest` is
    that of all lines above it.

    Attributes:
        path: The journal, for messages.
        file: The journal, open in binary.
        number: Which line was read last, from 1.
        size: Bytes of the whole lines, once all are read.
        digest: sha256 of the lines above it, each with the line end of Unix.
    """

    path: Path
    file: BinaryIO
    number: int = 0
    size: int = 0
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield each line as a JSON object.

        Raises:
            RunError: A line is no JSON object, or longer than any that serval writes.
        """
        read, update = self.file.readline, self.digest.update
        while raw := read(LONGEST_LINE):
            self.number += 1
            if not raw.endswith(b"\n"):
                self._refuse_foreign_end(raw)
                self.size = self.file.tell() - len(raw)
                return
            yield self._parsed(raw)
            update(raw if not raw.endswith(b"\r\n") else raw[:-2] + b"\n")
        self.size = self.file.tell()

    def _parsed(self, raw: bytes) -> dict[str, Any]:
        try:
            line = PARSED(raw.decode("utf-8"))
        except (ValueError, RecursionError, MemoryError):
            raise line_error(self.path, self.number, "is not JSON") from None
        if not isinstance(line, dict):
            raise line_error(self.path, self.number, "is no JSON object")
        return line

    def _refuse_foreign_end(self, raw: bytes) -> None:
        """Raise unless the end of the file is the beginning of a line of ours, or of zeros.

        A machine that lost its power may leave zeros where the line was to be.
        """
        if len(raw) == LONGEST_LINE:
            raise line_error(self.path, self.number, f"is longer than {LONGEST_LINE >> 20} MB")
        start = raw.rstrip(b"\0")[: len(LINE_START)]
        if self.number > 1 and not LINE_START.startswith(start):
            raise line_error(self.path, self.number, "is not one that serval began to write")


def line_error(path: Path, number: int, fault: str) -> RunError:
    """Return the error of one line of a journal; `fault` is what is said of the line."""
    return RunError(f"{path} line {number} {fault}; restore the file or start over with --fresh")


def encoded_line(line: Mapping[str, Any]) -> bytes:
    """Return a line as it is stored; what UTF-8 cannot hold becomes an escape, which JSON reads."""
    text = ENCODED(line) + "\n"
    return text.encode("utf-8", "backslashreplace")


def whole_text(text: str) -> str:
    """Return the text with `?` for each half of a character, which no file of UTF-8 can hold."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def header_of(path: Path, line: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the first line of a journal.

    Raises:
        RunError: It is no header, or one of a version that this serval cannot read.
    """
    if line.get("kind") != "header":
        raise RunError(f"{path} does not begin with a header; it is not a serval journal")
    version = line.get("schema_version")
    if type(version) is not int or version != SCHEMA_VERSION:
        raise RunError(
            f"{path} has schema {str(version)[:20]}, this serval reads {SCHEMA_VERSION}; "
            "use the serval that wrote it, or start over with --fresh"
        )
    return line


def is_journal(path: Path) -> bool:
    """Return whether there is a journal to go on with, its header written whole.

    Raises:
        RunError: Something else has its name; serval leaves it as it is.
    """
    refuse_odd_file(path)
    if not path.exists():
        return False
    with path.open("rb") as file:
        start = file.readline(LONGEST_LINE)
    if start and not start.startswith(HEADER_START):
        raise RunError(
            f"{path} is not a journal of serval, and stays as it is; "
            "move it away or choose another --output"
        )
    return start.endswith(b"\n")


def refuse_odd_file(path: Path) -> None:
    """Raise where a name that serval writes to is a link, a folder, a pipe or a device.

    Raises:
        RunError: It is.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror or error}") from error
    if stat.S_ISREG(mode):
        return
    kind = "a link to another file" if stat.S_ISLNK(mode) else "no regular file"
    raise RunError(
        f"{path} is {kind}, and serval writes to files of its own only; "
        "move it away or choose another --output"
    )


def write_renamed(journal: Path, name: str) -> None:
    """Write a journal anew in which the run is called `name`; every other line stays as it is.

    Args:
        journal: Read and found to be in order.
        name: What the run is called from now on.
    """
    digest = hashlib.sha256()
    with whole_file(journal) as part, journal.open("rb") as old, part.open("wb") as new:
        header = json.loads(old.readline())
        line = encoded_line(header | {"options": header["options"] | {"name": name}})
        new.write(line)
        digest.update(line)
        for kept in old:
            # The last line of a finished run says what stands above it.
            raw = _ended(kept, digest.hexdigest()) if kept.startswith(b'{"kind": "end"') else kept
            new.write(raw)
            digest.update(raw.replace(b"\r\n", b"\n"))


def _ended(line: bytes, sha256: str) -> bytes:
    end = json.loads(line)
    return encoded_line(end | {"sha256": sha256}) if "sha256" in end else line
