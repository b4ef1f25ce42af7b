"""The hub, for sets and models alike: its client's errors in one line, and what is kept of it.

What the hub's client raises differs between its versions and between causes; here it becomes a
`Trouble` with one line that says the remedy. The room that asks decides which error that is.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

from huggingface_hub import cached_assets_path, constants
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
from huggingface_hub.utils.tqdm import disable_progress_bars

from serval.files import write_text
from serval.wording import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from serval.errors import ServalError

WAITS_S = (1.0, 2.0, 4.0)
"""Pauses before another try, beside those that the hub's own client makes."""

BUSY = frozenset({408, 429, 500, 502, 503, 504})
"""Answers of a server that may say something else in a moment."""

NO_WAY_THERE = ("ConnectError", "ConnectTimeout", "ProxyError")
"""Errors of httpx that another try seldom cures, and a cached repository need not wait for."""

log = logging.getLogger("serval.hub")

Answer = TypeVar("Answer")


class Trouble(Enum):
    """What is wrong where the hub gives no answer."""

    ACCESS = "it wants a token or an accepted licence"
    ABSENT = "there is no such repository, revision or file"
    NETWORK = "it cannot be reached"
    UNUSABLE = "its answer cannot be used"


@dataclass(frozen=True, slots=True, kw_only=True)
class Repo:
    """One repository of the hub, and how its troubles are raised.

    Attributes:
        name: `ORG/NAME`.
        kind: What people call it: `set` or `model`.
        errors: Trouble -> the error to raise.
        revision: Branch, tag or commit that was asked for, if one was.
        page: The first part of its address after the hub's own: empty for models.
    """

    name: str
    kind: str
    errors: Mapping[Trouble, type[ServalError]]
    revision: str | None = None
    page: str = ""

    def __str__(self) -> str:
        """Return the subject of a message."""
        return f"hub {self.kind} {self.name}"

    def error(self, trouble: Trouble, rest: str) -> ServalError:
        """Return the error for a trouble, the rest of whose message is given."""
        return self.errors[trouble](f"{self}{rest}")


def asking(call: Callable[[], Answer], repo: Repo) -> Answer:
    """Return what `call` gets from the hub, asking again while the hub is busy.

    Raises:
        ServalError: One of `repo.errors`; an error that is not the hub's goes through.
    """
    for wait_s in WAITS_S:
        try:
            return call()
        except Exception as error:
            if not _is_passing(error):
                raise _explained(error, repo) from error
            log.info("%s: %s; asking again in %g s", repo, one_line(error), wait_s)
        time.sleep(wait_s)
    try:
        return call()
    except Exception as error:
        raise _explained(error, repo) from error


def disk_full(subject: str) -> str:
    """Return the line that says where the cache is and how to move it."""
    return (
        f"{subject} does not fit on the disk of the cache {constants.HF_HUB_CACHE}; free some "
        "space, or set HF_HOME to a folder on a larger disk"
    )


def hide_bars() -> None:
    """Turn off the progress bars of downloads where nobody looks, unless the user set them."""
    if constants.HF_HUB_DISABLE_PROGRESS_BARS is None and not sys.stderr.isatty():
        disable_progress_bars()


def keep(repo: Repo, name: str, content: Mapping[str, Any]) -> None:
    """Keep what was learnt of a repository, as far as the disk allows, for `kept` to return."""
    try:
        write_text(_file(repo, name), json.dumps(content, indent=1, sort_keys=True) + "\n")
    except (OSError, ValueError) as error:
        log.info("%s: what it consists of is not kept: %s", repo, error)


def kept(repo: Repo, name: str) -> Mapping[str, Any] | None:
    """Return what was kept of a repository under that name, or `None`."""
    try:
        content = json.loads(_file(repo, name).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, Mapping) else None


def _file(repo: Repo, name: str) -> Path:
    """Return our own file beside the hub's cache, in the folder that its client gives each library.

    That folder moves with HF_HOME, as the repositories do.
    """
    folder = cached_assets_path("serval", namespace=f"{repo.kind}s", subfolder=repo.name)
    return folder / f"{re.sub('[^A-Za-z0-9._-]', '_', name)}.json"


def _is_passing(error: Exception) -> bool:
    """Tell whether the next try may end better: a busy server, or a connection that broke."""
    for cause in _causes(error):
        if isinstance(cause, OfflineModeIsEnabled) or any(_is_a(cause, k) for k in NO_WAY_THERE):
            return False
        if _status(cause) in BUSY or _is_a(cause, "TransportError") or _broke_off(cause):
            return True
    return False


def _explained(error: Exception, repo: Repo) -> Exception:
    """Return the error to raise: of this package if its kind is known, else `error` itself."""
    for cause in _causes(error):
        for trouble, explain in _EXPLAIN:
            if (rest := explain(cause, repo)) is not None:
                return repo.error(trouble, rest)
    if isinstance(error, LocalEntryNotFoundError):
        return repo.error(Trouble.NETWORK, _incomplete())
    if isinstance(error, (OSError, ValueError, RuntimeError)):
        return repo.error(Trouble.UNUSABLE, f" cannot be opened: {one_line(error)}")
    return error


def _refused(cause: BaseException, repo: Repo) -> str | None:
    page = f"{constants.ENDPOINT}/{repo.page}{repo.name}"
    remedy = f"accept its terms on {page}, then `hf auth login` or set HF_TOKEN"
    if isinstance(cause, GatedRepoError):
        return f" is gated; {remedy}"
    if _status(cause) == 401:
        return (
            f": the hub knows no such public {repo.kind} (401); check the spelling; "
            f"if it is private or gated: {remedy}"
        )
    if _status(cause) == 403:
        return f": the hub refuses access with this token (403); {remedy}"
    return None


def _absent(cause: BaseException, repo: Repo) -> str | None:
    if isinstance(cause, RevisionNotFoundError):
        return (
            f" has no revision '{repo.revision}'; give a branch, tag or commit that it has, or none"
        )
    if isinstance(cause, EntryNotFoundError) and not isinstance(cause, LocalEntryNotFoundError):
        return f" lacks a file that it lists: {one_line(cause)}; tell its owner"
    if isinstance(cause, RepositoryNotFoundError) or _status(cause) == 404:
        return (
            f": no such public {repo.kind} on {constants.ENDPOINT}; check the spelling, "
            "and if it is private set HF_TOKEN"
        )
    if isinstance(cause, HFValidationError):
        return f": not the name of a hub {repo.kind}; write hf:ORG/NAME"
    return None


def _unreachable(cause: BaseException, repo: Repo) -> str | None:
    if isinstance(cause, OfflineModeIsEnabled):
        return _incomplete()
    if (status := _status(cause)) in BUSY:
        return f": {constants.ENDPOINT} answers {status} again and again; try later"
    if _broke_off(cause):
        return ": a download broke off; run the same command again, finished files are kept"
    if _is_a(cause, "TransportError") or isinstance(cause, ConnectionError):
        remedy = ", or use --dataset demo, which needs none" if repo.kind == "set" else ""
        return (
            ": the hub cannot be reached; check the network, the proxy and HF_ENDPOINT "
            f"({constants.ENDPOINT}, {type(cause).__name__}){remedy}"
        )
    return None


def _incomplete() -> str:
    start = f": it or a part of it is not in the hub's cache {constants.HF_HUB_CACHE}, and "
    if not constants.HF_HUB_OFFLINE:
        return f"{start}the hub cannot be reached; check the network, the proxy and HF_ENDPOINT"
    switch = "HF_HUB_OFFLINE" if os.environ.get("HF_HUB_OFFLINE") else "TRANSFORMERS_OFFLINE"
    return f"{start}{switch} is set; unset it, and run once with a network"


def _unusable(cause: BaseException, _repo: Repo) -> str | None:
    if isinstance(cause, OSError) and cause.errno == errno.ENOSPC:
        return disk_full("")
    if isinstance(cause, PermissionError):
        return (
            f": cannot write to the cache ({one_line(cause)}); set HF_HOME to a folder of your own"
        )
    return None


_EXPLAIN: tuple[tuple[Trouble, Callable[[BaseException, Repo], str | None]], ...] = (
    (Trouble.ACCESS, _refused),
    (Trouble.ABSENT, _absent),
    (Trouble.NETWORK, _unreachable),
    (Trouble.UNUSABLE, _unusable),
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


def _broke_off(error: BaseException) -> bool:
    return "Consistency check" in str(error)


def _is_a(error: BaseException, name: str) -> bool:
    """Tell by name: whether a class is of httpx or httpx2 depends on the version of the client."""
    return any(kind.__name__ == name for kind in type(error).__mro__)
