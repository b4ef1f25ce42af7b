"""What the hub's clients raise, said in one line with the remedy; and what is worth another try."""

from __future__ import annotations

import errno
import logging
import time
from typing import TYPE_CHECKING, TypeVar

from huggingface_hub import constants
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from serval.errors import AccessError, DatasetError, DatasetNotFoundError, NetworkError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["asking_hub", "disk_full"]

WAITS_S = (1.0, 2.0, 4.0)
"""Pauses before another try, beside those that the hub's own client makes."""

BUSY = frozenset({408, 429, 500, 502, 503, 504})
"""Answers of a server that may say something else in a moment."""

NO_WAY_THERE = ("ConnectError", "ConnectTimeout", "ProxyError")
"""Errors of httpx that another try seldom cures, and a cached set need not wait for."""

log = logging.getLogger("serval.datasets")

Answer = TypeVar("Answer")


def asking_hub(call: Callable[[], Answer], repo: str, revision: str | None) -> Answer:
    """Return what `call` gets from the hub, asking again while the hub is busy.

    Raises:
        AccessError: The hub wants a token, or an accepted licence.
        DatasetNotFoundError: There is no such set, revision or file.
        NetworkError: The hub cannot be reached, or stays busy.
        DatasetError: The set needs its own code, or the cache cannot be written.
    """
    for wait_s in WAITS_S:
        try:
            return call()
        except Exception as error:
            if not _is_passing(error):
                raise _explained(error, repo, revision) from error
            log.info("hub set %s: %s; asking again in %g s", repo, _one_line(error), wait_s)
        time.sleep(wait_s)
    try:
        return call()
    except Exception as error:
        raise _explained(error, repo, revision) from error


def _is_passing(error: Exception) -> bool:
    """Tell whether the next try may end better: a busy server, or a connection that broke."""
    for cause in _causes(error):
        if isinstance(cause, OfflineModeIsEnabled) or any(_is_a(cause, k) for k in NO_WAY_THERE):
            return False
        if _status(cause) in BUSY or _is_transport(cause) or "Consistency check" in str(cause):
            return True
    return False


def _explained(error: Exception, repo: str, revision: str | None) -> Exception:
    """Return the error to raise: of this package if its kind is known, else `error` itself."""
    for cause in _causes(error):
        for explain in (_refused, _absent, _unreachable, _unusable):
            if (found := explain(cause, repo, revision)) is not None:
                return found
    if isinstance(error, (OSError, ValueError, RuntimeError)):
        return DatasetError(f"hub set {repo} cannot be opened: {_one_line(error)}")
    return error


def _refused(cause: BaseException, repo: str, _revision: str | None) -> AccessError | None:
    page = f"{constants.ENDPOINT}/datasets/{repo}"
    remedy = f"accept its terms on {page}, then `hf auth login` or set HF_TOKEN"
    if isinstance(cause, GatedRepoError):
        return AccessError(f"hub set {repo} is gated; {remedy}")
    if _status(cause) == 401:
        return AccessError(
            f"hub set {repo}: the hub knows no such public set (401); check the spelling; "
            f"if it is private or gated: {remedy}"
        )
    if _status(cause) == 403:
        return AccessError(
            f"hub set {repo}: the hub refuses access with this token (403); {remedy}"
        )
    return None


def _absent(cause: BaseException, repo: str, revision: str | None) -> DatasetNotFoundError | None:
    if isinstance(cause, RevisionNotFoundError):
        return DatasetNotFoundError(
            f"hub set {repo} has no revision '{revision}'; give --revision a branch, tag or "
            "commit of the set, or leave it out"
        )
    if isinstance(cause, EntryNotFoundError) and not isinstance(cause, LocalEntryNotFoundError):
        return DatasetNotFoundError(
            f"hub set {repo} lacks a file that it lists: {_one_line(cause)}; "
            "tell its owner, or give --revision an older commit"
        )
    # The last one is the class of that name in `datasets`, whose import takes seconds.
    unknown = isinstance(cause, RepositoryNotFoundError) or _is_a(cause, "DatasetNotFoundError")
    if unknown or _status(cause) == 404:
        return DatasetNotFoundError(
            f"hub set {repo} does not exist on {constants.ENDPOINT}; check the spelling"
        )
    if isinstance(cause, HFValidationError):
        return DatasetNotFoundError(f"'{repo}' is not the name of a hub set; write hf:ORG/NAME")
    return None


def _unreachable(cause: BaseException, repo: str, _revision: str | None) -> NetworkError | None:
    if isinstance(cause, OfflineModeIsEnabled):
        return NetworkError(
            f"hub set {repo} is not complete in the cache {constants.HF_HUB_CACHE} and "
            "HF_HUB_OFFLINE is set; unset it and run once with a network"
        )
    if (status := _status(cause)) in BUSY:
        return NetworkError(
            f"hub set {repo}: {constants.ENDPOINT} answers {status} again and again; try later"
        )
    if "Consistency check" in str(cause):
        return NetworkError(
            f"hub set {repo}: a download broke off; run the same command again, "
            "finished files are kept"
        )
    if _is_transport(cause) or isinstance(cause, ConnectionError):
        return NetworkError(
            f"hub set {repo}: {constants.ENDPOINT} cannot be reached ({type(cause).__name__}); "
            "check the network, the proxy and HF_ENDPOINT, or use --dataset demo, which needs none"
        )
    return None


def _unusable(cause: BaseException, repo: str, _revision: str | None) -> DatasetError | None:
    if isinstance(cause, OSError) and cause.errno == errno.ENOSPC:
        return DatasetError(disk_full(f"hub set {repo}"))
    if isinstance(cause, PermissionError):
        return DatasetError(
            f"hub set {repo}: cannot write to the cache ({_one_line(cause)}); "
            "set HF_HOME to a folder of your own"
        )
    if _is_a(cause, "EmptyDatasetError") or _is_a(cause, "DataFilesNotFoundError"):
        return DatasetError(
            f"hub set {repo} has no files that make a dataset: parquet, audio files or manifests; "
            "choose another"
        )
    if "scripts are no longer supported" in str(cause):
        return DatasetError(
            f"hub set {repo} needs its own code, which is never run here; "
            "try the copy that the hub makes of it: --revision refs/convert/parquet"
        )
    if "Config name is missing" in str(cause) or "BuilderConfig" in str(cause):
        return DatasetNotFoundError(
            f"hub set {repo} has several configurations; write hf:{repo}/CONFIG. "
            f"The hub's client says: {_one_line(cause)}"
        )
    return None


def disk_full(subject: str) -> str:
    """Return the line that says where the cache is and how to move it."""
    return (
        f"{subject} does not fit on the disk of the cache {constants.HF_HUB_CACHE}; free some "
        "space, or set HF_HOME to a folder on a larger disk"
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and what led to it, each once, the outermost first."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__


def _status(error: BaseException) -> int | None:
    """Return the HTTP status that an error carries, if it does."""
    if not isinstance(error, HfHubHTTPError):
        return None
    return getattr(getattr(error, "response", None), "status_code", None)


def _is_transport(error: BaseException) -> bool:
    """Tell whether a connection failed; the class comes from httpx or httpx2, by hub version."""
    return _is_a(error, "TransportError")


def _is_a(error: BaseException, name: str) -> bool:
    return any(kind.__name__ == name for kind in type(error).__mro__)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
