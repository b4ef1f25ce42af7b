"""`serval evaluate`."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import click

from serval.commands.options import (
    evaluation_options,
    failures_option,
    log_option,
    picture_option,
    quiet_option,
)
from serval.commands.progress import shown_progress
from serval.commands.terminal import Terminal, print_json, say, say_failures, terminal
from serval.errors import RunError
from serval.evaluation import Evaluation, evaluate, open_dataset
from serval.label_plan import with_value_columns
from serval.logs import entry_of, log_entry, refuse_missing
from serval.models.load import load_as_stated
from serval.options import EvalOptions
from serval.run import load_run
from serval.stopping import as_stop
from serval.wording import counted, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from serval.evaluation import Step
    from serval.models.contract import Contract
    from serval.models.protocol import Model
    from serval.records import Dataset

DEFAULTS = EvalOptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class Showing:
    """What an evaluation says on the terminal, beside its folder.

    Attributes:
        quiet: No progress, no table.
        json: The results as JSON instead of a table.
        report: Make the HTML page too.
        loggers: Where else the run is kept; see `serval.logs`.
    """

    quiet: bool = False
    json: bool = False
    report: bool = False
    loggers: tuple[str, ...] = ()


@click.command("evaluate")
@evaluation_options
@click.option("--output", "-o", default=DEFAULTS.output, show_default=True, help="Results folder.")
@click.option("--name", metavar="TEXT",
              help="What tables and pages call the run; default: as its model.")  # fmt: skip
@failures_option
@click.option("--max-left-out", type=float, default=DEFAULTS.max_left_out, show_default=True,
              help="Share of the set's files that may be no clips of it before nothing is "
              "evaluated.")  # fmt: skip
@click.option(
    "--plots/--no-plots", default=DEFAULTS.plots, help="Draw pictures at 300 dpi. [default: yes]"
)
@click.option("--restrict", is_flag=True,
              help="Score too with only those labels that both model and set know.")  # fmt: skip
@click.option("--fresh", is_flag=True, help="Start over instead of going on.")
@quiet_option("No progress, no table.")
@click.option("--json", is_flag=True, help="Print the results as JSON.")
@click.option("--report", is_flag=True, help="Make an HTML page too, to look and listen.")
@log_option
@picture_option()
def evaluate_command(
    *,
    quiet: bool,
    json: bool,
    report: bool,
    loggers: tuple[str, ...],
    **flags: Any,  # noqa: ANN401 - click's flags
) -> None:
    """Evaluate a model on a labelled dataset, per emotion.

    A run that was stopped goes on where it was when the same command is given again.

    Exit codes: 0 done; 2 something is wrong with the command, the model or the data;
    3 more clips failed than --max-failures; 130 stopped by Ctrl-C or told to end.
    """
    told = Showing(quiet=quiet, json=json, report=report, loggers=loggers)
    sys.exit(run_evaluation(EvalOptions(**flags), told))


def run_evaluation(options: EvalOptions, told: Showing | None = None) -> int:
    """Return the exit code of an evaluation whose progress and results went to the terminal."""
    told = told or Showing()
    refuse_missing(told.loggers)
    model = load_as_stated(options.model, options)
    options = with_value_columns(options, model)
    dataset = open_dataset(options)
    try:
        with as_stop(), shown_progress(quiet=told.quiet) as show:
            watch = show if told.quiet else _announced(show, model, dataset)
            evaluation = evaluate(model, dataset, options, watch)
    except KeyboardInterrupt:
        say(_interrupted_line(Path(options.output), fresh=options.fresh), err=True)
        return 130
    if told.report:
        evaluation = _with_report(evaluation, quiet=told.quiet)
    show_evaluation(evaluation, told)
    entry = entry_of(evaluation.document, evaluation.files, evaluation.run.folder)
    for line in log_entry(told.loggers, entry):
        say(line, err=True)
    if not evaluation.too_many_failures:
        return 0
    say_failures(evaluation.run, options.max_failures, evaluation.files["results"])
    return 3


def _with_report(evaluation: Evaluation, *, quiet: bool) -> Evaluation:
    """Return the evaluation with the page among its files, after writing it.

    Where there is no page that is said, and loses nobody the run.
    """
    if reason := _no_page(evaluation):
        say(f"no page was made: {reason}", err=True)
        return evaluation
    from serval.report import write_report

    with shown_progress(quiet=quiet) as show:
        page = write_report(evaluation.run, evaluation.run.folder / "report.html", show=show)
    for note in page.notes:
        say(note, err=True)
    return replace(evaluation, files=evaluation.files | {"report": page.path})


def _no_page(evaluation: Evaluation) -> str:
    """Return why there is no page of the run, or `""`."""
    from serval.report.build import PAGES

    run = evaluation.run
    return PAGES.refusal(run.provenance.task, run.folder)


def show_evaluation(evaluation: Evaluation, told: Showing) -> None:
    """Print the results: as JSON, or as a table with the files and what to try next."""
    document = evaluation.document
    if told.json:
        print_json(document)
    elif not told.quiet:
        console = terminal()
        if renamed := document["dataset"].get("labels_as"):
            pairs = ", ".join(f"{raw} = {label}" for raw, label in renamed.items())
            console.print(f"The set's labels, as the model calls them: {pairs}")
        from serval.commands.tables import print_findings, print_run, print_self_test

        if document["options"]["dataset"] == DEFAULTS.dataset:
            print_self_test(console, evaluation)
        else:
            print_run(console, document)
            print_findings(console, document)
        _print_end(console, evaluation)


def _announced(
    show: Callable[[Step], None], model: Model, dataset: Dataset
) -> Callable[[Step], None]:
    """Return what shows a step, and before the first one what is evaluated on what.

    Until then what is wrong with the set or its labels stops the command, and stands alone.
    """
    silent = True

    def watch(step: Step) -> None:
        nonlocal silent
        if silent:
            silent = False
            _show_contract(model)
            if dataset.read_as:
                terminal(err=True).print(f"dataset: {dataset.read_as}")
        show(step)

    return watch


def _show_contract(model: Model) -> None:
    contract, said = model.contract, model.contract.sources
    length = f"fixed {contract.static_samples} samples" if contract.static_samples else "any length"
    terminal(err=True).print(
        f"model contract: {counted(len(contract.labels), 'label')} [{said['labels']}], "
        f"{contract.sample_rate} Hz [{said['sample_rate']}], "
        f"normalize {contract.normalize} [{said['normalize']}], "
        f"clips up to {contract.max_seconds:g} s [{said['max_seconds']}], "
        f"{length}, {_mask(contract)}, outputs {contract.outputs} "
        f"[{said.get('outputs', 'graph')}]{_head(model.facts)}{_run_by(model.facts)}"
        f"{_windows(model.facts)}"
    )


def _head(facts: Mapping[str, Any]) -> str:
    """Return what the check of a checkpoint's head found."""
    head = facts.get("head")
    return f", head {head['verdict']} ({head['head']})" if head else ""


def _run_by(facts: Mapping[str, Any]) -> str:
    """Return what runs the model, where that is not ONNX Runtime on the CPU."""
    runtime = facts.get("runtime", {})
    return f", run by {' '.join(runtime.values())}" if runtime else ""


def _windows(facts: Mapping[str, Any]) -> str:
    """Return how longer clips are cut, where they are."""
    if "window" not in facts:
        return ""
    window = facts["window"]
    return (
        f", longer clips in windows of {window['seconds']:g} s every {window['hop_s']:g} s, "
        f"mean of their {window['mean']}"
    )


def _mask(contract: Contract) -> str:
    if contract.mask_name is None:
        return "no attention mask"
    mask = f"attention mask '{printable(contract.mask_name)}'"
    if contract.mask_marks == "padding":
        mask += " that marks padding [trial]"
    if contract.masks_padding:
        return mask
    return f"{mask}, all of it valid [{contract.sources['masks_padding']}]"


def _print_end(console: Terminal, evaluation: Evaluation) -> None:
    if evaluation.reused:
        console.print("The run was complete already: scored again, nothing was computed.")
    folder = evaluation.run.folder
    console.print_files(evaluation.files.values())
    if _no_page(evaluation):
        return
    steps = {"hear what it got wrong": f"serval report {quote(str(folder))} -o report.html"}
    given = evaluation.run.provenance.options
    if DEFAULTS.model == given.get("model") or DEFAULTS.dataset == given.get("dataset"):
        steps["evaluate your own"] = "serval evaluate -m model.onnx -d my_clips.csv -o mine"
    console.print_next(steps)


def _interrupted_line(folder: Path, *, fresh: bool) -> str:
    try:
        run = load_run(folder)
    except RunError:
        return "\nstopped before the first clip"
    done = len(run) + len(run.failures)
    return (
        f"\nstopped; {counted(done, 'clip is', 'clips are')} kept in {folder}: give the same "
        f"command{' without --fresh' * fresh} to go on"
    )
