"""`serval datasets`: what is known by name."""

from __future__ import annotations

import click
from rich.table import Table

from serval.commands.terminal import say, terminal
from serval.corpora import known_corpora

__all__ = ["datasets_command"]


@click.command("datasets")
def datasets_command() -> None:
    """List the datasets that serval knows by name."""
    table = Table(show_lines=True)
    for column in ("name", "what", "clips", "labels", "licence", "from"):
        table.add_column(column, overflow="fold")
    for info in known_corpora():
        table.add_row(
            info.name,
            info.what,
            f"{info.clips:,}",
            " ".join(info.emotions),
            info.licence,
            info.source,
        )
    terminal().print(table)
    say("Also: hf:ORG/NAME, a folder, or a .csv, .jsonl or .parquet file.")
