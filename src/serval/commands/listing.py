"""`serval datasets` and `serval models`: what is built in."""

from __future__ import annotations

import click
from rich.table import Table

from serval.commands.terminal import say, terminal
from serval.corpora import known_corpora
from serval.models.builtin import BUILTIN_MODELS

__all__ = ["datasets_command", "models_command"]


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


@click.command("models")
def models_command() -> None:
    """List the models that are built in."""
    table = Table(show_lines=True)
    for column in ("name", "what", "MB", "licence", "from"):
        table.add_column(column, overflow="fold")
    for model in BUILTIN_MODELS:
        size = f"{model.path.stat().st_size / 1e6:.1f}"
        table.add_row(model.name, model.what, size, model.licence, model.origin)
    terminal().print(table)
    say("Also: the path of any .onnx speech classifier.")
