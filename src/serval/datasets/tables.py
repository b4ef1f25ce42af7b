"""The rows of one split, by what the split consists of."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from serval.corpora import known_corpora
from serval.datasets.card import CARD
from serval.datasets.columns import Kind, Schema, audio_alone
from serval.datasets.layout import Layout, is_audio, is_decoded, suffix_of
from serval.datasets.manifest import SUFFIXES, ManifestTable
from serval.datasets.parquet import ParquetTable, Shard
from serval.datasets.rows import Row, Table
from serval.errors import DatasetError
from serval.labels import emotion_of
from serval.wording import composed, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from serval.datasets.options import DatasetOptions

EMOTION_WORDS = frozenset(
    {word for corpus in known_corpora() for word in corpus.emotions} | {"boredom", "frustration"}
) - {"other"}
"""Every emotion that a known corpus has, in the one spelling of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitTable:
    """The rows of a split.

    Attributes:
        table: The rows.
        rows_in: The files that they stand in, relative to the set's folder.
        by_shard: The table gets its files itself, one when it needs it.
    """

    table: Table
    rows_in: tuple[str, ...] = ()
    by_shard: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderTable:
    """One row for each audio file, whose label is the name of a folder it lies in."""

    files: Sequence[str]
    root: Path
    labels: Mapping[str, str]

    @property
    def schema(self) -> Schema:
        """The two columns."""
        return Schema(kinds={"file_name": Kind.SCALAR, "label": Kind.SCALAR})

    def n_rows(self) -> int:
        """Return the number of files."""
        return len(self.files)

    def rows(self, start: int, stop: int | None, _columns: Sequence[str], /) -> Iterator[Row]:
        """Yield the rows from `start` up to `stop`."""
        for file in islice(self.files, start, stop):
            yield Row({"file_name": file, "label": self.labels[file]}, self.root)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedTable:
    """The rows of a metadata file for the whole set that speak of one split.

    Attributes:
        table: Every row.
        column: Names the file.
        root: The set's folder.
        layout: The files of all splits.
        split: The one to keep.
    """

    table: Table
    column: str
    root: Path
    layout: Layout
    split: str

    @property
    def schema(self) -> Schema:
        """The columns of the metadata file."""
        return self.table.schema

    def n_rows(self) -> int:
        """Return the number of rows that are kept."""
        return sum(1 for _ in self._kept(self.split))

    def rows(self, start: int, stop: int | None, _columns: Sequence[str], /) -> Iterator[Row]:
        """Yield the rows from `start` up to `stop`."""
        return islice(self._kept(self.split), start, stop)

    def astray(self) -> Iterator[str]:
        """Yield the file that each row names which speaks of no split."""
        for row in self._kept(None):
            yield str(row.cells.get(self.column))

    def _kept(self, split: str | None) -> Iterator[Row]:
        split_of = {
            composed(file): name for name, files in self.layout.splits.items() for file in files
        }
        for row in self.table.rows(0, None, list(self.schema.kinds)):
            text = str(row.cells.get(self.column)).replace("\\", "/")
            file = composed(os.path.relpath(os.path.normpath(row.folder / text), self.root))
            if split_of.get(file, self._split_above(file)) == split:
                yield row

    def _split_above(self, file: str) -> str | None:
        """Return the split in whose folder a file would lie that is not there."""
        folders = self.layout.folders.items()
        return next((name for name, path in folders if file.startswith(f"{path}/")), None)


def split_table(
    root: Path,
    layout: Layout,
    split: str,
    options: DatasetOptions,
    subject: str,
    shard: Callable[[str], Shard],
) -> SplitTable:
    """Return the rows of a split, reading nothing yet but metadata files for several splits.

    Raises:
        DatasetError: There is nothing that says which clips and labels there are.
    """
    _refuse_unmatched(layout, split, subject)
    sounds = [file for file in layout.splits[split] if is_audio(file)]
    metadata = layout.metadata_of(split)
    if sounds and metadata:
        _refuse_mixed(metadata, subject)
        found = _table(root, metadata, layout, shard, own_folder=True)
        if set(metadata) <= set(layout.splits[split]):
            return found
        column = audio_alone(found.table.schema, options, subject).audio
        listed = ListedTable(
            table=found.table, column=column, root=root, layout=layout, split=split
        )
        return replace(found, table=listed)
    decoded = [file for file in sounds if is_decoded(file)]
    labels = _folder_labels(sounds, layout.folders.get(split, ""), subject)
    if decoded and _tell_labels(labels.values()):
        return SplitTable(table=FolderTable(files=decoded, root=root, labels=labels))
    for suffixes in ((".parquet",), SUFFIXES):
        if tables := [file for file in layout.splits[split] if suffix_of(file) in suffixes]:
            if sounds and layout.unnamed and suffixes == SUFFIXES:
                # That a table of any name labels the files beside it would be a guess.
                raise DatasetError(_unlabelled(sounds, subject, tables[0]))
            return _table(root, tables, layout, shard, own_folder=False)
    raise DatasetError(_unlabelled(sounds, subject))


def _refuse_unmatched(layout: Layout, split: str, subject: str) -> None:
    """Refuse a split for which the card names files that are not there."""
    if layout.card.patterns is not None and not layout.splits[split]:
        named = ", ".join(map(printable, layout.card.patterns[split]))
        raise DatasetError(
            f"{subject}: its {CARD} names {named} for split '{printable(split)}', which is no file "
            "of the set; fetch what is missing, or mend `data_files`"
        )


def _table(
    root: Path,
    files: Sequence[str],
    layout: Layout,
    shard: Callable[[str], Shard],
    *,
    own_folder: bool,
) -> SplitTable:
    """Return the rows of tables of one kind; paths in parquet are relative to the root or file."""
    if suffix_of(files[0]) != ".parquet":
        manifests = ManifestTable(files=[root / file for file in files])
        return SplitTable(table=manifests, rows_in=tuple(files))
    shards = [shard(file) for file in files]
    folder = None if own_folder else root
    table = ParquetTable(shards=shards, folder=folder, class_names=layout.card.class_names)
    return SplitTable(table=table, rows_in=tuple(files), by_shard=not own_folder)


def _folder_labels(files: Sequence[str], folder: str, subject: str) -> dict[str, str]:
    """Return the label of each file: its own folder, or the one above that all have an emotion for.

    In `angry/speaker1/x.wav` the folder of the file says who speaks. Only names of emotions can
    tell that, so where not every file lies in a folder of such a name, its own folder is taken.

    Raises:
        DatasetError: Folders within each other name different emotions.
    """
    above = {file: _folders_above(file, folder) for file in files}
    own = {file: names[-1] if names else "" for file, names in above.items()}
    if all(emotion_of(label) in EMOTION_WORDS for label in own.values()):
        return own
    named = {
        file: [name for name in names if emotion_of(name) in EMOTION_WORDS]
        for file, names in above.items()
    }
    if not all(named.values()):
        return own
    for file, names in named.items():
        if len({emotion_of(name) for name in names}) > 1:
            raise DatasetError(
                f"{subject}: {printable(file)} lies in folders of several emotions, "
                f"{' and '.join(names)}; keep one of them, or add a metadata.csv with the columns "
                "file_name and label"
            )
    return {file: names[-1] for file, names in named.items()}


def _tell_labels(folders: Iterable[str]) -> bool:
    """Tell whether folders are labels: several of them, or a single one named after an emotion."""
    names = set(folders)
    return len(names - {""}) > 1 or all(emotion_of(name) in EMOTION_WORDS for name in names)


def _folders_above(file: str, folder: str) -> list[str]:
    """Return the names of the folders that a file lies in, below the split's own."""
    within = file.removeprefix(f"{folder}/") if folder else file
    return within.split("/")[:-1]


def _refuse_mixed(metadata: Sequence[str], subject: str) -> None:
    if len({suffix_of(file) for file in metadata}) > 1:
        raise DatasetError(
            f"{subject} has {' and '.join(metadata[:2])}, which say the same in two forms; "
            "keep one of them"
        )


def _unlabelled(sounds: Sequence[str], subject: str, beside: str = "") -> str:
    undecoded = sorted({suffix_of(file) for file in sounds if not is_decoded(file)})
    if undecoded and not any(is_decoded(file) for file in sounds):
        return (
            f"{subject} has {len(sounds)} audio files, none of a kind that is decoded "
            f"({', '.join(undecoded)}); convert them: ffmpeg -i IN OUT.wav"
        )
    manifest = f"itself ({beside}?)" if beside else "itself"
    folders = {file.rpartition("/")[0].rpartition("/")[2] for file in sounds}
    named = f" (one folder, '{printable(min(folders))}', tells no clips apart)"
    return (
        f"{subject} has {len(sounds)} audio files but nothing that labels them"
        f"{named if len(folders) == 1 and '' not in folders else ''}; add a "
        "metadata.csv with the columns file_name and label, put them in one folder for each "
        f"label, or give a manifest file {manifest}"
    )
