"""Getting the files of a hub set: only those that are needed, and only once."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from huggingface_hub import HfApi, constants, hf_hub_download
from huggingface_hub.hf_api import RepoFile, RepoFolder

from serval.datasets.hub_errors import asking_hub, disk_full
from serval.errors import DatasetError, DatasetNotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from serval.datasets.hub_listing import HubSet

__all__ = ["HubCommit", "HubFile", "fetch_all", "refuse_unless_it_fits"]

Answer = TypeVar("Answer")

AT_ONCE = 4
"""Small files fetched at the same time."""

ASKED_AT_ONCE = 500
"""Files whose size is asked for in one request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubCommit:
    """A hub set at one commit.

    Attributes:
        hub_set: The set.
        commit: The commit.
    """

    hub_set: HubSet
    commit: str

    @property
    def folder(self) -> Path:
        """The folder in which the hub's client shows the files of this commit."""
        return self.hub_set.cache / "snapshots" / self.commit

    def file(self, name: str) -> HubFile:
        """Return one of the set's files."""
        return HubFile(at=self, name=name)

    def asking(self, call: Callable[[], Answer]) -> Answer:
        """Return what `call` gets from the hub, or say in one line why it gets nothing."""
        return asking_hub(call, self.hub_set.repo, self.commit)


@dataclass(frozen=True, slots=True, kw_only=True)
class HubFile:
    """One file of a hub set at one commit; calling it fetches the file.

    Attributes:
        at: The set and the commit.
        name: Path of the file in the set.
    """

    at: HubCommit
    name: str

    @property
    def cached(self) -> Path:
        """Where the file is once it is here."""
        return self.at.folder / self.name

    def __call__(self) -> Path:
        """Return where the file is, after fetching it if need be.

        Raises:
            NetworkError: The hub cannot be reached, or the connection broke for good.
            AccessError: The hub wants a token, or an accepted licence.
        """
        if self.cached.exists():
            return self.cached
        return self.at.asking(self._download)

    def _download(self) -> Path:
        repo, commit = self.at.hub_set.repo, self.at.commit
        return Path(hf_hub_download(repo, self.name, repo_type="dataset", revision=commit))


def fetch_all(files: Iterable[HubFile]) -> None:
    """Fetch files, several at a time, passing over those that the set lacks.

    Raises:
        NetworkError: The hub cannot be reached, or the connection broke for good.
    """
    missing = [file for file in files if not file.cached.exists()]
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
    free = shutil.disk_usage(_existing(Path(constants.HF_HUB_CACHE))).free
    if needed > free:
        subject = (
            f"hub set {files[0].at.hub_set.repo} needs {_mb(needed)}, {_mb(free)} are free; it"
        )
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
        repo, commit = at.hub_set.repo, at.commit
        found = HfApi().get_paths_info(repo, names, revision=commit, repo_type="dataset")
        return [_to_fetch(info, at.hub_set.cache / "blobs") for info in found]

    return at.asking(ask)


def _to_fetch(info: RepoFile | RepoFolder, blobs: Path) -> int:
    """Return the bytes that a file would take, which is none if another commit brought it."""
    if not isinstance(info, RepoFile):
        return 0
    name = info.lfs.sha256 if info.lfs else info.blob_id
    return 0 if (blobs / name).exists() else info.size


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def _mb(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.0f} MB"
