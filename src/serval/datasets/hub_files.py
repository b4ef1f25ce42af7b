"""Getting the files of a hub set: only those that are needed, and only once."""

from __future__ import annotations

import hashlib
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from huggingface_hub import HfApi, constants, hf_hub_download
from huggingface_hub.hf_api import RepoFile, RepoFolder

from serval.errors import DatasetError, DatasetNotFoundError
from serval.files import is_file, sha256_of
from serval.hub import asking, disk_full

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from serval.hub import Repo

__all__ = ["HubCommit", "HubFile", "fetch_all", "refuse_unless_it_fits"]

AT_ONCE = 4
"""Small files fetched at the same time."""

ASKED_AT_ONCE = 500
"""Files whose size is asked for in one request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubCommit:
    """A hub set at one commit.

    Attributes:
        repo: The set.
        commit: The commit.
    """

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
    """One file of a hub set at one commit; calling it fetches the file.

    Attributes:
        at: The set and the commit.
        name: Path of the file in the set.
    """

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
    free = shutil.disk_usage(_existing(Path(constants.HF_HUB_CACHE))).free
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
    content = blob.read_bytes()
    head = f"blob {len(content)}\0".encode()
    return hashlib.sha1(head + content, usedforsecurity=False).hexdigest()


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def _mb(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.0f} MB"
