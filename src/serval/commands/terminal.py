"""The terminal, which prints the names of other people's data as they are."""

from __future__ import annotations

import os
import sys

from rich.console import Console

__all__ = ["terminal"]

FILE_COLUMNS = 160
"""Where the output goes into a file or a pipe, whose lines may be long: no number is cut off."""


def terminal(width: int | None = None) -> Console:
    """Return the console of standard output; no text in it is markup, whatever a label looks like.

    Args:
        width: Columns; by default those of the terminal, of which a file has enough.
    """
    if width is None and not sys.stdout.isatty() and "COLUMNS" not in os.environ:
        width = FILE_COLUMNS
    return Console(highlight=False, markup=False, emoji=False, width=width)
