"""`serval card`."""

from __future__ import annotations

from pathlib import Path

import click

from serval.commands.stored import opened_run
from serval.report.card import write_card

__all__ = ["card_command"]


@click.command("card")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    default=Path("README.md"),
    show_default=True,
    help="A model card; what it says outside of the evaluation stays as it is.",
)
def card_command(run: Path, output: Path) -> None:
    """Write a run into a model's card: scores, intervals, limits and the hub's metadata."""
    for path in write_card(opened_run(run), output):
        click.echo(path)
