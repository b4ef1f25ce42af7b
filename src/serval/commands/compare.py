"""`serval compare`."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.box import SIMPLE_HEAD
from rich.table import Table

from serval.commands.options import picture_option
from serval.commands.stored import opened_run
from serval.commands.terminal import terminal
from serval.comparison import Against, Comparison, PairOptions, compare, sentences, write_comparison
from serval.comparison.files import comparison_document
from serval.scores import HEADLINES, METRICS
from serval.wording import points

if TYPE_CHECKING:
    from rich.console import Console

    from serval.comparison.pair import ScoreChange
    from serval.scores.stats import Difference

__all__ = ["compare_command"]

DEFAULTS = PairOptions()
SHOWN_FLIPS = 5
SHOWN_SPEAKERS = 3


@click.command("compare")
@click.argument("runs", nargs=-1, required=True, metavar="RUN_A RUN_B [RUN_C ...]")
@click.option("--margin", type=float, default=100 * DEFAULTS.margin, show_default=True,
              metavar="POINTS", help="The loss in points that would not matter.")  # fmt: skip
@click.option("--output", "-o", default="./comparison", show_default=True, help="Results folder.")
@click.option("--resamples", type=click.IntRange(min=100), default=DEFAULTS.resamples,
              show_default=True, help="Draws of the bootstrap.")  # fmt: skip
@click.option("--seed", type=int, default=DEFAULTS.seed, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
@picture_option()
def compare_command(
    runs: tuple[str, ...], margin: float, output: str, resamples: int, seed: int, *, as_json: bool
) -> None:
    """Compare runs on the same clips: whether the others are worse than the first.

    Reads stored runs only: no audio, no model. Differences are paired clip by clip, and their
    intervals are drawn by speaker where speakers are known.

    \b
    not worse    a loss of more than the margin is ruled out
    worse        it is worse, and a loss of more than the margin cannot be ruled out
    cannot tell  these clips cannot decide it
    """  # noqa: D301 - click wants that backspace
    options = PairOptions(margin=margin / 100, resamples=resamples, seed=seed)
    comparison = compare([opened_run(run) for run in runs], options)
    files = write_comparison(comparison, Path(output))
    if as_json:
        click.echo(json.dumps(comparison_document(comparison), indent=2))
        return
    console = terminal()
    for against in comparison.against:
        _print_against(console, comparison, against)
    if len(comparison.runs) > 2:
        console.print(_rank_table(comparison))
        console.print(_pair_table(comparison))
    _print_notes(console, comparison)
    for kind, path in files.items():
        console.print(f"  {kind:>10}  {path}", soft_wrap=True)


def _print_against(console: Console, comparison: Comparison, against: Against) -> None:
    by = comparison.clustering
    table = Table(
        box=SIMPLE_HEAD,
        title=f"{against.b} (B) against {against.a} (A): {comparison.n} common clips, "
        f"{by['clusters']} {by['by']}s",
        caption=f"points with 95 % intervals; verdict at a margin of "
        f"{points(comparison.options.margin)}; behind an emotion: clips broken and fixed",
    )
    table.add_column("", no_wrap=True)
    for column in ("A", "B", "B - A", "interval", "p"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for name in HEADLINES:
        change = against.scores.overall[name]
        table.add_row(METRICS[name].title, *_cells(change), change.verdict)
    for label, row in against.scores.per_class.items():
        moved = f"-{row.broken} +{row.fixed}"
        table.add_row(f"recall {label}", *_cells(row.recall), moved)
    console.print(table)
    if (groups := _group_table(against)).row_count:
        console.print(groups)
    for line in (
        *sentences(comparison, against),
        *_surest_flips(against),
        *_changed_speakers(against),
    ):
        console.print(f"  {line}")


def _group_table(against: Against) -> Table:
    """Return the accuracy of each group; of speakers, who are many, the files tell."""
    table = Table(
        box=SIMPLE_HEAD,
        title="accuracy by group",
        caption="each group by itself; behind it: clips broken and fixed",
    )
    table.add_column("", overflow="fold")
    for column in ("clips", "A", "B", "B - A", "interval", ""):
        table.add_column(column, justify="right", no_wrap=True)
    for group in against.groups:
        if group.column != "speaker":
            shares = (_two_places(group.a), _two_places(group.b))
            moved = f"-{group.broken} +{group.fixed}"
            table.add_row(f"{group.column} {group.name}", str(group.n), *shares,
                          *_gap_cells(group.difference), moved)  # fmt: skip
    return table


def _changed_speakers(against: Against) -> list[str]:
    """Return one line on the speakers of whom most clips changed between right and wrong."""
    changed = [g for g in against.groups if g.column == "speaker" and g.broken + g.fixed]
    most = sorted(changed, key=lambda g: -(g.broken + g.fixed))[:SHOWN_SPEAKERS]
    if not most:
        return []
    named = ", ".join(f"{g.name} (-{g.broken} +{g.fixed} of {g.n} clips)" for g in most)
    return [f"speakers that changed most, of {len(changed)} that did: {named}"]


def _cells(change: ScoreChange) -> tuple[str, ...]:
    gap = change.difference
    return (_two_places(change.a), _two_places(change.b), *_gap_cells(gap), _p(gap.p))


def _gap_cells(gap: Difference) -> tuple[str, str]:
    span = f"{points(gap.low, sign=True)} to {points(gap.high, sign=True)}"
    return points(gap.value, sign=True), span


def _p(value: float) -> str:
    return "n/a" if math.isnan(value) else f"{value:.2g}"


def _two_places(share: float) -> str:
    return "n/a" if math.isnan(share) else f"{100 * share:.2f}"


def _surest_flips(against: Against) -> list[str]:
    broken = [flip for flip in against.flips if flip.kind == "broken"][:SHOWN_FLIPS]
    return [
        f"broken: {flip.clip_id}: {flip.a} ({flip.confidence_a:.0%}) became {flip.b} "
        f"({flip.confidence_b:.0%})"
        for flip in broken
    ]


def _rank_table(comparison: Comparison) -> Table:
    table = Table(title="ranks; ranges where Holm-corrected tests cannot tell the runs apart")
    for column in ("score", "run", "value", "interval", "rank"):
        table.add_column(column, justify="left" if column in {"score", "run"} else "right")
    for rank in comparison.ranks:
        place = str(rank.best) if rank.best == rank.worst else f"{rank.best}-{rank.worst}"
        low, value, high = (
            _two_places(share) for share in (rank.value.low, rank.value.value, rank.value.high)
        )
        table.add_row(METRICS[rank.score].title, rank.name, value, f"{low} to {high}", place)
    return table


def _pair_table(comparison: Comparison) -> Table:
    """Return every pair of runs with its p-values, alone and corrected for the number of pairs."""
    table = Table(title="every pair; p: clustered, then exact McNemar of right and wrong")
    for column in ("score", "B - A", "points", "p", "p, Holm", "McNemar", "McNemar, Holm"):
        table.add_column(column, justify="left" if column in {"score", "B - A"} else "right")
    for test in comparison.tests:
        p_values = (test.p, test.p_corrected, test.mcnemar_p, test.mcnemar_p_corrected)
        table.add_row(METRICS[test.score].title, f"{test.b} - {test.a}",
                      points(test.difference, sign=True), *map(_p, p_values))  # fmt: skip
    return table


def _print_notes(console: Console, comparison: Comparison) -> None:
    for name, clips in comparison.only_in.items():
        if clips:
            shown = ", ".join(clips[:3]) + (" ..." if len(clips) > 3 else "")
            line = f"  {len(clips)} clips of {name} are not in every run: {shown}"
            console.print(line)
    for warning in comparison.warnings:
        console.print(f"  {warning}")
