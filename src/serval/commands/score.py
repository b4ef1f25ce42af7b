"""`serval score`."""

from __future__ import annotations

from pathlib import Path

import click

from serval.commands.options import log_option, picture_option
from serval.commands.stored import opened_run
from serval.commands.tables import print_findings, print_groups, print_run
from serval.commands.terminal import print_json, say, terminal
from serval.logs import entry_of, log_entry, refuse_missing
from serval.results import Written, write_results
from serval.wording import percent

FINDINGS = ("observations", "votes", "calibration", "averaged", "groups")
"""Parts of a results document whose sentences are printed; a run of dimensions has the last two."""


@click.command("score")
@click.argument("run")
@click.option("--calibrate-on", metavar="RUN",
              help="Fit a temperature on this run of the same model on other clips.")  # fmt: skip
@click.option("--thresholds-from", metavar="RUN",
              help="Fit the thresholds of several emotions a clip on such a run.")  # fmt: skip
@click.option("--output", "-o", type=click.Path(path_type=Path), metavar="FOLDER",
              help="Where to write; default: the folder of RUN.")  # fmt: skip
@click.option("--groups/--no-groups", default=True, help="Show a table for each group column.")
@click.option("--plots/--no-plots", default=True, help="Draw the pictures too.")
@click.option("--restrict", is_flag=True,
              help="Score too with only those labels that both model and set know.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
@log_option
@picture_option()
def score_command(  # noqa: PLR0913 - click's flags
    run: str,
    calibrate_on: str | None,
    thresholds_from: str | None,
    output: Path | None,
    *,
    groups: bool,
    as_json: bool,
    loggers: tuple[str, ...],
    **scoring: bool,
) -> None:
    """Score a stored run again and write its files anew: no audio, no model.

    RUN is the folder of `serval evaluate -o`, finished or not, from this machine or another; or
    example:fp32 or example:int8, which come with serval; or a .csv, .jsonl or .parquet file of
    predictions with the columns truth, predicted or prob_LABEL for each label, and speaker.
    """
    refuse_missing(loggers)
    scored = opened_run(run)
    written = write_results(
        scored,
        output,
        calibrate_on=opened_run(calibrate_on) if calibrate_on else None,
        thresholds_from=opened_run(thresholds_from) if thresholds_from else None,
        plots=scoring["plots"],
        restrict=scoring["restrict"] or None,
    )
    if as_json:
        print_json(written.document)
    else:
        _print(written, groups=groups)
    _say_whose_thresholds(output if thresholds_from else None, run)
    entry = entry_of(written.document, written.files, output or scored.folder)
    for line in log_entry(loggers, entry):
        say(line, err=True)


def _say_whose_thresholds(output: Path | None, run: str) -> None:
    """Say who reads the thresholds that were fitted, where they do not lie beside the run."""
    if output and output.resolve() != Path(run).resolve():
        said = (
            f"These thresholds lie in {output}; compare, gate and runs go on with those of {run}."
        )
        say(said, err=True)


def _print(written: Written, *, groups: bool) -> None:
    document, console = written.document, terminal()
    print_run(console, document)
    if groups:
        print_groups(console, document)
    print_findings(console, document, FINDINGS)
    calibration = document.get("calibration", {})
    if scaled := calibration.get("scaled"):
        before, after = (percent(fit["ece"], 1) for fit in (calibration["as_is"], scaled))
        console.print(
            f"  At temperature {scaled['temperature']:.3f}, fitted on {calibration['fitted_on']}, "
            f"ECE goes from {before} to {after}."
        )
    console.print_files(written.files.values())
