"""`serval compare`."""

from __future__ import annotations

import dataclasses
import math
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource
from rich.text import Text

from serval.commands.options import picture_option
from serval.commands.stored import opened_run
from serval.commands.terminal import Terminal, narrow_table, print_json, terminal
from serval.comparison import PairOptions
from serval.comparison.compare import COMPARISONS
from serval.comparison.dimensions import change_cells
from serval.comparison.multilabel import multilabel_change_cells
from serval.comparison.partners import task_of_runs
from serval.comparison.words import changed, letter_of, pair_verdict, supporting, verdict_sentence
from serval.scores import HEADLINES, METRICS
from serval.scores.multilabel import MULTILABEL_METRICS
from serval.tasks import CATEGORICAL, DIMENSIONAL, MULTILABEL
from serval.wording import (
    change_short,
    counted,
    hundredths,
    in_points,
    percent,
    points,
    scored_short,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rich.table import Table

    from serval.comparison import Against, Comparison
    from serval.comparison.compare import TaskComparison
    from serval.comparison.dimensions import DimensionComparison
    from serval.comparison.flips import GroupChange
    from serval.comparison.multilabel import MultilabelComparison
    from serval.run import Run
    from serval.scores.paired import ScoreChange
    from serval.tasks import Task

DEFAULTS = PairOptions()
DRAWS = ("resamples", "seed")
WIDE = 72
"""Columns that hold the p-values too."""


@click.command("compare")
@click.argument("runs", nargs=-1, required=True, metavar="RUN_A RUN_B [RUN_C ...]")
@click.option("--margin", type=float, default=100 * DEFAULTS.margin, show_default=True,
              metavar="POINTS", help="The loss in points that would not matter.")  # fmt: skip
@click.option("--output", "-o", default="./comparison", show_default=True, help="Results folder.")
@click.option("--resamples", type=click.IntRange(min=100), default=DEFAULTS.resamples,
              show_default=True, help="Draws of the bootstrap.")  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=DEFAULTS.seed, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
@picture_option()
def compare_command(
    runs: tuple[str, ...], margin: float, output: str, resamples: int, seed: int, *, as_json: bool
) -> None:
    """Compare runs on the same clips: whether the others are worse than the first.

    Reads stored runs only: no audio, no model. Differences are paired clip by clip, and their
    intervals are drawn by speaker where speakers are known.

    \b
    not worse    a loss beyond the margin is ruled out
    worse        worse, and such a loss is not ruled out
    cannot tell  these clips cannot decide it
    """  # noqa: D301 - click wants that backspace
    options = PairOptions(margin=margin / 100, resamples=resamples, seed=seed)
    opened: list[Run] = []
    for run in runs:
        opened.append(opened_run(run, beside=opened))
    task = task_of_runs(opened)
    kind = COMPARISONS[task]
    _refuse_draws(kind)
    found = kind.compare(opened, options)
    files = kind.write(found, opened, Path(output))
    if as_json:
        print_json(kind.document(found))
        return
    console = terminal()
    SHOWN[task](console, found)
    console.print_files(files.values())


def _refuse_draws(kind: TaskComparison) -> None:
    """Refuse options of the bootstrap where nothing is drawn."""
    source = click.get_current_context().get_parameter_source
    given = [name for name in DRAWS if source(name) is ParameterSource.COMMANDLINE]
    if given and not kind.draws:
        raise click.UsageError(
            f"--{given[0]} is of the bootstrap, and intervals of dimensions are computed without "
            "draws; leave it out"
        )


def _show_dimensions(console: Terminal, found: DimensionComparison) -> None:
    console.print_verdict(found.verdict)
    for one in found.against:
        b = letter_of(found.runs, one.b)
        table = narrow_table([f"{b}: {one.b}"], ["A", b, f"{b} - A [95 %]"], "verdict")
        for name, changes in one.changes.items():
            table.add_row(f"CCC {name}", *change_cells(changes["ccc"]))
        console.print_table(table)
        console.print_items(one.sentences(found.scale))
    console.print_caveats(found.warnings)


def _show_sets(console: Terminal, found: MultilabelComparison) -> None:
    console.print_verdict(found.verdict)
    for one in found.against:
        b = letter_of(found.runs, one.b)
        table = narrow_table([f"{b}: {one.b}"], ["A %", f"{b} %", f"{b} - A [95 %]"], "verdict")
        rows = {MULTILABEL_METRICS[key].title: change for key, change in one.overall.items()}
        rows |= {f"F1 {label}": own["f1"] for label, own in one.per_emotion.items()}
        for title, change in rows.items():
            table.add_row(title, *multilabel_change_cells(change))
        console.print_table(table)
        both = percent(one.agreement, 1)
        console.print_items([f"Both name exactly the same emotions on {both} of the clips."])
    said = found.thresholds
    same = len(set(said.values())) == 1
    lines = [*said.values()][:1] if same else [f"{name}: {line}" for name, line in said.items()]
    console.print_items(lines, len(lines))
    console.print_caveats(found.warnings)


def _show_emotions(console: Terminal, comparison: Comparison) -> None:
    """Print the verdicts, then the tables, then what stands behind them."""
    console.print_verdict([pair_verdict(comparison, one) for one in comparison.against])
    by, names = comparison.clustering, list(comparison.runs)
    console.print(
        f"{counted(comparison.n, 'common clip')}, {counted(by['clusters'], by['by'])}. "
        f"A: {names[0]}."
    )
    for against in comparison.against:
        b = letter_of(comparison.runs, against.b)
        console.print(f"\n{b}: {against.b}", style="bold")
        console.print_table(_score_table(console, against, b))
        console.print_table(_changed_table(against, b))
        console.print(_note(comparison, b), style="dim")
        own = [*supporting(comparison, against), *changed(against)]
        console.print_items([*_doubts(comparison, against), *own])
    if len(names) > 2:
        console.print_table(_rank_table(comparison))
        console.print_table(_pair_table(console, comparison))
    _print_notes(console, comparison)


def _doubts(comparison: Comparison, against: Against) -> list[str]:
    """Return why a verdict on the first score is not plain, if it is not."""
    change = against.scores.overall["wa"]
    if not change.contradicted(comparison.options.margin):
        return []
    return [f"{METRICS['wa'].title}: {verdict_sentence(change, comparison.options.margin)}"]


def _score_table(console: Terminal, against: Against, b: str) -> Table:
    wide = console.width >= WIDE
    numbers = ["A %", f"{b} %", f"{b} - A [95 %]", *(["p"] * wide)]
    table = narrow_table(["score"], numbers, "verdict")
    for name in HEADLINES:
        change = against.scores.overall[name]
        p = [_p(change.difference.p)] * wide
        table.add_row(METRICS[name].title, *_change_cells(change), *p, change.verdict)
    return table


def _changed_table(against: Against, b: str) -> Table:
    """Return recall of each emotion and accuracy of each group; of speakers the files tell."""
    table = narrow_table([""], ["clips", "A %", f"{b} %", f"{b} - A [95 %]"], "")
    table.add_row("recall:")
    for label, row in against.scores.per_class.items():
        cells = (str(row.support), *_change_cells(row.recall))
        table.add_row(Text(f" {label}"), *cells, f"-{row.broken} +{row.fixed}")
    for column, groups in groupby(against.groups, key=lambda group: group.column):
        if column == "speaker":
            continue
        table.add_row(Text(f"{column}:"))
        for group in groups:
            cells = (str(group.n), *_change_cells(group))
            table.add_row(Text(f" {group.name}"), *cells, f"-{group.broken} +{group.fixed}")
    return table


def _note(comparison: Comparison, b: str) -> str:
    return (
        f"{b} - A in points, with the 95 % interval. Verdict: whether a loss of more than "
        f"{in_points(comparison.options.margin)} is ruled out. Of an emotion its recall, of a "
        "group its accuracy, and how many clips broke (-) and were fixed (+)."
    )


def _change_cells(change: ScoreChange | GroupChange) -> tuple[str, str, str]:
    """Return both shares, and their difference with its interval, all to a hundredth of a point."""
    gap = change_short(dataclasses.asdict(change.difference), 2)
    return hundredths(change.a, 2), hundredths(change.b, 2), gap


def _p(value: float) -> str:
    return "n/a" if math.isnan(value) else f"{value:.2g}"


def _rank_table(comparison: Comparison) -> Table:
    table = narrow_table(["score", "run"], ["value %", "rank"])
    table.title = "Ranks; ranges where Holm-corrected tests cannot tell the runs apart"
    for rank in comparison.ranks:
        place = str(rank.best) if rank.best == rank.worst else f"{rank.best}-{rank.worst}"
        value = scored_short(dataclasses.asdict(rank.value), 1)
        table.add_row(METRICS[rank.score].title, Text(rank.name), value, place)
    return table


def _pair_table(console: Terminal, comparison: Comparison) -> Table:
    """Return every pair of runs with its p-values, alone and corrected for the number of pairs."""
    wide = console.width >= WIDE
    raw = ["p", "McNemar"] if wide else []
    table = narrow_table(["score", "B - A"], ["points", *raw, "p, Holm", "McN., Holm"])
    table.title = "Every pair; p: clustered, then exact McNemar of right and wrong"
    for test in comparison.tests:
        alone = (test.p, test.mcnemar_p) if wide else ()
        p_values = (*alone, test.p_corrected, test.mcnemar_p_corrected)
        table.add_row(METRICS[test.score].title, f"{test.b} - {test.a}",
                      points(test.difference, sign=True), *map(_p, p_values))  # fmt: skip
    return table


def _print_notes(console: Terminal, comparison: Comparison) -> None:
    lines = list(comparison.warnings)
    for name, clips in comparison.only_in.items():
        if clips:
            shown = ", ".join(clips[:3]) + (" ..." if len(clips) > 3 else "")
            lines.append(
                f"{counted(len(clips), f'clip of {name} is', f'clips of {name} are')} not in every "
                f"run: {shown}"
            )
    console.print_caveats(lines)


SHOWN: Mapping[Task, Callable[[Terminal, Any], None]] = {
    CATEGORICAL: _show_emotions,
    MULTILABEL: _show_sets,
    DIMENSIONAL: _show_dimensions,
}
