"""A single file that lists clips: a manifest, or a parquet file with the audio in it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from serval.corpora import corpus_called
from serval.datasets.corpus import caveats_of
from serval.datasets.dataset import Known, clip_source, dataset_here, short_name
from serval.datasets.layout import ARCHIVES, is_audio
from serval.datasets.manifest import SUFFIXES, ManifestTable
from serval.datasets.split_column import rows_of_part, shared_with_train
from serval.errors import DatasetError
from serval.wording import printable

if TYPE_CHECKING:
    from pathlib import Path

    from serval.corpora import Corpus
    from serval.datasets.options import DatasetOptions
    from serval.datasets.rows import Table
    from serval.records import Dataset

RENAMED = {
    suffix: f"; rename it to {kind} if that is what it holds"
    for suffix, kind in {".txt": ".csv or .tsv", ".tab": ".tsv", ".json": ".jsonl"}.items()
}
RENAMED |= dict.fromkeys((".xlsx", ".xls", ".ods"), "; save the sheet as .csv")
RENAMED |= dict.fromkeys(ARCHIVES, "; unpack it, and give the folder")
"""What to do with a file that often holds clips, or a list of them, in another form."""


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
            f"{', '.join(sorted((*SUFFIXES, '.parquet')))}{_instead(path)}"
        )
    whole = _parquet_table(path) if suffix == ".parquet" else ManifestTable(files=[path])
    corpus, read_as = _prepared(path) if suffix == ".parquet" else (None, "")
    table, split, left_out = rows_of_part(whole, options.split, subject, hide=corpus is not None)
    source = clip_source(table, path.parent, split, options, subject)
    if corpus is not None:
        known = replace(
            known,
            name=corpus.name,
            licence=corpus.licence,
            caveats=tuple(caveats_of(corpus, split)),
            corpus=corpus.name,
            read_as=read_as,
        )
    caveats = (*known.caveats, *shared_with_train(source))
    return dataset_here(source, [path], replace(known, caveats=caveats, left_out=left_out))


def _instead(path: Path) -> str:
    """Return what to do with a file that is no dataset."""
    if is_audio(path.name):
        return f"; to name the emotion in it: serval predict {printable(str(path))}"
    return RENAMED.get(path.suffix.lower(), "")


def _parquet_table(path: Path) -> Table:
    from serval.datasets.parquet import Here, ParquetTable

    return ParquetTable(shards=[Here(path)], folder=path.parent, class_names={})


def _prepared(path: Path) -> tuple[Corpus | None, str]:
    """Return the corpus that `serval datasets prepare` wrote into a file, and how it was read."""
    from serval.datasets.parquet import noted_in

    name, read_as = noted_in(path)
    return corpus_called(name), read_as
