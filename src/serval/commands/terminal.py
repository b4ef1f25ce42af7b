"""The terminal, which shows the names of other people's data and obeys none of them.

Every command says first what a reader takes away, then a table, what stands out, and the files.
"""

from __future__ import annotations

import json
import os
import re
import sys
from copy import copy
from typing import TYPE_CHECKING, Any

import click
from rich import box
from rich.console import Console
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from serval.wording import as_sentence, counted, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from rich.console import ConsoleOptions, RenderableType

    from serval.run import Run

FILE_COLUMNS = 2_000
"""Where the output goes into a file or a pipe: a sentence is one line, whatever reads it."""

MOST_ITEMS = 5
"""Lines of what stands out; the files have all of it."""


UNBROKEN = "\ue000"
"""Stands for a space that no line ends at until lines are made: the library ends lines at every
kind of space that there is."""


class Terminal(Console):
    """A console that writes control characters in any text as escapes, whatever it is part of.

    A number and its percent sign stay in one line.
    """

    def render_str(self, text: str, **options: Any) -> Text:  # noqa: ANN401 - as rich has it
        """Return the text with its spaces that no line ends at kept through the breaking."""
        return super().render_str(_unbroken(text), **options)

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

    def print_verdict(self, verdict: Iterable[str]) -> None:
        """Print the sentences that a reader takes away."""
        for sentence in verdict:
            self.print(sentence, style="bold")

    def print_table(self, table: Table) -> None:
        """Print a table; where it is too wide, what stands in brackets is below its number.

        So no interval, however long, takes the room of a name.
        """
        room = self.options.update(width=FILE_COLUMNS)
        if self.measure(table, options=room).maximum <= self.width:
            self.print(table)
            return
        stacked = copy(table)
        stacked.columns, stacked.rows = [], []
        for column in table.columns:
            stacked.add_column(column.header, justify=column.justify, no_wrap=column.no_wrap,
                               overflow=column.overflow)  # fmt: skip
        for cells in zip(*(column.cells for column in table.columns), strict=True):
            stacked.add_row(*(_stacked(cell) for cell in cells))
        self.print(stacked)

    def print_facts(self, facts: Mapping[str, str]) -> None:
        """Print what is known of one thing, a line or more for each fact that there is."""
        table = Table.grid(padding=(0, 1, 0, 0))
        table.add_column(no_wrap=True, style="dim")
        table.add_column(overflow="fold")
        for name, said in facts.items():
            if said:
                table.add_row(name, Text(_unbroken(said)))
        self.print(table)

    def print_items(self, lines: Sequence[str], most: int = MOST_ITEMS) -> None:
        """Print lines behind dashes, and of more than `most` how many the files have besides."""
        for line in lines[:most]:
            self.print(_item(line))
        if len(lines) > most:
            self.print(_item(f"{len(lines) - most} more in the files."))

    def print_caveats(self, lines: Sequence[str]) -> None:
        """Print what a reader must know before trusting the numbers: all of it."""
        if lines:
            self.print("Before you trust these numbers:", style="bold")
        self.print_items([as_sentence(line) for line in lines], len(lines))

    def print_files(self, files: Iterable[Path]) -> None:
        """Print in which folder files were written, and their names."""
        folders: dict[Path, list[str]] = {}
        for file in files:
            folders.setdefault(file.parent, []).append(file.name)
        for folder, names in folders.items():
            self.print(f"In {folder}: {', '.join(names)}")

    def print_next(self, steps: Mapping[str, str]) -> None:
        """Print what to do next, each command, by what it is good for, in a line to be copied."""
        for i, (purpose, command) in enumerate(steps.items()):
            self.print(f"{'Or' if i else 'Next'}: {purpose}:")
            self.print(f"  {command}", soft_wrap=True)


def terminal(width: int | None = None, *, err: bool = False) -> Terminal:
    """Return the console of standard output; no text in it is markup, whatever a label looks like.

    Args:
        width: Columns; by default those of the terminal, or of COLUMNS; a file has enough.
        err: That of standard error instead.
    """
    stream = sys.stderr if err else sys.stdout
    if width is None and not stream.isatty() and "COLUMNS" not in os.environ:
        width = FILE_COLUMNS
    return Terminal(stderr=err, highlight=False, markup=False, emoji=False, width=width)


def say(text: object, *, err: bool = False) -> None:
    """Print text on standard output or standard error, with control characters as escapes."""
    click.echo(_lines(str(text)), err=err)


def say_failures(run: Run, allowed: float, listed: Path) -> None:
    """Print on standard error that more clips of a run failed than are allowed."""
    first = run.failures[0]
    say(
        f"serval: {len(run.failures)} of {counted(len(run) + len(run.failures), 'clip')} failed, "
        f"more than --max-failures {allowed:g} allows; first: {first.clip_id}: "
        f"{first.stage}: {first.reason}; all are listed in {listed}",
        err=True,
    )


def narrow_table(texts: Sequence[str], numbers: Sequence[str], *more: str) -> Table:
    """Return an empty table for 60 columns.

    Args:
        texts: Titles of the first columns, whose cells are folded where they are too long.
        numbers: Titles of columns of numbers, which are never cut.
        more: Titles of the last columns, which hold words that are never cut.
    """
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=0)
    for title in texts:
        table.add_column(title, overflow="fold")
    for title in numbers:
        table.add_column(title, justify="right", no_wrap=True)
    for title in more:
        table.add_column(title, no_wrap=True)
    return table


def print_json(document: object) -> None:
    """Print a document as JSON, for programs; it has no NaN."""
    click.echo(json.dumps(document, indent=2))


def _stacked(cell: RenderableType) -> RenderableType:
    return cell.replace(" [", "\n[") if isinstance(cell, str) else cell


def _item(line: str) -> Table:
    """Return a line behind a dash, whose further lines stand below its first word."""
    item = Table.grid(padding=(0, 1, 0, 0))
    item.add_row("-", Text(_unbroken(line), overflow="fold"))
    return item


def _unbroken(text: str) -> str:
    return re.sub(r"(?<=\d) (?=%)|\N{NO-BREAK SPACE}", UNBROKEN, text)


def _lines(text: str) -> str:
    spaced = text.replace("\N{NO-BREAK SPACE}", " ").replace(UNBROKEN, " ")
    return "\n".join(map(printable, spaced.split("\n")))
