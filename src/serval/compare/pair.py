"""Two runs on the same clips -> the difference of every score, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serval.scores import OVERALL, bearing, score_columns
from serval.scores.clusters import ClusterTables, cluster_tables, effective_number, resampled
from serval.scores.metrics import Counts, support
from serval.scores.stats import (
    Difference,
    Interval,
    Verdict,
    difference,
    equivalence_p,
    interval,
    mcnemar_exact,
    mean_error,
    smallest_significant,
    spread,
    verdict,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from serval.compare.align import Aligned, Column
    from serval.scores.clusters import Clustering

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

__all__ = ["ClassChange", "McNemar", "PairOptions", "PairScores", "ScoreChange", "pair_scores"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairOptions:
    """How two runs are compared.

    Attributes:
        margin: The loss that would not matter, in [0, 1]; 0.01 is one point.
        resamples: Draws of the bootstrap.
        seed: Of the random numbers: same runs, same seed, same numbers.
    """

    margin: float = 0.01
    resamples: int = 4000
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreChange:
    """One score of both runs, and what the difference means.

    Attributes:
        a: Of run A.
        b: Of run B.
        difference: B minus A.
        p_equal: The p-value that they differ by the margin or more, in either direction.
        verdict: Whether B is worse than A by more than the margin.
    """

    a: float
    b: float
    difference: Difference
    p_equal: float
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassChange:
    """The scores of one class in both runs, and how many of its clips changed.

    Attributes:
        precision: Of the clips predicted as this class.
        recall: Of its truth clips.
        f1: Of both.
        support: Truth clips.
        broken: Truth clips that only A has right.
        fixed: Truth clips that only B has right.
    """

    precision: ScoreChange
    recall: ScoreChange
    f1: ScoreChange
    support: int
    broken: int
    fixed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class McNemar:
    """The exact test that takes clips as independent.

    Attributes:
        only_a: Clips that only A has right.
        only_b: Clips that only B has right.
        p: Two-sided.
        smallest_significant: The smallest difference of accuracy, in [0, 1], that this test can
            call significant with as many changed clips; NaN if none.
    """

    only_a: int
    only_b: int
    p: float
    smallest_significant: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PairScores:
    """The scores of two runs on the same clips.

    Attributes:
        overall: By name, see `scores.OVERALL`.
        per_class: By label.
        mcnemar: On right and wrong.
        agreement: Share of clips with the same predicted label, with its interval.
    """

    overall: Mapping[str, ScoreChange]
    per_class: Mapping[str, ClassChange]
    mcnemar: McNemar
    agreement: Interval


def pair_scores(
    clips: Aligned, a: Column, b: Column, clustering: Clustering, options: PairOptions
) -> PairScores:
    """Return the differences B minus A, from the same draws of whole speakers for both."""
    k = len(clips.labels)
    cells = clips.truth * k + np.stack([a.predicted, b.predicted])
    tables = cluster_tables((cells + np.array([[0], [k * k]])).T, 2 * k * k, clustering)
    changes = _changes(tables, k, options)
    right_a, right_b = a.predicted == clips.truth, b.predicted == clips.truth
    same = (a.predicted == b.predicted).astype(np.float64)
    error = mean_error(same, clustering.ids)
    return PairScores(
        overall=dict(zip(OVERALL, changes, strict=False)),
        per_class=_per_class(clips, changes[len(OVERALL) :], right_a, right_b),
        mcnemar=_mcnemar(right_a, right_b),
        agreement=interval(float(same.mean()), error, clustering.effective),
    )


def _changes(tables: ClusterTables, k: int, options: PairOptions) -> list[ScoreChange]:
    """Return the change of each score of `score_columns`."""
    rng = np.random.default_rng(options.seed)
    of_clusters = tables.tables.reshape(-1, 2, k, k)
    effective = effective_number(bearing(of_clusters.sum(axis=1)), tables.times)
    totals = tables.total.reshape(2, k, k)
    a, b = score_columns(totals)
    draws = score_columns(resampled(tables, options.resamples, rng).reshape(-1, 2, k, k))
    errors = spread(draws[:, 1] - draws[:, 0], effective)
    flips = _one_flip(totals[1])
    return [
        _change(float(a[i]), float(b[i]), errors[i], effective[i], flips[i], options.margin)
        for i in range(len(a))
    ]


def _change(
    a: float, b: float, error: float, effective: float, one_flip: float, margin: float
) -> ScoreChange:
    result = difference(b - a, float(error), float(effective), float(one_flip))
    return ScoreChange(
        a=a,
        b=b,
        difference=result,
        p_equal=equivalence_p(result, margin, float(effective)),
        verdict=verdict(result, margin),
    )


def _one_flip(counts: Counts) -> Floats:
    """Return how much each score changes, root mean square, when one clip that bears on it flips.

    A flip moves a clip of one truth between the right label and a wrong one. It is weighted by
    how many clips of that truth there are.
    """
    k = len(counts)
    truth, other = np.nonzero(~np.eye(k, dtype=bool))
    moved = np.repeat(counts[np.newaxis], len(truth), axis=0)
    rows = np.arange(len(truth))
    step = np.where(counts[truth, truth] > 0, 1, -1)
    possible = np.where(step > 0, counts[truth, truth], counts[truth, other]) > 0
    moved[rows, truth, truth] -= step
    moved[rows, truth, other] += step
    weights = np.where(possible, support(counts)[truth], 0)
    squares = (score_columns(np.maximum(moved, 0)) - score_columns(counts)) ** 2
    bears = weights[:, np.newaxis] * (squares > 0)
    total = np.where(bears, bears * squares, 0.0).sum(axis=0)
    none = np.zeros(total.shape)
    return np.asarray(np.sqrt(np.divide(total, bears.sum(axis=0), out=none, where=total > 0)))


def _per_class(
    clips: Aligned, changes: list[ScoreChange], right_a: Flags, right_b: Flags
) -> dict[str, ClassChange]:
    k = len(clips.labels)
    per_class = {}
    for i, label in enumerate(clips.labels):
        members = clips.truth == i
        per_class[label] = ClassChange(
            precision=changes[i],
            recall=changes[k + i],
            f1=changes[2 * k + i],
            support=int(members.sum()),
            broken=int((members & right_a & ~right_b).sum()),
            fixed=int((members & right_b & ~right_a).sum()),
        )
    return per_class


def _mcnemar(right_a: Flags, right_b: Flags) -> McNemar:
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    net = smallest_significant(only_a + only_b)
    return McNemar(
        only_a=only_a,
        only_b=only_b,
        p=mcnemar_exact(only_a, only_b),
        smallest_significant=float("nan") if net is None else net / len(right_a),
    )
