"""The stored run that a command reads: an unfinished one is said to be so before anything else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from serval.commands.terminal import say
from serval.files import is_predictions
from serval.run import Run, load_run, unfinished
from serval.wording import printable

if TYPE_CHECKING:
    from collections.abc import Sequence


def opened_run(folder: Path | str, *, beside: Sequence[Run] | None = None) -> Run:
    """Return the stored run in `folder`, after a line on stderr if it is not finished.

    Args:
        folder: Of a run, `example:int8`, or a file of predictions, as `run_of_file` reads it.
        beside: The runs, maybe none so far, that it is only compared with, see `load_run`.

    Raises:
        RunError: There is none, or it cannot be read.
    """
    if is_predictions(folder):
        from serval.library import run_of_file  # and with it pyarrow

        return run_of_file(Path(folder))
    run = load_run(folder, beside=beside)
    if not run.complete:
        say(f"warning: {printable(unfinished(run))}", err=True)
    return run
