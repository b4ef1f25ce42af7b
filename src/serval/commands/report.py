"""`serval report`."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Any, get_args

import click

from serval.bench.browser import timed_in
from serval.commands.options import quiet_option, say_renamed
from serval.commands.progress import shown_progress
from serval.commands.stored import opened_run
from serval.commands.terminal import say
from serval.report.build import EMBED_MB, AudioChoice, Further, write_report
from serval.stress import load_stress
from serval.wording import counted


@click.command("report")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--output", "-o", type=click.Path(path_type=Path),
              help="The page; default: report.html in the folder of RUN.")  # fmt: skip
@click.option("--baseline", type=click.Path(path_type=Path),
              help="An earlier run on the same clips; the page says whether RUN is "
              "worse.")  # fmt: skip
@click.option("--against", type=click.Path(path_type=Path), hidden=True)
@click.option("--stress", type=click.Path(path_type=Path),
              help="Folder of `serval stress -o` of the same model, to see and hear what it does "
              "not stand.")  # fmt: skip
@click.option("--bench", multiple=True, metavar="FILE",
              help="bench.json of serval bench, or what a page of serval web measured; may be "
              "given again.")  # fmt: skip
@click.option("--audio", type=click.Choice(get_args(AudioChoice)), default="wrong",
              show_default=True,
              help=f"Which clips can be heard; over {EMBED_MB:g} MB they lie in a folder beside "
              "the page.")  # fmt: skip
@click.option("--open", "opens", is_flag=True, help="Open the page in the browser.")
@quiet_option("No progress.")
def report_command(
    run: Path,
    output: Path | None,
    baseline: Path | None,
    against: Path | None,
    *,
    opens: bool,
    quiet: bool,
    **shown: Any,  # noqa: ANN401 - click's flags
) -> None:
    """Make one HTML page of a stored run, to look and listen."""
    if against:
        run, baseline = _turned_round(run, against, baseline)
    first = opened_run(run)
    further = Further(
        stress=load_stress(shown["stress"]) if shown["stress"] else None,
        timed=[device for given in shown["bench"] for device in timed_in(given)],
    )
    with shown_progress(quiet=quiet) as show:
        page = write_report(
            first,
            output or first.folder / "report.html",
            baseline=opened_run(baseline) if baseline else None,
            further=further,
            audio=shown["audio"],
            show=show,
        )
    beside = f", audio in {page.beside.name}/" if page.beside else ""
    for note in page.notes:
        say(note, err=True)
    say(f"{page.size_mb:g} MB, {counted(page.sounds, 'clip')} can be heard{beside}", err=True)
    say(page.path)
    if opens and not webbrowser.open(page.path.resolve().as_uri()):
        say(f"no browser was found here; open {page.path} in one", err=True)


def _turned_round(run: Path, against: Path, baseline: Path | None) -> tuple[Path, Path]:
    """Return the run and its baseline; the earlier flag named the run, RUN being the baseline."""
    if baseline:
        raise click.UsageError(
            "--against is an earlier spelling of --baseline turned round: give one"
        )
    say_renamed("serval report A --against B", "serval report B --baseline A")
    return against, run
