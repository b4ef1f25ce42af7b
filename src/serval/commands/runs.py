"""`serval runs`."""

from __future__ import annotations

import math
import os
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, TypeVar

import click
from rich.text import Text

from serval.commands.terminal import narrow_table, say, terminal
from serval.errors import RunError
from serval.results import RESULTS, results_of
from serval.results.verdict import data_name
from serval.run import JOURNAL, Run, load_run
from serval.tasks import CATEGORICAL, DIMENSIONAL, MULTILABEL
from serval.wording import counted, one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rich.table import Table

A = TypeVar("A")
B = TypeVar("B")

COLUMNS = {CATEGORICAL: "UAR %", DIMENSIONAL: "CCC", MULTILABEL: "macro F1 %"}
"""That of the score which stands for all of a run."""

NUMBERS = ("clips", *COLUMNS.values(), "date")
SPARED = ("model", "date")
"""Columns that only a wide terminal shows."""
WIDE = 100


@click.command("runs")
@click.argument("folder", default=".", type=click.Path(path_type=Path))
def runs_command(folder: Path) -> None:
    """List the stored runs below a folder, with the UAR and its 95 % interval.

    A run of dimensions is listed with the mean of its CCCs, one of several emotions a clip with
    its macro F1.

    `serval compare`, `serval report` and every command that takes a run take the folder of one.
    """
    found = list(runs_below(folder))
    if not found:
        if folder.is_file():
            raise RunError(f"{folder} is a file; give a folder that runs lie below")
        place = quote(str(folder / "NAME"))
        raise RunError(f"no run below {folder}; serval evaluate -o {place} stores one")
    console = terminal()
    runs = [run for place in found if (run := _or_none(load_run, place)) is not None]
    clean = [run for run in runs if "change" not in run.provenance.identity]
    called = Counter(run.name for run in clean)

    def row_of(run: Run) -> dict[str, str]:
        return _row(run, run.name if called[run.name] == 1 else run.folder.name)

    rows = [row for run in clean if (row := _or_none(row_of, run))]
    if rows:
        console.print_verdict([_verdict(folder, rows)])
        console.print_table(_table(rows, wide=console.width >= WIDE))
    if perturbed := len(runs) - len(clean):
        console.print(
            f"Not listed: {counted(perturbed, 'run')} under perturbations, which serval stress "
            "keeps beside the clean one.",
            style="dim",
        )


def _table(rows: Sequence[Mapping[str, str]], *, wide: bool) -> Table:
    """Return a row for each run, without the columns that would be empty."""
    unused = {name for name in COLUMNS.values() if not any(row[name] for row in rows)}
    spared = unused if wide else unused.union(SPARED)
    shown = [name for name in rows[0] if name not in spared]
    texts = [name for name in shown if name not in NUMBERS]
    table = narrow_table(texts, [name for name in shown if name in NUMBERS])
    table.padding = (0, 1, 0, 0)
    for row in rows:
        table.add_row(*(Text(row[name]) for name in shown))
    return table


def _verdict(folder: Path, rows: Sequence[Mapping[str, str]]) -> str:
    models, sets = ({row[name] for row in rows} for name in ("model", "set"))
    said = " or ".join(
        RESULTS[task].titles[task.headline]
        for task, name in COLUMNS.items()
        if any(row[name] for row in rows)
    )
    return (
        f"{counted(len(rows), 'run')} below {folder}, of {counted(len(models), 'model')} on "
        f"{counted(len(sets), 'set')}; {said} with its 95 % interval."
    )


def _or_none(read: Callable[[A], B], what: A) -> B | None:
    """Return what is read, or nothing after a line that says why it cannot be."""
    try:
        return read(what)
    except RunError as error:
        say(f"serval: {one_line(error)}", err=True)
        return None


def runs_below(folder: Path) -> Iterator[Path]:
    """Yield the folders at and below a folder that hold a run, in the order of their names."""
    for place, below, files in os.walk(folder):
        below.sort()
        if JOURNAL in files:
            yield Path(place)


def _row(run: Run, name: str) -> dict[str, str]:
    model = str(run.provenance.model.get("name", ""))
    return {
        "folder": str(run.folder),
        "name": name,
        "model": model,
        "set": data_name(run),
        "clips": f"{len(run):,}{'' if run.complete else ', not finished'}",
        **dict.fromkeys(COLUMNS.values(), ""),
        **_score(run),
        "date": run.started[:10],
    }


def _score(run: Run) -> dict[str, str]:
    """Return the cell of the run's score, under the name of its column."""
    found = results_of(run)
    score = {end: None if math.isnan(own) else own for end, own in asdict(found.headline).items()}
    return {COLUMNS[run.provenance.task]: found.told(score, short=True)}
