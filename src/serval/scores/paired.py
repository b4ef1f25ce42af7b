"""Several runs on the same clips: what changes from one to another, and how sure that is.

All runs are scored on the same draws of whole speakers, so what they all find hard cancels out.
`compare` and `stress` both take their differences from here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from serval.scores.clusters import (
    DRAWS_AT_ONCE,
    Clustering,
    ClusterTables,
    cluster_tables,
)
from serval.scores.metrics import Margins
from serval.scores.registry import HEADLINES
from serval.scores.score import (
    OVERALL,
    effective_clusters,
    margin_tables,
    margins_of_sums,
    score_columns,
)
from serval.scores.stats import LEVEL, Difference, Interval, Verdict, mcnemar_exact, verdict
from serval.scores.uncertainty import Estimates, estimates

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serval.scores.uncertainty import Uncertainty

    Ids = NDArray[np.int64]
    Floats = NDArray[np.float64]
    Columns = dict[str, Floats]

SWAPS = 1999
"""A p-value near 0.05 is then known to half a point."""

WRONG_LABELS = 16
"""Of more wrong labels, so many evenly spread ones stand for all where one clip flips."""

Statistic = Callable[[Margins, "Floats"], "Columns"]
"""Margins `(B, R, K)` and shares of agreement `(B, P)` -> named arrays `(B, ...)`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairOptions:
    """How runs are compared.

    Attributes:
        margin: The loss that would not matter, in [0, 1]; 0.01 is one point.
        resamples: Draws of the bootstrap.
        seed: Of the random numbers: same runs, same seed, same numbers.
    """

    margin: float = 0.01
    resamples: int = 4000
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedScore:
    """One score of two runs on the same clips, and B minus A."""

    a: float
    b: float
    difference: Difference


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalChange:
    """One score of both runs that its interval alone judges, and what the difference means.

    Attributes:
        a: The score of run A.
        b: The score of run B.
        difference: B minus A.
        verdict: Whether B is worse by more than the margin; `None` for a score that has no
            direction.
    """

    a: float
    b: float
    difference: Difference
    verdict: Verdict | None

    @classmethod
    def judged(
        cls,
        sides: tuple[float, float],
        gap: Difference,
        margin: float,
        *,
        higher_is_better: bool | None = True,
    ) -> IntervalChange:
        """Return the change with its verdict: whether B is worse by more than the margin."""
        better = (
            gap
            if higher_is_better
            else replace(gap, value=-gap.value, low=-gap.high, high=-gap.low)
        )
        said = None if higher_is_better is None else verdict(better, margin)
        return cls(a=sides[0], b=sides[1], difference=gap, verdict=said)

    def verdict_at(self, margin: float) -> Verdict:
        """Return the verdict at another margin, in (0, 1), of a score that is better higher."""
        return verdict(self.difference, margin)

    def contradicted(self, margin: float) -> bool:  # noqa: ARG002 - as of one emotion a clip
        """Return whether a test of independent clips speaks against it: there is none."""
        return False

    @property
    def p_swapped(self) -> float:
        """No such test was made: NaN."""
        return float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreChange:
    """One score of both runs, and what the difference means.

    Attributes:
        a: The score of run A.
        b: The score of run B.
        difference: B minus A.
        p_equal: The p-value that they differ by the margin or more, in either direction.
        p_swapped: The p-value of no difference where each clip's two answers are swapped at random,
            as if clips were independent; of accuracy it is exact McNemar.
        verdict: Whether B is worse than A by more than the margin.
    """

    a: float
    b: float
    difference: Difference
    p_equal: float
    p_swapped: float
    verdict: Verdict

    def verdict_at(self, margin: float) -> Verdict:
        """Return the verdict at another margin, in [0, 1]."""
        return verdict(self.difference, margin, self.p_swapped)

    def contradicted(self, margin: float) -> bool:
        """Return whether only the swapped answers speak against calling B worse."""
        return verdict(self.difference, margin) == "worse" != self.verdict_at(margin)


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelEstimates:
    """Named arrays of values, and how uncertain they are.

    Attributes:
        values: By name.
        places: Where the array of each name begins among the estimates.
        found: Values and errors of all arrays, one array behind the other.
        flips: How much each of `HEADLINES` changes when one clip flips.
        level: What the intervals hold, in (0, 1).
    """

    values: Columns
    places: dict[str, int]
    found: Estimates
    flips: Floats
    level: float = LEVEL

    def at(self, level: float) -> PanelEstimates:
        """Return the same estimates with intervals that hold another share."""
        return replace(self, level=level)

    def interval(self, name: str, *where: int) -> Interval:
        """Return one value with its interval."""
        return self._uncertainty(name, where).interval(float(self.values[name][where]))

    def difference(self, name: str, *where: int) -> Difference:
        """Return one difference with its interval.

        That of a mean over runs is no narrower than that of one: all heard the same clips.
        """
        of_metric = self.values[name].shape[-1:] == self.flips.shape and len(where) > 1
        flip = self.flips[where[-1] if of_metric else 0]
        return self._uncertainty(name, where).difference(
            float(self.values[name][where]), float(flip)
        )

    def _uncertainty(self, name: str, where: tuple[int, ...]) -> Uncertainty:
        place = np.ravel_multi_index(where, self.values[name].shape)
        return replace(self.found.uncertainty(self.places[name] + int(place)), level=self.level)


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """What R runs said of their N common clips.

    Attributes:
        k: Number of labels.
        truth: `(N,) int64` label ids.
        predicted: `(R, N)` label ids, `int64` or, to take half the room, `int32`.
        clustering: Which of the N clips belong together.
    """

    k: int
    truth: Ids
    predicted: Ids | NDArray[np.int32]
    clustering: Clustering

    def only(self, clips: NDArray[np.bool_]) -> Panel:
        """Return the same runs on some of the clips, `(N,)` true for those to keep."""
        _, ids = np.unique(self.clustering.ids[clips], return_inverse=True)
        return replace(
            self,
            truth=self.truth[clips],
            predicted=self.predicted[:, clips],
            clustering=replace(self.clustering, ids=ids),
        )

    def changes(self, options: PairOptions) -> list[ScoreChange]:
        """Return the change of each score of `score_columns` from the first run to the second."""
        tables = self._tables(())
        found = estimates(
            tables,
            lambda sums: _second_minus_first(margins_of_sums(sums, 2, self.k)),
            effective_clusters(tables, self.k, runs=2),
            options.resamples,
            np.random.default_rng(options.seed),
        )
        both = margins_of_sums(tables.total, 2, self.k)
        a, b = score_columns(both)
        flips = one_flip(_row(both, 1))
        swapped = self._swapped(tables, found.values, options.seed)
        swapped[OVERALL.index("wa")] = self._mcnemar()
        return [
            _change(
                (float(a[i]), float(b[i])),
                found.uncertainty(i),
                float(flips[i]),
                float(swapped[i]),
                options.margin,
            )
            for i in range(len(a))
        ]

    def estimates(
        self,
        pairs: Sequence[tuple[int, int]],
        statistic: Statistic,
        *,
        resamples: int = 2000,
        seed: int = 0,
    ) -> PanelEstimates:
        """Return every value of a statistic and how uncertain it is, from one set of draws."""

        def columns(sums: Floats) -> Columns:
            return statistic(*self._counted(sums, len(pairs)))

        tables, rng = self._tables(pairs), np.random.default_rng(seed)
        total = tables.total[np.newaxis].astype(np.float64)
        values = {name: found[0] for name, found in columns(total).items()}
        ends = np.cumsum([0, *(value.size for value in values.values())]).tolist()
        whole = [OVERALL.index(name) for name in HEADLINES]
        first = _row(margins_of_sums(total[0], len(self.predicted), self.k), 0)
        bearing = self._effective(ends[-1])
        return PanelEstimates(
            values=values,
            places=dict(zip(values, ends, strict=False)),
            found=estimates(tables, lambda sums: _beside(columns(sums)), bearing, resamples, rng),
            flips=one_flip(first)[whole],
        )

    def _counted(self, sums: Floats, pairs: int) -> tuple[Margins, Floats]:
        """Return what a statistic takes, of sums as `_tables` has them."""
        same = sums[:, len(self.predicted) * 3 * self.k :].reshape(-1, pairs, 2)
        shares = same[..., 1] / np.maximum(same.sum(axis=-1), 1)
        return margins_of_sums(sums, len(self.predicted), self.k), shares

    def _tables(self, pairs: Sequence[tuple[int, int]]) -> ClusterTables:
        """Return the margins of every run, and of every pair the clips that differ and agree."""
        k, runs = self.k, len(self.predicted)
        cells = runs * k * k + 2 * len(pairs)
        of_each = np.int32 if cells <= np.iinfo(np.int32).max else np.int64
        codes = np.empty((runs + len(pairs), len(self.truth)), dtype=of_each)
        for i, predicted in enumerate(self.predicted):
            codes[i] = self.truth * k + k * k * i + predicted
        for i, (a, b) in enumerate(pairs):
            codes[runs + i] = runs * k * k + 2 * i + (self.predicted[a] == self.predicted[b])
        found = cluster_tables(codes.T, cells, self.clustering)
        return margin_tables(found, k, runs)

    def _effective(self, scores: int) -> tuple[Floats, Floats]:
        clips = np.nan if self.clustering.by == "clip" else float(len(self.truth))
        return np.full(scores, self.clustering.effective), np.full(scores, clips)

    def _mcnemar(self) -> float:
        first, second = self.predicted == self.truth
        return mcnemar_exact(int((first & ~second).sum()), int((second & ~first).sum()))

    def _swapped(self, tables: ClusterTables, found: Floats, seed: int) -> Floats:
        """Return the p-value of each difference where clips' answers are swapped at random.

        Source: Yeh (2000), More accurate tests for the statistical significance of result
        differences; of accuracy it equals exact McNemar.
        """
        clips = tables.clips or tables
        half = 3 * self.k
        moves = (clips.tables[:, half:] - clips.tables[:, :half]).astype(np.float64)
        differs = np.diff(moves.indptr) > 0 if moves.nnz else np.zeros(len(clips.times), dtype=bool)
        moves, times = moves[differs], clips.times[differs]
        total, rng = tables.total.astype(np.float64), np.random.default_rng([seed, SWAPS])
        beyond = np.zeros(len(found))
        at_once = max(1, DRAWS_AT_ONCE // max(1, len(found), len(total), len(times)))
        for start in range(0, SWAPS, at_once):
            n = min(at_once, SWAPS - start)
            moved = rng.binomial(times, 0.5, size=(n, len(times))) @ moves
            sums = total + np.concatenate([moved, -moved], axis=1)
            drawn = _second_minus_first(margins_of_sums(sums, 2, self.k))
            beyond += (np.abs(drawn) >= np.abs(found) - 1e-12).sum(axis=0)
        return np.asarray((1 + beyond) / (1 + SWAPS))


def one_flip(counts: Margins) -> Floats:
    """Return how much each score changes, root mean square, when one clip that bears on it flips.

    A flip moves a clip of one truth between the right label and a wrong one. It is weighted by
    how many clips of that truth there are.

    Args:
        counts: `(K,)` margins of one run.

    Returns:
        `(M + 3 K,)`, see `score_columns`.
    """
    k = len(counts.support)
    shifts = np.unique(np.linspace(1, k - 1, min(WRONG_LABELS, k - 1)).round().astype(np.int64))
    truth = np.repeat(np.arange(k), len(shifts))
    other = (truth + np.tile(shifts, k)) % k
    before = score_columns(counts)
    total, bears = np.zeros((2, len(before)))
    at_once = max(1, DRAWS_AT_ONCE // max(1, len(before)))
    for start in range(0, len(truth), at_once):
        rows = slice(start, start + at_once)
        moved = score_columns(_flipped(counts, truth[rows], other[rows]))
        squares = np.nan_to_num((moved - before) ** 2)
        weights = _possible(counts, truth[rows], other[rows])[:, np.newaxis] * (squares > 0)
        total += (weights * squares).sum(axis=0)
        bears += weights.sum(axis=0)
    none = np.zeros(len(before))
    return np.asarray(np.sqrt(np.divide(total, bears, out=none, where=bears > 0)))


def _possible(counts: Margins, truth: Ids, other: Ids) -> Ids:
    """Return the truth clips of each flip, `(F,)`; 0 where there is nothing to flip."""
    some = (counts.hits[truth] > 0) | (counts.predictions[other] > 0)
    return np.where(some, counts.support[truth], 0)


def _flipped(counts: Margins, truth: Ids, other: Ids) -> Margins:
    """Return the margins, `(F, K)`, after a right clip of each truth became the other label.

    Where none is right, a wrong one becomes right.
    """
    rows = np.arange(len(truth))
    step = np.where(counts.hits[truth] > 0, 1, -1)
    shape = (len(truth), len(counts.support))
    hits, predicted = (
        np.broadcast_to(part, shape).copy() for part in (counts.hits, counts.predictions)
    )
    hits[rows, truth] -= step
    predicted[rows, truth] -= step
    predicted[rows, other] = np.maximum(predicted[rows, other] + step, 0)
    support = np.broadcast_to(counts.support, shape)
    return Margins(hits=hits, support=support, predictions=predicted)


def _row(both: Margins, run: int) -> Margins:
    return Margins(
        hits=both.hits[run], support=both.support[run], predictions=both.predictions[run]
    )


def _beside(columns: Columns) -> Floats:
    return np.concatenate([one.reshape(len(one), -1) for one in columns.values()], axis=1)


def _second_minus_first(both: Margins) -> Floats:
    scores = score_columns(both)
    return np.asarray(scores[..., 1, :] - scores[..., 0, :])


def _change(
    values: tuple[float, float],
    uncertainty: Uncertainty,
    flip: float,
    p_swapped: float,
    margin: float,
) -> ScoreChange:
    a, b = values
    result = uncertainty.difference(b - a, flip)
    return ScoreChange(
        a=a,
        b=b,
        difference=result,
        p_equal=uncertainty.equivalence_p(b - a, flip, margin),
        p_swapped=p_swapped,
        verdict=verdict(result, margin, p_swapped),
    )
