"""What tells one state of a set from another."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from serval.files import sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["fingerprint_of", "lines_of_contents"]


def fingerprint_of(lines: Iterable[str]) -> str:
    """Return the sha256 of a listing, as 64 hex digits."""
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line.encode("utf-8", "surrogatepass") + b"\n")
    return digest.hexdigest()


def lines_of_contents(files: Iterable[Path]) -> Iterable[str]:
    """Yield one line for each file, which changes with its content."""
    return (f"{file.name} {sha256_of(file)}" for file in files)
