"""A folder that holds a known corpus -> the dataset, with its splits or folds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

from serval.corpora import folds_by_rule, published_folds
from serval.datasets.columns import Kind, Schema
from serval.datasets.dataset import clip_source, dataset_of, fingerprint_of, lines_of_audio
from serval.datasets.layout import is_fold
from serval.datasets.rows import Row
from serval.datasets.split_column import rows_of_part, shared_with_train
from serval.errors import DatasetError
from serval.records import Known

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from serval.corpora import Corpus
    from serval.datasets.corpus_folder import CorpusFolder
    from serval.datasets.options import DatasetOptions
    from serval.records import Dataset, LeftOut

FIRST = ("label", "speaker", "gender", "text", "intensity")
"""Columns in the order in which people look for them; the corpus's further ones follow."""

FOLDS_BY_RULE = (
    "its folds are made from the clips that are here, by a rule (speakers kept apart, emotions and "
    "sex balanced), since none that keep speakers apart are published"
)


@dataclass(frozen=True, kw_only=True)
class CorpusTable:
    """One row for each clip of a corpus."""

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
        had = dict.fromkeys(name for row in self.folder.rows.values() for name in row)
        names = ["file_name", *dict.fromkeys([*filter(had.__contains__, FIRST), *had])]
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

    Raises:
        DatasetNotFoundError: There is no such split or fold, or not one of the files is there.
        DatasetError: There is no clip.
    """
    corpus, whole, subject = folder.corpus, CorpusTable(folder=folder), str(folder.root)
    if not folder.rows:
        reasons = "; ".join(f"{part.n:,} {part.reason}" for part in folder.left_out)
        raise DatasetError(f"{subject} holds no clip of {corpus.name}: {reasons}")
    table, split, unnamed = rows_of_part(whole, options.split, subject, hide=True)
    source = replace(clip_source(table, folder.root, split, options, subject), closed=True)
    known = Known(
        name=corpus.name,
        location=str(folder.root.resolve()),
        licence=corpus.licence,
        caveats=(*caveats_of(corpus, split), *shared_with_train(source)),
        left_out=(*closed, *folder.left_out, *unnamed),
        corpus=corpus.name,
        read_as=folder.read_as(),
        scale=corpus.scale,
    )
    rows = (f"{file} {sorted(cells.items())}" for file, cells in folder.rows.items())
    lines = (corpus.name, split, *rows, *lines_of_audio(source))
    return dataset_of(source, known, fingerprint_of(lines), table.n_rows())


def caveats_of(corpus: Corpus, split: str) -> Iterator[str]:
    """Yield what a score on a part of a corpus does not mean."""
    yield from corpus.caveats
    if is_fold(split) and not corpus.folds:
        yield FOLDS_BY_RULE
