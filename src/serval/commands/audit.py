"""`serval audit`."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from serval.audit import (
    AuditOptions,
    FindingKind,
    audit,
    audit_document,
    audit_verdict,
    writable,
    write_audit,
)
from serval.commands.options import quiet_option, reading_options
from serval.commands.progress import shown_progress
from serval.commands.terminal import MOST_ITEMS, narrow_table, print_json, say, terminal
from serval.evaluation import Step
from serval.wording import counted, left_out_sentences

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serval.audit import Audit
    from serval.audit.findings import Finding


@click.command("audit")
@click.argument("dataset")
@reading_options
@click.option("--against", help="A split of the set, or a dataset, to share nothing with.",
              metavar="TEXT")  # fmt: skip
@click.option("--folds", metavar="FILE",
              help="A fold list (.csv, .jsonl, or a folder of EmoBox's) that should keep speakers "
              "apart.")  # fmt: skip
@click.option("--labels", help="The labels to expect, with commas.  [default: the corpus's, or "
              "eight emotions]",
              metavar="TEXT")  # fmt: skip
@click.option("--label-map", help="ANG=angry,... or a JSON file.", metavar="TEXT")
@click.option("--scale", metavar="LOW..HIGH", help="Of ratings of dimensions, such as 1..7.")
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
        print_json(audit_document(found))
    elif not quiet:
        _print(found, files)
    sys.exit(_exit_code(found, fail_on))


def _options(flags: dict[str, Any]) -> AuditOptions:
    given = {name: value for name, value in flags.items() if name != "labels"}
    labels = flags["labels"]
    if labels is None:
        return AuditOptions(**given)
    return AuditOptions(labels=tuple(name.strip() for name in labels.split(",")), **given)


def _print(found: Audit, files: Sequence[Path]) -> None:
    console = terminal()
    console.print_verdict(audit_verdict(found))
    table = narrow_table(["kind"], ["found"])
    table.add_column("what", overflow="fold")
    table.padding = (0, 1, 0, 0)
    for kind, n in found.counts().items():
        if n:
            table.add_row(kind.value, f"{n:,}", kind.meaning)
    if table.row_count:
        console.print_table(table)
    console.print_items([f"{one.kind.value}: {one.message}." for one in _first(found.findings)])
    rest = len(found.findings) - MOST_ITEMS
    if rest > 0:
        console.print(f"{rest:,} more in {files[-1]}.", style="dim", soft_wrap=True)
    left_out = [asdict(part) for looked in found.looked for part in looked.left_out]
    console.print_caveats(left_out_sentences(left_out))
    console.print_files(files)


def _first(findings: Sequence[Finding]) -> list[Finding]:
    """Return as many findings as are shown: of each kind the first, then the second, in order."""
    seen: Counter[FindingKind] = Counter()
    ranked = []
    for place, finding in enumerate(findings):
        ranked.append((seen[finding.kind], place))
        seen[finding.kind] += 1
    return [findings[place] for place in sorted(place for _, place in sorted(ranked)[:MOST_ITEMS])]


SHARING = (FindingKind.SHARED_SPEAKERS, FindingKind.FOLDS_SHARE_SPEAKERS)
"""What takes the speaker of each clip to tell."""


def _exit_code(found: Audit, fail_on: tuple[str, ...]) -> int:
    counts = found.counts()
    kinds = [kind for kind in FindingKind if kind.value in fail_on or "any" in fail_on]
    hit = [f"{kind.value} ({counts[kind]})" for kind in kinds if counts[kind]]
    if found.unnamed and (untold := [kind for kind in SHARING if kind.value in fail_on]):
        asked = ", ".join(kind.value for kind in untold)
        unnamed = counted(found.unnamed, "clip that names", "clips that name")
        hit.append(f"{unnamed} no speaker, so {asked} cannot be told")
    if hit:
        say(f"serval: --fail-on: found {', '.join(hit)}", err=True)
    return int(bool(hit))
