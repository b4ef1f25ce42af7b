"""`serval stress`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from serval.commands.options import Renamed, evaluation_options, picture_option, quiet_option
from serval.commands.terminal import Terminal, narrow_table, print_json, say, terminal
from serval.options import EvalOptions
from serval.stopping import as_stop
from serval.stress import Cost, Stage, StressOptions, stress, write_stress
from serval.stress.dimensions import HEAD as DIMENSION_HEAD
from serval.stress.dimensions import dimension_stress_cells
from serval.stress.suite import WHOSE
from serval.stress.table import beyond_sentence, case_title
from serval.tasks import CATEGORICAL, DIMENSIONAL, task_in
from serval.wording import change_short, counted, scored, scored_short

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from rich.table import Table

    from serval.tasks import Task

DEFAULTS = StressOptions()


@click.command("stress")
@evaluation_options
@click.option("--suite", default=DEFAULTS.suite, show_default=True,
              help="quick, full, families (level, noise, ...) or names, with commas.")  # fmt: skip
@click.option(
    "--output", "-o", default=DEFAULTS.evaluation.output, show_default=True, help="Results folder."
)
@click.option("--baseline", cls=Renamed, was="--against", metavar="DIR|MODEL",
              help="What changed since: another model's stress folder, or a model to run "
              "now.")  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=DEFAULTS.seed, show_default=True,
              help="Of every random number.")  # fmt: skip
@click.option("--stop-when-sure", is_flag=True,
              help="Ask a perturbation no more clips than its published threshold "
              "needs.")  # fmt: skip
@click.option("--fresh", is_flag=True, help="Start over instead of going on.")
@quiet_option("No progress, no table.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
@picture_option()
def stress_command(
    suite: str,
    baseline: str | None,
    seed: int,
    *,
    stop_when_sure: bool,
    quiet: bool,
    as_json: bool,
    **flags: Any,  # noqa: ANN401 - click's flags
) -> None:
    """Test a model outside the studio: noise, rooms, codecs, other speeds.

    Every perturbation is a run of its own in the output folder. A test that was stopped goes on
    where it was when the same command is given again.

    Exit codes: 0 done; 2 something is wrong with the command, the model or the data;
    130 stopped by Ctrl-C or told to end. Thresholds decide nothing here; give stress.json to
    serval gate.
    """
    options = StressOptions(
        evaluation=EvalOptions(**flags),
        suite=suite,
        baseline=baseline,
        seed=seed,
        stop_when_sure=stop_when_sure,
    )
    sys.exit(_run(options, quiet=quiet, as_json=as_json))


def _run(options: StressOptions, *, quiet: bool, as_json: bool) -> int:
    try:
        with as_stop():
            lines = _Lines("at most " if options.stop_when_sure else "")
            found = stress(options, (lambda _stage: None) if quiet else lines)
    except KeyboardInterrupt:
        say(
            f"\nstopped; what was done is kept in {options.evaluation.output}: "
            "give the same command to go on",
            err=True,
        )
        return 130
    written = write_stress(found)
    if as_json:
        print_json(written.document)
    elif not quiet:
        _show(written.document, written.files.values())
    return 0


class _Lines:
    """One line on stderr when the cost is known, and one for each perturbation that begins."""

    def __init__(self, bound: str) -> None:
        self.bound = bound
        self.shown: tuple[str, int] | None = None
        self.priced = False

    def __call__(self, stage: Stage) -> None:
        if stage.number == 0 and self.shown != (stage.name, 0):
            self.priced = False
            say(_first_line(stage), err=True)
        if stage.cost is not None and not self.priced:
            self.priced = True
            say(_cost_line(stage.cost, self.bound), err=True)
        if (stage.name, stage.number) != self.shown:
            self.shown = (stage.name, stage.number)
            say(f"[{stage.number}/{stage.cases}] {stage.name}", err=True)


def _first_line(stage: Stage) -> str:
    return (
        f"to do: {counted(stage.step.total, 'clip')} clean, then under "
        f"{counted(stage.cases, 'perturbation')}; the clean run tells what the rest costs"
    )


def _cost_line(cost: Cost, bound: str) -> str:
    left = cost.cases - cost.finished
    done = f", {cost.finished} are done already" if cost.finished else ""
    minutes, seconds = divmod(round(cost.seconds), 60)
    return (
        f"cost: {bound}{counted(left, 'perturbation')} x {counted(cost.clips, 'clip')} x "
        f"{1000 * cost.clip_s:.0f} ms = {minutes} min {seconds} s, as the clean run went; codecs "
        f"and music take longer{done}"
    )


def _show(document: dict[str, Any], files: Iterable[Path]) -> None:
    console = terminal()
    console.print_verdict(document["verdict"])
    SHOWN[task_in(document)](console, document)
    console.print_caveats(document["warnings"])
    console.print_files(files)


def _show_dimensions(console: Terminal, document: dict[str, Any]) -> None:
    console.print_table(_dimension_table(document))
    console.print(
        "CCC: mean over the dimensions. Change and shift, the mean move of all values: on the "
        "clips that have both answers; in brackets the 95 % interval. "
        f"Unmoved: by less than {document['step']:g}, in the dimension that moves most. "
        "Failed, where there are any: clips without an answer. Kept: "
        f"the thresholds of {WHOSE}; ? where an interval reaches over one.",
        style="dim",
    )


def _show_emotions(console: Terminal, document: dict[str, Any]) -> None:
    console.print(_clean_line(document))
    console.print_table(_table(document))
    console.print(
        "UAR: change in points on the same clips, with the 95 % interval. Kept: the threshold of "
        f"{WHOSE}; ? where the interval reaches over it, and alone where it cannot be told.",
        style="dim",
    )
    rest = (_exact_line, _fairness_line, _against_line)
    console.print_items([line for line in (describe(document) for describe in rest) if line])


SHOWN: Mapping[Task, Callable[[Terminal, dict[str, Any]], None]] = {
    CATEGORICAL: _show_emotions,
    DIMENSIONAL: _show_dimensions,
}


def _table(document: dict[str, Any]) -> Table:
    table = narrow_table(["perturbation"], ["UAR %", "change", "unchanged %"], "kept")
    table.add_row("a random model", *_cells(document["random"]), "", style="dim")
    for name, case in document["cases"].items():
        outcome = {"pass": "yes", "fail": "NO"}.get(case["outcome"], "")
        doubt = "?" if case["rule"] and not case["sure"] else ""
        table.add_row(case_title(name, case), *_cells(case), f"{outcome}{doubt}")
    return table


def _dimension_table(document: dict[str, Any]) -> Table:
    """Return the table for 60 columns: how many clips failed only where some did."""
    cases = document["cases"]
    rows: list[tuple[str, ...]] = [(DIMENSION_HEAD[0].lower(), *DIMENSION_HEAD[1:])]
    rows += [(name, *dimension_stress_cells(case)) for name, case in cases.items()]
    if not any(case["failed"] for case in cases.values()):
        place = DIMENSION_HEAD.index("failed")
        rows = [row[:place] + row[place + 1 :] for row in rows]
    (head, *numbers, kept), *shown = rows
    table = narrow_table([head], numbers, kept)
    for row in shown:
        table.add_row(*row)
    return table


def _cells(found: dict[str, Any]) -> tuple[str, str, str]:
    """Return UAR, its change and the share of equal answers, short enough for 60 columns."""
    uar = scored_short({**found["uar"], "low": None})
    return uar, change_short(found["change"]["uar"], 0), scored_short(found["unchanged"])


def _clean_line(document: dict[str, Any]) -> str:
    clean = document["clean"]
    return (
        f"Clean: {counted(document['clips'], 'clip')} of {document['dataset']['name']}, accuracy "
        f"{scored(clean['wa'])}, UAR {scored(clean['uar'])}."
    )


def _exact_line(document: dict[str, Any]) -> str:
    checks = (document["invariance"] or {"checks": {}})["checks"]
    broken = [check["what"] for check in checks.values() if check["passed"] is False]
    if not broken:
        return ""
    return f"The file's answer to the same clip is not the same with: {', '.join(broken)}."


def _fairness_line(document: dict[str, Any]) -> str:
    fairness = document["fairness"]
    if not fairness["judged"]:
        return f"Fairness is not judged, since {fairness['reason']}."
    return beyond_sentence(fairness)


def _against_line(document: dict[str, Any]) -> str:
    against = document["against"]
    if against is None:
        return ""
    everything = against["families"]["all"]
    return (
        f"Against {against['model']}, UAR in points: clean "
        f"{change_short(against['clean']['uar'])}, mean over all perturbations "
        f"{change_short(everything['uar'])}, extra loss under stress "
        f"{change_short(everything['extra']['uar'])}."
    )
