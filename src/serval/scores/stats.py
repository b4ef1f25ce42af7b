"""How sure a number is: intervals, paired tests, verdicts.

The standard errors come from draws of whole speakers (`clusters.py`); the shape of an interval
and its width for few speakers come from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

LEVEL = 0.95
POWER = 0.80
"""How often an effect of a size would have to be found, for its absence to say anything."""

NAN = float("nan")
TINY = 1e-12

Verdict = Literal[
    "not worse", "worse",  # of a difference at a margin
    "no more than chance", "more than chance",  # of a gap between two groups
    "within", "beyond",  # of a group, against thresholds of random models
    "pass", "fail",  # of a bound or a rule
    "cannot tell",  # of each of these: the clips are too few
    "not judged", "no threshold",  # where nothing is asked
]  # fmt: skip
"""What is said of a number: the one vocabulary of all rooms, as files have it."""

OUTCOMES: Mapping[Verdict, Verdict] = {
    "not worse": "pass",
    "worse": "fail",
    "cannot tell": "cannot tell",
}
"""What a verdict on a difference means for a bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A score and its 95 % interval, all in [0, 1]; NaN where the score is not defined."""

    value: float
    low: float
    high: float


UNDEFINED = Interval(value=NAN, low=NAN, high=NAN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """B minus A of one score on the same clips, in [-1, 1].

    Attributes:
        value: The difference.
        low: Lower end of its 95 % interval.
        high: Upper end.
        standard_error: Clustered; NaN like the others where the score is not defined.
        p: Two-sided, of no difference.
        detectable: Minimum detectable effect: the smallest true difference found with 80 % power,
            by a p-value that is corrected for the number of tests where there are several.
    """

    value: float
    low: float
    high: float
    standard_error: float
    p: float
    detectable: float


class Spread:
    """The standard error of each of M scores, from draws that come in parts."""

    def __init__(self, centre: Floats) -> None:
        """Begin without a draw; `centre` is near the scores, `(M,)`, so that no digit is lost."""
        self._centre = np.nan_to_num(centre)
        self._n, self._sum, self._squares = np.zeros((3, len(centre)))

    def add(self, scores: Floats) -> None:
        """Take in `(B, M)` scores of resampled counts, NaN where a draw left one undefined."""
        defined = ~np.isnan(scores)
        apart = np.where(defined, scores - self._centre, 0.0)
        self._n += defined.sum(axis=0)
        self._sum += apart.sum(axis=0)
        self._squares += (apart**2).sum(axis=0)

    def errors(self, effective: Floats) -> Floats:
        """Return the standard errors, `(M,)`; NaN where fewer than two draws define one.

        A bootstrap standard deviation is too small by sqrt((C - 1) / C); that is put right here.

        Args:
            effective: `(M,)` effective number of clusters.
        """
        squares = np.maximum(self._squares - self._sum**2 / np.maximum(self._n, 1), 0.0)
        clusters = np.maximum(effective, 2.0)
        variance = squares / np.maximum(self._n - 1, 1) * clusters / (clusters - 1)
        return np.where(self._n > 1, np.sqrt(variance), np.nan)


def spread(scores: Floats, effective: Floats) -> Floats:
    """Return the standard error of each score, `(M,)`, from all draws at once: see `Spread`.

    Args:
        scores: `(B, M)` of the resampled counts, NaN where a draw left a score undefined.
        effective: `(M,)` effective number of clusters.
    """
    found = Spread(scores[0] if len(scores) else np.zeros(scores.shape[1]))
    found.add(scores)
    return found.errors(effective)


def mean_error(values: Floats, ids: NDArray[np.int64]) -> float:
    """Return the clustered standard error of the mean of `values`; NaN for fewer than two clusters.

    Source: Liang and Zeger (1986), with the factor C / (C - 1) for few clusters; equals
    `statsmodels.api.OLS(values, ones).fit(cov_type="cluster")`.

    Args:
        values: `(N,)`.
        ids: `(N,)` cluster of each value, from 0.

    Examples:
        >>> mean_error(np.array([1.0, 1.0, 0.0, 0.0]), np.array([0, 0, 1, 1]))
        0.5
    """
    sums = np.bincount(ids, weights=values - values.mean()) if len(values) else np.zeros(0)
    clusters = len(sums)
    if clusters < 2:
        return NAN
    return float(np.sqrt((sums**2).sum() * clusters / (clusters - 1)) / len(values))


def mean_interval(value: float, standard_error: float, effective: float) -> Interval:
    """Return the 95 % interval of a mean that may take any value: Student's t, symmetric.

    Source: Cameron and Miller (2015), A practitioner's guide to cluster-robust inference.
    """
    half = _quantile((1 + LEVEL) / 2, effective) * standard_error
    return Interval(value=value, low=value - half, high=value + half)


def interval(
    value: float, standard_error: float, effective: float, level: float = LEVEL
) -> Interval:
    """Return the 95 % interval of a score in [0, 1], which never leaves [0, 1].

    The score is treated as a share of as many independent clips as would give it this standard
    error, with Wilson's interval around it and Student's t for the effective number of clusters.
    Where every draw gives the same 0 or 1, that number is the effective clusters, with the normal
    quantile: nothing was estimated that t would have to pay for.

    Source: Korn and Graubard (1998), Confidence intervals for proportions with small expected
    number of positive counts estimated from survey data; equals
    `statsmodels.stats.proportion.proportion_confint(method="wilson")` for independent clips.

    Args:
        value: The score.
        standard_error: From `spread`.
        effective: Effective number of clusters that bear on the score.
        level: What the interval holds, in (0, 1), if not 95 %.

    Examples:
        >>> interval(0.8214, 0.00857, 1999.0)
        Interval(value=0.8214, low=0.803..., high=0.837...)
        >>> round(interval(1.0, 0.0, 35.0).low, 3)
        0.901
    """
    if np.isnan(value) or np.isnan(standard_error):
        return Interval(value=value, low=NAN, high=NAN)
    inner = value * (1 - value)
    if inner > TINY and standard_error > TINY:
        n, quantile = inner / standard_error**2, _quantile((1 + level) / 2, effective)
    else:
        n, quantile = max(effective, 1.0), float(special.ndtri((1 + level) / 2))
    low, high = _wilson(value, n, quantile)
    return Interval(value=value, low=min(low, value), high=max(high, value))


def _wilson(share: float, n: float, quantile: float) -> tuple[float, float]:
    """Return the ends of the interval of a share of n clips, in [0, 1].

    Source: Wilson (1927), Probable inference, the law of succession, and statistical inference.
    """
    t2 = quantile**2
    middle = (share + t2 / (2 * n)) / (1 + t2 / n)
    half = np.sqrt(t2) / (1 + t2 / n) * np.sqrt(share * (1 - share) / n + t2 / (4 * n * n))
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def difference(  # noqa: PLR0913 - what an interval depends on
    value: float,
    standard_error: float,
    effective: float,
    one_flip: float,
    most: float = 1.0,
    tests: int = 1,
    level: float = LEVEL,
) -> Difference:
    """Return B minus A with its 95 % interval, p-value and the smallest detectable difference.

    Two models that agree on every clip have a bootstrap spread of 0, which says nothing about
    the next clip. So the variance of one more clip on which they disagree is added.

    Source: Student's t on the clustered standard error; Agresti and Min (2005), Simple improved
    confidence intervals for comparing matched proportions, for the added pair.

    Args:
        value: B minus A.
        standard_error: From `spread` of the paired differences.
        effective: Effective number of clusters that bear on the score.
        one_flip: How much the score changes when one clip flips.
        most: The largest difference that there can be.
        tests: Number of differences that are judged together; only `detectable` pays for it here.
        level: What the interval holds, in (0, 1), if not 95 %.

    Examples:
        >>> difference(-0.003, 0.0, 2000.0, 0.0005)
        Difference(value=-0.003, low=-0.0039..., high=-0.0020..., standard_error=0.0005, ...
    """
    if np.isnan(value) or np.isnan(standard_error):
        return Difference(value=value, low=NAN, high=NAN, standard_error=NAN, p=NAN, detectable=NAN)
    error = max(float(np.hypot(standard_error, one_flip)), TINY)
    half = _quantile((1 + level) / 2, effective) * error
    p, detectable = p_and_detectable(value, error, effective, tests)
    return Difference(
        value=value,
        low=max(-most, value - half),
        high=min(most, value + half),
        standard_error=error,
        p=float(p),
        detectable=float(detectable),
    )


def p_and_detectable(
    value: ArrayLike, error: ArrayLike, effective: ArrayLike, tests: int = 1
) -> tuple[Floats, Floats]:
    """Return the p-values of differences and the smallest that would be found, of equal shapes.

    Only the second pays for the number of tests that are judged together.

    Source: Bloom (1995), Minimum detectable effects, at 80 % power.
    """
    errors, degrees = np.maximum(error, TINY), np.maximum(np.subtract(effective, 1.0), 1.0)
    p = np.asarray(2 * special.stdtr(degrees, -np.abs(value) / errors), dtype=np.float64)
    limit = special.stdtrit(degrees, 1 - (1 - LEVEL) / 2 / tests)
    return p, np.asarray((limit + special.stdtrit(degrees, POWER)) * errors, dtype=np.float64)


def mcnemar_exact(only_a: int, only_b: int) -> float:
    """Return the exact two-sided p-value that A and B are right equally often; 1 without a flip.

    It takes the clips as independent, which clips of one speaker are not.

    Source: McNemar (1947); equals `statsmodels.stats.contingency_tables.mcnemar(exact=True)`.

    Examples:
        >>> mcnemar_exact(1, 9).__round__(4)
        0.0215
    """
    discordant = only_a + only_b
    return min(1.0, 2 * float(special.bdtr(min(only_a, only_b), discordant, 0.5)))


def smallest_significant(discordant: int) -> int | None:
    """Return the smallest net number of clips that exact McNemar calls significant.

    `None` if this many clips on which two models differ cannot be significant at all. The net
    number has the parity of `discordant`: 10 clips split 9 : 1, a net difference of 8.

    Examples:
        >>> smallest_significant(40), smallest_significant(10), smallest_significant(5)
        (14, 8, None)
    """
    shares = special.bdtr(np.arange(discordant // 2 + 1), discordant, 0.5)
    minority = int(np.searchsorted(2 * shares, 1 - LEVEL, side="right")) - 1
    return discordant - 2 * minority if minority >= 0 else None


def holm(p_values: ArrayLike) -> Floats:
    """Return p-values corrected for their number, `(M,)`; NaN stays NaN and is not counted.

    Source: Holm (1979), A simple sequentially rejective multiple test procedure; equals
    `statsmodels.stats.multitest.multipletests(method="holm")`.

    Examples:
        >>> holm([0.01, 0.04, 0.03]).round(2).tolist()
        [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p)[: np.count_nonzero(~np.isnan(p))]
    steps = p[order] * np.arange(len(order), 0, -1)
    corrected = np.full(p.shape, np.nan)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return corrected


def verdict(result: Difference, margin: float, p_swapped: float = 0.0) -> Verdict:
    """Return whether B is worse than A, in words, decided by the interval and not by the point.

    `not worse`: the whole interval lies above `-margin`. `worse`: it lies below 0 and reaches
    `-margin`, and a test that takes clips as independent does not contradict. Else, and where the
    score is not defined, `cannot tell`. Every room that judges a difference judges it by this.

    Source: Piaggio et al. (2012), Reporting of noninferiority and equivalence randomized trials.

    Args:
        result: B minus A.
        margin: The loss that would not matter, in [0, 1].
        p_swapped: Two-sided p-value of no difference as if clips were independent: exact McNemar
            for accuracy. If not even that is significant, speakers cannot make it so.

    Examples:
        >>> small = Difference(value=-.002, low=-.006, high=.002, standard_error=.002, p=.3,
        ...                    detectable=.006)
        >>> verdict(small, margin=0.01), verdict(small, margin=0.005)
        ('not worse', 'cannot tell')
    """
    if result.low > -margin:
        return "not worse"
    return "worse" if result.high < 0 and not p_swapped > 1 - LEVEL else "cannot tell"


def equivalence_p(result: Difference, margin: float, effective: float) -> float:
    """Return the p-value that A and B differ by the margin or more, in either direction.

    Source: Schuirmann (1987), the two one-sided tests; equals
    `statsmodels.stats.weightstats.ttost_paired` for independent clips.

    Args:
        result: B minus A.
        margin: The difference that would not matter, in [0, 1].
        effective: Effective number of clusters that bear on the score.
    """
    nearer = (margin - abs(result.value)) / result.standard_error
    return float(special.stdtr(_degrees(effective), -nearer))


def rank_ranges(worse_than: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the best and the worst rank that each of R runs may have, from 1.

    Source: Goldstein and Spiegelhalter (1996), League tables and their limitations.

    Args:
        worse_than: `(R, R)`; `[i, j]` says that run i is significantly worse than run j.

    Examples:
        >>> rank_ranges(np.array([[0, 0, 0], [1, 0, 0], [1, 0, 0]], dtype=bool))
        [(1, 1), (2, 3), (2, 3)]
    """
    better, worse = worse_than.sum(axis=1), worse_than.sum(axis=0)
    runs = len(worse_than)
    return [(1 + int(b), runs - int(w)) for b, w in zip(better, worse, strict=True)]


def _degrees(effective: float) -> float:
    return max(effective - 1.0, 1.0)


def _quantile(probability: float, effective: float) -> float:
    return float(special.stdtrit(_degrees(effective), probability))
