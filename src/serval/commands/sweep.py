"""`serval sweep`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from serval.commands.options import log_option, quiet_option
from serval.commands.progress import PlainLines
from serval.commands.terminal import Terminal, narrow_table, say, terminal
from serval.files import write_json
from serval.logs import entry_of, log_entry, refuse_missing
from serval.probe import COSTS, EncoderCost, cost_cells
from serval.scores import METRICS
from serval.sweep import (
    NOT_DONE,
    Cell,
    board_cells,
    board_titles,
    leaderboard_document,
    load_plan,
    problem_lines,
    rank_text,
    standing_sentences,
    sweep,
    tables_in,
    write_cost_picture,
    write_tables,
)
from serval.texts import json_in
from serval.wording import scored_short

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from serval.evaluation import Step
    from serval.sweep import Sweep


@click.command("sweep")
@click.argument("plan", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--fresh", is_flag=True, help="Start every evaluation over instead of going on.")
@click.option("--reports/--no-reports", default=True,
              help="Make the page of each run that has none, without sound.")  # fmt: skip
@quiet_option("No progress.")
@log_option
def sweep_command(
    plan: Path, *, fresh: bool, reports: bool, quiet: bool, loggers: tuple[str, ...]
) -> None:
    """Evaluate many models on many datasets, and end in one leaderboard.

    PLAN is a YAML file; an entry of a list is a name, or a map of options of `serval evaluate`:

    \b
      models: [serval-tiny, {model: my.onnx, name: mine}]
      datasets: [demo, {dataset: clips.csv, split: test, label_map: big6}]
      options: [{normalize: peak}, {normalize: zscore}]
      sort_by: uar
      output: sweep_results

    The last three may be left out. With `probe: {layer: all, folds: "speaker:5"}`, options of
    `serval probe`, models are encoders: their levels are ranked, with their cost beside them.

    What is done is not done again; what was interrupted goes on.

    Exit codes: 0 done; 2 something is wrong with the plan; 3 some cells could not be done, or more
    of their clips failed than max_failures allows.
    """  # noqa: D301 - click wants that backspace
    refuse_missing(loggers)
    loaded = load_plan(plan)
    if not loaded.output.resolve().is_relative_to(plan.resolve().parent):
        say(f"{plan} writes outside of its own folder: to {loaded.output.resolve()}", err=True)
    finished = sweep(loaded, _Progress(quiet=quiet), fresh=fresh)
    if reports:
        _make_reports(finished, quiet=quiet)
    document = leaderboard_document(finished)
    files = _written(finished, document)
    _print(terminal(), finished, document, files)
    for line in _logged(finished, loggers):
        say(line, err=True)
    sys.exit(3 if finished.problems else 0)


def _print(
    console: Terminal, finished: Sweep, document: dict[str, Any], files: Mapping[str, Path]
) -> None:
    """Print who stands where; `sweep.md` has every score."""
    console.print_verdict(document["verdict"])
    if document["rows"]:
        _print_emotions(console, finished, document)
    for table in tables_in(document):
        _print_board(console, table)
    if problems := problem_lines(finished):
        console.print(NOT_DONE, style="bold")
        console.print_items(problems, most=len(problems))
    console.print_files(files.values())


def _print_emotions(console: Terminal, finished: Sweep, document: dict[str, Any]) -> None:
    ranked = document["ranked_by"]
    second = next(name for name in ("macro_f1", "uar") if name != ranked)
    titles = [f"{METRICS[name].title} %" for name in (ranked, second)]
    costs = COSTS if finished.of_probes else ()
    table = narrow_table(["model", "dataset"], [*titles, *costs, "clips"], "rank")
    for row in document["rows"]:
        rank, scores = row["ranked"][ranked], row["ranked"]
        cells = (scored_short(scores[name]) for name in (ranked, second))
        place = rank_text(rank["best"], rank["worst"])
        cost = EncoderCost(**row["cost"]) if row.get("cost") else None
        beside = cost_cells(cost) if costs else ()
        table.add_row(row["model"], row["dataset"], *cells, *beside, f"{row['clips']:,}", place)
    console.print_table(table)
    console.print_items(standing_sentences(document))


def _print_board(console: Terminal, table: Mapping[str, Any]) -> None:
    """Print the models of another task on one set; `sweep.md` has their intervals too."""
    printed = narrow_table([f"model on {table['dataset']}"], board_titles(table))
    for row in table["rows"]:
        name, *cells = board_cells(table, row)
        printed.add_row(name, *(cell.partition(" [")[0] for cell in cells))
    console.print_table(printed)


def _written(finished: Sweep, document: dict[str, Any]) -> dict[str, Path]:
    from serval.report.leaderboard import write_leaderboard

    folder = finished.plan.output
    drawn = any(row.get("cost") for row in document["rows"])
    return {
        **write_tables(finished, document),
        **({"cost": write_cost_picture(document, folder / "cost.png")} if drawn else {}),
        "json": write_json(document, folder / "leaderboard.json"),
        "leaderboard": write_leaderboard(document, folder / "leaderboard.html"),
    }


def _logged(finished: Sweep, loggers: tuple[str, ...]) -> Iterator[str]:
    """Yield where each logger keeps the runs that this call made; what is done is kept already."""
    for result in finished.results:
        folder = Path(result.cell.settings.output)
        if loggers and not result.problem and not result.reused:
            files = {path.stem: path for path in sorted(folder.iterdir()) if path.is_file()}
            document = json_in(files["results"])
            yield from log_entry(loggers, entry_of(document, files, folder))


def _make_reports(finished: Sweep, *, quiet: bool) -> None:
    """Write the page of each run that is new or has none."""
    from serval.report import write_report
    from serval.run import load_run

    for result in finished.results:
        page = Path(result.cell.settings.output) / "report.html"
        if not result.problem and not (result.reused and page.is_file()):
            if not quiet:
                say(f"writing {page}", err=True)
            write_report(load_run(page.parent), page, audio="none")


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
