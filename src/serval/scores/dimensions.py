"""Scores of numbers for each clip, such as arousal, valence and dominance, as functions of moments.

The sums over clips that stand here for the confusion counts are, for each dimension, n, the sums of
truth and prediction, of their squares, of their product and of their absolute difference, and the
same of their ranks. So intervals by speaker, paired differences and groups are had as for emotions.

Variances and covariances are divided by n, as in Lin (1989) and in `audmetric`; with n - 1 a CCC of
few clips is higher where the means differ.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from serval.scores.clusters import FEW_CLUSTERS, clustering_of, effective_number, row_tables
from serval.scores.metrics import ratio
from serval.scores.paired import PairedScore
from serval.scores.stats import Interval
from serval.scores.uncertainty import (
    Estimates,
    Uncertainty,
    linear_estimates,
    moves,
    of_clusters_and_clips,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from serval.scores.clusters import Clustering, ClusterTables
    from serval.scores.stats import Difference

    Floats = NDArray[np.float64]

MEAN = "mean"
"""What is said of all dimensions together."""

PARTS = ("n", "x", "y", "xx", "yy", "xy", "error")
"""The sums of each dimension, by name; then those from `x` to `xy` again, of ranks."""

SUMS = len(PARTS) + 5
PLACE_X, PLACE_RANK_X = PARTS.index("x"), len(PARTS)
"""Where the sums of truth, and behind them those of predictions, stand, also of their ranks."""

LEAST_CLIPS = 4
"""Below it a correlation has no interval."""

MOVED_CLIPS, OTHER_CLIPS = 500, 8
"""So many evenly spread clips, and predictions of others, stand for all where one clip moves."""

ROUNDING = 1e-10
"""Variances below this share of the mean square are rounding errors: a deviation of 0.001 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Sums over clips, each `(..., D)`; truth is x, prediction is y.

    Attributes:
        n: Clips with a truth.
        x: Sum of the truth.
        y: Sum of the predictions.
        xx: Sum of the squared truth.
        yy: Sum of the squared predictions.
        xy: Sum of their products.
        error: Sum of their absolute differences.
        ranks: The same of ranks, but for `error`; `None` where these are of ranks.
    """

    n: Floats
    x: Floats
    y: Floats
    xx: Floats
    yy: Floats
    xy: Floats
    error: Floats
    ranks: Moments | None = None

    @property
    def means(self) -> tuple[Floats, Floats]:
        """The mean truth and the mean prediction."""
        return ratio(self.x, self.n), ratio(self.y, self.n)

    @property
    def variances(self) -> tuple[Floats, Floats, Floats]:
        """The variance of the truth, that of the predictions, and their covariance, over n."""
        x, y = self.means
        return (
            _variance(ratio(self.xx, self.n), x),
            _variance(ratio(self.yy, self.n), y),
            ratio(self.xy, self.n) - x * y,
        )


def _variance(squares: Floats, mean: Floats) -> Floats:
    """Return the variance over n; 0 where it is not more than what sums of equal numbers leave."""
    variance = squares - mean * mean
    return np.where(variance > ROUNDING * squares, variance, 0.0 * variance)


@dataclass(frozen=True, slots=True, kw_only=True)
class DimensionMetric:
    """A score of one dimension.

    Attributes:
        key: Its name in files and bounds.
        title: Its name in a table.
        of: The score of moments.
        is_correlation: Whether it lies in [-1, 1]; the others are in units of the scale.
        higher_is_better: Its direction; bias has none, 0 is best.
    """

    key: str
    title: str
    of: Callable[[Moments], Floats]
    is_correlation: bool
    higher_is_better: bool | None


def ccc(moments: Moments) -> Floats:
    """Return the concordance correlation coefficient, in [-1, 1]; NaN if truth does not vary.

    Source: Lin (1989), A concordance correlation coefficient to evaluate reproducibility, with
    variances over n; equals `audmetric.concordance_cc`.

    Examples:
        >>> ccc(moments_of([[0.0], [1.0], [2.0]], [[1.0], [2.0], [3.0]])).round(4).tolist()
        [0.5714]
    """
    (x, y), (xx, yy, xy) = moments.means, moments.variances
    return np.where(xx > 0, ratio(2 * xy, xx + yy + (x - y) ** 2), np.nan)


def pearson(moments: Moments) -> Floats:
    """Return Pearson's correlation coefficient, in [-1, 1]; NaN if either side does not vary.

    Source: `scipy.stats.pearsonr`.
    """
    xx, yy, xy = moments.variances
    return np.clip(ratio(xy, np.sqrt(xx * yy)), -1.0, 1.0)


def spearman(moments: Moments) -> Floats:
    """Return Spearman's rank correlation coefficient, in [-1, 1]; NaN if a side does not vary.

    Ranks are those among all clips, also in draws and groups of them.

    Source: `scipy.stats.spearmanr`.
    """
    if moments.ranks is None:
        return np.full(np.shape(moments.n), np.nan)
    return pearson(moments.ranks)


def mae(moments: Moments) -> Floats:
    """Return the mean absolute error, in units of the scale; NaN without a clip.

    Source: `sklearn.metrics.mean_absolute_error`.
    """
    return ratio(moments.error, moments.n)


def rmse(moments: Moments) -> Floats:
    """Return the root mean squared error, in units of the scale; NaN without a clip.

    Source: `sklearn.metrics.root_mean_squared_error`.
    """
    squares = moments.xx - 2 * moments.xy + moments.yy
    return np.sqrt(np.maximum(ratio(squares, moments.n), 0.0))


def bias(moments: Moments) -> Floats:
    """Return the mean of prediction minus truth, in units of the scale; NaN without a clip."""
    return ratio(moments.y - moments.x, moments.n)


DIMENSION_METRICS: Mapping[str, DimensionMetric] = {
    key: DimensionMetric(
        key=key, title=title, of=of, is_correlation=bounded, higher_is_better=higher
    )
    for key, title, of, bounded, higher in (
        ("ccc", "CCC", ccc, True, True),
        ("pearson", "Pearson", pearson, True, True),
        ("spearman", "Spearman", spearman, True, True),
        ("mae", "MAE", mae, False, False),
        ("rmse", "RMSE", rmse, False, False),
        ("bias", "bias", bias, False, None),
    )
}
"""By key, in the order of every table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DimensionScores:
    """The scores of a run of dimensions.

    Attributes:
        n: Clips that were scored.
        clips: Clips with a truth, by dimension.
        per_dimension: By dimension, then by key of `DIMENSION_METRICS`.
        mean: The mean over the dimensions, by key.
        by: What was drawn: `speaker` or `clip`.
        clusters: Number of them.
        effective: How many of equal size would say as much.
        warnings: What a reader must know before trusting them, one sentence each.
    """

    n: int
    clips: Mapping[str, int]
    per_dimension: Mapping[str, Mapping[str, Interval]]
    mean: Mapping[str, Interval]
    by: str
    clusters: int
    effective: float
    warnings: tuple[str, ...]


def dimension_scores(
    truth: Floats, predicted: Floats, speakers: Sequence[str | None], names: Sequence[str]
) -> DimensionScores:
    """Return every score with its 95 % interval, clustered by speaker where speakers are known.

    Args:
        truth: `(N, D)` on the scale of the set, NaN where a clip has none.
        predicted: `(N, D)` on the same scale.
        speakers: `(N,)` or `None` where not known.
        names: The D dimensions.
    """
    clustering = clustering_of(speakers)
    tables = moment_tables(truth[np.newaxis], predicted[np.newaxis], clustering)
    found = estimates_of_moments(tables, score_columns, bearing_on_scores)
    cells = [_interval(found, i, len(names)) for i in range(len(found.values))]
    d = len(names)
    per = {
        name: {key: cells[m * (d + 1) + i] for m, key in enumerate(DIMENSION_METRICS)}
        for i, name in enumerate(names)
    }
    return DimensionScores(
        n=len(truth),
        clips=dict(zip(names, (~np.isnan(truth)).sum(axis=0).tolist(), strict=True)),
        per_dimension=per,
        mean={key: cells[m * (d + 1) + d] for m, key in enumerate(DIMENSION_METRICS)},
        by=clustering.by,
        clusters=len(clustering),
        effective=round(clustering.effective, 1),
        warnings=(*clustering.warnings, *_few(found, clustering, names)),
    )


def paired_dimension_scores(
    truth: Floats,
    sides: tuple[Floats, Floats],
    clustering: Clustering,
    names: Sequence[str],
    width: float,
) -> dict[str, dict[str, PairedScore]]:
    """Return the differences of two runs on the same clips, by dimension and `MEAN`, then by score.

    Args:
        truth: `(N, D)`, NaN where a clip has none.
        sides: What both runs say, `(N, D)` each, on the scale of the truth.
        clustering: Which clips belong together.
        names: The D dimensions.
        width: Of the scale, the largest error that there can be.
    """
    tables = moment_tables(np.stack([truth, truth]), np.stack(sides), clustering)
    each = score_columns(moments_of_sums(np.asarray(tables.total, dtype=np.float64), runs=2))
    gaps = estimates_of_moments(
        tables, _second_minus_first, lambda known: bearing_on_scores(known.min(axis=0)), runs=2
    )
    flips = one_clip(truth, sides[1]).ravel().tolist()
    found: dict[str, dict[str, PairedScore]] = {name: {} for name in (*names, MEAN)}
    places = product(DIMENSION_METRICS.values(), (*names, MEAN))
    for i, (metric, name) in enumerate(places):
        gap = dimension_difference(metric, gaps, i, flips[i], width)
        one = PairedScore(a=float(each[0, i]), b=float(each[1, i]), difference=gap)
        found[name][metric.key] = one
    return found


def _second_minus_first(moments: Moments) -> Floats:
    columns = score_columns(moments)
    return np.asarray(columns[..., 1, :] - columns[..., 0, :])


def _few(found: Estimates, clustering: Clustering, names: Sequence[str]) -> Iterator[str]:
    """Yield a sentence for each dimension that is known of fewer clusters than all, and of few."""
    for name, own in zip(names, found.clusters, strict=False):
        if 0 < own < min(FEW_CLUSTERS, clustering.effective - 0.5):
            kept = "of" if clustering.by == "clip" else "worth"
            worth = f"{kept} {own:.3g} {clustering.by}{'s' if own > 1 else ''}"
            yield (f"{name} has ratings {worth} only: take its intervals as a rough guide.")


def score_columns(moments: Moments) -> Floats:
    """Return every score of each dimension and their mean, `(..., M (D + 1))`, metric by metric."""
    columns = [metric.of(moments) for metric in DIMENSION_METRICS.values()]
    return np.concatenate(
        [np.append(one, one.mean(axis=-1, keepdims=True), axis=-1) for one in columns], axis=-1
    )


def moment_tables(truth: Floats, predicted: Floats, clustering: Clustering) -> ClusterTables:
    """Return the moments of each cluster, R runs one behind the other.

    Args:
        truth: `(R, N, D)`, NaN where a clip has none.
        predicted: `(R, N, D)`.
        clustering: Of the N clips.

    Returns:
        Of R x D x 12 sums.
    """
    rows = np.concatenate([_rows(x, y) for x, y in zip(truth, predicted, strict=True)], axis=1)
    return row_tables(sparse.csr_array(rows), clustering)


def moments_of_sums(sums: Floats, runs: int = 1) -> Moments:
    """Return the moments, `(..., R, D)`, or `(..., D)` of one run, that R x D x 12 sums hold."""
    parts = sums.reshape(*sums.shape[:-1], runs, sums.shape[-1] // (runs * SUMS), SUMS)
    if runs == 1:
        parts = parts[..., 0, :, :]
    own = dict(zip(PARTS, np.moveaxis(parts, -1, 0), strict=False))
    ranks = dict(zip(PARTS[1:], np.moveaxis(parts[..., len(PARTS) :], -1, 0), strict=False))
    return Moments(**own, ranks=Moments(n=own["n"], error=np.zeros_like(own["n"]), **ranks))


def estimates_of_moments(
    tables: ClusterTables,
    columns: Callable[[Moments], Floats],
    bearing: Callable[[Floats], Floats],
    runs: int = 1,
) -> Estimates:
    """Return scores with their standard errors, without draws: see `linear_estimates`.

    Args:
        tables: Of `moment_tables`.
        columns: Moments `(..., D)`, or `(..., R, D)`, to scores `(..., M)`.
        bearing: The effective number of clusters with a truth of each dimension, `(D,)` or
            `(R, D)`, to how many bear on each score, `(M,)`; the same for clips.
        runs: R.
    """

    def statistic(sums: Floats) -> Floats:
        return columns(moments_of_sums(sums, runs))

    effective = of_clusters_and_clips(tables, lambda one: bearing(_known(one, runs)))
    return linear_estimates(tables, statistic, effective)


def _known(tables: ClusterTables, runs: int) -> Floats:
    """Return the effective number of clusters with a truth, `(D,)` or of several runs `(R, D)`."""
    n = moments_of_sums(np.asarray(tables.tables.toarray(), dtype=np.float64), runs).n
    rated = n.reshape(len(n), math.prod(n.shape[1:]))
    return effective_number(rated, tables.times).reshape(n.shape[1:])


def bearing_on_scores(known: Floats) -> Floats:
    """Return how many clusters bear on each of `score_columns`, of `(D,)`: on a mean the fewest."""
    return np.tile(np.append(known, known.min()), len(DIMENSION_METRICS))


def one_clip(truth: Floats, predicted: Floats) -> Floats:
    """Return how much each score changes, root mean square, by one clip's prediction, `(M, D + 1)`.

    That becomes the prediction of another clip, as a label flips: two runs that predict the same
    on every clip say nothing of the next one. Of the mean, which is last, it is the mean.

    Args:
        truth: `(N, D)`, NaN where a clip has none.
        predicted: `(N, D)`.
    """
    each = [_one_clip(truth[:, [i]], predicted[:, [i]]) for i in range(truth.shape[1])]
    return np.stack([*each, np.mean(each, axis=0)], axis=-1)


def _one_clip(truth: Floats, predicted: Floats) -> Floats:
    """Return the same of one dimension, `(N, 1)`, by metric; 0 with fewer than two clips."""
    rows = _rows(truth, predicted)[~np.isnan(truth[:, 0])]
    n = len(rows)
    if n < 2:
        return np.zeros(len(DIMENSION_METRICS))
    clips, shifts = _spread(0, n - 1, MOVED_CLIPS), _spread(1, n - 1, OTHER_CLIPS)
    at = np.repeat(clips, len(shifts))
    other = (at + np.tile(shifts, len(clips))) % n
    x, rank_x = rows[at][:, [PLACE_X, PLACE_RANK_X]].T
    y, rank_y = rows[other][:, [PLACE_X + 1, PLACE_RANK_X + 1]].T
    moved = _parts(np.ones(len(at)), (x, y), (rank_x, rank_y))
    total = rows.sum(axis=0)
    before, after = (moments_of_sums(one) for one in (total, total - rows[at] + moved))
    changes = [metric.of(after) - metric.of(before) for metric in DIMENSION_METRICS.values()]
    return np.asarray(np.sqrt(np.nan_to_num(np.square(changes)).mean(axis=(1, 2))))


def moves_of_clips(truth: Floats, predicted: Floats, metric: DimensionMetric) -> Floats:
    """Return how much each clip of one dimension moves a score of it, `(N,)`.

    Args:
        truth: `(N, 1)`, NaN where a clip has none.
        predicted: `(N, 1)`.
        metric: The score.
    """
    rows = _rows(truth, predicted)
    found = moves(rows, rows.sum(axis=0), lambda sums: metric.of(moments_of_sums(sums)))
    return found[:, 0]


def _spread(first: int, last: int, most: int) -> NDArray[np.int64]:
    """Return so many whole numbers from the first to the last, evenly spread."""
    return np.unique(np.linspace(first, last, most).round().astype(np.int64))


def dimension_difference(
    metric: DimensionMetric, found: Estimates, i: int, flip: float, width: float, tests: int = 1
) -> Difference:
    """Return difference `i` with its interval; of a correlation none below `LEAST_CLIPS` clips.

    `flip` is how much one clip moves it, `width` the largest that one of no correlation can be.
    """
    uncertainty = found.uncertainty(i)
    if metric.is_correlation and _clips(uncertainty) < LEAST_CLIPS:
        uncertainty = replace(uncertainty, error=math.nan)
    most = 2.0 if metric.is_correlation else width
    return uncertainty.difference(float(found.values[i]), flip, most, tests)


def _clips(uncertainty: Uncertainty) -> float:
    """Return how many clips bear on a score."""
    return uncertainty.clusters if math.isnan(uncertainty.clips) else uncertainty.clips


def correlation_interval(value: float, uncertainty: Uncertainty) -> Interval:
    """Return the 95 % interval of a correlation, which never leaves [-1, 1].

    Source: Lin (1989), section 3: Fisher's transformation z = atanh(r), here with the clustered
    standard error of r. There is none below `LEAST_CLIPS` clips: two lie on a line whatever they
    are, and the variance of z, 1 / (n - 3), needs four.
    """
    if _clips(uncertainty) < LEAST_CLIPS:
        return Interval(value=value, low=math.nan, high=math.nan)
    inside = float(np.clip(value, -1 + 1e-9, 1 - 1e-9))
    slope = 1 / (1 - inside**2)
    z = Uncertainty(
        error=uncertainty.error * slope,
        clusters=uncertainty.clusters,
        independent=uncertainty.independent * slope,
        clips=uncertainty.clips,
    ).mean_interval(float(np.arctanh(inside)))
    low, high = float(np.tanh(z.low)), float(np.tanh(z.high))
    return Interval(value=value, low=min(low, value), high=max(high, value))


def _interval(found: Estimates, i: int, d: int) -> Interval:
    metric = tuple(DIMENSION_METRICS.values())[i // (d + 1)]
    value, uncertainty = float(found.values[i]), found.uncertainty(i)
    if metric.is_correlation:
        return correlation_interval(value, uncertainty)
    plain = uncertainty.mean_interval(value)
    least = -np.inf if metric.higher_is_better is None else 0.0
    return Interval(value=value, low=max(plain.low, least), high=plain.high)


def moments_of(truth: ArrayLike, predicted: ArrayLike) -> Moments:
    """Return the moments of `(N, D)` truth and predictions, `(D,)` each."""
    rows = _rows(np.asarray(truth, dtype=np.float64), np.asarray(predicted, dtype=np.float64))
    return moments_of_sums(rows.sum(axis=0))


def _rows(truth: Floats, predicted: Floats) -> Floats:
    """Return what each clip adds to the moments, `(N, D x 12)`; nothing where it has no truth."""
    there = ~np.isnan(truth)
    x, y = np.where(there, truth, 0.0), np.where(there, predicted, 0.0)
    ranks = [_ranks(side, there) for side in (truth, predicted)]
    parts = _parts(there.astype(np.float64), (x, y), (ranks[0], ranks[1]))
    return parts.reshape(len(truth), truth.shape[1] * SUMS)


def _parts(n: Floats, values: tuple[Floats, Floats], ranks: tuple[Floats, Floats]) -> Floats:
    """Return the parts of sums, `(..., 12)`, of truth and predictions and of their ranks."""
    x, y = values
    return np.stack([n, *_products(x, y), np.abs(x - y), *_products(*ranks)], axis=-1)


def _products(x: Floats, y: Floats) -> list[Floats]:
    return [x, y, x * x, y * y, x * y]


def _ranks(values: Floats, there: NDArray[np.bool_]) -> Floats:
    """Return the ranks of each column's values, in [-0.5, 0.5], ties in the middle; else 0."""
    ranks = np.zeros(values.shape)
    for rank, column, known in zip(ranks.T, values.T, there.T, strict=True):
        if known.any():
            _, place, n = np.unique(column[known], return_inverse=True, return_counts=True)
            middle = np.cumsum(n) - (n - 1) / 2
            rank[known] = middle[place] / known.sum() - 0.5
    return ranks
