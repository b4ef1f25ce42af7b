"""`serval card`."""

from __future__ import annotations

from pathlib import Path

import click

from serval.commands.stored import opened_run
from serval.commands.terminal import say
from serval.report.card import card_text, write_card


@click.command("card")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--output", "-o", type=click.Path(path_type=Path),
              help="Write it into this model card instead: its section, and in the metadata its "
              "scores.")  # fmt: skip
def card_command(run: Path, output: Path | None) -> None:
    """Print a run as a model card: scores, intervals, limits and the hub's metadata."""
    if output is None:
        say(card_text(opened_run(run)))
        return
    for path in write_card(opened_run(run), output):
        say(path)
