"""Rows of parquet files, read a few at a time so that memory stays flat."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from serval.datasets.card import class_names_of
from serval.datasets.columns import Kind, Schema
from serval.datasets.rows import Row
from serval.errors import DatasetError, DatasetNotFoundError
from serval.wording import one_line

if TYPE_CHECKING:
    from pathlib import Path

NOTE = b"serval"
"""Under which a file's metadata says what corpus it holds."""

BATCH_ROWS = 16
"""Rows held at a time: a clip is seldom over 1 MB, so a batch stays within tens of MB."""

BUFFER_BYTES = 1 << 20
"""Read at a time from each column."""


class Shard(Protocol):
    """One parquet file."""

    def __call__(self) -> Path:
        """Return where it is, after fetching it if need be."""
        ...

    def remedy(self) -> str:
        """Return what helps where it cannot be read."""
        ...


@dataclass(frozen=True, slots=True)
class Here:
    """The shard of a file that is there already."""

    path: Path

    def __call__(self) -> Path:
        """Return where the file is."""
        return self.path

    def remedy(self) -> str:
        """Return what helps where it cannot be read."""
        return "fetch or write it again"


@dataclass(frozen=True, kw_only=True)
class ParquetTable:
    """The rows of parquet files one after the other.

    Attributes:
        shards: The files in order.
        folder: Paths in the rows are relative to it; without it, to the file they stand in.
        class_names: What the set's card says of integer columns; the files' own word wins.
    """

    shards: Sequence[Shard]
    folder: Path | None
    class_names: Mapping[str, Sequence[str]]

    @cached_property
    def schema(self) -> Schema:
        """The columns of the first file, which the others must have too."""
        with _opened(self.shards[0]) as file:
            schema = file.schema_arrow
        names = Counter(schema.names)
        if twice := [name for name in names if names[name] > 1]:
            raise DatasetError(
                f"{self.shards[0]()} has two columns '{twice[0]}'; write it anew with one"
            )
        features = _features(schema)
        return Schema(
            kinds={field.name: _kind(field.type, features.get(field.name)) for field in schema},
            class_names={**self.class_names, **class_names_of(features, str(self.shards[0]()))},
            fields={
                field.name: [inner.name for inner in field.type]
                for field in schema
                if pa.types.is_struct(field.type)
            },
        )

    def n_rows(self) -> int:
        """Return how many rows there are, fetching every file if need be."""
        n = 0
        for shard in self.shards:
            with _opened(shard) as file:
                n += file.metadata.num_rows
        return n

    def rows(self, start: int, stop: int | None, columns: Sequence[str], /) -> Iterator[Row]:
        """Yield the rows from `start` up to `stop`, opening only the files that hold them."""
        first = 0
        for shard in self.shards:
            if stop is not None and first >= stop:
                return
            with _opened(shard) as file:
                path = shard()
                self._check(file, columns, path)
                end = None if stop is None else stop - first
                try:
                    for cells in _rows_of(file, max(start - first, 0), end, columns):
                        yield Row(cells, self.folder or path.parent)
                except (pa.ArrowException, OSError) as error:
                    raise DatasetError(
                        f"{path} breaks off: {one_line(error)}; {shard.remedy()}"
                    ) from error
                first += file.metadata.num_rows

    def _check(self, file: pq.ParquetFile, columns: Sequence[str], path: Path) -> None:
        """Refuse a file that lacks a column which the first one has."""
        names = set(file.schema_arrow.names)
        known = set(self.schema.kinds)
        lost = sorted(name for name in columns if name in known and name not in names)
        if lost:
            raise DatasetNotFoundError(
                f"{path.name} has no column '{lost[0]}', which the files before it have; "
                f"its columns: {', '.join(file.schema_arrow.names)}; fetch or write the set again"
            )


def _opened(shard: Shard) -> pq.ParquetFile:
    path = shard()
    try:
        # So the reader holds pages, not a row group, which may be the whole file.
        file = pq.ParquetFile(path, buffer_size=BUFFER_BYTES, pre_buffer=False)
        _ = file.schema_arrow.names
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DatasetError(
            f"{path} cannot be read as parquet: {one_line(error)}; {shard.remedy()}"
        ) from error
    return file


def _rows_of(
    file: pq.ParquetFile, start: int, stop: int | None, columns: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Yield rows of one file, skipping the row groups that lie before `start`."""
    columns = [_stored(file.schema_arrow, column) for column in columns]
    groups, skipped = _groups(file, start, stop)
    position = skipped
    # To hand a few rows to a pool of threads costs more than to read them.
    batches = file.iter_batches(BATCH_ROWS, row_groups=groups, columns=columns, use_threads=False)
    for batch in batches:
        for cells in _python(batch):
            if position >= start and (stop is None or position < stop):
                yield cells
            position += 1


def _stored(schema: pa.Schema, column: str) -> str:
    """Return the column to read for the paths in one of audio: itself, where it is mere text."""
    of = column.removesuffix(".path")
    is_text = column not in schema.names and of in schema.names and (
        pa.types.is_string(schema.field(of).type) or pa.types.is_large_string(schema.field(of).type)
    )  # fmt: skip
    return of if is_text else column


def _python(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """Return the rows of a batch; a cell that Python has no value for is text, or empty."""
    try:
        rows: list[dict[str, Any]] = batch.to_pylist()
    except (ValueError, OverflowError):
        columns = {name: [_cell(cell) for cell in batch[name]] for name in batch.schema.names}
        return [{name: cells[i] for name, cells in columns.items()} for i in range(len(batch))]
    return rows


def _cell(scalar: pa.Scalar) -> object:
    """Return one cell: text that is not UTF-8 is none, a time in nanoseconds is text."""
    try:
        return scalar.as_py()
    except (ValueError, OverflowError):
        pass
    try:
        return scalar.cast(pa.string()).as_py()
    except (ValueError, pa.ArrowException):
        return None


def _groups(file: pq.ParquetFile, start: int, stop: int | None) -> tuple[list[int], int]:
    """Return the row groups that hold rows in `[start, stop)`, and the rows before them."""
    chosen: list[int] = []
    first, skipped = 0, 0
    for group in range(file.num_row_groups):
        end = first + file.metadata.row_group(group).num_rows
        if end <= start:
            skipped = end
        elif stop is None or first < stop:
            chosen.append(group)
        first = end
    return chosen, skipped


def _features(schema: pa.Schema) -> Mapping[str, Any]:
    """Return the column types that `datasets` writes into a parquet file, if it made it."""
    stored = (schema.metadata or {}).get(b"huggingface")
    try:
        features = json.loads(stored)["info"]["features"] if stored else {}
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return features if isinstance(features, dict) else {}


def _kind(arrow_type: pa.DataType, feature: object) -> Kind:
    declared = feature.get("_type") if isinstance(feature, Mapping) else None
    if declared in ("Audio", "Image", "Video"):
        return Kind.AUDIO if declared == "Audio" else Kind.OTHER
    if pa.types.is_struct(arrow_type):
        return Kind.AUDIO if _holds_audio(arrow_type) else Kind.OTHER
    if _is_binary(arrow_type):
        return Kind.AUDIO
    if _is_list(arrow_type):
        # Lists of lists are channels of samples.
        inner = arrow_type.value_type
        inner = inner.value_type if _is_list(inner) else inner
        return Kind.OTHER if pa.types.is_nested(inner) else Kind.LIST
    return Kind.OTHER if pa.types.is_nested(arrow_type) else Kind.SCALAR


def _holds_audio(record: pa.StructType) -> bool:
    """Tell whether records hold an encoded file, or samples with their rate."""
    types = {field.name: field.type for field in record}
    if "bytes" in types:
        return _is_binary(types["bytes"]) or pa.types.is_null(types["bytes"])
    return {"array", "sampling_rate"} <= set(types) and _is_list(types["array"])


def _is_binary(arrow_type: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(arrow_type)
        or pa.types.is_large_binary(arrow_type)
        or pa.types.is_binary_view(arrow_type)
        or pa.types.is_fixed_size_binary(arrow_type)
    )


def _is_list(arrow_type: pa.DataType) -> bool:
    return bool(
        pa.types.is_list(arrow_type)
        or pa.types.is_large_list(arrow_type)
        or pa.types.is_fixed_size_list(arrow_type)
    )


def noted_in(path: Path) -> tuple[str, str]:
    """Return the name of the corpus that a parquet file holds, and how it was read; else empty."""
    try:
        metadata = pq.read_schema(path).metadata or {}
        said = json.loads(metadata.get(NOTE, b"{}"))
        return str(said["corpus"]), str(said["read_as"])
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, RecursionError):
        return "", ""
