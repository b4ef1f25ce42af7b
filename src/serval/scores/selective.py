"""What a model gains by abstaining: its errors on the clips that it is surest of."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from serval.scores.clusters import DRAWS_AT_ONCE, Clustering
from serval.scores.stats import Interval, spread
from serval.scores.uncertainty import Uncertainty, uncertainty_of_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ids = NDArray[np.int64]

RESAMPLES = 400
COVERAGES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class CoveragePoint:
    """Accuracy on the most confident share of the clips.

    Attributes:
        coverage: Share of clips that are answered, in (0, 1].
        threshold: The confidence from which it answers.
        accuracy: Share of the answered clips that is right, in [0, 1], with its interval.
        n: How many those are.
    """

    coverage: float
    threshold: float
    accuracy: Interval
    n: int


def aurc(confidence: Floats, right: NDArray[np.bool_]) -> float:
    """Return the mean error rate over all shares of answered clips, in [0, 1]; NaN without clips.

    Clips of equal confidence are answered in no particular order.

    Source: Geifman and El-Yaniv (2017), Selective classification for deep neural networks.

    Examples:
        >>> aurc(np.array([0.9, 0.5]), np.array([True, False]))
        0.25
    """
    risks = _risks(confidence, right)
    return float(risks.mean()) if len(risks) else float("nan")


def aurc_interval(
    confidence: Floats, right: NDArray[np.bool_], clustering: Clustering, rng: np.random.Generator
) -> Interval:
    """Return AURC with the interval that draws of whole clusters give it."""
    value = aurc(confidence, right)
    if math.isnan(value):
        return Interval(value=value, low=value, high=value)
    order = np.argsort(-confidence, kind="stable")
    _, starts = np.unique(-confidence[order], return_index=True)
    wrong, ids = ~right[order], clustering.ids[order]
    draws = _draws(clustering, len(ids), rng)
    drawn = np.concatenate([_drawn_aurc(times[:, ids], wrong, starts) for times in draws])
    effective = np.array([clustering.effective])
    error = spread(drawn[:, np.newaxis], effective)[0] if len(clustering) > 1 else math.nan
    found = Uncertainty(error=float(error), clusters=clustering.effective)
    if clustering.by != "clip":
        each = Clustering(ids=np.arange(len(ids)), by="clip")
        draws = _draws(each, len(ids), rng)
        times = np.concatenate([_drawn_aurc(n[:, order], wrong, starts) for n in draws])
        alone = float(spread(times[:, np.newaxis], np.array([float(len(ids))]))[0])
        found = replace(found, independent=alone, clips=float(len(ids)))
    return found.interval(value)


def _draws(
    clustering: Clustering, clips: int, rng: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Yield how often each cluster is drawn, `(b, C)`: as many draws as have room, of all."""
    shares = np.full(len(clustering), 1 / len(clustering))
    at_once = max(1, DRAWS_AT_ONCE // clips)
    for left in range(RESAMPLES, 0, -at_once):
        yield rng.multinomial(len(clustering), shares, size=min(at_once, left))


def _drawn_aurc(times: NDArray[np.int64], wrong: NDArray[np.bool_], starts: Ids) -> Floats:
    """Return AURC, `(b,)`, of clips, surest first, of `(b, N)` times; ties begin at `starts`."""
    n = np.add.reduceat(times, starts, axis=1)
    before = np.cumsum(np.add.reduceat(times * wrong, starts, axis=1), axis=1)
    before *= n  # in place, for there may be a million clips
    np.cumsum(n, axis=1, out=n)
    answered = n[:, -1].copy()
    return np.asarray((before / np.maximum(n, 1, out=n)).sum(axis=1) / answered)


def _risks(confidence: Floats, right: NDArray[np.bool_]) -> Floats:
    """Return the error rate on the 1, 2, ... N most confident clips, `(N,)`."""
    _, place, times = np.unique(-confidence, return_inverse=True, return_counts=True)
    shared = np.bincount(place, weights=~right, minlength=len(times)) / np.maximum(times, 1)
    wrong = np.cumsum(np.repeat(shared, times))
    return np.asarray(wrong / np.arange(1, len(wrong) + 1))


def coverage_points(
    confidence: Floats, right: NDArray[np.bool_], clustering: Clustering
) -> tuple[CoveragePoint, ...]:
    """Return the accuracy on the surest clips at each share of `COVERAGES`; `(N,)`, N above 0."""
    order = np.argsort(-confidence, kind="stable")
    risks = _risks(confidence, right)
    points = []
    for coverage in COVERAGES:
        n = max(1, round(coverage * len(order)))
        kept = order[:n]
        points.append(
            CoveragePoint(
                coverage=coverage,
                threshold=float(confidence[kept[-1]]),
                accuracy=accuracy_of(kept, right, clustering).interval(float(1 - risks[n - 1])),
                n=n,
            )
        )
    return tuple(points)


def accuracy_of(
    clips: NDArray[np.int64], right: NDArray[np.bool_], clustering: Clustering
) -> Uncertainty:
    """Return how uncertain the accuracy of some of the clips is, over their own clusters."""
    _, ids = np.unique(clustering.ids[clips], return_inverse=True)
    own = Clustering(ids=ids, by=clustering.by)
    return uncertainty_of_mean(right[clips].astype(np.float64), own)
