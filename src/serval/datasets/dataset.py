"""From what reads the clips of a set to the dataset: its fingerprint, its speakers, its place."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import fields
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from serval.audio import address_in
from serval.datasets.columns import Columns, Schema, choose_columns
from serval.datasets.options import DatasetOptions
from serval.datasets.rows import ClipSource, Table, holds_audio, least, path_in
from serval.errors import DatasetError, DatasetNotFoundError
from serval.files import is_file, sha256_of
from serval.records import Dataset, Known
from serval.trained_on import letters_of
from serval.wording import printable, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


LONGEST_NAME = 1000
"""Characters above which a cell is rather audio in base64 than the path of a file."""

BEGINS = frozenset(("start", "starttime", "starts", "startsec", "startms", "begin", "begintime",
                    "onset", "offset", "segmentstart", "xmin"))  # fmt: skip
"""Letters of columns that say where in its file a clip begins."""

LOOKED_AT = 64
"""Rows that are read to see whether a column holds audio."""

ColumnChoice = Callable[[Schema, DatasetOptions, str], Columns]
"""`(schema, options, subject)` -> which column is which."""


def clip_source(
    table: Table,
    root: Path,
    split: str,
    options: DatasetOptions,
    name: str,
    choose: ColumnChoice = choose_columns,
) -> ClipSource:
    """Return what reads the clips of `table`, its columns chosen by `options`."""
    columns = choose(table.schema, options, name)
    return ClipSource(
        table=table, columns=columns, root=root, name=name, split=split, limit=options.limit
    )


def dataset_of(source: ClipSource, known: Known, fingerprint: str, n_rows: int | None) -> Dataset:
    """Return the dataset of a source.

    Raises:
        DatasetError: There is no clip, or no audio but at web addresses.
    """
    if n_rows == 0:
        where = f" in split '{source.split}'" if source.split else ""
        raise DatasetError(f"{source.name} has no clips{where}; give it at least one row")
    if source.columns.embedded:
        _refuse_addresses(source)
    return Dataset(
        **{field.name: getattr(known, field.name) for field in fields(known)},
        split=source.split,
        fingerprint=fingerprint,
        clips=source.clips,
        metadata=source.metadata,
        n_clips=None if n_rows is None else least(n_rows, source.limit),
        n_rows=n_rows,
        is_rated=not source.columns.label,
    )


def short_name(path: Path) -> str:
    """Return the last part of a path, whatever it was reached by: titles have no room for more.

    Examples:
        >>> short_name(Path("corpora/ravdess")), short_name(Path("corpora/../clips.csv"))
        ('ravdess', 'clips.csv')
    """
    return printable(Path(os.path.abspath(path)).name or str(path))  # noqa: PTH100 - links keep their names


def dataset_here(source: ClipSource, files: Sequence[Path], known: Known) -> Dataset:
    """Return the dataset of a source whose rows stand in `files`, which are all here.

    Raises:
        DatasetError: There is no clip.
        DatasetNotFoundError: The rows name audio files, and not one of them exists.
    """
    contents = (f"{file.name} {sha256_of(file)}" for file in files)
    lines = chain(contents, lines_of_audio(source))
    return dataset_of(source, known, fingerprint_of(lines), source.table.n_rows())


def fingerprint_of(lines: Iterable[str]) -> str:
    """Return the sha256 of a listing, as 64 hex digits."""
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line.encode("utf-8", "surrogatepass") + b"\n")
    return digest.hexdigest()


def lines_of_audio(source: ClipSource) -> Iterator[str]:
    """Yield the name and content of each audio file, as a hash.

    Raises:
        DatasetNotFoundError: Not one of the files exists.
        DatasetError: Rows are about parts of files.
    """
    _refuse_segments(source)
    n_files, first = 0, None
    for path in source.audio_paths():
        found = is_file(path)
        n_files += found
        first = first or path
        yield f"{source.relative(path)} {_content_of(path) if found else 'missing'}"
    if first is not None and n_files == 0 and not source.columns.embedded:
        _refuse_no_paths(source)
        raise DatasetNotFoundError(
            f"{source.name}: not one of the audio files in its column "
            f"'{printable(source.columns.audio)}' exists, beginning with {printable(str(first))}; "
            "paths are relative to the folder of the file that lists them; name another column "
            "with --audio-column"
        )


def _refuse_segments(source: ClipSource) -> None:
    """Refuse rows that are parts of one file, by where they begin: a clip is all of its file."""
    audio, begins = source.columns.audio, dict[str, str]()
    column = next((n for n in source.columns.groups if letters_of(n) in BEGINS), None)
    if column is None or source.columns.embedded:
        return
    for row in source.table.rows(0, None, [audio, column]):
        begin, path = source.columns.cell(row.cells, column), path_in(row.cells.get(audio))
        if begin and path and (other := begins.setdefault(path, begin)) != begin:
            raise DatasetError(
                f"{source.name}: its rows are parts of files ({printable(path)} from {other} and "
                f"from {begin}, by its column '{printable(column)}'), and serval reads files "
                "whole; cut them, ffmpeg -ss START -to END -i IN OUT.wav, and write those paths"
            )


def _refuse_addresses(source: ClipSource) -> None:
    """Refuse a column of encoded audio that has the address of each clip in its place."""
    column = source.columns.audio
    first = next(iter(source.table.rows(0, 1, [f"{column}.path"])), None)
    if first is None or not address_in(path_in(first.cells.get(column))):
        return
    rows = source.table.rows(0, LOOKED_AT, [column])
    if not any(holds_audio(row.cells.get(column)) for row in rows):
        _refuse_no_paths(source)


def _refuse_no_paths(source: ClipSource) -> None:
    """Refuse a column of addresses, or of audio as text, whose cells no file is called by."""
    column = source.columns.audio
    cells = (row.cells.get(column) for row in source.table.rows(0, None, [column]))
    text = next(filter(None, map(path_in, cells)), "")
    subject = f"{source.name}: its column '{printable(column)}' holds"
    if address_in(text):
        raise DatasetError(
            f"{subject} web addresses ({shown(text)}), which serval does not fetch; download the "
            "files, and write their paths"
        )
    if text.lower().startswith("data:") or len(text) > LONGEST_NAME:
        raise DatasetError(
            f"{subject} audio as text ({shown(text, 30)}), which serval does not decode; write its "
            "bytes, or files and their paths"
        )


def _content_of(path: Path) -> str:
    """Return the file's sha256; a file that cannot be read is its clip's failure, not the set's."""
    try:
        return sha256_of(path)
    except OSError:
        return "unreadable"
