"""A single file that lists clips: a manifest, or a parquet file with the audio in it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from serval.datasets.columns import choose_columns, text_of
from serval.datasets.fingerprint import fingerprint_of, lines_of_contents
from serval.datasets.manifest import SUFFIXES, ManifestTable
from serval.datasets.rows import ClipSource, Table, least
from serval.datasets.speakers import shared_speakers
from serval.datasets.splits import choose_split
from serval.errors import DatasetError, DatasetNotFoundError
from serval.files import sha256_of
from serval.records import Dataset
from serval.wording import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from serval.datasets.options import DatasetOptions

__all__ = [
    "Known",
    "clip_source",
    "dataset_here",
    "dataset_of",
    "lines_of_audio",
    "load_file",
    "short_name",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known about a set beside its rows.

    Attributes:
        name: What people read in titles and tables.
        location: Where it was found.
        licence: Of the audio, as far as known.
        caveats: One sentence each on what a score on this set does not mean.
        label_map: What the set's own codes mean.
        revision: The commit of a hub set.
    """

    name: str
    location: str
    licence: str = "not stated"
    caveats: tuple[str, ...] = ()
    label_map: Mapping[str, str] = field(default_factory=dict)
    revision: str = ""


def load_file(path: Path, options: DatasetOptions, known: Known | None = None) -> Dataset:
    """Return the dataset that one .csv, .tsv, .jsonl or .parquet file describes.

    Raises:
        DatasetNotFoundError: A column, the split, or all of the audio is missing.
        DatasetError: The file is empty or cannot be read as what its name says.
    """
    subject = known.name if known else str(path)
    known = known or Known(name=short_name(path), location=str(path.resolve()))
    if path.suffix.lower() == ".parquet":
        table, split = _parquet_table(path), choose_split([""], options.split, subject)
    elif path.suffix.lower() in SUFFIXES:
        table, split = _manifest_table(path, options, subject)
    else:
        raise DatasetError(
            f"{path} is not a dataset: give a folder, or a file that ends in "
            f"{', '.join(sorted((*SUFFIXES, '.parquet')))}"
        )
    source = clip_source(table, path.parent, split, options, subject)
    caveats = (*known.caveats, *_leaks(source, path))
    return dataset_here(source, [path], replace(known, caveats=caveats))


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
    lines = (*lines_of_contents(files), *lines_of_audio(source))
    return dataset_of(source, known, fingerprint_of(lines), source.table.n_rows())


def dataset_of(source: ClipSource, known: Known, fingerprint: str, n_rows: int | None) -> Dataset:
    """Return the dataset of a source.

    Args:
        source: What reads the clips.
        known: What is known beside the rows.
        fingerprint: Changes when a clip or a label changes.
        n_rows: Number of rows as far as known.

    Raises:
        DatasetError: There is no clip.
    """
    if n_rows == 0:
        raise DatasetError(f"{source.name} has no clips; give it at least one row")
    return Dataset(
        name=known.name,
        location=known.location,
        split=source.split,
        revision=known.revision,
        fingerprint=fingerprint,
        clips=source.clips,
        metadata=source.metadata,
        n_clips=None if n_rows is None else least(n_rows, source.limit),
        label_map=known.label_map,
        licence=known.licence,
        caveats=known.caveats,
    )


def clip_source(
    table: Table, root: Path, split: str, options: DatasetOptions, name: str
) -> ClipSource:
    """Return what reads the clips of `table`, its columns chosen by `options`."""
    columns = choose_columns(table.schema, options, name)
    return ClipSource(
        table=table, columns=columns, root=root, name=name, split=split, limit=options.limit
    )


def _parquet_table(path: Path) -> Table:
    from serval.datasets.parquet import Here, ParquetTable

    return ParquetTable(shards=[Here(path)], folder=path.parent, class_names={})


def _manifest_table(path: Path, options: DatasetOptions, name: str) -> tuple[Table, str]:
    """Return the rows of a manifest, of one split if it has a column `split`."""
    table = ManifestTable(files=[path])
    column = next((name for name in table.schema.kinds if name.casefold() == "split"), None)
    if column is None:
        return table, choose_split([""], options.split, name)
    values = dict.fromkeys(text_of(row.cells.get(column)) or "" for row in table.rows(0, None, ()))
    split = choose_split(values, options.split, name)
    return ManifestTable(files=[path], split_column=column, split=split), split


def _leaks(source: ClipSource, path: Path) -> Iterator[str]:
    """Yield what the split's speakers have in common with a train split in the same manifest."""
    table = source.table
    if source.split in ("", "train") or not isinstance(table, ManifestTable):
        return
    train = ManifestTable(files=[path], split_column=table.split_column, split="train")
    yield from shared_speakers(source, replace(source, table=train))


def lines_of_audio(source: ClipSource) -> Iterator[str]:
    """Yield the name and content of each audio file, as a hash.

    Raises:
        DatasetNotFoundError: Not one of the files exists.
    """
    n_files, first = 0, None
    for path in source.audio_paths():
        found = path.is_file()
        n_files += found
        first = first or path
        yield f"{source.relative(path)} {_content_of(path) if found else 'missing'}"
    if first is not None and n_files == 0:
        raise DatasetNotFoundError(
            f"{source.name}: not one of its audio files exists, beginning with {first}; "
            f"paths are relative to the folder of the file that lists them"
        )


def _content_of(path: Path) -> str:
    """Return the file's sha256; a file that cannot be read is its clip's failure, not the set's."""
    try:
        return sha256_of(path)
    except OSError:
        return "unreadable"
