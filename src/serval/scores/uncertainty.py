"""How uncertain a score is, with and without who speaks: of two honest answers, the wider.

A standard error from four speakers is itself uncertain by 40 %, and where chance made it small it
claims more than independent clips could. So an interval is never narrower than that of independent
clips, and for few speakers it is widened until it holds among the narrow ones too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from serval.scores import stats
from serval.scores.clusters import DRAWS_AT_ONCE, ClusterTables, draws
from serval.scores.stats import LEVEL, NAN, UNDEFINED, Difference, Interval, Spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serval.scores.clusters import Clustering

    Floats = NDArray[np.float64]

NARROWEST = 0.92
"""What intervals hold at least among the third that are narrowest by chance; 0.90 is asked for, the
rest pays for scores that are not normal."""

NODES = 200
MANY = 60.0
"""From so many clusters on, Student's t holds among the narrow intervals too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncertainty:
    """The standard error of one score, of clusters and as if every clip stood for itself.

    Attributes:
        error: Of draws of clusters; NaN where it is not defined.
        clusters: Effective number of clusters that bear on the score.
        independent: As if clips were independent; NaN where the clusters are clips already.
        clips: Effective number of clips that bear on the score.
        level: What its intervals hold, in (0, 1), if not 95 %.
    """

    error: float
    clusters: float
    independent: float = NAN
    clips: float = NAN
    level: float = LEVEL

    def interval(self, value: float, bounds: tuple[float, float] = (0.0, 1.0)) -> Interval:
        """Return the 95 % interval of a score that never leaves its bounds."""
        low, high = bounds
        width = high - low
        share = self._widest(
            lambda error, n: stats.interval((value - low) / width, error / width, n, self.level)
        )
        if bounds == (0.0, 1.0):
            return share
        return Interval(value=value, low=low + width * share.low, high=low + width * share.high)

    def mean_interval(self, value: float) -> Interval:
        """Return the 95 % interval of a mean that may take any value."""
        return self._widest(lambda error, n: stats.mean_interval(value, error, n))

    def difference(
        self, value: float, one_flip: float, most: float = 1.0, tests: int = 1
    ) -> Difference:
        """Return B minus A with the wider interval and the larger p-value.

        Of one speaker, or as good as one, nothing is known about others: it may be anything.
        """
        found = [
            stats.difference(value, error, n, one_flip, most, tests, self.level)
            for error, n in self._errors_of_difference(most)
        ]
        return Difference(
            value=value,
            low=min(one.low for one in found),
            high=max(one.high for one in found),
            standard_error=max(one.standard_error for one in found),
            p=max(one.p for one in found),
            detectable=max(one.detectable for one in found),
        )

    def equivalence_p(self, value: float, one_flip: float, margin: float) -> float:
        """Return the larger p-value that A and B differ by the margin or more."""
        return max(
            stats.equivalence_p(stats.difference(value, error, n, one_flip), margin, n)
            for error, n in self._errors_of_difference(1.0)
        )

    def _errors_of_difference(self, most: float) -> list[tuple[float, float]]:
        """Return the same of a difference; of a single speaker it may be all that there can be."""
        by_speaker = not math.isnan(self.independent)
        one = by_speaker and self.clusters < AS_GOOD_AS_ONE
        return [(most, 1.0)] if one else self._errors()

    def _errors(self) -> list[tuple[float, float]]:
        """Return each standard error that counts, with the number that it rests on."""
        if math.isnan(self.independent) or math.isnan(self.error):
            return [(self.error, self.clusters)]
        widened = self.error * few_clusters_factor(self.clusters)
        return [(widened, self.clusters), (self.independent, self.clips)]

    def _widest(self, of: Callable[[float, float], Interval]) -> Interval:
        found = [of(error, n) for error, n in self._errors()]
        return Interval(
            value=found[0].value,
            low=min(one.low for one in found),
            high=max(one.high for one in found),
        )


def uncertainty_of_mean(
    values: NDArray[np.float64], clustering: Clustering, effective: float | None = None
) -> Uncertainty:
    """Return how uncertain the mean of `values` is, `(N,)`, over the clips of a clustering."""
    clusters = clustering.effective if effective is None else effective
    error = stats.mean_error(values, clustering.ids)
    if clustering.by == "clip":
        return Uncertainty(error=error, clusters=clusters)
    return Uncertainty(
        error=error,
        clusters=clusters,
        independent=stats.mean_error(values, np.arange(len(values))),
        clips=float(len(values)),
    )


def share_of(values: NDArray[Any], clustering: Clustering) -> Interval:
    """Return the mean of `(N,)` values in [0, 1], or truth values; undefined without any."""
    if not len(values):
        return UNDEFINED
    wide = values.astype(np.float64)
    return uncertainty_of_mean(wide, clustering).interval(float(wide.mean()))


def mean_of(values: Floats, clustering: Clustering, least: float = -math.inf) -> Interval:
    """Return the mean of `(N,)` values, none of which is below `least`; undefined without any."""
    if not len(values):
        return UNDEFINED
    found = uncertainty_of_mean(values, clustering).mean_interval(float(values.mean()))
    return replace(found, low=found.low if math.isnan(found.low) else max(least, found.low))


def few_clusters_factor(effective: float) -> float:
    """Return by how much a standard error from few clusters is widened, at least 1.

    Student's t keeps 95 % over all sets because wide intervals make up for narrow ones, and among
    the third with the smallest standard errors only 85 % hold for two to four clusters. The factor
    is the smallest that keeps `NARROWEST` there, for a normal score whose variance is estimated
    with `effective` - 1 degrees of freedom.

    Source: Fisher's relevant subsets; Buehler (1959), Some validity criteria for statistical
    inferences.

    Examples:
        >>> [round(few_clusters_factor(n), 2) for n in (2, 4, 8, 24, 100)]
        [1.88, 1.28, 1.14, 1.03, 1.0]
    """
    return 1.0 if effective >= MANY else _factor(round(max(effective, 2.0), 1))


@lru_cache(maxsize=1024)
def _factor(effective: float) -> float:
    degrees = effective - 1
    smallest = (np.arange(NODES) + 0.5) / NODES / 3
    errors = np.sqrt(2 * special.gammaincinv(degrees / 2, smallest) / degrees)
    student = float(special.stdtrit(degrees, (1 + LEVEL) / 2))

    def missing(factor: float) -> float:
        held = 2 * special.ndtr(factor * student * errors) - 1
        return float(held.mean()) - NARROWEST

    if missing(1.0) >= 0:
        return 1.0
    from scipy.optimize import brentq  # slow to load, and many clusters do without

    return float(brentq(missing, 1.0, 10.0, xtol=1e-4))


Statistic = Callable[["Floats"], "Floats"]
"""Sums `(B, D)` -> scores `(B, M)`, NaN where one is not defined."""

ALONE = 1 + 1e-9
"""An effective number that is no larger is one, whatever the rounding."""

AS_GOOD_AS_ONE = 1.5
"""Fewer effective speakers say no more of how others differ than a single one does."""

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
    values = statistic(tables.total[np.newaxis].astype(np.float64))[0]
    spread = Spread(values)
    for sums in draws(tables, resamples, rng, width=len(values)):
        spread.add(statistic(sums))
    return _estimates(tables, statistic, effective, spread.errors(effective[0]))


def linear_estimates(
    tables: ClusterTables, statistic: Statistic, effective: tuple[Floats, Floats]
) -> Estimates:
    """Return the same without draws, by what each cluster moves: see `linear_errors`."""
    errors = linear_errors(tables, statistic, effective[0])
    return _estimates(tables, statistic, effective, errors)


def _estimates(
    tables: ClusterTables, statistic: Statistic, effective: tuple[Floats, Floats], errors: Floats
) -> Estimates:
    clusters, clips = effective
    return Estimates(
        values=statistic(tables.total[np.newaxis].astype(np.float64))[0],
        errors=errors,
        clusters=clusters,
        independent=np.full(len(clusters), np.nan)
        if tables.clips is None
        else linear_errors(tables.clips, statistic, clips),
        clips=clips,
    )


def of_clusters_and_clips(
    tables: ClusterTables, number: Callable[[ClusterTables], Floats]
) -> tuple[Floats, Floats]:
    """Return how many clusters, and how many clips, bear on each score; NaN where both are one."""
    clusters = number(tables)
    alone = np.full(len(clusters), np.nan) if tables.clips is None else number(tables.clips)
    return clusters, alone


def linear_errors(tables: ClusterTables, statistic: Statistic, effective: Floats) -> Floats:
    """Return the standard errors of scores by what each clip moves, `(M,)`; no random numbers.

    NaN for fewer than two clips, which do not say how clips differ.

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
        moved = moves(tables.tables[some].toarray(), total, statistic)
        squares += tables.times[some] @ moved**2
    few = np.maximum(effective, 2.0)
    return np.where(effective > ALONE, np.sqrt(squares * few / (few - 1)), np.nan)


def moves(rows: Floats, total: Floats, statistic: Statistic) -> Floats:
    """Return how much each of B rows moves each score, `(B, M)`: the slope, times the row.

    Args:
        rows: `(B, D)` sums of clips or clusters.
        total: `(D,)` sums of all.
        statistic: The scores of sums.
    """
    step = STEP * rows
    return np.asarray((statistic(total + step) - statistic(total - step)) / (2 * STEP))
