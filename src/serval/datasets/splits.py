"""Which split of a set is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serval.errors import DatasetNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["choose_split"]

VALIDATION = ("validation", "valid", "val", "dev")
"""Names that sets give to the split on which models are compared."""


def choose_split(splits: Iterable[str], asked: str | None, subject: str) -> str:
    """Return the split to read: the one asked for, else validation, else the only one.

    Raises:
        DatasetNotFoundError: There is no such split, or no way to tell which one is meant.

    Examples:
        >>> choose_split(["train", "dev"], None, "set")
        'dev'
        >>> choose_split(["train", "validation"], "val", "set")
        'validation'
    """
    known = list(splits)
    if asked is not None:
        return _asked(known, asked, subject)
    validation = next((name for name in VALIDATION if name in known), None)
    if validation is not None:
        return validation
    if len(known) != 1:
        raise DatasetNotFoundError(
            f"{subject} has no validation split; choose one with --split: {', '.join(known)}"
        )
    return known[0]


def _asked(known: list[str], asked: str, subject: str) -> str:
    same: tuple[str, ...] = (asked, *VALIDATION) if asked in VALIDATION else (asked,)
    found = next((name for name in same if name in known), None)
    if found is not None:
        return found
    if not any(known):
        raise DatasetNotFoundError(f"{subject} has no splits; leave out --split {asked}")
    raise DatasetNotFoundError(
        f"{subject} has no split '{asked}'; choose one with --split: {', '.join(known)}"
    )
