"""A set as one portable parquet file: audio, labels, speakers, folds and further columns."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from serval.audio import encoded_bytes
from serval.datasets.corpus import CorpusTable
from serval.datasets.corpus_folder import CorpusFolder, corpus_in
from serval.datasets.dataset import clip_source
from serval.datasets.listing import listing_of_folder
from serval.datasets.load import load_dataset, named_corpus
from serval.datasets.options import DatasetOptions
from serval.datasets.parquet import NOTE
from serval.errors import AudioError, ConfigError
from serval.files import is_folder, whole_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from serval.records import Clip, LeftOut

GROUP_CLIPS = 64
"""In one row group: a clip is seldom over 1 MB."""

OWN = ("audio", "label", "speaker")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A file that was written.

    Attributes:
        path: Where it is.
        clips: Number of clips in it.
        unreadable: How many of them could not be read, whose audio is empty.
        read_as: How the set was read, if it is a known corpus.
        left_out: What lay in the set's place and is not in the file.
    """

    path: Path
    clips: int
    unreadable: int
    read_as: str
    left_out: tuple[LeftOut, ...]


def prepare(name: str, path: Path, options: DatasetOptions | None = None) -> Prepared:
    """Return the file that a set was written into, to be evaluated like the set itself.

    Of a known corpus all splits are written, and the fold of each clip. Of any other set it is the
    split that is read.

    Raises:
        ServalError: There is no such set, or the file cannot be written.
    """
    options = options or DatasetOptions()
    if path.suffix.lower() != ".parquet":
        raise ConfigError(f"{path} is no name of a parquet file; end it in .parquet")
    asked, place = named_corpus(name)
    root = Path(place).expanduser()
    if options.split is None and is_folder(root):
        listing = listing_of_folder(root)
        corpus, _ = corpus_in(root, listing.files, asked, options.include)
        if corpus is not None:
            return _prepared_corpus(root, corpus, path, options, listing.closed)
    dataset = load_dataset(name, options=options)
    names: dict[str, None] = {}
    several = False
    for clip in dataset.metadata(0, None):
        names |= dict.fromkeys(clip.groups)
        several |= clip.emotions is not None
    label = "" if dataset.is_rated else "label"
    n, unreadable = _written(
        dataset.clips(0, None), path, tuple(names), {}, label=label, several=several
    )
    return Prepared(path=path, clips=n, unreadable=unreadable, read_as=dataset.read_as,
                    left_out=dataset.left_out)  # fmt: skip


def _prepared_corpus(
    root: Path,
    corpus: CorpusFolder,
    path: Path,
    options: DatasetOptions,
    closed: tuple[LeftOut, ...],
) -> Prepared:
    """Return the file with all splits of a known corpus."""
    source = clip_source(CorpusTable(folder=corpus), root, "", options, str(root))
    note = {"corpus": corpus.corpus.name, "read_as": corpus.read_as()}
    clips, several = source.clips(0, None), bool(options.label_separator)
    n, unreadable = _written(clips, path, source.columns.groups, note, several=several)
    return Prepared(path=path, clips=n, unreadable=unreadable, read_as=note["read_as"],
                    left_out=(*closed, *corpus.left_out))  # fmt: skip


def _written(
    clips: Iterable[Clip],
    path: Path,
    columns: Sequence[str],
    note: dict[str, str],
    *,
    label: str = "label",
    several: bool = False,
) -> tuple[int, int]:
    """Return how many clips were written, and how many of them could not be read.

    `label` is the name of that column; empty for a set that has none.
    """
    columns = [name for name in columns if name not in OWN]
    schema = _schema(tuple(filter(None, (label, "speaker", *columns))), note, several=several)
    n = unreadable = 0
    with whole_file(path) as part, pq.ParquetWriter(part, schema) as writer:
        waiting = _rows(clips, columns, several=several)
        while rows := list(islice(waiting, GROUP_CLIPS)):
            n, unreadable = n + len(rows), unreadable + sum(not r["audio"]["bytes"] for r in rows)
            writer.write_table(pa.Table.from_pylist(rows, schema), row_group_size=GROUP_CLIPS)
    return n, unreadable


def _schema(columns: Sequence[str], note: dict[str, str], *, several: bool) -> pa.Schema:
    """Return the columns; where a clip may have several emotions, the label is a list."""
    audio = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    text = {"dtype": "string", "_type": "Value"}
    kinds = dict.fromkeys(columns, pa.string())
    features: dict[str, object] = {"audio": {"_type": "Audio"}, **dict.fromkeys(columns, text)}
    if several:
        kinds["label"] = pa.list_(pa.string())
        features["label"] = {"feature": text, "_type": "Sequence"}
    metadata = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    if note:
        metadata[NOTE] = json.dumps(note).encode()
    return pa.schema([("audio", audio), *kinds.items()], metadata=metadata)


def _rows(
    clips: Iterable[Clip], columns: Sequence[str], *, several: bool
) -> Iterator[dict[str, Any]]:
    for clip in clips:
        try:
            content = encoded_bytes(clip.audio)
        except AudioError:
            content = b""
        groups = {name: clip.groups.get(name) for name in columns}
        label = clip.emotions if several else clip.label
        yield {"audio": {"bytes": content, "path": clip.id}, "label": label,
               "speaker": clip.speaker, **groups}  # fmt: skip
