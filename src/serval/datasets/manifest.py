"""A table of clips that somebody wrote down: .csv, .tsv or .jsonl, or several of them."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, islice, zip_longest
from typing import IO, TYPE_CHECKING

from serval.datasets.columns import Kind, Schema
from serval.datasets.rows import Row
from serval.errors import DatasetError, DatasetNotFoundError
from serval.wording import one_line

if TYPE_CHECKING:
    from _csv import Reader
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

SUFFIXES = (".csv", ".jsonl", ".ndjson", ".tsv")
"""What the name of a manifest ends in."""

DELIMITERS = ",;\t|"

BLANK = f"{DELIMITERS} \r\n"
"""What a line without any cell consists of."""

LONGEST_CELL = 1 << 27
"""Characters; the default of `csv` refuses a whole file for one clip that somebody put in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a CSV file is written.

    Attributes:
        encoding: Of its text.
        delimiter: What stands between the columns: spreadsheets of many countries write `;`.
        quoted: Quotes hold a cell together; without, they are a part of what somebody said.
        hint: Its first line is Excel's `sep=;`.
    """

    encoding: str
    delimiter: str
    quoted: bool = True
    hint: bool = False

    def reader(self, lines: IO[str]) -> Reader:
        """Return what reads the cells of each row from the start of the file."""
        csv.field_size_limit(max(csv.field_size_limit(), LONGEST_CELL))
        lines.seek(0)
        if self.hint:
            lines.readline()
        return csv.reader(
            lines,
            delimiter=self.delimiter,
            quoting=csv.QUOTE_MINIMAL if self.quoted else csv.QUOTE_NONE,
            strict=True,
            skipinitialspace=True,
        )


@dataclass(frozen=True, kw_only=True)
class ManifestTable:
    """The rows of manifests one after the other; paths are relative to the file they stand in."""

    files: Sequence[Path]

    @cached_property
    def schema(self) -> Schema:
        """The columns of all files, in the order in which they first occur."""
        names = chain.from_iterable(self._column_names(file) for file in self.files)
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

    @cached_property
    def _dialects(self) -> Mapping[Path, Dialect]:
        return {file: _dialect(file) for file in self.files if _is_csv(file)}

    def _cells(self, file: Path) -> Iterator[Mapping[str, object]]:
        """Yield the rows of one manifest.

        Raises:
            DatasetError: It is not what its name says; the message names the line.
        """
        done = 0
        try:
            is_csv = _is_csv(file)
            rows = _csv_rows(file, self._dialects[file]) if is_csv else _jsonl_rows(file)
            for number, cells in rows:
                yield cells
                done = number
        except DatasetError:
            raise
        except UnicodeError as error:
            # Decoded in large pieces: which line it is in is not known.
            raise DatasetError(f"{file} is not UTF-8; save it with the encoding UTF-8") from error
        except RecursionError as error:
            raise DatasetError(f"{file} is nested too deep after line {done}") from error
        except (csv.Error, ValueError) as error:
            raise DatasetError(
                f"{file} cannot be read after line {done}: {one_line(error)}"
            ) from error
        except OSError as error:
            raise DatasetNotFoundError(f"{file} cannot be read: {error.strerror}") from error

    def _column_names(self, file: Path) -> Iterator[str]:
        """Yield the columns of a file: of a CSV file those of its header, else of any row."""
        rows = self._cells(file)
        return chain.from_iterable(islice(rows, 1) if _is_csv(file) else rows)

    def _all(self) -> Iterator[Row]:
        for file in self.files:
            for cells in self._cells(file):
                yield Row(cells, file.parent)


def _is_csv(file: Path) -> bool:
    return file.suffix.lower() in (".csv", ".tsv")


def _csv_rows(file: Path, dialect: Dialect) -> Iterator[tuple[int, Mapping[str, object]]]:
    with file.open(encoding=dialect.encoding, newline="") as lines:
        reader = dialect.reader(lines)
        rows = _filled(reader)
        header = _checked_header([name.strip() for name in next(rows, [])], file)
        for cells in rows:
            line = reader.line_num + dialect.hint
            while len(cells) > len(header) and not cells[-1].strip():
                cells.pop()
            if len(cells) > len(header):
                raise csv.Error(
                    f"line {line} has {len(cells)} cells, the header {len(header)}; "
                    f"put quotes around a cell that holds '{dialect.delimiter}'"
                )
            # A short row is a row whose last cells are empty.
            yield line, dict(zip_longest(header, cells))


def _checked_header(header: list[str], file: Path) -> list[str]:
    # Spreadsheets write columns that were once looked at: what has no name must be empty then.
    while header.count("") > 1 and not header[-1]:
        header.pop()
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


def _dialect(file: Path) -> Dialect:
    """Return how a CSV file is written, found from its beginning and its quotes."""
    encoding = _encoding(file)
    with file.open(encoding=encoding, newline="") as lines:
        first = lines.readline()
        hint = re.fullmatch(r"(?i)sep=(.)\s*", first)
        head = next((line for line in chain([first], lines) if line.strip(BLANK)), first)
        delimiter = hint[1] if hint else max(DELIMITERS, key=head.count)
        quoted = Dialect(encoding=encoding, delimiter=delimiter, hint=hint is not None)
        bare = replace(quoted, quoted=False)
        return bare if delimiter == "\t" and _has_bare_quotes(lines, quoted, bare) else quoted


def _has_bare_quotes(lines: IO[str], quoted: Dialect, bare: Dialect) -> bool:
    """Tell whether quotes are a part of the text, as in Common Voice: else lines would be lost."""
    n_lines = sum(1 for _ in _filled(bare.reader(lines)))
    try:
        if sum(1 for _ in _filled(quoted.reader(lines))) == n_lines:
            return False
    except csv.Error:
        pass
    return len({len(cells) for cells in _filled(bare.reader(lines))}) == 1


def _filled(rows: Iterator[list[str]]) -> Iterator[list[str]]:
    """Yield the rows that have something in a cell; spreadsheets write empty ones at the end."""
    return (cells for cells in rows if any(map(str.strip, cells)))


def _encoding(file: Path) -> str:
    """Return the encoding that a byte order mark names, or zeros between letters, else UTF-8."""
    with file.open("rb") as content:
        mark = content.read(4)
    if mark.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    zeros = [byte == 0 for byte in mark]
    if zeros == [False, True, False, True]:
        return "utf-16-le"
    return "utf-16-be" if zeros == [True, False, True, False] else "utf-8-sig"
