"""Many runs on the same clips, and one set of draws of whole speakers for all of them.

Every number of a stress test (a score, a change, a mean over a family) is a function of the
confusion matrices of the runs and of how often two runs agree. Both are sums over clips, so one
bootstrap serves all, and what is paired stays paired.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from serval.scores.clusters import (
    Clustering,
    cluster_tables,
    clustering_of,
    effective_number,
    resampled,
)
from serval.scores.metrics import Counts, macro_f1, uar, wa
from serval.scores.stats import Difference, Interval, difference, interval, spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from serval.labels import LabelSet
    from serval.run import Run

    Ids = NDArray[np.int64]
    Floats = NDArray[np.float64]
    Columns = dict[str, Floats]

__all__ = ["METRICS", "Estimates", "Panel", "metric_columns", "panel_of"]

METRICS = ("wa", "uar", "macro_f1")
"""The scores of a stress test, in this order wherever they are an axis."""

RESAMPLES = 2000
AT_ONCE = 100
"""Draws in memory at once: 20 MB for 170 runs of 8 labels."""

Statistic = Callable[[Counts, "Floats"], "Columns"]
"""Counts `(B, R, K, K)` and shares of agreement `(B, P)` -> named arrays `(B, ...)`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """What several runs said of their common clips.

    Attributes:
        labels: Of all runs.
        index: `(N,) int64` positions of the clips that every run predicted.
        truth: `(N,) int64` label ids.
        predicted: `(R, N) int64` label ids.
        clustering: Of the clips.
    """

    labels: LabelSet
    index: Ids
    truth: Ids
    predicted: Ids
    clustering: Clustering

    def estimates(
        self, pairs: Sequence[tuple[int, int]], statistic: Statistic, *, seed: int = 0
    ) -> Estimates:
        """Return every value of a statistic and its standard error, from one set of draws.

        Args:
            pairs: Rows of `predicted` whose share of equal predictions the statistic wants.
            statistic: A function of counts and of those shares.
            seed: Of the draws.
        """
        k, runs = len(self.labels), len(self.predicted)
        cells, n_cells = self._cells(pairs)
        tables = cluster_tables(cells, n_cells, self.clustering)
        size = runs * k * k

        def columns(sums: Floats) -> Columns:
            counts = sums[:, :size].reshape(-1, runs, k, k)
            same = sums[:, size:].reshape(-1, len(pairs), 2)
            return statistic(counts, same[..., 1] / np.maximum(same.sum(axis=-1), 1))

        rng = np.random.default_rng(seed)
        draws = [columns(resampled(tables, AT_ONCE, rng)) for _ in range(RESAMPLES // AT_ONCE)]
        clips = tables.tables[:, : k * k].sum(axis=1, keepdims=True)
        effective = float(effective_number(clips, tables.times)[0])
        total = tables.total[np.newaxis].astype(np.float64)
        values = {name: found[0] for name, found in columns(total).items()}
        return Estimates(
            values=values,
            errors={name: _errors([draw[name] for draw in draws], effective) for name in values},
            effective=effective,
            flips=self._flips(),
        )

    def _cells(self, pairs: Sequence[tuple[int, int]]) -> tuple[Ids, int]:
        k, runs = len(self.labels), len(self.predicted)
        of_runs = self.truth * k + self.predicted + k * k * np.arange(runs)[:, np.newaxis]
        first = runs * k * k
        same = [
            first + 2 * i + (self.predicted[a] == self.predicted[b])
            for i, (a, b) in enumerate(pairs)
        ]
        return np.concatenate([of_runs, *(row[np.newaxis] for row in same)]).T, first + 2 * len(
            same
        )

    def _flips(self) -> Floats:
        """Return `(3,)` how much each score changes when one clip flips, root mean square."""
        sizes = np.bincount(self.truth, minlength=len(self.labels))
        present = sizes[sizes > 0]
        n, classes = max(1, len(self.truth)), max(1, len(present))
        by_class = float(np.sqrt(np.sum(1 / present) / n)) / classes
        return np.array([1 / n, by_class, by_class])


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimates:
    """Named arrays of values with their clustered standard errors.

    Attributes:
        values: By name.
        errors: By name, of the same shapes.
        effective: Effective number of clusters.
        flips: `(3,)` how much `METRICS` change when one clip flips.
    """

    values: Columns
    errors: Columns
    effective: float
    flips: Floats

    def interval(self, name: str, *where: int) -> Interval:
        """Return one value in [0, 1] with its interval."""
        value, error = float(self.values[name][where]), float(self.errors[name][where])
        return interval(value, error, self.effective)

    def difference(self, name: str, *where: int, runs: int = 1) -> Difference:
        """Return one difference with its interval.

        Args:
            name: Of the array; where its last axis is not `METRICS`, it is one of shares.
            where: Place in the array.
            runs: Number of runs that it is the mean of.
        """
        value, error = float(self.values[name][where]), float(self.errors[name][where])
        by_metric = self.values[name].shape[-1:] == self.flips.shape and len(where) > 1
        flip = self.flips[where[-1]] if by_metric else self.flips[0]
        return difference(value, error, self.effective, float(flip) / runs)


def panel_of(runs: Sequence[Run]) -> Panel:
    """Return the clips that every run predicted, in dataset order."""
    first = runs[0]
    common = reduce(np.intersect1d, (run.index for run in runs))
    rows = np.searchsorted(first.index, common)
    predicted = [run.predicted[np.searchsorted(run.index, common)] for run in runs]
    return Panel(
        labels=first.labels,
        index=common,
        truth=first.truth[rows],
        predicted=np.stack(predicted),
        clustering=clustering_of([first.speakers[i] for i in rows]),
    )


def metric_columns(counts: Counts) -> Floats:
    """Return `METRICS` of each matrix of a stack, `(..., 3)`."""
    return np.stack([wa(counts), uar(counts), macro_f1(counts)], axis=-1)


def _errors(draws: list[Floats], effective: float) -> Floats:
    together = np.concatenate(draws)
    flat = together.reshape(len(together), -1)
    return spread(flat, np.full(flat.shape[1], effective)).reshape(together.shape[1:])
