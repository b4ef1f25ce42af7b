"""A single file that lists clips: a manifest, or a parquet file with the audio in it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from serval.datasets.columns import text_of
from serval.datasets.dataset import (
    Known,
    clip_source,
    dataset_here,
    shared_speakers,
    short_name,
)
from serval.datasets.listing import counted
from serval.datasets.manifest import SUFFIXES, ManifestTable
from serval.datasets.splits import choose_split
from serval.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from serval.datasets.options import DatasetOptions
    from serval.datasets.rows import ClipSource, Table
    from serval.records import Dataset, LeftOut

__all__ = ["load_file"]


def load_file(path: Path, options: DatasetOptions, known: Known | None = None) -> Dataset:
    """Return the dataset that one .csv, .tsv, .jsonl or .parquet file describes.

    The file says which clips there are: what else lies beside it is no part of the set.

    Raises:
        DatasetNotFoundError: A column, the split, or all of the audio is missing.
        DatasetError: The file is empty or cannot be read as what its name says.
    """
    subject = known.name if known else str(path)
    known = known or Known(name=short_name(path), location=str(path.resolve()))
    suffix = path.suffix.lower()
    if suffix not in (*SUFFIXES, ".parquet"):
        raise DatasetError(
            f"{path} is not a dataset: give a folder, or a file that ends in "
            f"{', '.join(sorted((*SUFFIXES, '.parquet')))}"
        )
    whole = _parquet_table(path) if suffix == ".parquet" else ManifestTable(files=[path])
    table, split, left_out = _rows_of_split(whole, options, subject)
    source = clip_source(table, path.parent, split, options, subject)
    caveats = (*known.caveats, *_shared_in_file(source))
    return dataset_here(source, [path], replace(known, caveats=caveats, left_out=left_out))


def _parquet_table(path: Path) -> Table:
    from serval.datasets.parquet import Here, ParquetTable

    return ParquetTable(shards=[Here(path)], folder=path.parent, class_names={})


def _rows_of_split(
    table: Table, options: DatasetOptions, name: str
) -> tuple[Table, str, tuple[LeftOut, ...]]:
    """Return the rows of one split, if there is a column `split`, and what is in none."""
    column = next((name for name in table.schema.kinds if name.casefold() == "split"), None)
    if column is None or not isinstance(table, ManifestTable):
        return table, choose_split([""], options.split, name), ()
    texts = [text_of(row.cells.get(column)) or "" for row in table.rows(0, None, ())]
    splits = dict.fromkeys(text for text in texts if text) or {"": None}
    split = choose_split(splits, options.split, name)
    unnamed = [f"row {i}" for i, text in enumerate(texts, 1) if not text and split]
    left_out = (counted(f"with nothing in the column {column}", unnamed),) if unnamed else ()
    return replace(table, split_column=column, split=split), split, left_out


def _shared_in_file(source: ClipSource) -> Iterator[str]:
    """Yield what the split's speakers have in common with a train split in the same manifest."""
    table = source.table
    if source.split in ("", "train") or not isinstance(table, ManifestTable):
        return
    train = replace(table, split="train")
    yield from shared_speakers(source, replace(source, table=train))
