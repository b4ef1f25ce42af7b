"""The terminal, which shows the names of other people's data and obeys none of them."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.segment import Segment

from serval.wording import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import ConsoleOptions, RenderableType

__all__ = ["say", "terminal"]

FILE_COLUMNS = 2_000
"""Where the output goes into a file or a pipe: a sentence is one line, whatever reads it."""


class _HarmlessConsole(Console):
    """A console that writes control characters in any text as escapes, whatever it is part of."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Yield the segments of what is printed; only those of the console itself may control."""
        for segment in super().render(renderable, options):
            text = segment.text
            if segment.control or text.isprintable():
                yield segment
            else:
                yield Segment(_lines(text), segment.style)


def terminal(width: int | None = None) -> Console:
    """Return the console of standard output; no text in it is markup, whatever a label looks like.

    Args:
        width: Columns; by default those of the terminal, or of COLUMNS; a file has enough.
    """
    if width is None and not sys.stdout.isatty() and "COLUMNS" not in os.environ:
        width = FILE_COLUMNS
    return _HarmlessConsole(highlight=False, markup=False, emoji=False, width=width)


def say(text: object, *, err: bool = False) -> None:
    """Print text on standard output or standard error, with control characters as escapes."""
    click.echo(_lines(str(text)), err=err)


def _lines(text: str) -> str:
    return "\n".join(map(printable, text.split("\n")))
