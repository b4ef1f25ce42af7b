"""The stored run that a command reads: an unfinished one is said to be so before anything else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serval.commands.terminal import say
from serval.run import Run, load_run, unfinished
from serval.wording import printable

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["opened_run"]


def opened_run(folder: Path | str) -> Run:
    """Return the stored run in `folder`, after a line on stderr if it is not finished.

    Raises:
        RunError: There is none, or it cannot be read.
    """
    run = load_run(folder)
    if not run.complete:
        say(f"warning: {printable(unfinished(run))}", err=True)
    return run
