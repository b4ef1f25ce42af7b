"""Any set of the hub: the files of one split, fetched when they are read."""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from huggingface_hub import constants
from huggingface_hub.utils.tqdm import disable_progress_bars

from serval.datasets.audiofolder import unlisted
from serval.datasets.fingerprint import fingerprint_of
from serval.datasets.hub_fetch import HubCommit, fetch_all, refuse_unless_it_fits
from serval.datasets.hub_listing import HubSet, listing_of
from serval.datasets.local import Known, clip_source, dataset_of, lines_of_audio
from serval.datasets.splits import choose_split
from serval.datasets.stored import SplitTable, split_table

if TYPE_CHECKING:
    from serval.datasets.options import DatasetOptions
    from serval.datasets.rows import ClipSource
    from serval.records import Dataset

__all__ = ["load_hub"]


def load_hub(hub_set: HubSet, options: DatasetOptions, known: Known) -> Dataset:
    """Return a set of the hub; of parquet sets only the first file is fetched now.

    Raises:
        DatasetNotFoundError: There is no such set, revision, split or column.
        AccessError: The hub wants a token, or an accepted licence.
        NetworkError: The hub cannot be reached, and the set is not in its cache.
        DatasetError: The set does not fit on the disk, or is of a kind that is not read here.
    """
    _hide_bars(quiet=options.quiet)
    listing = listing_of(hub_set)
    at, layout = HubCommit(hub_set=hub_set, commit=listing.commit), listing.layout
    split = choose_split(layout.splits, options.split, known.name)
    found = split_table(at.folder, layout, split, known.name, at.file)
    source = _source(at, found, split, options, known.name)
    known = replace(
        known,
        location=f"hf://datasets/{hub_set.repo}@{at.commit}",
        revision=at.commit,
        caveats=(*known.caveats, *unlisted(layout.splits[split], source)),
        licence=layout.licence if known.licence == "not stated" else known.licence,
    )
    fingerprint = fingerprint_of((hub_set.repo, at.commit, split, *layout.splits[split]))
    # Counting rows would fetch every file; what is in the cache must not change what is said.
    n_rows = layout.n_clips.get(split) if found.by_shard else source.table.n_rows()
    return dataset_of(source, known, fingerprint, n_rows)


def _source(
    at: HubCommit, found: SplitTable, split: str, options: DatasetOptions, name: str
) -> ClipSource:
    """Return what reads the split, having fetched what the first clip needs."""
    rows_in = [at.file(file) for file in found.rows_in]
    if found.by_shard:
        # How many files a limit needs is not known before they are read.
        needed = rows_in if options.limit is None else rows_in[:1]
        refuse_unless_it_fits([file for file in needed if not file.cached.exists()])
    else:
        fetch_all(rows_in)
    source = replace(clip_source(found.table, at.folder, split, options, name), closed=True)
    paths = islice(source.audio_paths(), options.limit)
    fetch_all(at.file(source.relative(path)) for path in paths)
    # What was not to be had is missing now: the clip's failure, unless it is all of them.
    for _ in lines_of_audio(source):
        pass
    return source


def _hide_bars(*, quiet: bool) -> None:
    """Turn off the progress bars of downloads where nobody looks, unless the user set them."""
    if constants.HF_HUB_DISABLE_PROGRESS_BARS is None and (quiet or not sys.stderr.isatty()):
        disable_progress_bars()
