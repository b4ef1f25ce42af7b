"""Whether a model of dimensions serves every group alike, and CCC as a mean over corpora or folds.

Of the clips only those with a rating of a dimension count for it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from itertools import pairwise, product
from typing import TYPE_CHECKING

import numpy as np

from serval.groups.groups import MIN_CLIPS, group_columns, members_of
from serval.groups.pairs import PairGap, ScoredGroups, pair_gap
from serval.scores.clusters import clustering_of
from serval.scores.dimensions import (
    DIMENSION_METRICS,
    correlation_interval,
    dimension_scores,
    estimates_of_moments,
    moment_tables,
    moments_of,
    moves_of_clips,
    one_clip,
)
from serval.wording import counted, numbered

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from serval.dimensions import DimensionRun
    from serval.scores.dimensions import DimensionScores
    from serval.scores.stats import Interval

    Ids = NDArray[np.int64]
    Floats = NDArray[np.float64]

COMPARED = ("ccc", "bias")
"""Scores whose gaps are measured: how well a group is heard, and how it is misheard."""

WORTH_FINDING = {"ccc": 0.10, "bias": 0.05}
"""A gap of this size would matter; of bias, as a share of the scale."""

PARTS = {"fold": "folds", "corpus": "corpora"}
"""Columns over whose values papers average CCC instead of pooling; how several are called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DimensionGroup:
    """One group of clips, with its scores."""

    name: str
    n: int
    scores: DimensionScores


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
    gaps: Mapping[str, Mapping[str, PairGap]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AveragedCcc:
    """CCC of all clips together beside the mean of the CCCs of each corpus or fold.

    Attributes:
        column: `fold` or `corpus`.
        dimension: What is rated.
        parts: How many have `MIN_CLIPS` clips with a rating of it and are averaged.
        left_out: How many have fewer.
        pooled: Of all clips.
        mean: With its interval.
    """

    column: str
    dimension: str
    parts: int
    left_out: int
    pooled: float
    mean: Interval


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
    """Return the mean CCC over corpora and over folds, where two or more of them are rated."""
    columns = [column for column in PARTS if column in values.run.groups]
    found = (_averaged(values, column, name) for column, name in product(columns, values.names))
    return tuple(one for one in found if one is not None)


def averaged_sentences(found: Sequence[AveragedCcc]) -> list[str]:
    """Return both CCCs side by side, since papers mix them."""
    return [
        f"Pooled over all clips, CCC of {one.dimension} is {one.pooled:.2f}; the mean of the "
        f"{counted(one.parts, one.column, PARTS[one.column])}"
        f"{f' of {MIN_CLIPS} clips or more' if one.left_out else ''} is "
        f"{numbered(asdict(one.mean))}: say which one you quote."
        for one in found
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
    gaps = {} if column == "speaker" else _gaps(values, groups, members, tests)
    return DimensionTable(column=column, groups=groups, gaps=gaps)


def _gaps(
    values: DimensionRun,
    groups: Sequence[DimensionGroup],
    members: Mapping[str, Ids],
    tests: int,
) -> dict[str, dict[str, PairGap]]:
    """Return the gaps by dimension and score, between groups with enough ratings of it."""
    found: dict[str, dict[str, PairGap]] = {}
    tests *= len(values.names) * len(COMPARED)
    for (i, name), key in product(enumerate(values.names), COMPARED):
        rated = ~np.isnan(values.truth[:, i])
        large = {
            one.name: members[one.name][rated[members[one.name]]]
            for one in groups
            if one.scores.clips[name] >= MIN_CLIPS and not np.isnan(_value(one, name, key))
        }
        if len(large) > 1:
            width = values.scale.width
            most, worth = (
                (2.0, 1.0) if DIMENSION_METRICS[key].is_correlation else (2 * width, width)
            )
            scored = _scored(values, (i, key), large)
            found.setdefault(name, {})[key] = pair_gap(
                scored, values.run.speakers, most, WORTH_FINDING[key] * worth, tests
            )
    return found


def _scored(values: DimensionRun, what: tuple[int, str], groups: Mapping[str, Ids]) -> ScoredGroups:
    """Return one score of groups, all of whose clips have a rating.

    Of a mean, such as bias, Student's t holds for ten clips too, so that no flip need be added.
    """
    column, metric = [what[0]], DIMENSION_METRICS[what[1]]
    pairs = [(values.truth[c][:, column], values.predicted[c][:, column]) for c in groups.values()]
    place = list(DIMENSION_METRICS).index(metric.key)
    flips = [one_clip(*pair)[place, 0] if metric.is_correlation else 0.0 for pair in pairs]
    return ScoredGroups(
        names=tuple(groups),
        clips=tuple(groups.values()),
        scores=np.array([float(metric.of(moments_of(*pair))[0]) for pair in pairs]),
        moves=[moves_of_clips(*pair, metric) for pair in pairs],
        flips=np.array(flips),
    )


def _value(group: DimensionGroup, name: str, key: str) -> float:
    return group.scores.per_dimension[name][key].value


def _blocks(truth: Floats, spans: Sequence[tuple[int, int]]) -> Floats:
    """Return `(G, N, D)` the truth of each group, NaN outside of its clips."""
    blocks = np.full((len(spans), *truth.shape), np.nan)
    for block, (start, end) in zip(blocks, spans, strict=True):
        block[start:end] = truth[start:end]
    return blocks


def _found(column: str, name: str, key: str, gap: PairGap) -> str:
    what = {"ccc": f"CCC of {name}", "bias": f"the bias of {name}"}[key]
    return (
        f"By {column}, {what} is {gap.difference.value:.2f} higher for {gap.high_group} than for "
        f"{gap.low_group} (95 % interval {gap.difference.low:.2f} to {gap.difference.high:.2f}): "
        f"more than chance (p = {gap.p_corrected:.2g})."
    )


def _averaged(values: DimensionRun, column: str, name: str) -> AveragedCcc | None:
    place = [values.names.index(name)]
    rated = ~np.isnan(values.truth[:, place[0]])
    members = [clips[rated[clips]] for clips in members_of(values.run.groups[column]).values()]
    large = [clips for clips in members if len(clips) >= MIN_CLIPS]
    if len(large) < 2:
        return None
    clips = np.concatenate(large)
    ends = np.cumsum([0, *(len(one) for one in large)])
    clustering = clustering_of([values.run.speakers[i] for i in clips])
    truth = _blocks(values.truth[clips][:, place], list(pairwise(ends)))
    predicted = values.predicted[:, place]
    ccc = DIMENSION_METRICS["ccc"].of
    found = estimates_of_moments(
        moment_tables(truth, np.stack([predicted[clips]] * len(large)), clustering),
        lambda moments: np.asarray(ccc(moments).mean(axis=-2)),
        # Each part counts alike, whatever its size, so a small one is worth as much.
        lambda known: np.asarray(len(large) ** 2 / (1 / known).sum(axis=0)),
        runs=len(large),
    )
    uncertainty = found.uncertainty(0)
    few = min(uncertainty.clusters, clustering.effective)  # a speaker may be in several parts
    return AveragedCcc(
        column=column,
        dimension=name,
        parts=len(large),
        left_out=sum(len(one) > 0 for one in members) - len(large),
        pooled=float(ccc(moments_of(values.truth[:, place], predicted))[0]),
        mean=correlation_interval(float(found.values[0]), replace(uncertainty, clusters=few)),
    )
