"""From the rows of a table to clips; every source of clips ends here."""

from __future__ import annotations

import os
import re
import unicodedata
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import NamedTuple, Protocol

from serval.datasets.columns import Columns, Schema, text_of
from serval.datasets.samples import wav_of
from serval.errors import DatasetError
from serval.files import is_file
from serval.records import Clip
from serval.wording import printable

FEWEST_PLACES = 1 << 10
"""Of a table of hashes, a power of two."""

PARTED = re.compile(r"[/\\:]|^\.$")
"""In a name that is more than that of a file."""

LONGEST_PATH = 4096
"""Characters; no system takes longer ones, and a cell that has more is no path."""


class Row(NamedTuple):
    """One row: its cells, and the folder that a path in it is relative to."""

    cells: Mapping[str, object]
    folder: Path


class Table(Protocol):
    """Rows in a fixed order, read as a stream."""

    @property
    def schema(self) -> Schema:
        """The columns."""
        ...

    def n_rows(self) -> int:
        """Return how many rows there are, fetching every file if need be."""
        ...

    def rows(self, start: int, stop: int | None, columns: Sequence[str], /) -> Iterator[Row]:
        """Yield the rows from `start` up to `stop`, with at least the named columns.

        `audio.path` names only the path inside a column `audio` that holds encoded files.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipSource:
    """Reads the clips of one table.

    Attributes:
        table: Where the rows come from.
        columns: Which column is which.
        root: The set's folder; clip ids are paths relative to it.
        name: What the user calls the set, for error messages.
        split: Begins the id of a clip that has no file name.
        closed: Refuse paths that lead out of `root`: the set was made by a stranger.
        here: Every file with rows is on this machine; else to read on is to fetch.
        limit: Read no further than this many clips.
        known: The ids up to the end of the last range, for the next one.
    """

    table: Table
    columns: Columns
    root: Path
    name: str
    split: str = ""
    closed: bool = False
    here: bool = True
    limit: int | None = None
    known: list[_Ids] = field(default_factory=list, repr=False, compare=False)

    def clips(self, start: int, stop: int | None) -> Iterator[Clip]:
        """Yield the clips from `start` up to `stop` with their audio."""
        return self._read(start, stop, audio=True)

    def metadata(self, start: int, stop: int | None) -> Iterator[Clip]:
        """Yield the same clips without audio."""
        return self._read(start, stop, audio=False)

    def _path_column(self) -> str:
        return f"{self.columns.audio}.path" if self.columns.embedded else self.columns.audio

    def _read(self, start: int, stop: int | None, *, audio: bool) -> Iterator[Clip]:
        stop = least(stop, self.limit)
        if stop is not None and stop <= start:
            return
        ids = self._ids_before(start)
        columns = self._wanted(self.columns.audio if audio else self._path_column())
        for index, row in enumerate(self.table.rows(start, stop, columns), start):
            yield self._clip(row, index, ids.take(self._file_name(row), index), audio=audio)
        if start:
            self.known.append(ids)

    def _ids_before(self, start: int) -> _Ids:
        """Return the ids up to `start`: a repeated file name gets a number, so all must be known.

        Those of a range that ended before `start` are gone on with, so that whoever reads a long
        set in rising ranges reads its names once, and not again for each range.
        """
        ids = self.known.pop() if self.known else _Ids(prefix=self.split or "clip")
        if ids.position > start:
            ids = _Ids(prefix=ids.prefix)
        if ids.position < start:
            for row in self.table.rows(ids.position, start, [self._path_column()]):
                ids.take(self._file_name(row), ids.position)
        return ids

    def _wanted(self, audio: str) -> list[str]:
        rate = self.columns.rate if audio == self.columns.audio else None
        chosen = (self.columns.label, self.columns.speaker, *self.columns.groups, audio, rate)
        return [name for name in chosen if name]

    def _clip(self, row: Row, index: int, clip_id: str, *, audio: bool) -> Clip:
        columns = self.columns
        groups = {name: columns.cell(row.cells, name) for name in columns.groups}
        return Clip(
            id=clip_id,
            index=index,
            label=columns.label_of(row.cells),
            audio=self._audio(row) if audio else b"",
            speaker=columns.cell(row.cells, columns.speaker),
            groups={name: text for name, text in groups.items() if text is not None},
            emotions=columns.emotions_of(row.cells),
        )

    def _audio(self, row: Row) -> bytes | Path:
        rate = row.cells.get(self.columns.rate) if self.columns.rate else None
        encoded = _encoded(row.cells.get(self.columns.audio), rate)
        if encoded is not None:
            return encoded
        path = self._path(row)
        if path is None:
            return b""
        return self._own(path)

    def _own(self, path: Path) -> Path:
        if self.closed and not _is_inside(path, self.root):
            raise DatasetError(
                f"{self.name} names the audio file {path}, which is outside of its own folder; "
                "if you trust the set, list its files in a manifest and give that"
            )
        # What `..` behind a link leads to is not what the text says.
        return Path(os.path.normpath(path)) if self.closed and ".." in path.parts else path

    def _path(self, row: Row) -> Path | None:
        """Return where the row says that its audio file is."""
        text = _path_text(row.cells.get(self.columns.audio))
        return _as_it_is_written(row.folder, text) if text is not None else None

    def speakers(self) -> Iterator[str]:
        """Yield the speaker of every row that names one."""
        column = self.columns.speaker
        if column is not None:
            for row in self.table.rows(0, None, [column]):
                if (speaker := self.columns.cell(row.cells, column)) is not None:
                    yield speaker

    def audio_paths(self) -> Iterator[Path]:
        """Yield the audio file of every row that names one instead of holding it, with no limit.

        None where audio stands in files that are not here.

        Raises:
            DatasetError: A closed set names a file outside of its own folder.
        """
        if self.columns.embedded and not (self.here and self._names_a_file()):
            return
        for row in self.table.rows(0, None, [self.columns.audio]):
            path = self._path(row)
            if path is not None and not holds_audio(row.cells.get(self.columns.audio)):
                yield self._own(path)

    def _names_a_file(self) -> bool:
        """Tell whether some row names a file that is here, without reading any audio."""
        paths = map(self._path, self.table.rows(0, None, [self._path_column()]))
        return any(path is not None and is_file(path) for path in paths)

    def relative(self, path: Path) -> str:
        """Return a path as the set would write it on any machine."""
        full = os.path.normpath(path)
        if _is_inside(path, self.root):
            full = os.path.relpath(full, self.root)
        return PureWindowsPath(full).as_posix() if os.sep == "\\" else full

    def _file_name(self, row: Row) -> str | None:
        text = _path_text(row.cells.get(self.columns.audio))
        if text is None:
            return None
        if self.columns.embedded:
            return _portable(text)
        return _portable(self.relative(row.folder / text))


@dataclass(slots=True, kw_only=True)
class _Ids:
    """Gives each clip an id that no clip before it has."""

    prefix: str
    position: int = 0
    seen: _Seen = field(default_factory=lambda: _Seen())

    def take(self, name: str | None, index: int) -> str:
        first = name or f"{self.prefix}-{index:06d}"
        clip_id, number = first, 1
        while not self.seen.add(clip_id):
            number += 1
            clip_id = f"{first}#{number}"
        self.position = index + 1
        return clip_id


class _Seen:
    """Names that were seen, as 8 bytes each of a table of hashes that is at most two thirds full.

    Two of a million names have one hash in one of some 30 million sets; the later name then gets a
    number that it need not have, on every machine the same.
    """

    def __init__(self) -> None:
        self._table, self._n = array("Q", bytes(8 * FEWEST_PLACES)), 0

    def add(self, name: str) -> bool:
        """Take a name in; tell whether it is new."""
        hashed = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        is_new = self._put(int.from_bytes(hashed, "little") or 1)
        self._n += is_new
        if 3 * self._n > 2 * len(self._table):
            smaller, self._table = self._table, array("Q", bytes(16 * len(self._table)))
            for value in filter(None, smaller):
                self._put(value)
        return is_new

    def _put(self, value: int) -> bool:
        table, last = self._table, len(self._table) - 1
        place = value & last
        while table[place] and table[place] != value:
            place = (place + 1) & last
        is_new = not table[place]
        table[place] = value
        return is_new


def least(*numbers: int | None) -> int | None:
    """Return the smallest of the numbers that are known, or `None` if none is."""
    return min((number for number in numbers if number is not None), default=None)


def _as_it_is_written(folder: Path, text: str) -> Path:
    """Return the path of a file whose name may be written in another form on the disk."""
    if not text.isascii() and not is_file(folder / text):
        for form in ("NFC", "NFD"):
            other = folder / unicodedata.normalize(form, text)
            if is_file(other):
                return other
    return folder / text


def _encoded(cell: object, rate: object) -> bytes | None:
    """Return the encoded audio in a cell, or `None` where it holds none."""
    if isinstance(cell, Mapping):
        content = cell.get("bytes")
        samples, rate = cell.get("array"), cell.get("sampling_rate")
    else:
        content, samples = cell, cell
    if isinstance(content, bytes):
        return content
    return wav_of(samples, rate) if isinstance(samples, list) else None


def holds_audio(cell: object) -> bool:
    """Tell whether a cell holds a file or samples, and no mere path."""
    return isinstance(cell, Mapping) and any(cell.get(k) is not None for k in ("bytes", "array"))


def path_in(cell: object) -> str:
    """Return what a cell says of the place of its audio, empty where it says nothing."""
    return text_of(cell.get("path") if isinstance(cell, Mapping) else cell) or ""


def _path_text(cell: object) -> str | None:
    text = path_in(cell)
    if not text:
        return None
    if len(text) > LONGEST_PATH:
        # Somebody's audio as text, for one; a file of this name does not exist either.
        return f"{text[:40].replace('/', '_')}... ({len(text)} characters)"
    return text.replace("\\", "/")


def _portable(name: str) -> str:
    """Return a name without what differs between machines: the folders of an absolute path."""
    if name and not PARTED.search(name):
        return printable(name)
    path = PurePosixPath(name)
    rooted = path.is_absolute() or PureWindowsPath(name).is_absolute()
    return printable(path.name if rooted else path.as_posix())


def _is_inside(path: Path, root: Path) -> bool:
    """Tell whether a path stays in `root` by its text: the hub's cache is made of links."""
    above = os.path.join(os.path.abspath(root), "")  # noqa: PTH100, PTH118 - far faster on text
    return os.path.abspath(path).startswith(above)  # noqa: PTH100
