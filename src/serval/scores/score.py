"""A run -> its scores, each with an interval, beside that of a random baseline."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from serval.scores.chance import Outside, baselines_of, outside_of
from serval.scores.clusters import (
    ClusterTables,
    cluster_tables,
    clustering_of,
    effective_number,
)
from serval.scores.metrics import Counts, Margins, f1, in_truth, margins, precision, recall, support
from serval.scores.registry import METRICS, PUBLISHED, column_names
from serval.scores.stats import LEVEL, Interval
from serval.scores.uncertainty import estimates, of_clusters_and_clips
from serval.tasks import CATEGORICAL, only

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from serval.labels import LabelSet
    from serval.run import Run
    from serval.scores.metrics import Tally

    Floats = NDArray[np.float64]

SCORED = only(CATEGORICAL, "these scores are of", "serval score has those of every task")

OVERALL = column_names()
"""Names of the scores of a whole run, in the order of `intervals`."""

RESAMPLES = 4000
"""The standard error of a bootstrap of 4,000 is itself uncertain by about 1 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassScores:
    """The scores of one class, and how many truth clips it has."""

    precision: Interval
    recall: Interval
    f1: Interval
    support: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Resampling:
    """How the intervals were made.

    Attributes:
        level: 0.95.
        by: What was drawn: `speaker` or `clip`.
        clusters: Number of them.
        effective: How many of equal size would say as much.
        resamples: Number of draws.
        seed: What the random numbers of the draws begin with.
    """

    level: float
    by: str
    clusters: int
    effective: float
    resamples: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Everything that the confusion matrix of a run says, and how sure it is.

    Attributes:
        n: Clips that were scored.
        classes_averaged: Classes with truth clips: macro scores run over these.
        overall: By key, see `METRICS`.
        published: By the keys of the published result file that no metric of ours equals.
        per_class: By label.
        baselines: What needs no model scores on the same clips: `random`, each label that occurs
            equally often, and `majority`, always the most frequent one.
        outside: The answers that are labels which no clip of the set has.
        resampling: How the intervals were made.
        warnings: What a reader must know before trusting them, one sentence each.
    """

    n: int
    classes_averaged: int
    overall: Mapping[str, Interval]
    published: Mapping[str, Interval]
    per_class: Mapping[str, ClassScores]
    baselines: Mapping[str, Mapping[str, float]]
    outside: Outside
    resampling: Resampling
    warnings: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the scores as dicts, lists and numbers; undefined ones are NaN."""
        return asdict(self)


def scores_of(run: Run, *, resamples: int = RESAMPLES, seed: int = 0) -> Scores:
    """Return the scores of a run with 95 % intervals, clustered by speaker where known.

    Args:
        run: Stored, complete or not. Without a clip every score is NaN.
        resamples: Draws of the bootstrap.
        seed: Same run, same seed, same intervals.

    Raises:
        ConfigError: It is a run of dimensions, or of several emotions a clip.
    """
    SCORED.of(run.provenance.task, f"the run in {run.folder}")
    k = len(run.labels)
    clustering = clustering_of(run.speakers)
    tables = cluster_tables(run.truth * k + run.predicted, k * k, clustering)
    counts = tables.total.reshape(k, k)
    found = intervals(tables, k, resamples, np.random.default_rng(seed))
    whole = dict(zip(OVERALL, found, strict=False))
    outside = outside_of(run, clustering)
    return Scores(
        n=len(run),
        classes_averaged=int(in_truth(counts).sum()),
        overall={name: whole[name] for name in METRICS},
        published={name: own for name, own in whole.items() if name not in METRICS},
        per_class=_per_class(found[len(OVERALL) :], counts, run.labels),
        baselines=baselines_of(counts),
        outside=outside,
        resampling=Resampling(
            level=LEVEL,
            by=clustering.by,
            clusters=len(clustering),
            effective=round(clustering.effective, 1),
            resamples=resamples,
            seed=seed,
        ),
        warnings=(*outside.warnings(len(run)), *clustering.warnings),
    )


def whole_columns(counts: Tally) -> Floats:
    """Return the scores of whole runs, `(..., M)`, in the order of `column_names`."""
    sums = margins(counts)
    of = {**PUBLISHED, **{key: metric.of for key, metric in METRICS.items()}}
    return np.stack([of[name](sums) for name in column_names()], axis=-1)


def whole_intervals(
    tables: ClusterTables,
    k: int,
    resamples: int,
    rng: np.random.Generator,
    columns: Callable[[Margins], Floats] = whole_columns,
) -> dict[str, Interval]:
    """Return the interval of each score of a whole run, by name: `intervals` without the classes'.

    Args:
        tables: Counts of the K x K cells truth x K + predicted, by cluster.
        k: Number of labels.
        resamples: Draws of the bootstrap.
        rng: Its random numbers.
        columns: From `(..., K)` margins to those scores, where more than the margins count.
    """
    return dict(zip(OVERALL, intervals(tables, k, resamples, rng, columns), strict=True))


def intervals(
    tables: ClusterTables,
    k: int,
    resamples: int,
    rng: np.random.Generator,
    columns: Callable[[Margins], Floats] | None = None,
) -> list[Interval]:
    """Return the interval of each score of `score_columns`, or of the first of them.

    Args:
        tables: Counts of the K x K cells truth x K + predicted, by cluster.
        k: Number of labels.
        resamples: Draws of the bootstrap.
        rng: Its random numbers.
        columns: From `(..., K)` margins to those scores.
    """
    columns = columns or score_columns
    sums = margin_tables(tables, k)
    n = columns(margins_of_sums(sums.total, 1, k)).shape[-1]
    clusters, clips = effective_clusters(sums, k)
    found = estimates(
        sums,
        lambda drawn: columns(margins_of_sums(drawn, 1, k))[..., 0, :],
        (clusters[:n], clips[:n]),
        resamples,
        rng,
    )
    return [found.uncertainty(i).interval(float(one)) for i, one in enumerate(found.values)]


def effective_clusters(
    sums: ClusterTables, k: int, runs: int = 1
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how many clusters, and how many clips, bear on each score of `score_columns`.

    Args:
        sums: R x 3 x K margins of each cluster.
        k: Number of labels.
        runs: R; what bears on the score of one of them bears on it.
    """
    return of_clusters_and_clips(sums, lambda one: _bearing_number(one, k, runs))


def _bearing_number(sums: ClusterTables, k: int, runs: int) -> NDArray[np.float64]:
    bearing = sums.tables @ _bearing_margins(sums.tables.shape[1], k, runs)
    whole, *of_classes = effective_number(bearing, sums.times)
    return np.array([*[whole] * len(OVERALL), *of_classes])


@lru_cache(maxsize=16)
def _bearing_margins(margins: int, k: int, runs: int) -> sparse.csr_array:
    """Return which margins bear on a score of the whole, and on the 3 K of classes, `(D, 1 + 3 K)`.

    On those of the whole and on recall truth clips do, on precision predictions, on F1 both.
    """
    run, label = np.divmod(np.arange(runs * k), k)
    truth = (3 * run + 1) * k + label
    predicted = truth + k
    rows = np.concatenate([truth, predicted, truth, truth, predicted])
    of_f1 = 1 + 2 * k + label
    columns = np.concatenate([np.zeros_like(label), 1 + label, 1 + k + label, of_f1, of_f1])
    once = np.ones(len(rows), dtype=np.int64)
    return sparse.coo_array((once, (rows, columns)), shape=(margins, 1 + 3 * k)).tocsr()


def _per_class(found: list[Interval], counts: Counts, labels: LabelSet) -> dict[str, ClassScores]:
    k = len(labels)
    columns = zip(
        labels, found[:k], found[k : 2 * k], found[2 * k :], support(counts).tolist(), strict=True
    )
    return {
        label: ClassScores(precision=p, recall=r, f1=f, support=n) for label, p, r, f, n in columns
    }


def margin_tables(tables: ClusterTables, k: int, runs: int = 1) -> ClusterTables:
    """Return tables of confusion cells as tables of the margins of each matrix.

    Args:
        tables: Of R x K x K cells, run x K x K + truth x K + predicted; further cells are kept
            behind.
        k: Number of labels.
        runs: R.

    Returns:
        Of R x 3 x K sums, run by run hits, truth clips, predictions of each class.

    Examples:
        >>> from serval.scores.clusters import cluster_tables, clustering_of
        >>> by_clip = cluster_tables([0, 1, 3], 4, clustering_of([None] * 3))
        >>> margin_tables(by_clip, 2).total.tolist()
        [1, 1, 2, 1, 1, 2]
    """
    clips = None if tables.clips is None else margin_tables(tables.clips, k, runs)
    return ClusterTables(
        tables=_margin_rows(tables.tables, k, runs), times=tables.times, clips=clips
    )


def _margin_rows(cells: sparse.csr_array, k: int, runs: int) -> sparse.csr_array:
    found = cells.tocoo()
    row, cell, n = found.coords[0], found.coords[1], found.data
    of_matrix = cell < runs * k * k
    run, (truth, predicted) = cell // (k * k), np.divmod(cell % (k * k), k)
    hit, first = of_matrix & (truth == predicted), run * 3 * k
    parts = (
        (hit, first + truth),
        (of_matrix, first + k + truth),
        (of_matrix, first + 2 * k + predicted),
        (~of_matrix, cell - runs * k * k + runs * 3 * k),
    )
    rows = np.concatenate([row[chosen] for chosen, _ in parts])
    columns = np.concatenate([place[chosen] for chosen, place in parts])
    counts = np.concatenate([n[chosen] for chosen, _ in parts])
    shape = (cells.shape[0], runs * 3 * k + cells.shape[1] - runs * k * k)
    return sparse.coo_array((counts, (rows, columns)), shape=shape).tocsr()


def margins_of_sums(sums: NDArray[Any], runs: int, k: int) -> Margins:
    """Return the margins `(..., R, K)` that the first R x 3 x K sums hold."""
    parts = sums[..., : runs * 3 * k].reshape(*sums.shape[:-1], runs, 3, k)
    return Margins(hits=parts[..., 0, :], support=parts[..., 1, :], predictions=parts[..., 2, :])


def score_columns(counts: Tally) -> Floats:
    """Return every score of each matrix of a stack, `(..., M + 3 K)`.

    First `column_names`, then the precision of each class, then recall, then F1.
    """
    per_class = [precision(counts), recall(counts), f1(counts)]
    return np.concatenate([whole_columns(counts), *per_class], axis=-1)
