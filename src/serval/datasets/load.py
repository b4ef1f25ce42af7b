"""From the name of a dataset to the dataset."""

from __future__ import annotations

import hashlib
import os
import re
from collections import defaultdict
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from serval.corpora import corpus_called, known_corpora
from serval.datasets.corpus import caveats_of
from serval.datasets.dataset import clip_source, dataset_here, short_name
from serval.datasets.layout import ARCHIVES, is_audio
from serval.datasets.manifest import SUFFIXES, ManifestTable
from serval.datasets.options import DatasetOptions
from serval.datasets.split_column import rows_of_part, shared_with_train
from serval.errors import ConfigError, DatasetError, DatasetNotFoundError
from serval.files import is_file, is_folder, names_beside
from serval.records import Known
from serval.wording import counted, did_you_mean, one_line, printable, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from serval.corpora import Corpus
    from serval.datasets.rows import Table
    from serval.records import Clip, ClipReader, Dataset


HUB = "hf:"
KNOWN = "known: demo, ssi, hf:ORG/NAME, CORPUS:PATH, or a path"

MOST_CLIPS = 10**9
"""No set has more: a thousand years of speech."""

RENAMED = {
    suffix: f"; rename it to {kind} if that is what it holds"
    for suffix, kind in {".txt": ".csv or .tsv", ".tab": ".tsv", ".json": ".jsonl"}.items()
}
RENAMED |= dict.fromkeys((".xlsx", ".xls", ".ods"), "; save the sheet as .csv")
RENAMED |= dict.fromkeys(ARCHIVES, "; unpack it, and give the folder")
"""What to do with a file that often holds clips, or a list of them, in another form."""

NAME = re.compile(r"(?!.*\.\.)[\w.-]+")
"""One part of a name on the hub: no path, and none that leads upwards."""


def load_dataset(name: str, *, options: DatasetOptions | None = None) -> Dataset:
    """Return the dataset called `name`, opened but not read.

    Args:
        name: `demo`, `ssi`, `hf:ORG/NAME` (or `hf:ORG/NAME/CONFIG`), a folder, `CORPUS:PATH` of
            one that holds a known corpus, or a file that ends in .csv, .tsv, .jsonl or .parquet.
        options: Which part of it to read, and which columns hold what.

    Raises:
        DatasetNotFoundError: There is no such set, split, file or column.
        AccessError: The hub wants a token or an accepted licence.
        NetworkError: The hub cannot be reached, and the set is not in its cache.
        DatasetError: The set is there but cannot be read.
    """
    options = options or DatasetOptions()
    if not name.strip():
        raise ConfigError(f"the dataset has no name; {KNOWN}")
    _check(options)
    return part_of(_whole(name, options), options)


def part_of(dataset: Dataset, options: DatasetOptions) -> Dataset:
    """Return as much of an opened dataset as `limit` or `sample` says.

    Raises:
        ConfigError: They leave nothing, or do not go together.
    """
    _check(options)
    if options.limit is not None:
        return first_clips(dataset, options.limit)
    return (
        dataset if options.sample is None else sampled(dataset, options.sample, options.sample_seed)
    )


def _check(options: DatasetOptions) -> None:
    if options.limit is not None and options.sample is not None:
        raise ConfigError("--limit and --sample both cut the set; give one of them")
    for flag, n in (("--limit", options.limit), ("--sample", options.sample)):
        if n is not None and n < 1:
            raise ConfigError(f"{flag} {n} leaves no clip; give at least 1")
        if n is not None and n > MOST_CLIPS:
            raise ConfigError(f"{flag} {shown(n)} is more clips than any set has; leave it out")
    if options.sample is None and options.sample_seed != DatasetOptions.sample_seed:
        raise ConfigError(
            f"--sample-seed {options.sample_seed} draws nothing without --sample; give both, or "
            "leave it out"
        )


def _whole(name: str, options: DatasetOptions) -> Dataset:
    """Return the dataset of that name, cut by `limit` only."""
    corpus = next((known for known in known_corpora() if known.name == name), None)
    if options.revision is not None and not is_of_hub(name):
        raise ConfigError(
            f"--revision {shown(options.revision)} is about sets of the hub, and "
            f"'{one_line(name[:200])}' is none; leave it out"
        )
    if options.include is not None and (is_of_hub(name) or corpus or is_file(name)):
        raise ConfigError(
            f"--include is about folders of known corpora, and '{one_line(name[:200])}' is none; "
            "leave it out"
        )
    if corpus is not None and corpus.location:
        return _at_its_place(corpus, options)
    if name.startswith(HUB):
        return _from_hub(name, options, Known(name=name, location=name))
    asked, path = named_corpus(name)
    return _from_disk(Path(path).expanduser(), options, asked)


def is_of_hub(name: str) -> bool:
    """Tell whether a name is that of a set on the hub.

    Examples:
        >>> is_of_hub("ssi"), is_of_hub("hf:org/set"), is_of_hub("demo"), is_of_hub("hf.csv")
        (True, True, False, False)
    """
    known = (corpus.location for corpus in known_corpora() if corpus.name == name)
    return next(known, name).startswith(HUB)


def named_corpus(name: str) -> tuple[Corpus | None, str]:
    """Return the corpus of `NAME:PATH`, and the path; of any other name `None`, and the name.

    Examples:
        >>> corpus, path = named_corpus("crema-d:/data/mine")
        >>> corpus.name, path
        ('CREMA-D', '/data/mine')
        >>> named_corpus("C:/data/mine")
        (None, 'C:/data/mine')
    """
    before, colon, path = name.partition(":")
    corpus = corpus_called(before) if colon else None
    return (None, name) if corpus is None or Path(name).exists() else (corpus, path)


def _at_its_place(corpus: Corpus, options: DatasetOptions) -> Dataset:
    """Return a set that needs no path: of the hub, or a part of the package."""
    known = Known(
        name=corpus.name,
        location=corpus.location,
        licence=corpus.licence,
        caveats=corpus.caveats,
        label_map=corpus.labels,
    )
    if corpus.location.startswith(HUB):
        return _from_hub(corpus.location, options, known)
    return load_file(
        Path(str(files("serval") / "builtin" / corpus.name / "manifest.csv")), options, known
    )


def _from_hub(name: str, options: DatasetOptions, known: Known) -> Dataset:
    parts = name.removeprefix(HUB).split("/", 2)
    if len(parts) < 2 or not all(NAME.fullmatch(part) for part in parts):
        raise DatasetNotFoundError(
            f"'{name}' does not name a hub set; write hf:ORG/NAME or hf:ORG/NAME/CONFIG"
        )
    from serval.datasets.hub import load_hub

    repo, config = "/".join(parts[:2]), parts[2] if len(parts) > 2 else None
    return load_hub(repo, config, options, known)


def _from_disk(path: Path, options: DatasetOptions, asked: Corpus | None) -> Dataset:
    if is_folder(path):
        from serval.datasets.folder import load_folder

        return load_folder(path, options, asked)
    if is_file(path):
        return load_file(path, options)
    named = f"{asked.name}: " if asked else ""
    raise DatasetNotFoundError(
        f"{named}dataset '{one_line(str(path)[:200])}' is not a name that serval knows, nor a "
        f"folder or file that exists{_hint(str(path))}; {KNOWN}{_meant(str(path))}"
    )


def load_file(path: Path, options: DatasetOptions, known: Known | None = None) -> Dataset:
    """Return the dataset that one .csv, .tsv, .jsonl or .parquet file describes.

    The file says which clips there are: what else lies beside it is no part of the set.

    Raises:
        DatasetNotFoundError: A column, the split, or all of the audio is missing.
        DatasetError: The file is empty or cannot be read as what its name says.
    """
    subject = known.name if known else str(path)
    known = known or Known(name=short_name(path), location=str(path.resolve()))
    if path.suffix.lower() not in (*SUFFIXES, ".parquet"):
        raise DatasetError(
            f"{path} is not a dataset: give a folder, or a file that ends in "
            f"{', '.join(sorted((*SUFFIXES, '.parquet')))}{_instead(path)}"
        )
    whole, corpus, read_as = _opened(path)
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
            scale=corpus.scale,
        )
    caveats = (*known.caveats, *shared_with_train(source))
    return dataset_here(source, [path], replace(known, caveats=caveats, left_out=left_out))


def _instead(path: Path) -> str:
    """Return what to do with a file that is no dataset."""
    if is_audio(path.name):
        return f"; to name the emotion in it: serval predict {printable(str(path))}"
    return RENAMED.get(path.suffix.lower(), "")


def _opened(path: Path) -> tuple[Table, Corpus | None, str]:
    """Return a file's rows, and the corpus that `serval datasets prepare` wrote, and how read."""
    if path.suffix.lower() != ".parquet":
        return ManifestTable(files=[path]), None, ""
    from serval.datasets.parquet import Here, ParquetTable, noted_in

    name, read_as = noted_in(path)
    table = ParquetTable(shards=[Here(path)], folder=path.parent, class_names={})
    return table, corpus_called(name), read_as


def _meant(name: str) -> str:
    """Return the known set, or what lies beside, that a name may have meant."""
    before, colon, after = name.partition(":")
    known = [corpus.name for corpus in known_corpora() if colon or corpus.location]
    if colon and after and re.fullmatch(r"[\w-]{2,40}", before):
        return did_you_mean(before, known)
    return did_you_mean(os.path.basename(name), [*known, *names_beside(name)])  # noqa: PTH119 - takes any text


def _hint(name: str) -> str:
    """Return what somebody may have meant who named a corpus but not where it is, or misspelt it.

    Examples:
        >>> _hint("ravdess")
        ' (RAVDESS is read from its folder: -d FOLDER)'
        >>> _hint("crema:somewhere")
        ' (no corpus is called crema; serval datasets lists them)'
        >>> _hint("clips.csv")
        ''
    """
    corpus = corpus_called(name)
    if corpus is not None and not corpus.location:
        return f" ({corpus.name} is read from its folder: -d FOLDER)"
    before, colon, after = name.partition(":")
    if colon and after and re.fullmatch(r"[\w-]{2,40}", before):
        return f" (no corpus is called {before}; serval datasets lists them)"
    return ""


def first_clips(dataset: Dataset, n: int) -> Dataset:
    """Return a dataset that was cut after `n` clips, with a caveat if there are more."""
    if dataset.n_rows is not None and dataset.n_rows <= n:
        return dataset
    caveat = (
        f"only the first {counted(n, 'clip')} of the set, in its own order: the rest may be unlike "
        "them"
    )
    return replace(dataset, caveats=(*dataset.caveats, caveat))


def sampled(dataset: Dataset, n: int, seed: int) -> Dataset:
    """Return a random sample of `n` clips, with as large a share of each label as in the set.

    A clip keeps its index and its id. The labels of all clips are read for it, no audio.

    Args:
        dataset: An opened set; all of it is returned if it has no more than `n` clips.
        n: Number of clips, at least 1.
        seed: Same set, same seed, same clips.
    """
    clips = [(clip.index, clip.label) for clip in dataset.metadata(0, None)]
    if len(clips) <= n:
        return dataset
    positions = stratified([label for _, label in clips], n, seed)
    chosen = frozenset(clips[position][0] for position in positions)
    state = f"{dataset.fingerprint} sample {n} seed {seed}"
    way = "at random" if dataset.is_rated else "by label"
    caveat = (
        f"a random sample of {n:,} of the set's {len(clips):,} clips, drawn {way} (seed {seed})"
    )
    return replace(
        dataset,
        clips=only(dataset.clips, chosen),
        metadata=only(dataset.metadata, chosen),
        n_clips=n,
        fingerprint=hashlib.sha256(state.encode()).hexdigest(),
        caveats=(*dataset.caveats, caveat),
    )


def stratified(labels: Sequence[str], n: int, seed: int) -> list[int]:
    """Return `n` positions in rising order, each label's share as in `labels`.

    Each label gets its share of `n` rounded down; what is left goes to the largest remainders. A
    label with clips gets at least one while there are places for all labels.

    Source: the largest remainder method, Hamilton (1792).

    Args:
        labels: `(N,)`, N at least n.
        n: Number of positions.
        seed: Of the random numbers.

    Examples:
        >>> chosen = stratified(["sad"] * 6 + ["happy"] * 3 + ["calm"], 5, seed=0)
        >>> sorted(["sad"] * 6 + ["happy"] * 3 + ["calm"])[0], len(chosen)
        ('calm', 5)
    """
    members: defaultdict[str, list[int]] = defaultdict(list)
    for position, label in enumerate(labels):
        members[label].append(position)
    rng = np.random.default_rng(seed)
    places = _places([len(members[label]) for label in sorted(members)], n)
    chosen: list[int] = []
    for label, some in zip(sorted(members), places, strict=True):
        chosen += rng.choice(members[label], some, replace=False).tolist()
    return sorted(chosen)


def _places(sizes: Sequence[int], n: int) -> list[int]:
    """Return how many of each stratum are taken; they sum to `n`."""
    share = np.array(sizes, dtype=np.float64) * n / sum(sizes)
    least = 1 if len(sizes) <= n else 0
    places = np.maximum(np.floor(share), least).astype(int)
    while places.sum() != n:
        short = share - places
        # Where single clips were given to rare labels, the label with most to spare gives one back.
        at = short.argmax() if places.sum() < n else np.where(places > least, short, 2.0).argmin()
        places[at] += 1 if places.sum() < n else -1
    return [int(some) for some in places]


def only(read: ClipReader, chosen: frozenset[int]) -> ClipReader:
    """Return a reader of the clips with these indices."""
    last = max(chosen, default=-1) + 1

    def clips(start: int, stop: int | None) -> Iterator[Clip]:
        end = last if stop is None else min(stop, last)
        return (clip for clip in read(start, end) if clip.index in chosen)

    return clips
