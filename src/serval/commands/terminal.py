"""The terminal, which prints the names of other people's data as they are."""

from __future__ import annotations

from rich.console import Console

__all__ = ["terminal"]


def terminal(width: int | None = None) -> Console:
    """Return the console of standard output; no text in it is markup, whatever a label looks like.

    Args:
        width: Columns; by default those of the terminal.
    """
    return Console(highlight=False, markup=False, emoji=False, width=width)
