"""Scores that are functions of sums over clips -> their values and how uncertain they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serval.scores.clusters import DRAWS_AT_ONCE, ClusterTables, draws
from serval.scores.stats import Spread
from serval.scores.uncertainty import Uncertainty

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["Estimates", "Statistic", "estimates", "linear_errors"]

Statistic = Callable[["Floats"], "Floats"]
"""Sums `(B, D)` -> scores `(B, M)`, NaN where one is not defined."""

STEP = 1e-3
"""How much of a clip is added and taken away to see what it moves; scores are smooth in counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimates:
    """M scores and their standard errors.

    Attributes:
        values: `(M,)`.
        errors: `(M,)` of draws of clusters.
        clusters: `(M,)` effective number of clusters that bear on each.
        independent: `(M,)` errors as if clips were independent; NaN where clusters are clips.
        clips: `(M,)` effective number of clips that bear on each.
    """

    values: Floats
    errors: Floats
    clusters: Floats
    independent: Floats
    clips: Floats

    def uncertainty(self, i: int) -> Uncertainty:
        """Return how uncertain one score is."""
        return Uncertainty(
            error=float(self.errors[i]),
            clusters=float(self.clusters[i]),
            independent=float(self.independent[i]),
            clips=float(self.clips[i]),
        )


def estimates(
    tables: ClusterTables,
    statistic: Statistic,
    effective: tuple[Floats, Floats],
    resamples: int,
    rng: np.random.Generator,
) -> Estimates:
    """Return the scores of all clips with their standard errors.

    Memory does not grow with the number of draws, labels, clips or clusters.

    Args:
        tables: Sums of each cluster.
        statistic: The scores of sums.
        effective: `(M,)` effective number of clusters, and of clips, that bear on each score.
        resamples: Draws of the bootstrap.
        rng: Its random numbers.
    """
    total = tables.total.astype(np.float64)
    values = statistic(total[np.newaxis])[0]
    spread = Spread(values)
    for sums in draws(tables, resamples, rng, width=len(values)):
        spread.add(statistic(sums))
    clusters, clips = effective
    if tables.clips is None:
        independent = np.full(len(values), np.nan)
    else:
        independent = linear_errors(tables.clips, statistic, clips)
    return Estimates(
        values=values,
        errors=spread.errors(clusters),
        clusters=clusters,
        independent=independent,
        clips=clips,
    )


def linear_errors(tables: ClusterTables, statistic: Statistic, effective: Floats) -> Floats:
    """Return the standard errors of scores by what each clip moves, `(M,)`; no random numbers.

    Source: Jaeckel (1972), The infinitesimal jackknife; equals the delta method.

    Args:
        tables: Sums of each clip.
        statistic: The scores of sums.
        effective: `(M,)` effective number of clips that bear on each score.
    """
    total = tables.total.astype(np.float64)
    squares = np.zeros(len(effective))
    at_once = max(1, DRAWS_AT_ONCE // max(1, len(total), len(effective)))
    for start in range(0, len(tables.times), at_once):
        some = slice(start, start + at_once)
        step = STEP * tables.tables[some].toarray()
        moved = (statistic(total + step) - statistic(total - step)) / (2 * STEP)
        squares += tables.times[some] @ moved**2
    few = np.maximum(effective, 2.0)
    return np.asarray(np.sqrt(squares * few / (few - 1)))
