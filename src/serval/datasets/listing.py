"""What lies in a set's folder: every file below it, and what could not be looked into."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from serval.records import LeftOut
from serval.run import JOURNAL
from serval.wording import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

SHOWN = 3
"""Examples beside a count."""

HIDDEN = "hidden, or in a hidden folder (rename or delete them)"
NOT_DECODED = "of a kind that is not decoded (convert them: ffmpeg -i IN OUT.wav)"

WRITTEN: Mapping[str, tuple[str, ...]] = {
    JOURNAL: (JOURNAL, "detailed_results.csv", "failures.csv", "predictions.parquet"),
    "audit.json": ("audit.csv",),
    "comparison.json": ("flips.csv",),
    "features.f32": ("clips.jsonl",),
    "leaderboard.json": ("sweep.csv",),
    "stress.json": ("stress.csv",),
}
"""The tables that serval writes beside a file of its own: no part of a set that they lie in."""

MOST_LINKS = 4
"""Links within links that are followed; folders that link to each other have no end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The files of a set.

    Attributes:
        files: Paths relative to the set's folder with `/` in them, sorted.
        closed: What could not be looked into.
        folders: The folders that were looked into, empty ones too, without the set's own.
    """

    files: tuple[str, ...]
    closed: tuple[LeftOut, ...] = ()
    folders: tuple[str, ...] = ()


def listing_of_folder(root: Path) -> Listing:
    """Return every file below a folder, also behind links, which are not followed in circles.

    A link that leads nowhere is a file, which cannot be read. Devices and pipes are none.
    """
    closed: dict[str, str] = {}
    folders: list[str] = []
    files = sorted(_below(root, closed, folders))
    reasons: dict[str, list[str]] = {}
    for name, reason in closed.items():
        reasons.setdefault(reason, []).append(name)
    parts = (as_left_out(reason, names) for reason, names in reasons.items())
    return Listing(files=tuple(files), closed=tuple(parts), folders=tuple(sorted(folders)))


def as_left_out(reason: str, names: Iterable[str]) -> LeftOut:
    """Return the count of some names that are left out for one reason, with examples."""
    names = sorted(names)
    return LeftOut(
        reason=reason, n=len(names), examples=tuple(printable(name) for name in names[:SHOWN])
    )


def is_hidden(file: str) -> bool:
    """Tell whether a file, or a folder above it, is one that systems keep beside people's own.

    Examples:
        >>> is_hidden("angry/._a.wav"), is_hidden("__MACOSX/a.wav"), is_hidden("__angry/a.wav")
        (True, True, False)
    """
    return any(part.startswith(".") or part == "__MACOSX" for part in file.split("/"))


class _Folder(NamedTuple):
    """A folder on the way down: its path, that in the set, the identities above it, its links."""

    path: str
    name: str = ""
    above: tuple[tuple[int, int], ...] = ()
    links: int = 0

    def inner_name(self, entry: os.DirEntry[str]) -> str:
        """Return the path in the set of what lies in this folder."""
        return f"{self.name}/{entry.name}" if self.name else entry.name


def _below(root: Path, closed: dict[str, str], folders: list[str]) -> Iterator[str]:
    """Yield the files below a folder, noting in `closed` why what is not looked into."""
    waiting = [_Folder(str(root))]
    while waiting:
        folder = waiting.pop()
        if folder.links > MOST_LINKS:
            closed[folder.name] = f"behind more than {MOST_LINKS} links (copy them here)"
            continue
        try:
            status = os.stat(folder.path)  # noqa: PTH116 - the text of a name in any encoding
            with os.scandir(folder.path) as found:
                entries = list(found)
        except OSError as error:
            closed[folder.name or "."] = f"in folders that cannot be looked into ({error.strerror})"
            continue
        identity = (status.st_dev, status.st_ino)
        if identity in folder.above:
            continue
        folders += [folder.name] if folder.name else []
        own = {table for entry in entries for table in WRITTEN.get(entry.name, ())}
        entries = [entry for entry in entries if entry.name not in own]
        above = (*folder.above, identity)
        waiting += [
            _Folder(entry.path, folder.inner_name(entry), above, folder.links + entry.is_symlink())
            for entry in entries
            if _is_folder(entry)
        ]
        yield from (folder.inner_name(entry) for entry in entries if _is_of_bytes(entry))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_of_bytes(entry: os.DirEntry[str]) -> bool:
    """Tell a file, or a link to nothing, from a folder, a device or a pipe."""
    try:
        return stat.S_ISREG(entry.stat().st_mode)
    except OSError:
        return True
