"""The rows of one split in a folder, by the way in which the split is stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from serval.datasets.audiofolder import audio_table, metadata_files
from serval.datasets.layout import Layout, Stored, stored_as
from serval.datasets.manifest import ManifestTable
from serval.datasets.parquet import ParquetTable, Shard

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from serval.datasets.rows import Table

__all__ = ["SplitTable", "split_table"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitTable:
    """The rows of a split.

    Attributes:
        table: The rows.
        rows_in: The files that they stand in, relative to the set's folder.
        by_shard: The table gets its files itself, one when it needs it.
    """

    table: Table
    rows_in: tuple[str, ...]
    by_shard: bool


def split_table(
    root: Path, layout: Layout, split: str, subject: str, shard: Callable[[str], Shard]
) -> SplitTable:
    """Return the rows of a split, reading nothing yet.

    Args:
        root: The set's folder.
        layout: Its files.
        split: One of its splits.
        subject: What the user calls the set.
        shard: From the name of a parquet file to what gets it.

    Raises:
        DatasetError: The split is of a kind that is not read here.
    """
    files = layout.splits[split]
    stored = stored_as(files, f"{subject}, split '{split}'," if split else subject)
    if stored is Stored.PARQUET:
        shards = [shard(file) for file in files]
        table = ParquetTable(shards=shards, folder=root, class_names=layout.class_names)
        return SplitTable(table=table, rows_in=files, by_shard=True)
    if stored is Stored.MANIFESTS:
        manifests = ManifestTable(files=[root / file for file in files])
        return SplitTable(table=manifests, rows_in=files, by_shard=False)
    rows_in = metadata_files(files, layout.metadata)
    rows = audio_table(root, files, rows_in, subject)
    return SplitTable(table=rows, rows_in=rows_in, by_shard=False)
