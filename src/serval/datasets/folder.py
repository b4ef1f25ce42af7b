"""A local folder in one of the layouts that the hub knows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from serval.datasets.audiofolder import unlisted
from serval.datasets.layout import Layout, layout_of_folder
from serval.datasets.local import Known, clip_source, dataset_here, short_name
from serval.datasets.parquet import Here, Shard
from serval.datasets.speakers import shared_speakers
from serval.datasets.splits import choose_split
from serval.datasets.stored import split_table
from serval.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from serval.datasets.options import DatasetOptions
    from serval.datasets.rows import ClipSource
    from serval.records import Dataset

__all__ = ["load_folder"]


def load_folder(root: Path, options: DatasetOptions) -> Dataset:
    """Return the dataset in a folder of parquet files, audio files or manifests.

    Raises:
        DatasetNotFoundError: A column, the split, or all of the audio is missing.
        DatasetError: The folder holds nothing that can be read as a dataset.
    """
    layout = layout_of_folder(root)
    split = choose_split(layout.splits, options.split, str(root))
    source, rows_in = _source(root, layout, split, options)
    known = Known(
        name=short_name(root),
        location=str(root.resolve()),
        licence=layout.licence,
        caveats=(
            *unlisted(layout.splits[split], source),
            *_leaks(root, layout, source, options),
        ),
    )
    return dataset_here(source, rows_in, known)


def _source(
    root: Path, layout: Layout, split: str, options: DatasetOptions
) -> tuple[ClipSource, list[Path]]:
    """Return what reads a split, and the files that its rows stand in."""

    def shard(file: str) -> Shard:
        return Here(root / file)

    found = split_table(root, layout, split, str(root), shard)
    source = clip_source(found.table, root, split, options, str(root))
    return replace(source, closed=True), [root / file for file in found.rows_in]


def _leaks(
    root: Path, layout: Layout, source: ClipSource, options: DatasetOptions
) -> Iterator[str]:
    """Yield what the split's speakers have in common with a train split beside it."""
    if "train" not in layout.splits or source.split == "train" or not source.columns.speaker:
        return
    try:
        train, _ = _source(root, layout, "train", options)
        yield from shared_speakers(source, train)
    except DatasetError:
        # A train split of another shape is no reason not to read this one.
        return
