"""Whether a model of dimensions serves every group alike, and CCC as a mean over corpora or folds.

Each group is one block of the moments, so a gap between two groups is a function of sums over
clips whether a speaker is in one of them or in both.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from itertools import pairwise, product
from typing import TYPE_CHECKING

import numpy as np

from serval.groups.groups import MIN_CLIPS, finding_of, group_columns, members_of
from serval.scores.clusters import clustering_of
from serval.scores.dimensions import (
    DIMENSION_METRICS,
    correlation_interval,
    dimension_scores,
    estimates_of_moments,
    moment_tables,
)
from serval.wording import counted, numbered

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from serval.dimensions import DimensionRun
    from serval.scores.clusters import Clustering
    from serval.scores.dimensions import DimensionScores, Moments
    from serval.scores.stats import Difference, Interval, Verdict

    Ids = NDArray[np.int64]
    Floats = NDArray[np.float64]

__all__ = [
    "AveragedCcc",
    "DimensionGap",
    "DimensionGroup",
    "DimensionTable",
    "averaged_cccs",
    "averaged_sentences",
    "dimension_group_sentences",
    "dimension_groups",
]

COMPARED = ("ccc", "bias")
"""Scores whose gaps are measured: how well a group is heard, and how it is misheard."""

WORTH_FINDING = {"ccc": 0.10, "bias": 0.05}
"""A gap of this size would matter; of bias, as a share of the scale."""

PARTS = ("fold", "corpus")
"""Columns over whose values papers average CCC instead of pooling the clips."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DimensionGroup:
    """One group of clips, with its scores."""

    name: str
    n: int
    scores: DimensionScores


@dataclass(frozen=True, slots=True, kw_only=True)
class DimensionGap:
    """The largest difference of one score between two groups of at least `MIN_CLIPS` clips.

    Attributes:
        high_group: The group with the higher value.
        low_group: The one with the lower.
        difference: Of the two, with its interval.
        p_corrected: Times the number of pairs, columns, dimensions and scores (Bonferroni).
        finding: `no more than chance` only where a gap of `WORTH_FINDING` would have been found.
    """

    high_group: str
    low_group: str
    difference: Difference
    p_corrected: float
    finding: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class DimensionTable:
    """The groups of one column, most clips first.

    Attributes:
        column: `gender`, `speaker`, `duration` ...
        groups: Every group.
        gaps: By dimension, then `ccc` and `bias`; empty with fewer than two groups to compare, and
            of speakers, who are a handful of clips each.
    """

    column: str
    groups: tuple[DimensionGroup, ...]
    gaps: Mapping[str, Mapping[str, DimensionGap]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AveragedCcc:
    """CCC of all clips together beside the mean of the CCCs of each corpus or fold.

    Attributes:
        column: `fold` or `corpus`.
        parts: How many have `MIN_CLIPS` clips and are averaged.
        left_out: How many have fewer.
        pooled: By dimension.
        mean: By dimension, with its interval.
    """

    column: str
    parts: int
    left_out: int
    pooled: Mapping[str, float]
    mean: Mapping[str, Interval]


def dimension_groups(values: DimensionRun) -> tuple[DimensionTable, ...]:
    """Return the scores of each group of each column, and the gaps between them.

    Columns of true values are none.
    """
    columns = _columns(values)
    return tuple(_table(values, name, of, len(columns)) for name, of in columns.items())


def dimension_group_sentences(tables: Sequence[DimensionTable]) -> list[str]:
    """Return what the groups mean, for people: each gap that was found, then the rest together."""
    said: list[str] = []
    by: dict[str, list[str]] = {"no more than chance": [], "cannot tell": []}
    for table in tables:
        gaps = [(name, key, gap) for name, own in table.gaps.items() for key, gap in own.items()]
        found = [one for one in gaps if one[2].finding == "more than chance"]
        said += [_found(table.column, *one) for one in found]
        if gaps and not found:
            clear = all(gap.finding == "no more than chance" for _, _, gap in gaps)
            by["no more than chance" if clear else "cannot tell"].append(table.column)
    if by["no more than chance"]:
        said.append(
            f"By {', '.join(by['no more than chance'])}, gaps in CCC and bias are no more than "
            "chance makes."
        )
    if by["cannot tell"]:
        said.append(
            f"Cannot tell whether gaps in CCC and bias by {', '.join(by['cannot tell'])} are more "
            "than chance; one of 0.10 in CCC or 5 % of the scale in bias could go unnoticed there."
        )
    return said


def averaged_cccs(values: DimensionRun) -> tuple[AveragedCcc, ...]:
    """Return the mean CCC over corpora and over folds, where the set has two or more of them."""
    found = (_averaged(values, column) for column in PARTS if column in values.run.groups)
    return tuple(one for one in found if one is not None)


def averaged_sentences(found: Sequence[AveragedCcc]) -> list[str]:
    """Return both CCCs side by side, since papers mix them."""
    return [
        f"Pooled over all clips, CCC of {name} is {one.pooled[name]:.2f}; the mean of the "
        f"{counted(one.parts, one.column)}"
        f"{f' of {MIN_CLIPS} clips or more' if one.left_out else ''} is "
        f"{numbered(asdict(one.mean[name]))}: say which one you quote."
        for one in found
        for name in one.pooled
    ]


def _columns(values: DimensionRun) -> dict[str, Sequence[str | None]]:
    run = values.run
    others = {name: of for name, of in run.groups.items() if name not in values.columns}
    return group_columns(run.speakers, others, run.duration_s)


def _table(
    values: DimensionRun, column: str, of: Sequence[str | None], tests: int
) -> DimensionTable:
    members, speakers = members_of(of), values.run.speakers
    groups = tuple(
        DimensionGroup(
            name=name,
            n=len(clips),
            scores=dimension_scores(
                values.truth[clips],
                values.predicted[clips],
                [speakers[i] for i in clips],
                values.names,
            ),
        )
        for name, clips in members.items()
    )
    large = [] if column == "speaker" else [group for group in groups if group.n >= MIN_CLIPS]
    tests *= len(large) * (len(large) - 1) // 2 * len(values.names) * len(COMPARED)
    gaps: dict[str, dict[str, DimensionGap]] = {}
    for name, key in product(values.names, COMPARED):
        if (pair := _furthest(large, name, key)) is not None:
            gap = _gap(values, (name, key), [members[one.name] for one in pair], tests)
            gaps.setdefault(name, {})[key] = _judged(values, key, pair, gap, tests)
    return DimensionTable(column=column, groups=groups, gaps=gaps)


def _furthest(
    groups: Sequence[DimensionGroup], name: str, key: str
) -> tuple[DimensionGroup, DimensionGroup] | None:
    """Return the groups with the highest and the lowest value, if two have one."""
    known = [one for one in groups if not np.isnan(_value(one, name, key))]
    if len(known) < 2:
        return None
    ranked = sorted(known, key=lambda one: _value(one, name, key))
    return ranked[-1], ranked[0]


def _value(group: DimensionGroup, name: str, key: str) -> float:
    return group.scores.per_dimension[name][key].value


def _gap(
    values: DimensionRun,
    what: tuple[str, str],
    pair: Sequence[Ids],
    tests: int,
) -> Difference:
    """Return one score of the first group minus that of the second."""
    name, key = what
    column = [values.names.index(name)]
    clips = np.concatenate(pair)
    ends = np.cumsum([len(one) for one in pair])
    clustering = clustering_of([values.run.speakers[i] for i in clips])
    truth = _blocks(values.truth[clips][:, column], [(0, ends[0]), (ends[0], ends[1])])
    predicted = np.stack([values.predicted[clips][:, column]] * 2)
    metric = DIMENSION_METRICS[key]

    def first_minus_second(moments: Moments) -> Floats:
        found = metric.of(moments)
        return np.asarray(found[..., 0, :] - found[..., 1, :])

    tables = moment_tables(truth, predicted, clustering)
    found = estimates_of_moments(tables, first_minus_second, runs=2)
    few = _fewest(clustering, ends)
    width = 2.0 if metric.is_correlation else 2 * values.scale.width
    uncertainty = replace(found.uncertainty(0), clusters=few)
    return uncertainty.difference(float(found.values[0]), 0.0, width, tests)


def _blocks(truth: Floats, spans: Sequence[tuple[int, int]]) -> Floats:
    """Return `(G, N, D)` the truth of each group, NaN outside of its clips."""
    blocks = np.full((len(spans), *truth.shape), np.nan)
    for block, (start, end) in zip(blocks, spans, strict=True):
        block[start:end] = truth[start:end]
    return blocks


def _fewest(clustering: Clustering, ends: Ids) -> float:
    """Return the effective number of clusters of the group that has fewer."""
    sides = np.split(clustering.ids, ends[:-1])
    sizes = [np.unique(side, return_counts=True)[1] for side in sides]
    return min(float(n.sum() ** 2 / np.square(n).sum()) for n in sizes)


def _judged(
    values: DimensionRun,
    key: str,
    pair: tuple[DimensionGroup, DimensionGroup],
    gap: Difference,
    tests: int,
) -> DimensionGap:
    p = min(1.0, gap.p * tests)
    worth = WORTH_FINDING[key] * (values.scale.width if key == "bias" else 1.0)
    return DimensionGap(
        high_group=pair[0].name,
        low_group=pair[1].name,
        difference=gap,
        p_corrected=p,
        finding=finding_of(p, gap, worth),
    )


def _found(column: str, name: str, key: str, gap: DimensionGap) -> str:
    what = {"ccc": f"CCC of {name}", "bias": f"the bias of {name}"}[key]
    return (
        f"By {column}, {what} is {gap.difference.value:.2f} higher for {gap.high_group} than for "
        f"{gap.low_group} (95 % interval {gap.difference.low:.2f} to {gap.difference.high:.2f}): "
        f"more than chance (p = {gap.p_corrected:.2g})."
    )


def _averaged(values: DimensionRun, column: str) -> AveragedCcc | None:
    members = members_of(values.run.groups[column])
    large = [clips for clips in members.values() if len(clips) >= MIN_CLIPS]
    if len(large) < 2:
        return None
    clips = np.concatenate(large)
    ends = np.cumsum([0, *(len(one) for one in large)])
    clustering = clustering_of([values.run.speakers[i] for i in clips])
    truth = _blocks(values.truth[clips], list(pairwise(ends)))
    predicted = np.stack([values.predicted[clips]] * len(large))
    ccc = DIMENSION_METRICS["ccc"].of
    found = estimates_of_moments(
        moment_tables(truth, predicted, clustering),
        lambda moments: np.asarray(ccc(moments).mean(axis=-2)),
        runs=len(large),
    )
    whole = dimension_scores(values.truth, values.predicted, values.run.speakers, values.names)
    return AveragedCcc(
        column=column,
        parts=len(large),
        left_out=len(members) - len(large),
        pooled={name: own["ccc"].value for name, own in whole.per_dimension.items()},
        mean={
            name: correlation_interval(float(found.values[i]), found.uncertainty(i))
            for i, name in enumerate(values.names)
        },
    )
