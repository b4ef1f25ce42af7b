"""The largest gap between groups of clips, and whether it is more than chance makes.

Chance is what permutations do: the groups are dealt out again at random, whole speakers where a
speaker is in one group. "No more than chance" is said only where a gap of `WORTH_FINDING` would
have been found, else "cannot tell".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import special

from serval.scores.chance import ALPHA, WORTH_FINDING
from serval.scores.clusters import clustering_of
from serval.scores.stats import POWER
from serval.wording import counted, in_points

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from serval.scores.stats import Verdict

    Ids = NDArray[np.int64]
    Floats = NDArray[np.float64]

PERMUTATIONS = 999

WELL_MIXED = 0.8
"""Clips are permuted inside speakers if that moves at least this share of what could be moved."""

TINY = 1e-18
"""A variance below this is rounding: every answer of these groups is the same."""

ROUNDING = 1e-9
"""Two t-values that differ by less, relatively, are equal."""

FEW_GROUPS = 16
"""Up to here comparing every pair is quicker than looking for groups that are alike."""

AT_ONCE = 16_000
"""Clips that are scored at once, over all permutations that are taken together."""

Permuted = Literal["speakers", "clips"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupGap:
    """The largest difference between two groups: of those that are more than chance, if any are.

    Attributes:
        value: In [0, 1]; NaN with fewer than two groups to compare.
        best: Name of the better group.
        worst: Name of the worse group.
        by_chance: The gap in [0, 1] that chance makes between two such groups: 95 % of
            permutations stay below it, in all pairs of groups and all columns together.
        detectable: The minimum detectable gap in [0, 1]: the smallest that `POWER` of the time is
            found, whichever two groups it lies between; 1 where even that would be missed.
        reach: The larger of the largest gap and of `detectable`, in [0, 1]: nowhere is a larger
            gap, nor are two groups so small that one would be missed.
        p: Share of permutations in which some pair is at least as far apart for its size, in
            (0, 1]; never below that of a t-test, which knows of how few speakers a group is.
        p_corrected: The same, times the number of columns (Bonferroni).
        finding: `no more than chance` only where `reach` is at most `WORTH_FINDING`; `not judged`
            where the model as a whole is no better than random: one that knows nothing treats all
            alike.
        reason: Why it cannot be told, else an empty text.
    """

    value: float
    best: str
    worst: str
    by_chance: float
    detectable: float
    reach: float
    p: float
    p_corrected: float
    finding: Verdict
    reason: str = ""


NO_GAP = GroupGap(
    value=float("nan"),
    best="",
    worst="",
    by_chance=float("nan"),
    detectable=float("nan"),
    reach=float("nan"),
    p=float("nan"),
    p_corrected=float("nan"),
    finding="not judged",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Permutation:
    """What may be dealt out again at random if the groups do not matter.

    Attributes:
        group: `(N,)` group of each clip, from 0.
        unit: `(N,)` the clips that go together, from 0; each unit is in one group.
        what: What a unit is.
        draw: Returns a random grouping, `(N,)`.
    """

    group: Ids
    unit: Ids
    what: Permuted
    draw: Callable[[np.random.Generator], Ids]


@dataclass(frozen=True, slots=True, kw_only=True)
class _GroupMeans:
    """Scores of groups, `(..., G)`, with their variances if groups do not matter.

    NaN where the groups have no kind of clips in common.
    """

    score: Floats
    variance: Floats

    def of_first(self) -> _GroupMeans:
        """Return the scores of the first of D groupings, `(G,)`."""
        return _GroupMeans(score=self.score[0], variance=self.variance[0])

    def t_squared(self) -> Floats:
        """Return t squared between every two groups, `(..., G, G)`."""
        gap = self.score[..., np.newaxis] - self.score[..., np.newaxis, :]
        variance = self.variance[..., np.newaxis] + self.variance[..., np.newaxis, :]
        return np.divide(gap**2, variance, out=0 * gap, where=variance > TINY)

    def largest_t_squared(self) -> Floats:
        """Return the largest t squared of any pair in each of D groupings, `(D,)`."""
        if self.score.shape[-1] <= FEW_GROUPS:
            return np.asarray(self.t_squared().max(axis=(-2, -1)))
        each = zip(self.score, self.variance, strict=True)
        return np.array([_largest_of_many(*both) for both in each])


def _largest_of_many(score: Floats, variance: Floats) -> float:
    """Return the largest t squared of any pair of many groups: of small ones most are alike."""
    if np.isnan(score).any():
        return float("nan")
    alike = np.unique(np.stack([score.round(12), variance.round(15)]), axis=1)
    return float(_GroupMeans(score=alike[0], variance=alike[1]).t_squared().max())


@dataclass(frozen=True, slots=True, kw_only=True)
class _GapPower:
    """How small a gap between two groups could be and still be found.

    Attributes:
        names: `(G,)` of the groups.
        what: What a unit is.
        variance: `(G,)` of each score if groups do not matter, never below that of independent
            clips of which at least `WORTH_FINDING` are wrong: that all of ten are right is little.
        parts: `(G,)` sum of the squared shares that its units have in a group, in (0, 1]: with a
            gap, whole units are off by it, and the error of a group of few units grows with it.
        clips: `(G,)` number of clips that bear on the score.
        units: `(G,)` number of units that these are of.
        possible: Whether so many permutations differ that any gap could be found.
    """

    names: Sequence[str]
    what: Permuted
    variance: Floats
    parts: Floats
    clips: Ids
    units: Ids
    possible: bool

    def degrees(self) -> Floats:
        """Return the degrees of freedom of the t-value of every two groups, `(G, G)`, at least 1.

        Source: Satterthwaite (1946), with the effective number of units of each group.
        """
        both = self.variance[:, np.newaxis] + self.variance
        of_group = self.variance**2 / np.maximum(1 / self.parts - 1, TINY)
        return np.asarray(np.maximum(both**2 / (of_group[:, np.newaxis] + of_group), 1.0))

    def detectable(self, limit: Floats) -> Floats:
        """Return the minimum detectable gap of every two groups, `(G, G)` in [0, 1]; 1 if none is.

        A true gap d makes t = (d + e) / sqrt(V + C d^2), e its error of variance V, and is found
        where t passes the limit: `POWER` of the time if it does with e at its lower quantile.

        Args:
            limit: The t-value that a gap must pass, `(G, G)`.
        """
        if not self.possible:
            return np.ones_like(limit)
        error = np.sqrt(self.variance[:, np.newaxis] + self.variance)
        share = self.clips / (self.clips[:, np.newaxis] + self.clips)
        of_gap = share**2 * self.parts[:, np.newaxis]
        left = 1 - limit**2 * (of_gap + of_gap.T)
        z = NormalDist().inv_cdf(POWER)
        root = np.sqrt(np.maximum(z**2 * (1 - left) + left * limit**2, 0))
        gap = np.divide(error * (z + root), left, out=np.full_like(left, np.inf), where=left > 0)
        return np.asarray(np.minimum(gap, 1.0))

    def reason(self, pair: tuple[int, int]) -> str:
        """Return which of two groups is too small to tell, and of what it has too few."""
        off = self.variance + (WORTH_FINDING / 2) ** 2 * self.parts
        smaller = max(pair, key=lambda i: float(off[i]))
        clips, units = int(self.clips[smaller]), int(self.units[smaller])
        if self.what == "clips" or units == clips:
            few = counted(clips, "clip")
        else:
            worth = 1 / float(self.parts[smaller])
            equal = f", as good as {worth:.1f} of equal weight" if worth < units - 0.5 else ""
            few = f"{counted(units, 'speaker')}{equal}"
        return f"some groups are too small: {self.names[smaller]} has {few}"


def permutation_of(group: Ids, speakers: Sequence[str | None] | None) -> Permutation:
    """Return what is permuted: clips inside speakers where most have clips in several groups.

    Else all clips that a speaker has in one group go together, so that a single speaker with clips
    in two groups does not hold all others where they are: permutations that hardly move anything
    would find any gap to be chance. Two such parts of one speaker are alike, which can only make
    larger what chance seems to do.

    Source: Winkler et al. (2015), Multi-level block permutation, for permuting whole blocks or
    inside of blocks.

    Args:
        group: `(N,)` group of each clip.
        speakers: `(N,)`; `None` where the groups are the speakers themselves.
    """
    clips = np.arange(len(group))
    if speakers is None:
        return Permutation(
            group=group, unit=clips, what="clips", draw=lambda rng: rng.permutation(group)
        )
    clustering = clustering_of(speakers)
    ids = clustering.ids
    if _mixed(group, ids) < WELL_MIXED:
        _, first, unit = np.unique(
            ids * (group.max() + 1) + group, return_index=True, return_inverse=True
        )
        what: Permuted = "speakers" if clustering.by == "speaker" else "clips"
        return Permutation(
            group=group, unit=unit, what=what, draw=lambda rng: rng.permutation(group[first])[unit]
        )
    by_speaker = group[np.argsort(ids, kind="stable")]
    draw = partial(_shuffled_inside, by_speaker, ids)
    return Permutation(group=group, unit=clips, what="clips", draw=draw)


def _shuffled_inside(by_speaker: Ids, ids: Ids, rng: np.random.Generator) -> Ids:
    """Return a random grouping, `(N,)`, of groups that are sorted by speaker."""
    drawn = np.empty_like(by_speaker)
    drawn[np.argsort(ids + rng.random(len(ids)))] = by_speaker
    return drawn


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
    permutation: Permutation,
    right: Floats,
    kinds: Sequence[Ids],
    tests: int,
    rng: np.random.Generator,
) -> tuple[GroupGap, ...]:
    """Return the largest gap for each way of averaging, judged against permutations.

    A gap is judged by its t-value, not by its size: between two small groups chance makes gaps
    that between two large ones it never makes.

    Source: Chung and Romano (2013), Exact and asymptotically robust permutation tests, for dividing
    by the error.

    Args:
        names: `(G,)` names of the groups.
        permutation: The groups, and what is dealt out again.
        right: `(N,)` 1 where the answer is right, else 0.
        kinds: For each gap `(N,)` kinds of clips, from 0: the score of a group is the mean over
            the kinds that all groups have. All 0 gives accuracy, the truth gives UAR.
        tests: Number of columns that are judged together.
        rng: What the permutations are drawn from.
    """
    both = [(kind, _means(right, kind)[kind]) for kind in kinds]
    chance, same = _by_chance(permutation, right, both, rng)
    possible = tests * (1 + same) / (1 + PERMUTATIONS) <= ALPHA
    gaps = []
    for of, largest in zip(both, chance.T, strict=True):
        found = _scored(permutation.group[np.newaxis], permutation.unit, right, *of).of_first()
        power = _power(names, permutation, *of, possible=possible)
        gaps.append(_gap(found, power, largest, tests))
    return tuple(gaps)


def _by_chance(
    permutation: Permutation,
    right: Floats,
    kinds: Sequence[tuple[Ids, Floats]],
    rng: np.random.Generator,
) -> tuple[Floats, int]:
    """Return the largest t squared of all pairs, `(PERMUTATIONS, M)`, and how often nothing moved.

    The largest pays for the number of pairs. The M ways of averaging are each `(N,)` kinds of
    clips, with the mean of the kind of each clip.

    Source: Westfall and Young (1993), Resampling-based multiple testing.
    """
    chance, same = [], 0
    for drawn in _permuted(permutation, rng):
        scored = [_scored(drawn, permutation.unit, right, *of) for of in kinds]
        chance.append(np.stack([of.largest_t_squared() for of in scored], axis=1))
        same += _same_partition(drawn, permutation.group)
    return np.concatenate(chance), same


def _permuted(permutation: Permutation, rng: np.random.Generator) -> Iterator[Ids]:
    """Yield `PERMUTATIONS` random groupings, `(D, N)` at a time."""
    at_once = max(1, AT_ONCE // len(permutation.group))
    for left in range(PERMUTATIONS, 0, -at_once):
        yield np.stack([permutation.draw(rng) for _ in range(min(at_once, left))])


def _scored(group: Ids, unit: Ids, right: Floats, kind: Ids, mean: Floats) -> _GroupMeans:
    """Return the score of each group and its variance if the groups do not matter, `(D, G)`.

    Args:
        group: `(D, N)` of D groupings, all of the same groups.
        unit: `(N,)`.
        right: `(N,)`.
        kind: `(N,)`.
        mean: `(N,)` of the kind of each clip.
    """
    groupings, groups, units = len(group), int(group.max()) + 1, int(unit.max()) + 1
    grouping = np.arange(groupings)[:, np.newaxis]
    weight = _weights(group, kind, groups)
    place = group + groups * grouping
    of_units = np.zeros((groupings, units), dtype=np.int64)
    of_units[:, unit] = place
    sums = _sums(unit + units * grouping, weight * (right - mean), groupings * units)
    sums *= sums
    weight *= right  # in place, for there may be a million clips
    score = _sums(place, weight, groupings * groups).reshape(groupings, groups)
    variance = _sums(of_units, sums, groupings * groups).reshape(groupings, groups)
    return _GroupMeans(score=score, variance=variance)


def _sums(place: Ids, values: Floats, places: int) -> Floats:
    return np.asarray(np.bincount(place.ravel(), values.ravel(), places), dtype=np.float64)


def _same_partition(drawn: Ids, group: Ids) -> int:
    """Return how many of D groupings, `(D, N)`, hold the same clips together as `group`.

    The names of the groups do not matter: each has but one name in the other grouping.
    """
    renamed = np.zeros((len(drawn), int(group.max()) + 1), dtype=np.int64)
    np.put_along_axis(renamed, drawn, np.broadcast_to(group, drawn.shape), axis=1)
    return int((np.take_along_axis(renamed, drawn, axis=1) == group).all(axis=1).sum())


def _power(
    names: Sequence[str], permutation: Permutation, kind: Ids, mean: Floats, *, possible: bool
) -> _GapPower:
    group, unit = permutation.group, permutation.unit
    groups = len(names)
    weight = np.nan_to_num(_weights(group[np.newaxis], kind, groups)[0])
    own = np.zeros(unit.max() + 1, dtype=np.int64)
    own[unit] = group
    least = WORTH_FINDING * (1 - WORTH_FINDING)
    independent = np.bincount(group, weight**2 * np.maximum(mean * (1 - mean), least), groups)
    return _GapPower(
        names=names,
        what=permutation.what,
        variance=np.asarray(independent, dtype=np.float64),
        parts=np.asarray(np.bincount(own, np.bincount(unit, weight, len(own)) ** 2, groups)),
        clips=np.bincount(group[weight > 0], minlength=groups),
        units=np.bincount(own[np.bincount(unit, weight, len(own)) > 0], minlength=groups),
        possible=possible,
    )


def _means(right: Floats, kind: Ids) -> Floats:
    return np.bincount(kind, right) / np.maximum(np.bincount(kind), 1)


def _weights(group: Ids, kind: Ids, groups: int) -> Floats:
    """Return the weight of each clip in its group's score; NaN where no kind is in all groups.

    Args:
        group: `(D, N)`.
        kind: `(N,)`.
        groups: Number of them.

    Returns:
        `(D, N)`.
    """
    k = int(kind.max()) + 1
    cell = (group + groups * np.arange(len(group))[:, np.newaxis]) * k + kind
    clips = np.bincount(cell.ravel(), minlength=len(group) * groups * k).reshape(-1, groups, k)
    common = (clips > 0).all(axis=1, keepdims=True)
    kinds = common.sum(axis=2, keepdims=True)
    weights = common / np.maximum(clips, 1) / np.where(kinds > 0, kinds, np.nan)
    return np.asarray(weights.ravel()[cell])


def _gap(groups: _GroupMeans, power: _GapPower, by_chance: Floats, tests: int) -> GroupGap:
    known = np.sort(by_chance[~np.isnan(by_chance)])
    if np.isnan(groups.score).any() or not len(known):
        return NO_GAP
    power = replace(power, variance=np.maximum(groups.variance, power.variance))
    gaps = groups.score[:, np.newaxis] - groups.score
    p, limit = _p_values(groups, power, known), _limits(power, known, tests)
    beyond = tests * p <= ALPHA
    others = ~np.eye(len(power.names), dtype=bool)
    chosen = np.where(beyond if beyond.any() else others, gaps, -1.0)
    best, worst = np.unravel_index(chosen.argmax(), chosen.shape)
    noise = limit * np.sqrt(groups.variance[:, np.newaxis] + groups.variance)
    detectable = power.detectable(limit)
    finding, reason = _finding(beyond, gaps, detectable, power)
    return GroupGap(
        value=float(gaps[best, worst]),
        best=power.names[int(best)],
        worst=power.names[int(worst)],
        by_chance=min(1.0, float(noise[best, worst])),
        detectable=float(detectable[others].max()),
        reach=float(np.maximum(gaps, detectable)[others].max()),
        p=float(p[best, worst]),
        p_corrected=min(1.0, tests * float(p[best, worst])),
        finding=finding,
        reason=reason,
    )


def _p_values(groups: _GroupMeans, power: _GapPower, known: Floats) -> Floats:
    """Return the p-value of every two groups, `(G, G)`: of permutations, and of a t-test no less.

    Two speakers with most clips between them stay together in hardly any permutation, so that
    permutations alone know nothing of how two such speakers differ.
    """
    larger = len(known) - np.searchsorted(known, groups.t_squared() * (1 - ROUNDING))
    t = np.sqrt(replace(groups, variance=power.variance).t_squared())
    of_t = 2 * special.stdtr(power.degrees(), -t)
    return np.asarray(np.maximum((1 + larger) / (1 + len(known)), of_t))


def _limits(power: _GapPower, known: Floats, tests: int) -> Floats:
    """Return the t-value that the gap between every two groups must pass, `(G, G)`."""
    of_permutations = np.sqrt(np.quantile(known, 1 - ALPHA / tests, method="higher"))
    return np.asarray(
        np.maximum(of_permutations, special.stdtrit(power.degrees(), 1 - ALPHA / 2 / tests))
    )


def _finding(
    beyond: NDArray[np.bool_], gaps: Floats, detectable: Floats, power: _GapPower
) -> tuple[Verdict, str]:
    """Return the verdict over all pairs of groups, and why it is none."""
    if beyond.any():
        return "more than chance", ""
    missed = np.where(np.eye(len(gaps), dtype=bool), 0.0, detectable)
    if missed.max() > WORTH_FINDING:
        place = np.unravel_index(missed.argmax(), missed.shape)
        return "cannot tell", power.reason((int(place[0]), int(place[1])))
    if gaps.max() > WORTH_FINDING:
        return "cannot tell", f"chance may make even a gap over {in_points(WORTH_FINDING)}"
    return "no more than chance", ""
