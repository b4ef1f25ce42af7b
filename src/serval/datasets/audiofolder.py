"""Audio files in folders: labelled by a metadata file beside them, or by the folder's name."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from serval.datasets.columns import Kind, Schema
from serval.datasets.layout import AUDIO_SUFFIXES, METADATA_NAMES
from serval.datasets.manifest import ManifestTable
from serval.datasets.rows import Row, Table
from serval.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from serval.datasets.rows import ClipSource

__all__ = ["FolderTable", "audio_table", "metadata_files", "unlisted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderTable:
    """One row for each audio file, whose label is the name of the folder it lies in.

    Attributes:
        files: The audio files, relative to `root`.
        root: The set's folder.
    """

    files: Sequence[str]
    root: Path

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
            yield Row({"file_name": file, "label": PurePosixPath(file).parent.name}, self.root)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenTable:
    """The rows of a metadata file that name a file of the split.

    Attributes:
        table: Every row.
        files: The audio files of the split, as full paths.
    """

    table: Table
    files: frozenset[str]

    @property
    def schema(self) -> Schema:
        """The columns of the metadata file."""
        return self.table.schema

    def n_rows(self) -> int:
        """Return the number of rows that are kept."""
        return sum(1 for _ in self._kept())

    def rows(self, start: int, stop: int | None, _columns: Sequence[str], /) -> Iterator[Row]:
        """Yield the rows from `start` up to `stop`."""
        return islice(self._kept(), start, stop)

    def _kept(self) -> Iterator[Row]:
        for row in self.table.rows(0, None, list(self.table.schema.kinds)):
            name = str(row.cells.get("file_name")).replace("\\", "/")
            if os.path.normpath(row.folder / name) in self.files:
                yield row


def metadata_files(files: Sequence[str], present: Sequence[str]) -> tuple[str, ...]:
    """Return the metadata files that speak of `files`: of the split, else of a folder above.

    Args:
        files: The files of the split.
        present: Every metadata file of the set.
    """
    own = tuple(file for file in files if PurePosixPath(file).name in METADATA_NAMES)
    above = {parent for file in files for parent in PurePosixPath(file).parents}
    return own or tuple(file for file in present if PurePosixPath(file).parent in above)


def audio_table(root: Path, files: Sequence[str], metadata: Sequence[str], subject: str) -> Table:
    """Return the rows for audio files, by their metadata files or the folders they lie in.

    Raises:
        DatasetError: There is nothing that labels them.
    """
    audio = [file for file in files if PurePosixPath(file).suffix.lower() in AUDIO_SUFFIXES]
    if not metadata:
        return _by_folder(root, audio, subject)
    table = _metadata_table([root / name for name in metadata])
    if set(metadata) <= set(files):
        return table
    full = frozenset(os.path.normpath(root / file) for file in audio)
    return ChosenTable(table=table, files=full)


def unlisted(files: Sequence[str], source: ClipSource) -> Iterator[str]:
    """Yield one sentence if some of the split's audio files have no row, else nothing."""
    audio = {file for file in files if PurePosixPath(file).suffix.lower() in AUDIO_SUFFIXES}
    left = audio - {source.relative(path) for path in source.audio_paths()}
    if left:
        yield f"{len(left)} audio files of this split stand in no metadata file and are left out"


def _metadata_table(files: list[Path]) -> Table:
    if files[0].suffix.lower() != ".parquet":
        return ManifestTable(files=files)
    from serval.datasets.parquet import Here, ParquetTable

    return ParquetTable(shards=[Here(file) for file in files], folder=None, class_names={})


def _by_folder(root: Path, audio: Sequence[str], subject: str) -> Table:
    labels = {PurePosixPath(file).parent.name for file in audio}
    if len(labels) < 2:
        raise DatasetError(
            f"{subject} has {len(audio)} audio files but nothing that labels them; add a "
            "metadata.csv with the columns file_name and label, put them in one folder for each "
            "label, or give a manifest file itself"
        )
    return FolderTable(files=audio, root=root)
