"""`serval sweep`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from serval.commands.options import quiet_option
from serval.commands.progress import PlainLines
from serval.commands.terminal import say
from serval.sweep import Cell, load_plan, sweep, write_tables

if TYPE_CHECKING:
    from serval.evaluation import Step

__all__ = ["sweep_command"]


@click.command("sweep")
@click.argument("plan", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--fresh", is_flag=True, help="Start every evaluation over instead of going on.")
@quiet_option("No progress.")
def sweep_command(plan: Path, *, fresh: bool, quiet: bool) -> None:
    """Evaluate many models on many datasets, and end in one table.

    PLAN is a YAML file; an entry of a list is a name, or a map of options of `serval evaluate`:

    \b
      models: [serval-tiny, {model: my.onnx, name: mine}]
      datasets: [demo, {dataset: clips.csv, split: test}]
      options: [{normalize: peak}, {normalize: zscore}]
      sort_by: uar
      output: sweep_results

    The last three may be left out. What is done is not done again; what was interrupted goes on.

    Exit codes: 0 done; 2 something is wrong with the plan; 3 some cells could not be done.
    """  # noqa: D301 - click wants that backspace
    show = _Progress(quiet=quiet)
    loaded = load_plan(plan)
    if not loaded.output.resolve().is_relative_to(plan.resolve().parent):
        say(f"{plan} writes outside of its own folder: to {loaded.output.resolve()}", err=True)
    finished = sweep(loaded, show, fresh=fresh)
    files = write_tables(finished)
    say(files["markdown"].read_text(encoding="utf-8"))
    for kind, path in files.items():
        say(f"  {kind:>9}  {path}")
    sys.exit(3 if finished.problems else 0)


class _Progress:
    """Names each cell when it begins and says from time to time how far it is."""

    def __init__(self, *, quiet: bool) -> None:
        self.quiet = quiet
        self.cell: Cell | None = None
        self.lines = PlainLines()

    def __call__(self, cell: Cell, step: Step) -> None:
        if self.quiet:
            return
        if cell is not self.cell:
            self.cell, self.lines = cell, PlainLines()
            say(f"{cell.model} on {cell.dataset} {cell.options}".rstrip(), err=True)
        self.lines(step)
