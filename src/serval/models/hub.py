"""Model files and checkpoints on the hub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from huggingface_hub import errors, snapshot_download

from serval.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["HUB_PREFIX", "hub_folder"]

HUB_PREFIX = "hf:"


def hub_folder(name: str, revision: str | None, wanted: Sequence[str]) -> tuple[Path, str]:
    """Return the folder in the hub's cache with the wanted files of `hf:ORG/NAME`, and its commit.

    Args:
        name: `hf:ORG/NAME`.
        revision: Branch, tag or commit; without it the default branch.
        wanted: Patterns of the files to fetch.

    Raises:
        ModelError: There is no such model or revision, the hub wants a token, or it cannot be
            reached and the files are not in its cache.
    """
    repo = name.removeprefix(HUB_PREFIX)
    try:
        folder = Path(snapshot_download(repo, revision=revision, allow_patterns=list(wanted)))
    except Exception as error:
        reason = _reason(error, revision)
        if reason is None:
            raise
        raise ModelError(f"hub model {repo}: {reason}") from error
    return folder, folder.name


def _reason(error: Exception, revision: str | None) -> str | None:
    """Return the fault and the remedy, or `None` for an error that is not the hub's."""
    # Ordered, since some of these errors are kinds of others.
    said: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...] = (
        (
            errors.GatedRepoError,
            "it is gated; accept its terms on its page, then `hf auth login` or set HF_TOKEN",
        ),
        (
            errors.RevisionNotFoundError,
            f"it has no revision '{revision}'; give a branch, tag or commit, or leave it out",
        ),
        (
            errors.RepositoryNotFoundError,
            "no such public model; check the spelling, and if it is private set HF_TOKEN",
        ),
        (errors.HFValidationError, "not the name of a hub model; write hf:ORG/NAME"),
        (
            (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled, ConnectionError),
            "not in the hub's cache, and the hub cannot be reached; check the network",
        ),
        ((errors.HfHubHTTPError, OSError), " ".join(str(error).split())),
    )
    return next((reason for kinds, reason in said if isinstance(error, kinds)), None)
