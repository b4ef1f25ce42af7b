"""Average precision of each emotion, and its intervals: scores of how a model ranks the clips.

It is no function of sums over clips: it ranks all of them. Its standard error is that of a
bootstrap of weights, to first order: what each clip's weight moves, summed by speaker.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serval.scores.clusters import effective_number
from serval.scores.stats import Interval
from serval.scores.uncertainty import Estimates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from serval.scores.clusters import Clustering

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]


def average_precision(truth: Bools, scores: Floats) -> float:
    """Return the mean precision at each clip that has the emotion, by falling score; NaN if none.

    Clips of equal scores count together.

    Source: `sklearn.metrics.average_precision_score`.

    Examples:
        >>> average_precision(np.array([True, False, True]), np.array([0.9, 0.8, 0.3])).__round__(3)
        0.833
    """
    return ranked_score(truth, scores).value


def best_thresholds(truth: Bools, scores: Floats) -> Floats:
    """Return the score of each emotion from which on F1 is highest, `(K,)`; NaN where no clip has.

    Of several the highest, which names the emotion least often.

    Examples:
        >>> best_thresholds(np.array([[True], [False], [True]]), np.array([[0.9], [0.2], [0.6]]))
        array([0.6])
    """
    return np.array([_best(*column) for column in zip(truth.T, scores.T, strict=True)])


def _best(truth: Bools, scores: Floats) -> float:
    if not truth.any():
        return float("nan")
    order, ends = _ranked(scores)
    hits, named = np.cumsum(truth[order])[ends], ends + 1
    best = int(np.argmax(2 * hits / (named + truth.sum())))
    return float(scores[order][ends[best]])


def _ranked(scores: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the places by falling score, and among them the last one of each score."""
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    return order, ends


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedScore:
    """The average precision of one emotion.

    Attributes:
        value: In [0, 1].
        moves: `(N,)` what a little more weight of each clip adds to it.
        excess: By how much it is too high on average, since every clip counts itself among those
            that are ranked no lower; a hundredth with a hundred clips of the emotion.
    """

    value: float
    moves: Floats
    excess: float


def ranked_score(truth: Bools, scores: Floats) -> RankedScore:
    """Return the average precision with what moves it; NaN where no clip has the emotion.

    With weights w, AP is the mean of p over the clips with the emotion, where p is their share of
    the weight among all clips with no lower score. A clip j moves the mean itself, and p of every
    clip that is ranked no higher.
    """
    if not truth.any():
        return RankedScore(value=np.nan, moves=np.full(len(truth), np.nan), excess=np.nan)
    order, ends = _ranked(scores)
    of_end = np.searchsorted(ends, np.arange(len(scores)))  # which score, by place
    true = truth[order].astype(np.float64)
    above = (ends + 1).astype(np.float64)
    share = np.cumsum(true)[ends] / above
    new = np.diff(np.cumsum(true)[ends], prepend=0.0)  # clips with the emotion of each score
    total = true.sum()
    value = float((new * share).sum() / total)
    below = np.cumsum((new / above)[::-1])[::-1]
    lost = np.cumsum((new * share / above)[::-1])[::-1]
    moved = (true * (share - value)[of_end] + true * below[of_end] - lost[of_end]) / total
    influence = np.empty(len(scores))
    influence[order] = moved
    excess = float((new * (1 - share) / above).sum() / total)
    return RankedScore(value=value, moves=influence, excess=excess)


def average_precisions(truth: Bools, scores: Floats) -> tuple[RankedScore, ...]:
    """Return AP of each emotion, then their mean over the emotions that a clip has."""
    each = [ranked_score(*column) for column in zip(truth.T, scores.T, strict=True)]
    there = [one for one in each if not np.isnan(one.value)] or each
    mean = RankedScore(
        value=float(np.mean([one.value for one in there])),
        moves=np.mean([one.moves for one in there], axis=0),
        excess=float(np.mean([one.excess for one in there])),
    )
    return (*each, mean)


def arrays_of(parts: Sequence[RankedScore]) -> tuple[Floats, Floats]:
    """Return the values, `(K + 1,)`, and what each clip moves of them, `(N, K + 1)`."""
    values = np.array([one.value for one in parts])
    return values, np.stack([one.moves for one in parts], axis=1)


def average_precision_interval(found: Estimates, own: RankedScore, i: int) -> Interval:
    """Return the interval of AP, which reaches down by as much as AP is too high on average."""
    plain = found.uncertainty(i).interval(float(found.values[i]))
    if np.isnan(own.value):
        return plain
    lower = found.uncertainty(i).interval(max(0.0, own.value - own.excess))
    return Interval(value=plain.value, low=lower.low, high=plain.high)


def estimates_of_weights(
    truth: Bools, values: Floats, moves: Floats, clustering: Clustering
) -> Estimates:
    """Return `(K + 1,)` values with their standard errors, by what each cluster moves of them.

    Source: Jaeckel (1972), The infinitesimal jackknife: a bootstrap of weights to first order.
    """
    clips = np.arange(len(truth))
    # What bears on AP of an emotion are the clips that have it, on the mean all of them.
    weights = np.column_stack([truth, np.ones(len(truth))]).astype(np.float64)
    by_cluster, clusters = _moved(moves, weights, clustering.ids)
    by_clip, alone = _moved(moves, weights, clips)
    none = np.full(len(values), np.nan)
    of_clips = clustering.by == "clip"
    return Estimates(
        values=values,
        errors=by_cluster,
        clusters=clusters,
        independent=none if of_clips else by_clip,
        clips=none if of_clips else alone,
    )


def _moved(moves: Floats, weights: Floats, ids: NDArray[np.int64]) -> tuple[Floats, Floats]:
    n = int(ids.max(initial=-1)) + 1
    sums, sizes = (np.zeros((n, part.shape[1])) for part in (moves, weights))
    np.add.at(sums, ids, moves)
    np.add.at(sizes, ids, weights)
    effective = effective_number(sizes, np.ones(n, dtype=np.int64))
    few = np.maximum(effective, 2.0)
    return np.sqrt((sums**2).sum(axis=0) * few / (few - 1)), effective
