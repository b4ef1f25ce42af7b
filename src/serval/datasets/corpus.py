"""A folder that holds a known corpus -> the dataset, with its splits or folds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

from serval.corpora import folds_by_rule, published_folds
from serval.datasets.columns import Kind, Schema, choose_columns
from serval.datasets.dataset import (
    Known,
    clip_source,
    dataset_of,
    fingerprint_of,
    lines_of_audio,
)
from serval.datasets.fold_column import rows_of_fold, without_fold
from serval.datasets.rows import Row
from serval.datasets.split_column import rows_of_split, shared_in_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from serval.datasets.corpus_folder import CorpusFolder
    from serval.datasets.options import DatasetOptions
    from serval.records import Dataset, LeftOut

__all__ = ["CorpusTable", "corpus_dataset"]

FIRST = ("label", "speaker", "gender", "text", "intensity")
"""Columns in the order in which people look for them; the corpus's further ones follow."""

FOLDS_BY_RULE = (
    "its folds are made from the clips that are here, by a rule (speakers kept apart, emotions and "
    "sex balanced), since none that keep speakers apart are published"
)


@dataclass(frozen=True, kw_only=True)
class CorpusTable:
    """One row for each clip of a corpus.

    Attributes:
        folder: What is in the corpus's folder.
    """

    folder: CorpusFolder

    @cached_property
    def folds(self) -> Mapping[str, str]:
        """Speaker -> the fold in whose test part the clips are; empty with official splits."""
        if self.folder.corpus.official:
            return {}
        return published_folds(self.folder.corpus) or folds_by_rule(
            (row["speaker"], (row["label"], row.get("gender", "")))
            for row in self.folder.rows.values()
            if "speaker" in row
        )

    @cached_property
    def schema(self) -> Schema:
        """The columns that at least one clip has, and `fold` where there are folds."""
        had = {name for row in self.folder.rows.values() for name in row}
        others = dict.fromkeys(name for row in self.folder.rows.values() for name in row)
        names = ["file_name", *dict.fromkeys([*filter(had.__contains__, FIRST), *others])]
        folds = ["fold"] if self.folds else []
        return Schema(kinds=dict.fromkeys([*names, *folds], Kind.SCALAR))

    def n_rows(self) -> int:
        """Return the number of clips."""
        return len(self.folder.rows)

    def rows(self, start: int, stop: int | None, _columns: Sequence[str], /) -> Iterator[Row]:
        """Yield the rows from `start` up to `stop`."""
        for file, cells in islice(self.folder.rows.items(), start, stop):
            fold = self.folds.get(cells.get("speaker", ""))
            yield Row({"file_name": file, **cells, "fold": fold}, self.folder.root)


def corpus_dataset(
    folder: CorpusFolder, options: DatasetOptions, closed: Sequence[LeftOut]
) -> Dataset:
    """Return the dataset of a corpus, or of one of its splits or folds.

    Args:
        folder: What is in the corpus's folder.
        options: Which part to read.
        closed: What could not be looked into.

    Raises:
        DatasetNotFoundError: There is no such split or fold, or not one of the files is there.
        DatasetError: There is no clip.
    """
    corpus, whole = folder.corpus, CorpusTable(folder=folder)
    subject = str(folder.root)
    fold = rows_of_fold(whole, options.split, subject)
    plain = rows_of_split(without_fold(whole), options.split, subject) if fold is None else fold
    table, split, unnamed = plain
    source = clip_source(table, folder.root, split, options, subject, choose_columns)
    source = replace(source, closed=True)
    by_rule = fold is not None and not corpus.folds
    known = Known(
        name=corpus.name,
        location=str(folder.root.resolve()),
        licence=corpus.licence,
        caveats=(
            *corpus.caveats,
            *((FOLDS_BY_RULE,) if by_rule else ()),
            *shared_in_table(source),
        ),
        left_out=(*closed, *folder.left_out, *unnamed),
        corpus=corpus.name,
        read_as=folder.read_as(),
    )
    rows = (f"{file} {sorted(cells.items())}" for file, cells in folder.rows.items())
    lines = (corpus.name, split, *rows, *lines_of_audio(source))
    return dataset_of(source, known, fingerprint_of(lines), table.n_rows())
