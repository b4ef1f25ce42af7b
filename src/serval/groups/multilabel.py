"""Whether a model of several emotions a clip serves every group alike, by macro F1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serval.groups.groups import MIN_CLIPS, RESAMPLES, group_columns, members_of
from serval.groups.pairs import ScoredGroups, pair_gap
from serval.multilabel import TRUTH
from serval.scores.multilabel import macro_f1_of, multilabel_scores
from serval.wording import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from serval.multilabel import MultilabelRun
    from serval.scores.multilabel import SetAnswers
    from serval.scores.stats import Difference, Interval, Verdict

    Bools = NDArray[np.bool_]
    Ids = NDArray[np.int64]

WORTH_FINDING = 0.10
"""A gap of this size of macro F1 would matter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MultilabelGroup:
    """One group of clips: the value of a column, and scores by key of `MULTILABEL_METRICS`.

    They have intervals from `MIN_CLIPS` clips on; macro F1 and mean AP are over the emotions that a
    clip of this group has.
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
        emotions: Those that all compared groups have; macro F1 is the mean over them.
        difference: Of the two, with its interval.
        detectable: See `PairGap`, as of the rest.
        p_corrected: Times the number of pairs and columns (Bonferroni).
        finding: `no more than chance` only where a gap of `WORTH_FINDING` would have been found.
    """

    best: str
    worst: str
    emotions: tuple[str, ...]
    difference: Difference
    detectable: float
    p_corrected: float
    finding: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class MultilabelTable:
    """The groups of one column, most clips first.

    Attributes:
        column: `gender`, `speaker`, `duration` ...
        groups: Every group.
        gap: Between two of them; `None` with fewer than two to compare or no emotion that all of
            these have, and of speakers, who are a handful of clips each.
    """

    column: str
    groups: tuple[MultilabelGroup, ...]
    gap: MultilabelGap | None


def multilabel_groups(values: MultilabelRun) -> tuple[MultilabelTable, ...]:
    """Return the scores of each group of each column, and the gaps between them.

    Columns that say which emotions a clip has are none.
    """
    run = values.run
    taken = {TRUTH, *values.columns}
    others = {name: of for name, of in run.groups.items() if name not in taken}
    columns = group_columns(run.speakers, others, run.duration_s)
    answers = values.answers_in(run.labels)
    return tuple(_table(values, answers, name, of, len(columns)) for name, of in columns.items())


def multilabel_group_sentences(tables: Sequence[MultilabelTable]) -> list[str]:
    """Return what each gap means, for people."""
    return [_sentence(table.column, table.gap) for table in tables if table.gap is not None]


def _table(
    values: MultilabelRun, answers: SetAnswers, column: str, of: Sequence[str | None], tests: int
) -> MultilabelTable:
    members = members_of(of)
    groups = tuple(
        MultilabelGroup(name=name, n=len(clips), scores=_scores(values, answers, clips))
        for name, clips in members.items()
    )
    compared = {
        name: clips
        for name, clips in members.items()
        if column != "speaker" and len(clips) >= MIN_CLIPS and values.truth[clips].any()
    }
    gap = _gap(values, answers.predicted, compared, tests)
    return MultilabelTable(column=column, groups=groups, gap=gap)


def _scores(values: MultilabelRun, answers: SetAnswers, clips: Ids) -> Mapping[str, Interval]:
    run = values.run
    speakers = [run.speakers[i] for i in clips]
    resamples = RESAMPLES if len(clips) >= MIN_CLIPS else 0
    return multilabel_scores(
        values.truth[clips], answers.at(clips), speakers, run.labels, resamples
    ).overall


def _gap(
    values: MultilabelRun, predicted: Bools, groups: Mapping[str, Ids], tests: int
) -> MultilabelGap | None:
    """Return the largest gap between two groups over the emotions that all of them have."""
    if len(groups) < 2:
        return None
    shared = np.all([values.truth[clips].any(axis=0) for clips in groups.values()], axis=0)
    if not shared.any():
        return None
    sides = [(values.truth[of][:, shared], predicted[of][:, shared]) for of in groups.values()]
    scores, moves, flips = zip(*(macro_f1_of(*side) for side in sides), strict=True)
    scored = ScoredGroups(
        names=tuple(groups),
        clips=tuple(groups.values()),
        scores=np.array(scores),
        moves=moves,
        flips=np.array(flips),
    )
    gap = pair_gap(scored, values.run.speakers, 1.0, WORTH_FINDING, tests)
    return MultilabelGap(
        best=gap.high_group,
        worst=gap.low_group,
        emotions=tuple(np.array(values.run.labels)[shared].tolist()),
        difference=gap.difference,
        detectable=gap.detectable,
        p_corrected=gap.p_corrected,
        finding=gap.finding,
    )


def _sentence(column: str, gap: MultilabelGap) -> str:
    found = gap.difference
    what = (
        f"By {column}, macro F1 of the {counted(len(gap.emotions), 'emotion')} that all compared "
        f"groups have is {found.value:.2f} higher for {gap.best} than for {gap.worst} "
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
