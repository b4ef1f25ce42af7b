"""The largest gap between groups of clips, and whether it is more than chance makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from serval.scores.clusters import clustering_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Ids = NDArray[np.int64]
    Floats = NDArray[np.float64]

__all__ = ["NO_GAP", "Exchange", "Exchanged", "Gap", "exchange_of", "gaps_between"]

PERMUTATIONS = 999
ALPHA = 0.05

WELL_MIXED = 0.8
"""Clips are exchanged inside speakers if that moves at least this share of what could be moved."""

TINY = 1e-18
"""A variance below this is rounding: every answer of these groups is the same."""

ROUNDING = 1e-9
"""Two t-values that differ by less, relatively, are equal."""

Exchanged = Literal["speakers", "clips"]
Finding = Literal["more than chance", "no more than chance", "not judged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """The largest difference between two groups: of those that are more than chance, if any are.

    Attributes:
        value: In [0, 1]; NaN with fewer than two groups to compare.
        best: Name of the better group.
        worst: Name of the worse group.
        by_chance: The gap in [0, 1] that chance makes between two such groups: 95 % of random
            regroupings stay below it, in all pairs of groups and all columns together.
        reach: The largest of every pair's gap and of what chance makes between that pair, in
            [0, 1]: nowhere is a larger gap, nor are two groups so small that one would be missed.
        p: Share of random regroupings in which some pair is at least as far apart for its size.
        p_corrected: The same, times the number of columns (Bonferroni).
        finding: `not judged` where the model as a whole is no better than guessing: a model that
            knows nothing treats all alike.
    """

    value: float
    best: str
    worst: str
    by_chance: float
    reach: float
    p: float
    p_corrected: float
    finding: Finding


NO_GAP = Gap(
    value=float("nan"),
    best="",
    worst="",
    by_chance=float("nan"),
    reach=float("nan"),
    p=float("nan"),
    p_corrected=float("nan"),
    finding="not judged",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What may be dealt out again at random if the groups do not matter.

    Attributes:
        group: `(N,)` group of each clip, from 0.
        unit: `(N,)` the clips that go together, from 0; each unit is in one group.
        what: What a unit is.
        draw: Returns a random grouping, `(N,)`.
    """

    group: Ids
    unit: Ids
    what: Exchanged
    draw: Callable[[np.random.Generator], Ids]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Groups:
    """Scores of groups, `(G,)`, with their variances if groups do not matter.

    NaN where the groups have no kind of clips in common.
    """

    score: Floats
    variance: Floats

    def t_squared(self) -> Floats:
        """Return t squared between every two groups, `(G, G)`."""
        gap = self.score[:, np.newaxis] - self.score
        variance = self.variance[:, np.newaxis] + self.variance
        return np.divide(gap**2, variance, out=0 * gap, where=variance > TINY)

    def largest_t_squared(self) -> float:
        """Return the largest t squared of any pair; of many small groups most are alike."""
        if np.isnan(self.score).any():
            return float("nan")
        alike = np.unique(np.stack([self.score.round(12), self.variance.round(15)]), axis=1)
        score, variance = alike
        groups = _Groups(score=score, variance=variance)
        return float(groups.t_squared().max())


def exchange_of(group: Ids, speakers: Sequence[str | None] | None) -> Exchange:
    """Return what is exchanged: inside speakers where most have clips in several groups.

    Else all clips that a speaker has in one group go together, so that a single speaker with clips
    in two groups does not hold all others where they are: regroupings that hardly move anything
    would find any gap to be chance. Two such parts of one speaker are alike, which can only make
    larger what chance seems to do.

    Source: Winkler et al. (2015), Multi-level block permutation, for exchanging whole blocks or
    inside of blocks.

    Args:
        group: `(N,)` group of each clip.
        speakers: Of the same clips; `None` where the groups are the speakers themselves.
    """
    clips = np.arange(len(group))
    if speakers is None:
        return Exchange(
            group=group, unit=clips, what="clips", draw=lambda rng: rng.permutation(group)
        )
    clustering = clustering_of(speakers)
    ids = clustering.ids
    if _mixed(group, ids) < WELL_MIXED:
        _, first, unit = np.unique(
            ids * (group.max() + 1) + group, return_index=True, return_inverse=True
        )
        what: Exchanged = "speakers" if clustering.by == "speaker" else "clips"
        return Exchange(
            group=group, unit=unit, what=what, draw=lambda rng: rng.permutation(group[first])[unit]
        )
    order = np.argsort(ids, kind="stable")

    def inside_speakers(rng: np.random.Generator) -> Ids:
        regrouped = np.empty_like(group)
        regrouped[np.argsort(ids + rng.random(len(ids)))] = group[order]
        return regrouped

    return Exchange(group=group, unit=clips, what="clips", draw=inside_speakers)


def _mixed(group: Ids, ids: Ids) -> float:
    """Return how many clips change groups inside speakers, as a share of those that do in all.

    0 where each speaker is in one group, 1 where each has clips of all groups.
    """
    inside, among_all = _moved(group, ids), _moved(group, np.zeros_like(ids))
    return inside / among_all if among_all else 0.0


def _moved(group: Ids, part: Ids) -> float:
    """Return how many clips are expected to change groups when each part is shuffled."""
    k = int(group.max()) + 1
    counts = np.bincount(part * k + group, minlength=(int(part.max()) + 1) * k).reshape(-1, k)
    return float(len(group) - (counts**2 / np.maximum(counts.sum(axis=1, keepdims=True), 1)).sum())


def gaps_between(
    names: Sequence[str],
    exchange: Exchange,
    right: Floats,
    kinds: Sequence[Ids],
    tests: int,
    rng: np.random.Generator,
) -> tuple[Gap, ...]:
    """Return the largest gap for each way of averaging, judged against random regroupings.

    A gap is judged by its t-value, not by its size: between two small groups chance makes gaps
    that between two large ones it never makes. The largest t of all pairs in each regrouping pays
    for the number of pairs.

    Source: Westfall and Young (1993), Resampling-based multiple testing, for the largest t; Chung
    and Romano (2013), Exact and asymptotically robust permutation tests, for dividing by the error.

    Args:
        names: Of the groups.
        exchange: The groups, and what is dealt out again.
        right: `(N,)` 1 where the answer is right, else 0.
        kinds: For each gap `(N,)` kinds of clips, from 0: the score of a group is the mean over
            the kinds that all groups have. All 0 gives accuracy, the truth gives UAR.
        tests: Number of columns that are judged together.
        rng: Of the regroupings.
    """
    expected = [_means(right, kind)[kind] for kind in kinds]

    def scored(group: Ids) -> list[_Groups]:
        units = np.zeros(exchange.unit.max() + 1, dtype=np.int64)
        units[exchange.unit] = group
        found = []
        for kind, mean in zip(kinds, expected, strict=True):
            weight = _weights(group, kind, len(names))
            score = np.asarray(np.bincount(group, right * weight, len(names)), dtype=np.float64)
            sums = np.bincount(exchange.unit, (right - mean) * weight, len(units))
            variance = np.asarray(np.bincount(units, sums**2, len(names)), dtype=np.float64)
            found.append(_Groups(score=score, variance=variance))
        return found

    drawn = (scored(exchange.draw(rng)) for _ in range(PERMUTATIONS))
    chance = np.array([[of_kind.largest_t_squared() for of_kind in draw] for draw in drawn])
    observed = scored(exchange.group)
    return tuple(
        _gap(names, of_kind, by_chance, tests)
        for of_kind, by_chance in zip(observed, chance.T, strict=True)
    )


def _means(right: Floats, kind: Ids) -> Floats:
    return np.bincount(kind, right) / np.maximum(np.bincount(kind), 1)


def _weights(group: Ids, kind: Ids, groups: int) -> Floats:
    """Return the weight of each clip in its group's score, `(N,)`; NaN without a common kind."""
    k = int(kind.max()) + 1
    clips = np.bincount(group * k + kind, minlength=groups * k).reshape(groups, k)
    common = (clips > 0).all(axis=0)
    if not common.any():
        return np.full(len(group), np.nan)
    return np.asarray((common / np.maximum(clips, 1) / common.sum())[group, kind])


def _gap(names: Sequence[str], groups: _Groups, by_chance: Floats, tests: int) -> Gap:
    known = np.sort(by_chance[~np.isnan(by_chance)])
    if np.isnan(groups.score).any() or not len(known):
        return NO_GAP
    t_squared = groups.t_squared()
    gaps = groups.score[:, np.newaxis] - groups.score
    larger = len(known) - np.searchsorted(known, t_squared * (1 - ROUNDING))
    p = (1 + larger) / (1 + len(known))
    beyond = tests * p <= ALPHA
    others = ~np.eye(len(names), dtype=bool)
    chosen = np.where(beyond if beyond.any() else others, gaps, -1.0)
    best, worst = np.unravel_index(chosen.argmax(), chosen.shape)
    limit = np.sqrt(np.quantile(known, 1 - ALPHA / tests, method="higher"))
    noise = limit * np.sqrt(groups.variance[:, np.newaxis] + groups.variance)
    noise = np.minimum(noise, 1.0)
    return Gap(
        value=float(gaps[best, worst]),
        best=names[int(best)],
        worst=names[int(worst)],
        by_chance=float(noise[best, worst]),
        reach=float(np.maximum(gaps, noise)[others].max()),
        p=float(p[best, worst]),
        p_corrected=min(1.0, tests * float(p[best, worst])),
        finding="more than chance" if beyond.any() else "no more than chance",
    )
