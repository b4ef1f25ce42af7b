"""Whether a model of several emotions a clip serves every group alike, by macro F1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serval.groups.groups import MIN_CLIPS, RESAMPLES, group_columns, members_of
from serval.multilabel import TRUTH
from serval.scores.chance import ALPHA
from serval.scores.clusters import clustering_of
from serval.scores.multilabel import SetAnswers, gap_of, multilabel_scores

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from serval.multilabel import MultilabelRun
    from serval.scores.stats import Difference, Interval, Verdict

    Ids = NDArray[np.int64]

__all__ = [
    "MultilabelGap",
    "MultilabelGroup",
    "MultilabelTable",
    "multilabel_group_sentences",
    "multilabel_groups",
]

METRIC = "macro_f1"
"""The score whose gap is measured."""

WORTH_FINDING = 0.10
"""A gap of this size would matter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MultilabelGroup:
    """One group of clips.

    Attributes:
        name: The value of the column.
        n: Number of clips.
        scores: By key of `MULTILABEL_METRICS`, with intervals; macro F1 and mean AP over the
            emotions that a clip of this group has.
    """

    name: str
    n: int
    scores: Mapping[str, Interval]


@dataclass(frozen=True, slots=True, kw_only=True)
class MultilabelGap:
    """The largest difference of macro F1 between two groups of at least `MIN_CLIPS` clips.

    Attributes:
        best: The group with the higher macro F1.
        worst: The one with the lower.
        difference: Of the two, over the emotions that each has, with its interval.
        p_corrected: Times the number of pairs and columns (Bonferroni).
        finding: `no more than chance` only where a gap of `WORTH_FINDING` would have been found.
    """

    best: str
    worst: str
    difference: Difference
    p_corrected: float
    finding: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class MultilabelTable:
    """The groups of one column, most clips first.

    Attributes:
        column: `gender`, `speaker`, `duration` ...
        groups: Every group.
        gap: Between two of them; `None` with fewer than two to compare, and of speakers, who are a
            handful of clips each.
    """

    column: str
    groups: tuple[MultilabelGroup, ...]
    gap: MultilabelGap | None


def multilabel_groups(values: MultilabelRun) -> tuple[MultilabelTable, ...]:
    """Return the scores of each group of each column, and the gaps between them.

    Columns that say which emotions a clip has are none.
    """
    run = values.run
    marks = run.provenance.dataset["multilabel"].get("columns", {})
    taken = {TRUTH, *(marks.values() if isinstance(marks, dict) else ())}
    others = {name: of for name, of in run.groups.items() if name not in taken}
    columns = group_columns(run.speakers, others, run.duration_s)
    return tuple(_table(values, name, of, len(columns)) for name, of in columns.items())


def multilabel_group_sentences(tables: Sequence[MultilabelTable]) -> list[str]:
    """Return what each gap means, for people."""
    return [_sentence(table.column, table.gap) for table in tables if table.gap is not None]


def _table(
    values: MultilabelRun, column: str, of: Sequence[str | None], tests: int
) -> MultilabelTable:
    members = members_of(of)
    groups = tuple(
        MultilabelGroup(name=name, n=len(clips), scores=_scores(values, clips))
        for name, clips in members.items()
    )
    large = [] if column == "speaker" else [one for one in groups if one.n >= MIN_CLIPS]
    known = [one for one in large if not np.isnan(one.scores[METRIC].value)]
    if len(known) < 2:
        return MultilabelTable(column=column, groups=groups, gap=None)
    ranked = sorted(known, key=lambda one: one.scores[METRIC].value)
    pair = (ranked[-1].name, ranked[0].name)
    gap = _gap(values, [members[name] for name in pair])
    tests *= len(known) * (len(known) - 1) // 2
    return MultilabelTable(column=column, groups=groups, gap=_judged(pair, gap, tests))


def _scores(values: MultilabelRun, clips: Ids) -> Mapping[str, Interval]:
    run = values.run
    answers = SetAnswers(scores=values.scores[clips], predicted=values.predicted[clips])
    speakers = [run.speakers[i] for i in clips]
    return multilabel_scores(values.truth[clips], answers, speakers, run.labels, RESAMPLES).overall


def _gap(values: MultilabelRun, pair: Sequence[Ids]) -> Difference:
    """Return macro F1 of the first group minus that of the second."""
    clips = np.concatenate(pair)
    first = np.arange(len(clips)) < len(pair[0])
    clustering = clustering_of([values.run.speakers[i] for i in clips])
    return gap_of(
        METRIC, values.truth[clips], values.predicted[clips], first, clustering, RESAMPLES
    )


def _judged(pair: tuple[str, str], gap: Difference, tests: int) -> MultilabelGap:
    p = min(1.0, gap.p * tests)
    finding: Verdict = "cannot tell"
    if p < ALPHA:
        finding = "more than chance"
    elif max(gap.value, gap.detectable) <= WORTH_FINDING:
        finding = "no more than chance"
    return MultilabelGap(
        best=pair[0], worst=pair[1], difference=gap, p_corrected=p, finding=finding
    )


def _sentence(column: str, gap: MultilabelGap) -> str:
    found = gap.difference
    what = (
        f"By {column}, macro F1 is {found.value:.2f} higher for {gap.best} than for {gap.worst} "
        f"(95 % interval {found.low:.2f} to {found.high:.2f})"
    )
    if gap.finding == "more than chance":
        return f"{what}: more than chance (p = {gap.p_corrected:.2g})."
    if gap.finding == "no more than chance":
        return f"{what}: no more than chance makes."
    return (
        f"{what}: cannot tell whether that is more than chance; one of {WORTH_FINDING:.2f} could "
        "go unnoticed."
    )
