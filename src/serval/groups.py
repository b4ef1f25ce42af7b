"""Whether a model serves every group of clips alike: by gender, corpus, age, speaker, length."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.gaps import NO_GAP, Exchanged, Gap, exchange_of, gaps_between
from serval.scores import chance, whole_intervals
from serval.scores.clusters import cluster_tables, clustering_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from serval.run import Run
    from serval.scores.stats import Interval

    Ids = NDArray[np.int64]

__all__ = [
    "Gap",
    "GroupScores",
    "GroupTable",
    "Groups",
    "group_columns",
    "group_sentences",
    "groups_of",
]

MIN_CLIPS = 10
"""A group of fewer clips is listed, but no gap is measured to it."""

MIN_MEAN_CLIPS = 10
"""A column with fewer clips for each value (a text, a file name) is not a grouping."""

RESAMPLES = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupScores:
    """One group of clips.

    Attributes:
        name: The value of the column.
        n: Number of clips.
        accuracy: With its interval, clustered by speaker.
        uar: The same; over the classes with truth clips in this group.
        better_than_chance: Whether the whole interval of UAR lies above guessing.
    """

    name: str
    n: int
    accuracy: Interval
    uar: Interval
    better_than_chance: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupTable:
    """The groups of one column, most clips first.

    Attributes:
        column: `gender`, `corpus`, `speaker`, `duration` ...
        groups: Every group.
        accuracy_gap: Between two groups of at least `MIN_CLIPS` clips.
        uar_gap: The same, over the classes that all of these groups have.
        regrouped: What is exchanged: `speakers`, or where most of them have clips in several
            groups `clips`, each with others of its speaker.
    """

    column: str
    groups: tuple[GroupScores, ...]
    accuracy_gap: Gap
    uar_gap: Gap
    regrouped: Exchanged


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """Every grouping of a run.

    Attributes:
        better_than_chance: Whether the whole interval of UAR lies above guessing among the labels
            that occur.
        tables: One for each column.
    """

    better_than_chance: bool
    tables: tuple[GroupTable, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the groups as dicts, lists and numbers; undefined ones are NaN."""
        return asdict(self)


def groups_of(run: Run, *, seed: int = 0) -> Groups:
    """Return the scores of every group of clips, and whether the gaps are more than chance.

    Args:
        run: Stored; without a clip or a group column there is no table.
        seed: Of the intervals and of the random regroupings.
    """
    rng = np.random.default_rng(seed)
    everything = np.arange(len(run))
    better = len(run) > 0 and _group_scores("all", everything, run, rng).better_than_chance
    columns = group_columns(run.speakers, run.groups, run.duration_s)
    tables = [_table(name, values, run, rng, len(columns)) for name, values in columns.items()]
    if not better:
        tables = [_not_judged(table) for table in tables]
    return Groups(better_than_chance=better, tables=tuple(tables))


def group_sentences(groups: Groups) -> list[str]:
    """Return what the groups mean, for people; nothing if there is no group."""
    if not groups.tables:
        return []
    if not groups.better_than_chance:
        return ["Groups are not judged: the model is not shown to be better than guessing."]
    gaps = [(table.column, table.accuracy_gap) for table in groups.tables]
    found = [
        f"By {column}, {gap.best} is right {100 * gap.value:.1f} points more often than "
        f"{gap.worst}: more than chance (p = {gap.p_corrected:.2g})."
        for column, gap in gaps
        if gap.finding == "more than chance"
    ]
    rest = [column for column, gap in gaps if gap.finding == "no more than chance"]
    if rest:
        found.append(f"By {', '.join(rest)}, gaps in accuracy are no more than chance makes.")
    return found


def group_columns(
    speakers: Sequence[str | None],
    groups: Mapping[str, Sequence[str | None]],
    duration_s: NDArray[np.float64],
) -> dict[str, Sequence[str | None]]:
    """Return the columns worth grouping by: two values or more, and enough clips for each.

    A column that splits the clips as an earlier one does (`speaker_id` and the speaker) is left
    out. Lengths are cut into quarters.

    Args:
        speakers: `(N,)` or `None` where unknown.
        groups: Further columns by name.
        duration_s: `(N,)` seconds.
    """
    columns: dict[str, Sequence[str | None]] = {}
    seen: set[tuple[int, ...]] = set()
    known = {"speaker": speakers, **groups, "duration": _quarters(duration_s)}
    for name, values in known.items():
        shape = _shape(values)
        if _is_grouping(values) and shape not in seen:
            columns[name] = values
            seen.add(shape)
    return columns


def _is_grouping(values: Sequence[str | None]) -> bool:
    counts = Counter(value for value in values if value is not None)
    return len(counts) >= 2 and counts.total() / len(counts) >= MIN_MEAN_CLIPS


def _shape(values: Sequence[str | None]) -> tuple[int, ...]:
    number: dict[str | None, int] = {}
    return tuple(number.setdefault(value, len(number)) for value in values)


def _quarters(seconds: NDArray[np.float64]) -> tuple[str, ...]:
    if not len(seconds):
        return ()
    edges = np.unique(np.quantile(seconds, [0, 0.25, 0.5, 0.75, 1]).round(1))
    place = np.clip(np.searchsorted(edges[1:-1], seconds, side="right"), 0, max(0, len(edges) - 2))
    names = [f"{low:g}-{high:g} s" for low, high in pairwise(edges)]
    return tuple(names[i] for i in place) if names else ("",) * len(seconds)


def _table(
    column: str, values: Sequence[str | None], run: Run, rng: np.random.Generator, tests: int
) -> GroupTable:
    members: dict[str, list[int]] = {}
    for i, value in enumerate(values):
        if value is not None:
            members.setdefault(value, []).append(i)
    ranked = sorted(members.items(), key=lambda item: (-len(item[1]), item[0]))
    compared = {name: clips for name, clips in ranked if len(clips) >= MIN_CLIPS}
    accuracy, uar, regrouped = _gaps(column, compared, run, rng, tests)
    return GroupTable(
        column=column,
        groups=tuple(_group_scores(name, np.array(clips), run, rng) for name, clips in ranked),
        accuracy_gap=accuracy,
        uar_gap=uar,
        regrouped=regrouped,
    )


def _group_scores(name: str, clips: Ids, run: Run, rng: np.random.Generator) -> GroupScores:
    k = len(run.labels)
    clustering = clustering_of([run.speakers[i] for i in clips])
    truth, predicted = run.truth[clips], run.predicted[clips]
    tables = cluster_tables(truth * k + predicted, k * k, clustering)
    scores = whole_intervals(tables, k, RESAMPLES, rng)
    return GroupScores(
        name=name,
        n=len(clips),
        accuracy=scores["wa"],
        uar=scores["uar"],
        better_than_chance=scores["uar"].low > chance(np.bincount(truth, minlength=k)),
    )


def _gaps(
    column: str,
    compared: Mapping[str, list[int]],
    run: Run,
    rng: np.random.Generator,
    tests: int,
) -> tuple[Gap, Gap, Exchanged]:
    """Return the gap of accuracy, that of UAR, and what was regrouped to see what chance does."""
    if len(compared) < 2:
        return NO_GAP, NO_GAP, "clips"
    clips = np.concatenate([np.array(members) for members in compared.values()])
    group = np.repeat(np.arange(len(compared)), [len(members) for members in compared.values()])
    exchange = exchange_of(group, None if column == "speaker" else [run.speakers[i] for i in clips])
    truth = run.truth[clips]
    right = (run.predicted[clips] == truth).astype(np.float64)
    accuracy, uar = gaps_between(
        tuple(compared), exchange, right, (np.zeros_like(truth), truth), tests, rng
    )
    return accuracy, uar, exchange.what


def _not_judged(table: GroupTable) -> GroupTable:
    accuracy = replace(table.accuracy_gap, finding="not judged")
    return replace(
        table, accuracy_gap=accuracy, uar_gap=replace(table.uar_gap, finding="not judged")
    )
