"""The largest gap of one smooth score between two groups, judged over every two of them.

What each clip moves of its group's score says how far a difference may be off, whether a speaker
is in one of two groups or in both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from serval.scores.chance import ALPHA
from serval.scores.clusters import clustering_of
from serval.scores.stats import p_and_detectable
from serval.scores.uncertainty import AS_GOOD_AS_ONE, Uncertainty, few_clusters_factor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from serval.scores.stats import Difference, Verdict

    Ids = NDArray[np.int64]
    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredGroups:
    """Two or more groups with one score each.

    Attributes:
        names: Of the G groups.
        clips: The positions of each one's clips.
        scores: `(G,)`.
        moves: By how much each clip moves the score of its group.
        flips: `(G,)` how much the score changes when one clip flips.
    """

    names: Sequence[str]
    clips: Sequence[Ids]
    scores: Floats
    moves: Sequence[Floats]
    flips: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class PairGap:
    """The largest difference between two groups: of those that are more than chance, if any are.

    Attributes:
        high_group: The group with the higher value.
        low_group: The one with the lower.
        difference: Of the two, with its interval.
        detectable: The smallest true gap that is found with 80 % power, whichever two groups it
            lies between; NaN where one is of a single speaker.
        p_corrected: Times the number of pairs, columns and scores (Bonferroni).
        finding: `no more than chance` only where a gap that would matter would have been found.
    """

    high_group: str
    low_group: str
    difference: Difference
    detectable: float
    p_corrected: float
    finding: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class _Errors:
    """Standard errors of the differences of every two groups, `(G, G)`, and what they rest on."""

    error: Floats
    number: Floats


def pair_gap(
    groups: ScoredGroups, speakers: Sequence[str | None], most: float, worth: float, tests: int
) -> PairGap:
    """Return the largest gap, with its finding over all pairs.

    `most` is the largest that there can be, and one of `worth` would matter; `tests` counts columns
    and scores that are judged together, not pairs.
    """
    g = len(groups.names)
    tests *= g * (g - 1) // 2
    gaps = groups.scores[:, np.newaxis] - groups.scores
    flips = np.maximum.outer(groups.flips, groups.flips)
    ways = _ways(groups, speakers)
    p, detectable = _judged(gaps, flips, ways, tests)
    others = ~np.eye(g, dtype=bool)
    beyond = (tests * p < ALPHA) & others
    chosen = np.where(beyond if beyond.any() else others, gaps, -np.inf)
    high, low = np.unravel_index(chosen.argmax(), chosen.shape)
    uncertainty = _uncertainty([(way.error[high, low], way.number[high, low]) for way in ways])
    found = uncertainty.difference(float(gaps[high, low]), float(flips[high, low]), most, tests)
    largest = float(detectable[others].max())
    missed: Verdict = "no more than chance" if largest <= worth else "cannot tell"
    return PairGap(
        high_group=groups.names[int(high)],
        low_group=groups.names[int(low)],
        difference=found,
        detectable=largest,
        p_corrected=min(1.0, found.p * tests),
        finding="more than chance" if beyond.any() else missed,
    )


def _ways(groups: ScoredGroups, speakers: Sequence[str | None]) -> list[_Errors]:
    """Return the errors by speaker, where speakers are known, and as if clips were independent."""
    sizes = [len(clips) for clips in groups.clips]
    group, moves = np.repeat(np.arange(len(sizes)), sizes), np.concatenate(groups.moves)
    clustering = clustering_of([speakers[i] for i in np.concatenate(groups.clips)])
    by_clip = _errors(group, np.arange(len(group)), moves)
    return (
        [by_clip] if clustering.by == "clip" else [_errors(group, clustering.ids, moves), by_clip]
    )


def _errors(group: Ids, ids: Ids, moves: Floats) -> _Errors:
    """Return the errors of clusters; NaN where a group is of one: it says nothing of others."""
    shape = (int(group.max()) + 1, int(ids.max()) + 1)
    moved = sparse.csr_array((moves, (group, ids)), shape=shape)
    size = sparse.csr_array((np.ones(len(ids)), (group, ids)), shape=shape)
    shared = (moved @ moved.T).toarray()
    own = shared.diagonal()
    effective = size.sum(axis=1) ** 2 / (size * size).sum(axis=1)
    number = np.minimum.outer(effective, effective)  # the smaller group says how sure it is
    few = np.maximum(number, 2.0)
    variance = np.maximum(own[:, np.newaxis] + own - 2 * shared, 0.0) * few / (few - 1)
    error = np.where(number < AS_GOOD_AS_ONE, np.nan, np.sqrt(variance))
    return _Errors(error=error, number=number)


def _judged(
    gaps: Floats, flips: Floats, ways: Sequence[_Errors], tests: int
) -> tuple[Floats, Floats]:
    """Return the p-value of every two groups and what could be found, the larger of both ways."""
    found = [
        p_and_detectable(gaps, np.hypot(_widened(way, ways), flips), way.number, tests)
        for way in ways
    ]
    p, detectable = (np.max(part, axis=0) for part in zip(*found, strict=True))
    return p, detectable


def _widened(way: _Errors, ways: Sequence[_Errors]) -> Floats:
    """Return the errors as `Uncertainty` takes them: those by speaker wider where these are few."""
    if len(ways) == 1 or way is ways[-1]:
        return way.error
    alone = [few_clusters_factor(float(number)) for number in way.number.diagonal()]
    return np.asarray(way.error * np.maximum.outer(alone, alone))


def _uncertainty(ways: Sequence[tuple[float, float]]) -> Uncertainty:
    (error, clusters), *clips = ways
    independent, n = clips[0] if clips else (np.nan, np.nan)
    return Uncertainty(
        error=float(error), clusters=float(clusters), independent=float(independent), clips=float(n)
    )
