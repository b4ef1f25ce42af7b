"""A table of clips that somebody wrote down: .csv, .tsv or .jsonl, or several of them."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice, zip_longest
from typing import TYPE_CHECKING

from serval.datasets.columns import Kind, Schema, text_of
from serval.datasets.rows import Row
from serval.errors import DatasetError, DatasetNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["SUFFIXES", "ManifestTable"]

SUFFIXES = (".csv", ".jsonl", ".ndjson", ".tsv")
"""What the name of a manifest ends in."""

DELIMITERS = ",;\t"


@dataclass(frozen=True, kw_only=True)
class ManifestTable:
    """The rows of manifests one after the other; paths are relative to the file they stand in.

    Attributes:
        files: The manifests in order.
        split_column: Keep only rows that bear `split` in this column.
        split: The split to keep.
    """

    files: Sequence[Path]
    split_column: str | None = None
    split: str | None = None

    @cached_property
    def schema(self) -> Schema:
        """The columns of all files, in the order in which they first occur."""
        names = chain.from_iterable(_column_names(file) for file in self.files)
        kinds = dict.fromkeys(names, Kind.SCALAR)
        if not kinds:
            raise DatasetError(f"{self.files[0]} has no rows; give it one for each clip")
        return Schema(kinds=kinds)

    def n_rows(self) -> int:
        """Return how many rows there are."""
        return sum(1 for _ in self._all())

    def rows(self, start: int, stop: int | None, _columns: Sequence[str], /) -> Iterator[Row]:
        """Yield the rows from `start` up to `stop`."""
        return islice(self._all(), start, stop)

    def _all(self) -> Iterator[Row]:
        for file in self.files:
            for cells in _cells(file):
                if (
                    self.split_column is None
                    or (text_of(cells.get(self.split_column)) or "") == self.split
                ):
                    yield Row(cells, file.parent)


def _column_names(file: Path) -> Iterator[str]:
    """Yield the columns of a file: of a CSV file those of its header, else those of any row."""
    rows = _cells(file)
    return chain.from_iterable(islice(rows, 1) if _is_csv(file) else rows)


def _is_csv(file: Path) -> bool:
    return file.suffix.lower() in (".csv", ".tsv")


def _cells(file: Path) -> Iterator[Mapping[str, object]]:
    """Yield the rows of one manifest.

    Raises:
        DatasetError: It is not what its name says; the message names the line.
    """
    done = 0
    try:
        reader = _csv_rows if _is_csv(file) else _jsonl_rows
        for number, cells in reader(file):
            yield cells
            done = number
    except UnicodeError as error:
        # Decoded in large pieces: which line it is in is not known.
        raise DatasetError(f"{file} is not UTF-8; save it with the encoding UTF-8") from error
    except (csv.Error, json.JSONDecodeError) as error:
        raise DatasetError(f"{file} cannot be read after line {done}: {error}") from error
    except OSError as error:
        raise DatasetNotFoundError(f"{file} cannot be read: {error.strerror}") from error


def _csv_rows(file: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    with file.open(encoding=_encoding(file), newline="") as lines:
        delimiter = _delimiter(lines.readline())
        lines.seek(0)
        reader = csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=True)
        header = _checked_header([name.strip() for name in next(reader, [])], file)
        for cells in reader:
            if len(cells) > len(header):
                raise csv.Error(
                    f"line {reader.line_num} has {len(cells)} cells, the header {len(header)}; "
                    f"put quotes around a cell that holds '{delimiter}'"
                )
            if cells:
                # A short row is a row whose last cells are empty.
                yield reader.line_num, dict(zip_longest(header, cells))


def _checked_header(header: list[str], file: Path) -> list[str]:
    if not header:
        raise DatasetError(f"{file} is empty; give it a header and one row for each clip")
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise DatasetError(f"{file} has two columns '{twice[0]}'; rename one")
    return header


def _jsonl_rows(file: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    with file.open(encoding=_encoding(file)) as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            cells = json.loads(line)
            if not isinstance(cells, dict):
                raise DatasetError(f"{file} line {number} is not a JSON object with the columns")
            yield number, cells


def _encoding(file: Path) -> str:
    """Return the encoding that a byte order mark names, else UTF-8."""
    with file.open("rb") as content:
        mark = content.read(3)
    if mark.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    return "utf-8-sig"


def _delimiter(header: str) -> str:
    """Return what stands between the columns: spreadsheets of many countries write `;`."""
    return max(DELIMITERS, key=header.count)
