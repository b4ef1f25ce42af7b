"""Any set of the hub: the files of one split, fetched when they are read."""

from __future__ import annotations

import logging
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from huggingface_hub import HfApi, constants, hf_hub_download
from huggingface_hub.hf_api import RepoFile, RepoFolder
from huggingface_hub.utils.sha import git_hash

from serval.datasets.card import CARD, card_of
from serval.datasets.columns import audio_alone, choose_columns
from serval.datasets.dataset import (
    ColumnChoice,
    clip_source,
    dataset_of,
    fingerprint_of,
    lines_of_audio,
)
from serval.datasets.layout import Layout, choose_split, layout_of
from serval.datasets.left_out import left_out_of
from serval.datasets.split_column import has_part, rows_of_part, shared_with_train
from serval.datasets.tables import split_table
from serval.errors import AccessError, DatasetError, DatasetNotFoundError, NetworkError
from serval.files import existing, is_file, sha256_of
from serval.hub import Repo, Trouble, asking, disk_full, hide_bars, keep, kept
from serval.wording import composed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from serval.datasets.options import DatasetOptions
    from serval.datasets.rows import ClipSource
    from serval.records import Dataset, Known, LeftOut


SCHEMA = 2
"""Counts up when stored listings can no longer be read."""

TIMEOUT_S = 10.0

ERRORS = {
    Trouble.ACCESS: AccessError,
    Trouble.ABSENT: DatasetNotFoundError,
    Trouble.NETWORK: NetworkError,
    Trouble.UNUSABLE: DatasetError,
}

log = logging.getLogger("serval.datasets")


def hub_set(name: str, revision: str | None = None) -> Repo:
    """Return the repository `ORG/NAME` of a set, at a branch, tag or commit if one is given."""
    return Repo(name=name, kind="set", errors=ERRORS, revision=revision, page="datasets/")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listing:
    """What a hub set consists of at one commit.

    Attributes:
        commit: The commit.
        files: The names of all files, sorted.
        card: The text of its card; empty where it has none.
    """

    commit: str
    files: tuple[str, ...]
    card: str


def load_hub(repo: str, config: str | None, options: DatasetOptions, known: Known) -> Dataset:
    """Return a set of the hub; of parquet sets only the first file is fetched now.

    Raises:
        DatasetNotFoundError: There is no such set, revision, split or column.
        AccessError: The hub wants a token, or an accepted licence.
        NetworkError: The hub cannot be reached, and the set is not in its cache.
        DatasetError: The set does not fit on the disk, or is of a kind that is not read here.
    """
    hide_bars()
    asked = hub_set(repo, options.revision)
    listing = _listing_of(asked)
    at = HubCommit(repo=asked, commit=listing.commit)
    layout = _layout(f"hf:{repo}", config, listing)
    whole = next(iter(layout.splits)) if layout.unnamed else None
    split = whole or choose_split(layout.splits, options.split, known.name)
    source = _source(at, layout, split, options, known.name)
    part, unnamed = _part(source, layout, options, known.name) if whole else (source, ())

    def named_by(name: str) -> Iterator[Path]:
        return _rows(at, layout, name, options, known.name, audio_alone).audio_paths()

    known = replace(
        known,
        location=f"hf://datasets/{repo}@{at.commit}",
        revision=at.commit,
        licence=known.licence if layout.card.licence == "not stated" else layout.card.licence,
        left_out=(*left_out_of(layout, source, named_by), *unnamed),
        caveats=(*known.caveats, *_shared(at, layout, part, options, known.name)),
    )
    fingerprint = fingerprint_of((repo, at.commit, part.split, *layout.splits[split]))
    # Counting rows would fetch every file; what is in the cache must not change what is said.
    n_rows = part.table.n_rows() if part.here else layout.card.n_clips.get(split)
    return dataset_of(part, known, fingerprint, n_rows)


def _shared(
    at: HubCommit, layout: Layout, part: ClipSource, options: DatasetOptions, name: str
) -> Iterator[str]:
    """Yield who speaks in the train part too, as far as small tables or the part's own tell."""

    def opened(split: str) -> ClipSource:
        source = _rows(at, layout, split, options, name)
        if not source.here:
            raise DatasetError(f"{name}: all of '{split}' would be fetched to see who speaks in it")
        return source

    return shared_with_train(part, layout.splits, opened) if part.here else iter(())


def _part(
    source: ClipSource, layout: Layout, options: DatasetOptions, name: str
) -> tuple[ClipSource, tuple[LeftOut, ...]]:
    """Return what reads the part that is asked for, and what is in none.

    Where nothing is named after a split, a column may tell of some: all files are fetched then.
    """
    if not has_part(source.table, options.split):
        choose_split(layout.splits, options.split, name)
        return source, ()
    table, split, unnamed = rows_of_part(source.table, options.split, name)
    return replace(source, table=table, split=split, here=True), unnamed


def _layout(subject: str, config: str | None, listing: _Listing) -> Layout:
    """Return the layout with the name that the hub gives to what has no split: `train`."""
    layout = layout_of(listing.files, card_of(listing.card, config, subject), subject)
    return replace(layout, splits={name or "train": files for name, files in layout.splits.items()})


def _source(
    at: HubCommit, layout: Layout, split: str, options: DatasetOptions, name: str
) -> ClipSource:
    """Return what reads the split, having fetched what the first clip needs."""
    source = _rows(at, layout, split, options, name)
    if source.here:
        listed = {composed(file): file for file in layout.files}
        paths = islice(source.audio_paths(), options.limit)
        names = (composed(source.relative(path)) for path in paths)
        fetch_all(at.file(listed[name]) for name in names if name in listed)
        # What was not to be had is missing now: the clip's failure, unless it is all of them.
        for _ in lines_of_audio(source):
            pass
    return source


def _rows(
    at: HubCommit,
    layout: Layout,
    split: str,
    options: DatasetOptions,
    name: str,
    choose: ColumnChoice = choose_columns,
) -> ClipSource:
    """Return what reads the rows of a split, having fetched the files that say which there are."""
    wanted = [file for file in layout.metadata_of(split) if not is_file(at.folder / file)]
    fetch_all(at.file(file) for file in wanted)
    found = split_table(at.folder, layout, split, options, name, at.file)
    rows_in = [at.file(file) for file in found.rows_in]
    if found.by_shard:
        # How many files a limit needs is not known before they are read.
        needed = rows_in if options.limit is None else rows_in[:1]
        refuse_unless_it_fits([file for file in needed if not is_file(file.path)])
    else:
        fetch_all(rows_in)
    source = clip_source(found.table, at.folder, split, options, name, choose)
    return replace(source, closed=True, here=not found.by_shard)


def _listing_of(repo: Repo) -> _Listing:
    """Return what the set consists of now, or what the cache knows where there is no network.

    Raises:
        NetworkError: The hub cannot be reached and the set was never opened before.
        AccessError: The hub wants a token, or an accepted licence.
        DatasetNotFoundError: There is no such set or revision.
    """
    stored = _parsed(kept(repo, repo.revision or "default"))
    if stored is not None and (stored.commit == repo.revision or constants.HF_HUB_OFFLINE):
        return stored
    try:
        return _asked(repo, stored)
    except NetworkError as error:
        if stored is None:
            raise
        fault, _, _ = str(error).partition(";")
        log.warning("%s; going on with commit %s from the cache", fault, stored.commit[:12])
        return stored


def _asked(repo: Repo, stored: _Listing | None) -> _Listing:
    """Return the listing of the newest commit, keeping it for the next time."""
    info = asking(lambda: _info(repo), repo)
    if stored is not None and stored.commit == info.sha:
        return stored
    names = (sibling.rfilename for sibling in info.siblings or ())
    files = tuple(sorted(name for name in names if _is_below(name)))
    card = HubCommit(repo=repo, commit=info.sha).file(CARD)
    text = card().read_bytes().decode("utf-8", "replace") if CARD in files else ""
    content = {"schema": SCHEMA, "commit": info.sha, "files": files, "card": text}
    keep(repo, repo.revision or "default", content)
    return _Listing(commit=info.sha, files=files, card=text)


def _info(repo: Repo) -> Any:  # noqa: ANN401 - the hub's own type differs between versions
    return HfApi().dataset_info(repo.name, revision=repo.revision, timeout=TIMEOUT_S)


def _is_below(name: str) -> bool:
    """Tell whether a name that the hub gives stays in the set's folder."""
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts


def _parsed(content: Mapping[str, Any] | None) -> _Listing | None:
    """Return a stored listing, or `None` for what another version or hand wrote."""
    if content is None or content.get("schema") != SCHEMA:
        return None
    commit, files, card = (content.get(key) for key in ("commit", "files", "card"))
    if not (isinstance(commit, str) and isinstance(files, list) and isinstance(card, str)):
        return None
    if not all(isinstance(file, str) and _is_below(file) for file in files):
        return None
    return _Listing(commit=commit, files=tuple(files), card=card)


AT_ONCE = 4
"""Small files fetched at the same time."""

ASKED_AT_ONCE = 500
"""Files whose size is asked for in one request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubCommit:
    """A hub set at one commit."""

    repo: Repo
    commit: str

    @property
    def cache(self) -> Path:
        """The folder in which the hub's client keeps the set."""
        return Path(constants.HF_HUB_CACHE) / f"datasets--{self.repo.name.replace('/', '--')}"

    @property
    def folder(self) -> Path:
        """The folder in which the hub's client shows the files of this commit."""
        return self.cache / "snapshots" / self.commit

    def file(self, name: str) -> HubFile:
        """Return one of the set's files."""
        return HubFile(at=self, name=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class HubFile:
    """One file of a hub set at one commit; calling it fetches the file."""

    at: HubCommit
    name: str

    @property
    def path(self) -> Path:
        """Where the file is once it is here."""
        return self.at.folder / self.name

    def __call__(self) -> Path:
        """Return where the file is, after fetching it if need be.

        Raises:
            NetworkError: The hub cannot be reached, or the connection broke for good.
            AccessError: The hub wants a token, or an accepted licence.
        """
        return self.path if is_file(self.path) else asking(self._download, self.at.repo)

    def remedy(self) -> str:
        """Return what helps where the file cannot be read: it is damaged here, or on the hub."""
        blob = self.path.resolve()
        if _digest(blob) == blob.name:
            return "it is so on the hub: tell the set's owner, or choose another set"
        return (
            f"the copy in the hub's cache is damaged: delete {blob} and run the same command again"
        )

    def _download(self) -> Path:
        commit = self.at.commit
        name = self.at.repo.name
        return Path(hf_hub_download(name, self.name, repo_type="dataset", revision=commit))


def fetch_all(files: Iterable[HubFile]) -> None:
    """Fetch files, several at a time, passing over those that the set lacks.

    Raises:
        NetworkError: The hub cannot be reached, or the connection broke for good.
    """
    missing = [file for file in files if not is_file(file.path)]
    refuse_unless_it_fits(missing)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for _ in pool.map(_fetch_if_there, missing):
            pass


def refuse_unless_it_fits(files: Sequence[HubFile]) -> None:
    """Compare the size of files that are to be fetched with the free disk.

    Raises:
        DatasetError: They do not fit; the message says how to move the cache.
        NetworkError: The hub cannot be reached.
    """
    if not files:
        return
    needed = sum(_sizes(files))
    free = shutil.disk_usage(existing(Path(constants.HF_HUB_CACHE))).free
    if needed > free:
        subject = f"{files[0].at.repo} needs {_mb(needed)}, {_mb(free)} are free; it"
        raise DatasetError(disk_full(subject))


def _fetch_if_there(file: HubFile) -> None:
    try:
        file()
    except DatasetNotFoundError:
        return


def _sizes(files: Sequence[HubFile]) -> Iterator[int]:
    for start in range(0, len(files), ASKED_AT_ONCE):
        yield from _sizes_of_few(files[start : start + ASKED_AT_ONCE])


def _sizes_of_few(files: Sequence[HubFile]) -> list[int]:
    at, names = files[0].at, [file.name for file in files]

    def ask() -> list[int]:
        repo, commit = at.repo.name, at.commit
        found = HfApi().get_paths_info(repo, names, revision=commit, repo_type="dataset")
        return [_to_fetch(info, at.cache / "blobs") for info in found]

    return asking(ask, at.repo)


def _to_fetch(info: RepoFile | RepoFolder, blobs: Path) -> int:
    """Return the bytes that a file would take, which is none if another commit brought it."""
    if not isinstance(info, RepoFile):
        return 0
    name = info.lfs.sha256 if info.lfs else info.blob_id
    return 0 if (blobs / name).exists() else info.size


def _digest(blob: Path) -> str:
    """Return the name that the hub's client gives to this content: sha256, or git's own sha1."""
    if len(blob.name) == 64:
        return sha256_of(blob)
    return git_hash(blob.read_bytes())


def _mb(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.0f} MB"
