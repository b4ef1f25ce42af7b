"""Rows of parquet files, read a few at a time so that memory stays flat."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from serval.datasets.columns import Kind, Schema
from serval.datasets.rows import Row
from serval.errors import DatasetError, DatasetNotFoundError

__all__ = ["Here", "ParquetTable", "Shard"]

BATCH_ROWS = 16
"""Rows held at a time: a clip is seldom over 1 MB, so a batch stays within tens of MB."""

BUFFER_BYTES = 1 << 20
"""Read at a time from each column."""

Shard = Callable[[], Path]
"""Returns where one parquet file is, after fetching it if need be."""


@dataclass(frozen=True, slots=True)
class Here:
    """The shard of a file that is there already."""

    path: Path

    def __call__(self) -> Path:
        """Return where the file is."""
        return self.path


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
        with _opened(self.shards[0]()) as file:
            schema = file.schema_arrow
        features = _features(schema)
        return Schema(
            kinds={field.name: _kind(field.type, features.get(field.name)) for field in schema},
            class_names={**self.class_names, **_class_names(features)},
        )

    def n_rows(self) -> int:
        """Return how many rows there are, fetching every file if need be."""
        return sum(_n_rows(shard()) for shard in self.shards)

    def rows(self, start: int, stop: int | None, columns: Sequence[str], /) -> Iterator[Row]:
        """Yield the rows from `start` up to `stop`, opening only the files that hold them."""
        first = 0
        for shard in self.shards:
            if stop is not None and first >= stop:
                return
            with _opened(path := shard()) as file:
                self._check(file, columns, path)
                end = None if stop is None else stop - first
                for cells in _rows_of(file, max(start - first, 0), end, columns):
                    yield Row(cells, self.folder or path.parent)
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


def _opened(path: Path) -> pq.ParquetFile:
    try:
        # So the reader holds pages, not a row group, which may be the whole file.
        return pq.ParquetFile(path, buffer_size=BUFFER_BYTES, pre_buffer=False)
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(
            f"{path} cannot be read as parquet: {_one_line(error)}; fetch or write it again"
        ) from error


def _n_rows(path: Path) -> int:
    with _opened(path) as file:
        return int(file.metadata.num_rows)


def _rows_of(
    file: pq.ParquetFile, start: int, stop: int | None, columns: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Yield rows of one file, skipping the row groups that lie before `start`."""
    groups, skipped = _groups(file, start, stop)
    position = skipped
    try:
        for batch in file.iter_batches(BATCH_ROWS, row_groups=groups, columns=list(columns)):
            for cells in batch.to_pylist():
                if position >= start and (stop is None or position < stop):
                    yield cells
                position += 1
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(
            f"a parquet file breaks off near row {position}: {_one_line(error)}; fetch it again"
        ) from error


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
    except (ValueError, KeyError, TypeError):
        return {}
    return features if isinstance(features, dict) else {}


def _kind(arrow_type: pa.DataType, feature: object) -> Kind:
    declared = feature.get("_type") if isinstance(feature, Mapping) else None
    if declared in ("Audio", "Image", "Video"):
        return Kind.AUDIO if declared == "Audio" else Kind.OTHER
    if pa.types.is_struct(arrow_type):
        names = {field.name for field in arrow_type}
        return Kind.AUDIO if {"bytes", "path"} <= names else Kind.OTHER
    if pa.types.is_binary(arrow_type) or pa.types.is_large_binary(arrow_type):
        return Kind.AUDIO
    return Kind.OTHER if pa.types.is_nested(arrow_type) else Kind.SCALAR


def _class_names(features: Mapping[str, Any]) -> dict[str, Sequence[str]]:
    return {
        name: tuple(feature["names"])
        for name, feature in features.items()
        if isinstance(feature, Mapping) and feature.get("_type") == "ClassLabel"
        if "names" in feature
    }


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
