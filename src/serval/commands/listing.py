"""`serval datasets`: what is known by name, and a set as one file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from serval.commands.options import quiet_option
from serval.commands.terminal import say
from serval.corpora import known_corpora
from serval.wording import counted

if TYPE_CHECKING:
    from serval.corpora import Corpus

__all__ = ["datasets_command"]


@click.group("datasets", invoke_without_command=True)
@click.pass_context
def datasets_command(ctx: click.Context) -> None:
    """List the datasets that serval knows by name."""
    if ctx.invoked_subcommand is not None:
        return
    for corpus in known_corpora():
        say("\n  ".join(_lines(corpus)))
    say("A corpus in a folder, as it was unzipped: -d FOLDER, or -d NAME:FOLDER.")
    say("Also: hf:ORG/NAME, a folder, or a .csv, .jsonl or .parquet file.")


def _lines(corpus: Corpus) -> tuple[str, ...]:
    clips = counted(corpus.clips, "clip") if corpus.clips else "clips by release"
    speakers = counted(corpus.speakers, "speaker") if corpus.speakers else ""
    facts = (clips, speakers, corpus.language, corpus.licence, _folds(corpus))
    return (
        f"{corpus.name}: {', '.join(fact for fact in facts if fact)}",
        corpus.what,
        " ".join(corpus.emotions),
        corpus.source,
        corpus.cite,
    )


def _folds(corpus: Corpus) -> str:
    """Return where the folds of a corpus come from."""
    if corpus.official or corpus.location:
        return "its own splits" if corpus.official else ""
    return f"{len(corpus.folds)} published folds" if corpus.folds else "folds by a rule"


@datasets_command.command("prepare")
@click.argument("dataset")
@click.option("--output", "-o", required=True, help="A .parquet file.")
@click.option("--split", metavar="TEXT", help="Default: of a known corpus all of it.")
@click.option("--include", metavar="KIND",
              help="Recordings of a known corpus that are left out else: song,video.")  # fmt: skip
@quiet_option("No line about what was written.")
def prepare_command(
    dataset: str, output: str, split: str | None, include: str | None, *, quiet: bool
) -> None:
    """Write a set as one file: audio, labels, speakers, folds and all other columns."""
    from serval.datasets import DatasetOptions
    from serval.datasets.prepare import prepare

    done = prepare(dataset, Path(output), DatasetOptions(split=split, include=include))
    if quiet:
        return
    read_as = f", {done.read_as}" if done.read_as else ""
    size = done.path.stat().st_size / 1e6
    say(f"{done.path}: {counted(done.clips, 'clip')}, {size:,.1f} MB{read_as}")
    if done.unreadable:
        say(f"  {counted(done.unreadable, 'clip')} without audio: the file could not be read")
    for part in done.left_out:
        say(f"  left out: {part.n:,} {part.reason}, such as {', '.join(part.examples)}")
