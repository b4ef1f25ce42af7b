"""Additive statistics: what scores are functions of, as sums over clips.

For emotions these are the diagonal and the margins of the confusion matrix, 3 K numbers of a run.
Another task has other sums (moments, votes) and the same tables, draws and intervals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from serval.scores.clusters import ClusterTables
from serval.scores.metrics import Margins, f1, margins, precision, predictions, recall, support
from serval.scores.registry import METRICS, PUBLISHED, column_names

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serval.scores.metrics import Tally

    Floats = NDArray[np.float64]

__all__ = ["bearing", "margin_tables", "margins_of_sums", "score_columns", "whole_columns"]


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


def whole_columns(counts: Tally) -> Floats:
    """Return the scores of whole runs, `(..., M)`, in the order of `column_names`."""
    sums = margins(counts)
    of = {**PUBLISHED, **{key: metric.of for key, metric in METRICS.items()}}
    return np.stack([of[name](sums) for name in column_names()], axis=-1)


def score_columns(counts: Tally) -> Floats:
    """Return every score of each matrix of a stack, `(..., M + 3 K)`.

    First `column_names`, then the precision of each class, then recall, then F1.
    """
    per_class = [precision(counts), recall(counts), f1(counts)]
    return np.concatenate([whole_columns(counts), *per_class], axis=-1)


def bearing(counts: Tally) -> NDArray[Any]:
    """Return how many clips bear on each score of `score_columns`, `(..., M + 3 K)`."""
    truth, predicted = support(counts), predictions(counts)
    all_clips = np.repeat(truth.sum(axis=-1, keepdims=True), len(column_names()), axis=-1)
    return np.concatenate([all_clips, predicted, truth, truth + predicted], axis=-1)
