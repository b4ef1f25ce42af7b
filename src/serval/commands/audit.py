"""`serval audit`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from serval.audit import (
    MEANINGS,
    AuditOptions,
    FindingKind,
    audit,
    audit_document,
    writable,
    write_audit,
)
from serval.commands.options import quiet_option, reading_options
from serval.commands.progress import shown_progress
from serval.commands.terminal import say, terminal
from serval.evaluation import Step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serval.audit import Audit

__all__ = ["audit_command"]

EXAMPLES = 3
"""Findings of a kind that the table shows; the files have all of them."""


@click.command("audit")
@click.argument("dataset")
@reading_options
@click.option("--against", help="A split of the set, or a dataset, to share nothing with.",
              metavar="TEXT")  # fmt: skip
@click.option("--labels", help="The labels to expect, with commas.  [default: eight emotions]",
              metavar="TEXT")  # fmt: skip
@click.option("--label-map", help="ANG=angry,... or a JSON file.", metavar="TEXT")
@click.option("--text-column", help="Column with the spoken text.", metavar="TEXT")
@click.option("--workers", type=int, metavar="N", help="Default: one for each core.")
@click.option("--output", "-o", default="./audit_results", show_default=True,
              help="Folder of audit.json and audit.csv.")  # fmt: skip
@click.option("--fail-on", multiple=True, metavar="KIND",
              type=click.Choice([*(kind.value for kind in FindingKind), "any"]),
              help="Exit with 1 if there is such a finding; may be given again. "
              f"KIND: {', '.join(kind.value for kind in FindingKind)}, any.")  # fmt: skip
@quiet_option("No progress, no table.")
@click.option("--json", "as_json", is_flag=True, help="Print the audit as JSON.")
def audit_command(
    output: str, fail_on: tuple[str, ...], *, quiet: bool, as_json: bool, **flags: Any  # noqa: ANN401 - click's flags
) -> None:  # fmt: skip
    """Check a dataset for leaks, duplicates, broken audio and wrong labels.

    Exit codes: 0 done, whatever was found; 1 a kind of --fail-on was found;
    2 something is wrong with the command or the data.
    """
    options, folder = _options(flags), writable(Path(output))
    with shown_progress(quiet=quiet) as show:
        found = audit(
            options,
            lambda done, total, failed: show(
                Step(done=done, total=total, failures=failed, resumed=0)
            ),
        )
    files = write_audit(found, folder)
    if as_json:
        click.echo(json.dumps(audit_document(found), indent=2))
    elif not quiet:
        _print_table(found, files)
    sys.exit(_exit_code(found, fail_on))


def _options(flags: dict[str, Any]) -> AuditOptions:
    given = {name: value for name, value in flags.items() if name != "labels"}
    labels = flags["labels"]
    if labels is None:
        return AuditOptions(**given)
    return AuditOptions(labels=tuple(name.strip() for name in labels.split(",")), **given)


def _print_table(found: Audit, files: Sequence[Path]) -> None:
    console = terminal()
    table = Table(title=" against ".join(_looked_line(looked) for looked in found.looked))
    table.add_column("kind", no_wrap=True)
    table.add_column("found", justify="right")
    table.add_column("what, and the first of them", overflow="fold")
    for kind, n in found.counts().items():
        if n:
            examples = [f.message for f in found.findings if f.kind is kind][:EXAMPLES]
            table.add_row(kind.value, str(n), "\n".join([MEANINGS[kind], *examples]))
    console.print(table if table.row_count else "Nothing was found.")
    if found.leak:
        console.print(f"  {found.leak}")
    for path in files:
        console.print(f"  {path}", soft_wrap=True)


def _looked_line(looked: Any) -> str:  # noqa: ANN401
    return f"{looked.name}: {looked.clips:,} clips, {looked.hours:.2f} h"


def _exit_code(found: Audit, fail_on: tuple[str, ...]) -> int:
    counts = found.counts()
    kinds = [kind for kind in FindingKind if kind.value in fail_on or "any" in fail_on]
    hit = [f"{kind.value} ({counts[kind]})" for kind in kinds if counts[kind]]
    if hit:
        say(f"serval: --fail-on: found {', '.join(hit)}", err=True)
    return int(bool(hit))
