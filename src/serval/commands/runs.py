"""`serval runs`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich import box
from rich.table import Table
from rich.text import Text

from serval.commands.terminal import say, terminal
from serval.errors import RunError
from serval.results.verdict import data_name
from serval.run import JOURNAL, Run, load_run
from serval.scores import scores_of
from serval.wording import one_line, scored_short

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["runs_below", "runs_command"]


@click.command("runs")
@click.argument("folder", default=".", type=click.Path(path_type=Path))
def runs_command(folder: Path) -> None:
    """List the stored runs below a folder, with the UAR and its 95 % interval.

    `serval compare`, `serval report` and every command that takes a run take the folder of one.
    """
    found = list(runs_below(folder))
    if not found:
        raise RunError(f"no run below {folder}; serval evaluate -o {folder / 'NAME'} stores one")
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for column in ("folder", "name", "model", "set"):
        table.add_column(column, overflow="fold")
    for column in ("clips", "UAR %", "date"):
        table.add_column(column, justify="right", no_wrap=True)
    for place in found:
        try:
            table.add_row(*(Text(cell) for cell in _row(place, load_run(place))))
        except RunError as error:
            say(f"serval: {one_line(error)}", err=True)
    if table.row_count:
        terminal().print(table)


def runs_below(folder: Path) -> Iterator[Path]:
    """Yield the folders at and below a folder that hold a run, in the order of their names."""
    for place, below, files in os.walk(folder):
        below.sort()
        if JOURNAL in files:
            yield Path(place)


def _row(place: Path, run: Run) -> tuple[str, ...]:
    uar = scores_of(run).overall["uar"]
    model = str(run.provenance.model.get("name", ""))
    unfinished = "" if run.complete else ", not finished"
    return (
        str(place),
        "" if run.name == model else run.name,
        model,
        data_name(run),
        f"{len(run):,}{unfinished}",
        scored_short({"value": uar.value, "low": uar.low, "high": uar.high} if len(run) else
                     dict.fromkeys(("value", "low", "high"))),
        run.started[:10],
    )  # fmt: skip
