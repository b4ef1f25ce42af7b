"""Which clips belong together, and draws of whole clusters with replacement.

Clips of one speaker resemble each other, so whole speakers are drawn, not clips. A draw is a sum
of tables of counts: any score that is a function of sums over clips is had for thousands of draws
at the cost of one matrix product. Tables are sparse: a clip counts in a few cells, however many
there are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy import sparse

from serval.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

FEW_CLUSTERS = 20
"""Below this many clusters an interval rests on its assumptions more than on the clips.

Source: MacKinnon and Webb (2017), Wild bootstrap inference for wildly different cluster sizes."""

DRAWS_AT_ONCE = 1_000_000
"""How many multinomial counts, or drawn sums, are in memory at once: 8 MB."""

ROWS = 1 << 16
"""Clips that are put into a sparse table at once."""

DENSE = 2_000_000
"""Tables of no more cells than this are multiplied as dense matrices, which is faster: 16 MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clustering:
    """Which clips belong together.

    Attributes:
        ids: `(N,) int64` cluster of each clip, from 0.
        by: `speaker`, or `clip` where every clip stands for itself.
        warnings: What a reader must know before trusting an interval, one sentence each.
    """

    ids: NDArray[np.int64]
    by: Literal["speaker", "clip"]
    warnings: tuple[str, ...] = ()

    @property
    def sizes(self) -> NDArray[np.int64]:
        """The number of clips of each cluster, `(C,) int64`."""
        return np.bincount(self.ids)

    @property
    def effective(self) -> float:
        """How many clusters of equal size would say as much, in [0, C]."""
        sizes = self.sizes[:, np.newaxis]
        return float(effective_number(sizes, np.ones(len(sizes), dtype=np.int64))[0])

    def __len__(self) -> int:
        """Return the number of clusters."""
        return len(self.sizes)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterTables:
    """What each cluster contains, clusters with equal contents stored once.

    Attributes:
        tables: `(U, D)` sparse counts of each kind of clip.
        times: `(U,) int64` how many clusters have this table; sums to the number of clusters.
        clips: The same with every clip as a cluster of its own; `None` where these are.
    """

    tables: sparse.csr_array
    times: NDArray[np.int64]
    clips: ClusterTables | None = None

    @property
    def total(self) -> NDArray[np.int64]:
        """The counts over all clusters, `(D,) int64`."""
        return np.asarray(self.times @ self.tables)


def clustering_of(speakers: Sequence[str | None]) -> Clustering:
    """Return the clustering by speaker where at least two are known, else by clip.

    A clip whose speaker is not known is a cluster of its own.

    Examples:
        >>> clustering_of(["ann", "bob", "ann", None]).ids.tolist()
        [0, 1, 0, 2]
        >>> clustering_of([None, None]).by
        'clip'
    """
    known = {speaker for speaker in speakers if speaker is not None}
    if len(known) < 2:
        ids = np.arange(len(speakers))
        return Clustering(ids=ids, by="clip", warnings=tuple(_unclustered(speakers)))
    ids = np.fromiter(_numbers(speakers), np.int64, len(speakers))
    unknown = sum(speaker is None for speaker in speakers)
    return _warned(Clustering(ids=ids, by="speaker"), len(known), unknown)


def cluster_tables(codes: ArrayLike, n_codes: int, clustering: Clustering) -> ClusterTables:
    """Return how often each cluster has each code.

    Args:
        codes: `(N,)` or `(N, M)` which one cell, or which M cells, each clip counts in, in
            [0, n_codes): truth x K + predicted, say.
        n_codes: D, the number of cells.
        clustering: Which of the same N clips belong together.

    Examples:
        >>> by_clip = clustering_of([None, None, None])
        >>> tables = cluster_tables([0, 1, 1], 2, by_clip)
        >>> tables.tables.toarray().tolist(), tables.times.tolist()
        ([[1, 0], [0, 1]], [1, 2])
    """
    cells = np.asarray(codes)
    cells = cells[:, np.newaxis] if cells.ndim == 1 else cells
    kinds, times = _kinds(cells, n_codes)
    by_clip = _counted(np.arange(len(kinds)), kinds, (len(kinds), n_codes), times)
    if clustering.by == "clip":
        return by_clip
    once = np.ones(len(clustering), dtype=np.int64)
    found = _counted(clustering.ids, cells, (len(once), n_codes), once)
    return replace(found, clips=by_clip)


def _numbers(speakers: Iterable[str | None]) -> Iterator[int]:
    """Yield the number of each clip's cluster, counted from 0 as they are met."""
    number: dict[str, int] = {}
    n = 0
    for speaker in speakers:
        known = n if speaker is None else number.setdefault(speaker, n)
        n += known == n
        yield known


def _kinds(cells: NDArray[Any], n_codes: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the different rows of `(N, M)` cells, sorted, and how often each occurs."""
    if cells.shape[1] > 1:
        starts = range(0, max(1, len(cells)), ROWS)
        parts = [
            np.unique(cells[start : start + ROWS], axis=0, return_counts=True) for start in starts
        ]
        kinds, which = np.unique(
            np.concatenate([kinds for kinds, _ in parts]), axis=0, return_inverse=True
        )
        times = np.zeros(len(kinds), dtype=np.int64)
        np.add.at(times, which.ravel(), np.concatenate([times for _, times in parts]))
        return kinds, times
    times = np.bincount(cells[:, 0], minlength=n_codes)
    kinds = np.flatnonzero(times)
    return kinds[:, np.newaxis], times[kinds]


def row_tables(rows: sparse.csr_array, clustering: Clustering) -> ClusterTables:
    """Return the sums of each cluster, of what each clip adds, `(N, D)` of any numbers."""
    alone = ClusterTables(tables=rows, times=np.ones(rows.shape[0], dtype=np.int64))
    if clustering.by == "clip":
        return alone
    members = sparse.csr_array(
        (np.ones(rows.shape[0]), (clustering.ids, np.arange(rows.shape[0]))),
        shape=(len(clustering), rows.shape[0]),
    )
    once = np.ones(len(clustering), dtype=np.int64)
    return ClusterTables(tables=sparse.csr_array(members @ rows), times=once, clips=alone)


def _counted(
    rows: NDArray[np.int64], cells: NDArray[Any], shape: tuple[int, int], times: NDArray[Any]
) -> ClusterTables:
    def part(start: int) -> sparse.csr_array:
        some = slice(start, start + ROWS)
        places = (np.repeat(rows[some], cells.shape[1]), cells[some].ravel())
        ones = np.ones(cells[some].size, dtype=np.int64)
        return sparse.coo_array((ones, places), shape=shape).tocsr()

    tables = reduce(add, map(part, range(0, max(1, len(rows)), ROWS)))
    return ClusterTables(tables=tables, times=times.astype(np.int64))


def draws(
    tables: ClusterTables, n_resamples: int, rng: np.random.Generator, width: int = 1
) -> Iterator[Floats]:
    """Yield the summed counts of draws of all clusters with replacement, `(b, D)` at a time.

    Source: Field and Welsh (2007), Bootstrapping clustered data, J. R. Statist. Soc. B 69; the
    number of times each table is drawn is multinomial.

    Args:
        tables: What is drawn.
        n_resamples: Sum of all b.
        rng: The random numbers; the draws do not depend on how they are divided.
        width: Numbers that the caller makes of each draw, to keep its memory bounded too.
    """
    clusters, contents = int(tables.times.sum()), _contents(tables)
    share = tables.times / max(clusters, 1)
    at_once = max(1, DRAWS_AT_ONCE // max(1, len(share), tables.tables.shape[1], width))
    for start in range(0, n_resamples, at_once):
        n = min(at_once, n_resamples - start)
        drawn = rng.multinomial(clusters, share, size=n) if clusters else np.zeros((n, len(share)))
        yield np.asarray(drawn @ contents)


def resampled(tables: ClusterTables, n_resamples: int, rng: np.random.Generator) -> Floats:
    """Return the summed counts of `n_resamples` draws at once, `(B, D)`: see `draws`."""
    return np.concatenate(list(draws(tables, n_resamples, rng)))


def _contents(tables: ClusterTables) -> Any:  # noqa: ANN401 - dense or sparse
    cells = tables.tables.astype(np.float64)
    return cells.toarray() if np.prod(cells.shape) <= DENSE else cells


def effective_number(weights: Any, times: NDArray[np.int64]) -> Floats:  # noqa: ANN401 - dense or sparse
    """Return how many clusters of equal size would say as much, `(M,)` in [0, C]; 0 if all empty.

    Source: Carter, Schnepel and Steigerwald (2017), Asymptotic behavior of a t-test robust to
    cluster heterogeneity; in survey sampling it is Kish's (sum w)^2 / sum w^2.

    Args:
        weights: `(U, M)` clips of each cluster that bear on each of M scores, dense or sparse.
        times: `(U,)` how many clusters each row stands for.

    Examples:
        >>> effective_number(np.array([[5, 9], [5, 1]]), np.array([1, 1])).round(2).tolist()
        [2.0, 1.22]
    """
    squared = weights * weights  # cell by cell, of sparse arrays too
    total, squares = np.asarray(times @ weights), np.asarray(times @ squared)
    none = np.zeros(total.shape)
    return np.asarray(np.divide(total**2.0, squares, out=none, where=squares > 0))


def _unclustered(speakers: Sequence[str | None]) -> Iterator[str]:
    clips, named = len(speakers), sum(speaker is not None for speaker in speakers)
    if named and named == clips:
        yield "All scored clips are of one speaker: the intervals say nothing about other speakers."
    else:
        some = f"Speakers are known for {named} of {clips} scored clips only"
        yield (
            f"{some if named else 'Speakers are not known'}: the intervals take clips as "
            "independent and are too narrow if speakers have several clips each."
        )
    if 0 < clips < FEW_CLUSTERS:
        yield f"So few clips ({clips}): take the intervals as a rough guide."


def _warned(by_speaker: Clustering, known: int, unknown: int) -> Clustering:
    warnings = []
    if by_speaker.effective < FEW_CLUSTERS:
        unequal = by_speaker.effective < len(by_speaker) - 0.5
        worth = f", of unequal weight worth {by_speaker.effective:.1f}," if unequal else ""
        speakers, are = counted(known, "speaker"), "is" if known == 1 else "are"
        warnings.append(f"{speakers}{worth} {are} few: take the intervals as a rough guide.")
    if unknown:
        warnings.append(
            f"{counted(unknown, 'clip has', 'clips have')} no speaker; each counts as a speaker of "
            "its own."
        )
    return replace(by_speaker, warnings=tuple(warnings))
