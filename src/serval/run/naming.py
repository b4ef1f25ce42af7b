"""Another name for a run that is stored already."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from serval.files import whole_file
from serval.run.lines import encoded_line

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["write_renamed"]


def write_renamed(journal: Path, name: str) -> None:
    """Write a journal anew in which the run is called `name`; every other line stays as it is.

    Args:
        journal: Read and found to be in order.
        name: What the run is called from now on.
    """
    digest = hashlib.sha256()
    with whole_file(journal) as part, journal.open("rb") as old, part.open("wb") as new:
        header = json.loads(old.readline())
        line = encoded_line(header | {"options": header["options"] | {"name": name}})
        new.write(line)
        digest.update(line)
        for kept in old:
            # The last line of a finished run says what stands above it.
            raw = _ended(kept, digest.hexdigest()) if kept.startswith(b'{"kind": "end"') else kept
            new.write(raw)
            digest.update(raw.replace(b"\r\n", b"\n"))


def _ended(line: bytes, sha256: str) -> bytes:
    end = json.loads(line)
    return encoded_line(end | {"sha256": sha256}) if "sha256" in end else line
