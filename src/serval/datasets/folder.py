"""A local folder in one of the layouts that the hub knows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from serval.datasets.card import CARD, card_of
from serval.datasets.columns import audio_alone, choose_columns
from serval.datasets.corpus import corpus_dataset
from serval.datasets.corpus_folder import corpus_in
from serval.datasets.dataset import (
    ColumnChoice,
    clip_source,
    dataset_here,
    short_name,
)
from serval.datasets.layout import choose_split, layout_of, with_empty_splits
from serval.datasets.left_out import left_out_of, rows_in_missing_parts, unaccounted
from serval.datasets.listing import listing_of_folder
from serval.datasets.parquet import Here
from serval.datasets.split_column import rows_of_part, shared_with_train
from serval.datasets.tables import SplitTable, split_table
from serval.errors import ConfigError, DatasetError
from serval.files import is_file
from serval.records import Known
from serval.wording import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from serval.corpora import Corpus
    from serval.datasets.layout import Layout
    from serval.datasets.options import DatasetOptions
    from serval.datasets.rows import ClipSource
    from serval.records import Dataset, LeftOut

MOST_OF_CARD = 1 << 22
"""Bytes of a README.md that are looked at."""


def load_folder(root: Path, options: DatasetOptions, asked: Corpus | None = None) -> Dataset:
    """Return the dataset in a folder of parquet files, audio files or manifests.

    Raises:
        DatasetNotFoundError: A column, the split, or all of the audio is missing.
        DatasetError: The folder holds nothing that can be read as a dataset.
    """
    subject, listing = str(root), listing_of_folder(root)
    closed = (*listing.closed, *unaccounted(root, listing.files))
    corpus, unlike = corpus_in(root, listing.files, asked, options.include)
    if corpus is not None:
        return corpus_dataset(corpus, options, closed)
    if options.include is not None:
        raise ConfigError(f"--include is about known corpora, and {subject} was read as none")
    layout = layout_of(listing.files, card_of(_card_text(root), None, subject), subject)
    layout = with_empty_splits(layout, listing.folders)
    return _split_dataset(root, layout, options, closed, (unlike,) if unlike else ())


def _split_dataset(
    root: Path,
    layout: Layout,
    options: DatasetOptions,
    closed: tuple[LeftOut, ...],
    caveats: tuple[str, ...],
) -> Dataset:
    """Return the dataset of one split of a folder, with what of the folder is in none."""
    subject = str(root)
    split = _split_of(layout, options, subject)
    whole, found = _source(root, layout, split, options)

    def named_by(name: str) -> Iterator[Path]:
        return _source(root, layout, name, options, audio_alone)[0].audio_paths()

    left_out = (*closed, *left_out_of(layout, whole, named_by))
    if found.by_shard:
        left_out += tuple(rows_in_missing_parts(found.rows_in, whole.table.n_rows()))
    source = whole
    if layout.unnamed and not split:
        table, own, unnamed = rows_of_part(whole.table, options.split, subject)
        source, left_out = replace(whole, table=table, split=own), (*left_out, *unnamed)
    shared = shared_with_train(
        source, layout.splits, lambda name: _source(root, layout, name, options)[0]
    )
    known = Known(
        name=short_name(root),
        location=str(root.resolve()),
        licence=layout.card.licence,
        caveats=(*caveats, *shared),
        left_out=left_out,
    )
    return dataset_here(source, [root / file for file in found.rows_in], known)


def _split_of(layout: Layout, options: DatasetOptions, subject: str) -> str:
    """Return the split of the files; `""` where only a column can tell of any."""
    if layout.unnamed and set(layout.splits) == {""}:
        return ""
    split = choose_split(layout.splits, options.split, subject)
    if not layout.splits[split] and layout.card.patterns is None:
        full = ", ".join(printable(name) for name, files in layout.splits.items() if files)
        raise DatasetError(
            f"{subject}: the folder of split '{printable(split)}' has no clips in it; fill it, or "
            f"choose another with --split: {full}"
        )
    return split


def _card_text(root: Path) -> str:
    card = root / CARD
    if not is_file(card):
        return ""
    try:
        with card.open("rb") as file:
            return file.read(MOST_OF_CARD).decode("utf-8", "replace")
    except OSError:
        return ""


def _source(
    root: Path,
    layout: Layout,
    split: str,
    options: DatasetOptions,
    choose: ColumnChoice = choose_columns,
) -> tuple[ClipSource, SplitTable]:
    """Return what reads a split, and its rows."""
    subject = str(root)
    found = split_table(root, layout, split, options, subject, lambda file: Here(root / file))
    source = clip_source(found.table, root, split, options, subject, choose)
    return replace(source, closed=True), found
