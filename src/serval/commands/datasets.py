"""`serval datasets`: what is known by name, and a set as one file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from serval.commands.options import quiet_option
from serval.commands.terminal import narrow_table, say, terminal
from serval.corpora import corpus_called, known_corpora
from serval.errors import DatasetError
from serval.wording import counted, did_you_mean, printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.table import Table

    from serval.corpora import Corpus


@click.group("datasets", invoke_without_command=True)
@click.pass_context
def datasets_command(ctx: click.Context) -> None:
    """List the datasets that serval knows by name."""
    if ctx.invoked_subcommand is not None:
        return
    console, known = terminal(), known_corpora()
    by_name = [corpus for corpus in known if corpus.location]
    unzipped = [corpus for corpus in known if not corpus.location]
    console.print_verdict(["By name alone: -d NAME."])
    console.print_table(_table(by_name))
    console.print_verdict(["As it was unzipped: -d FOLDER, or -d NAME:FOLDER."])
    console.print_table(_table(unzipped))
    console.print(
        "Folds keep speakers apart: those of the corpus, published ones, or by a rule. Also: "
        "hf:ORG/NAME, any other folder, or a .csv, .jsonl or .parquet file."
    )
    console.print("Emotions, licence, where to get one and what to cite: serval datasets show NAME")


def _table(corpora: Iterable[Corpus]) -> Table:
    table = narrow_table(["name", "language"], ["clips", "speakers"], "folds")
    for corpus in corpora:
        clips = f"{corpus.clips:,}" if corpus.clips else "varies"
        speakers = f"{corpus.speakers:,}" if corpus.speakers else ""
        table.add_row(corpus.name, corpus.language, clips, speakers, _folds(corpus))
    return table


def _folds(corpus: Corpus) -> str:
    """Return where the folds of a corpus come from."""
    if corpus.official:
        return "its own"
    if corpus.location:
        return ""
    return f"{len(corpus.folds)} published" if corpus.folds else "by a rule"


@datasets_command.command("show", short_help="Say what is known of a corpus.")
@click.argument("name")
def show_command(name: str) -> None:
    """Say what is known of a corpus: emotions, licence, where to get it, what to cite."""
    corpus = corpus_called(name)
    if corpus is None:
        names = [known.name for known in known_corpora()]
        raise DatasetError(
            f"no corpus '{printable(name[:60])}' is known by name; serval datasets lists them"
            f"{did_you_mean(name, names)}"
        )
    console = terminal()
    console.print_verdict([f"{corpus.name}: {corpus.what}."])
    facts = {
        "language": corpus.language,
        "clips": f"{corpus.clips:,}" if corpus.clips else "varies by release",
        "speakers": f"{corpus.speakers:,}" if corpus.speakers else "not known",
        "emotions": ", ".join(corpus.emotions),
        "folds": _folds(corpus) or "none",
        "licence": corpus.licence,
        "from": corpus.source,
        "cite": corpus.cite,
    }
    console.print_facts(facts)


@datasets_command.command("prepare", short_help="Write a set as one file, with its folds.")
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
