"""Where two runs differ clip by clip: labels that changed, and how far probabilities moved."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.special import rel_entr

from serval.comparison.align import blocks
from serval.groups import members_of
from serval.scores.clusters import Clustering, clustering_of
from serval.scores.stats import UNDEFINED, Difference, Interval
from serval.scores.uncertainty import mean_of, uncertainty_of_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from serval.comparison.align import Aligned, AlignedRun

    Floats = NDArray[np.float64]

FlipKind = Literal["broken", "fixed", "other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """A clip that two runs name differently.

    Attributes:
        clip_id: The clip.
        index: Its position in the dataset split.
        kind: `broken` if only A was right, `fixed` if only B is, `other` if neither.
        truth: Its label.
        a: What A says.
        b: What B says.
        confidence_a: Probability that A gives its own label, in [0, 1].
        confidence_b: Probability that B gives its own label, in [0, 1].
        b_in_a: What A had given to B's label: near `confidence_a`, it was a close call.
        duration_s: Length of the clip in seconds.
        speaker: Who speaks, or `""`.
    """

    clip_id: str
    index: int
    kind: FlipKind
    truth: str
    a: str
    b: str
    confidence_a: float
    confidence_b: float
    b_in_a: float
    duration_s: float
    speaker: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence:
    """How far the probabilities of B lie from those of A; means over clips, with intervals.

    Attributes:
        kl: Kullback-Leibler divergence of B from A, in nats, >= 0.
        js: Jensen-Shannon divergence, in nats, in [0, 0.693].
        tv: Total variation distance, in [0, 1].
        tv_max: The largest of any clip.
        confidence: Mean confidence of B minus that of A, in [-1, 1].
    """

    kl: Interval
    js: Interval
    tv: Interval
    tv_max: float
    confidence: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupChange:
    """What changed for one group of clips.

    Attributes:
        column: The column, `speaker` or a group.
        name: The value of the column.
        n: Common clips.
        a: Accuracy of A in [0, 1].
        b: Accuracy of B in [0, 1].
        difference: B minus A.
        broken: Clips that only A has right.
        fixed: Clips that only B has right.
    """

    column: str
    name: str
    n: int
    a: float
    b: float
    difference: Difference
    broken: int
    fixed: int


def flips(clips: Aligned, a: AlignedRun, b: AlignedRun) -> tuple[Flip, ...]:
    """Return the clips with another label in B, those first of which A was surest."""
    changed = a.predicted != b.predicted
    some = (_flips(clips, a, b, rows) for rows in blocks(len(clips)) if changed[rows].any())
    found = chain.from_iterable(some)
    return tuple(sorted(found, key=lambda flip: (-flip.confidence_a, flip.index)))


def divergence(a: AlignedRun, b: AlignedRun, clustering: Clustering) -> Divergence:
    """Return how far the probabilities moved, over the clips where both are finite.

    Scores of a sigmoid are divided by their sum for all but `confidence`.
    """
    kl, js, tv, confidence = np.empty((4, len(a.rows)))
    for some in blocks(len(a.rows)):
        of_a, of_b = a.log_shares(some), b.log_shares(some)
        kl[some] = kullback_leibler(of_a, of_b)
        js[some] = jensen_shannon(of_a, of_b)
        tv[some] = total_variation(of_a, of_b)
        surest = [np.exp(run.log_probs(some).max(axis=1)) for run in (a, b)]
        confidence[some] = surest[1] - surest[0]
    return Divergence(
        kl=_mean(kl, clustering),
        js=_mean(js, clustering),
        tv=_mean(tv, clustering),
        tv_max=float(np.max(tv, initial=0.0, where=~np.isnan(tv))),
        confidence=_mean(confidence, clustering),
    )


def kullback_leibler(log_a: Floats, log_b: Floats) -> Floats:
    """Return the sum of a log(a / b) of each clip, `(N,)` nats >= 0.

    Source: Kullback and Leibler (1951); equals `scipy.stats.entropy(a, b, axis=1)`.

    Args:
        log_a: `(N, K)` log probabilities, finite.
        log_b: `(N, K)` log probabilities, finite.
    """
    return np.asarray((np.exp(log_a) * (log_a - log_b)).sum(axis=1))


def jensen_shannon(log_a: Floats, log_b: Floats) -> Floats:
    """Return the mean divergence of a and b from their average, `(N,)` nats in [0, 0.693].

    Source: Lin (1991); equals `scipy.spatial.distance.jensenshannon(a, b, axis=1) ** 2`.
    """
    a, b = np.exp(log_a), np.exp(log_b)
    middle = (a + b) / 2
    return np.asarray((rel_entr(a, middle) + rel_entr(b, middle)).sum(axis=1) / 2)


def total_variation(log_a: Floats, log_b: Floats) -> Floats:
    """Return half the sum of |a - b| of each clip, `(N,)` in [0, 1]."""
    return np.asarray(np.abs(np.exp(log_a) - np.exp(log_b)).sum(axis=1) / 2)


def group_changes(
    clips: Aligned, a: AlignedRun, b: AlignedRun, column: str, values: Sequence[str | None]
) -> tuple[GroupChange, ...]:
    """Return what changed in each group of a column, most clips first."""
    right_a, right_b = a.predicted == clips.truth, b.predicted == clips.truth
    return tuple(
        _group_change(
            (column, name), right_a[rows], right_b[rows], [clips.speakers[i] for i in rows]
        )
        for name, rows in members_of(values).items()
    )


def _flips(clips: Aligned, a: AlignedRun, b: AlignedRun, rows: slice) -> Iterator[Flip]:
    of_a, of_b = a.log_probs(rows), b.log_probs(rows)
    for i in np.flatnonzero(a.predicted[rows] != b.predicted[rows]).tolist():
        yield _flip(clips, (a, b), rows.start + i, (np.exp(of_a[i]), np.exp(of_b[i])))


def _flip(
    clips: Aligned, runs: tuple[AlignedRun, AlignedRun], i: int, probs: tuple[Floats, Floats]
) -> Flip:
    (a, b), (probs_a, probs_b) = runs, probs
    labels, mine, its = clips.labels, int(a.predicted[i]), int(b.predicted[i])
    truth = int(clips.truth[i])
    kind: FlipKind = "broken" if mine == truth else "fixed" if its == truth else "other"
    return Flip(
        clip_id=clips.clip_ids[i],
        index=int(clips.index[i]),
        kind=kind,
        truth=labels[truth],
        a=labels[mine],
        b=labels[its],
        confidence_a=float(probs_a[mine]),
        confidence_b=float(probs_b[its]),
        b_in_a=float(probs_a[its]),
        duration_s=float(clips.duration_s[i]),
        speaker=clips.speakers[i] or "",
    )


def _mean(values: Floats, clustering: Clustering) -> Interval:
    unknown = np.isnan(values)
    if unknown.all():
        return UNDEFINED
    if not unknown.any():
        return mean_of(values, clustering)
    known = np.flatnonzero(~unknown)
    ids = np.unique(clustering.ids[known], return_inverse=True)[1]
    error = uncertainty_of_mean(values[known], replace(clustering, ids=ids), clustering.effective)
    return error.mean_interval(float(values[known].mean()))


def _group_change(
    key: tuple[str, str],
    right_a: NDArray[np.bool_],
    right_b: NDArray[np.bool_],
    speakers: Sequence[str | None],
) -> GroupChange:
    clustering = clustering_of(speakers)
    gain = right_b.astype(np.float64) - right_a
    error = uncertainty_of_mean(gain, clustering)
    return GroupChange(
        column=key[0],
        name=key[1],
        n=len(gain),
        a=float(right_a.mean()),
        b=float(right_b.mean()),
        difference=error.difference(float(gain.mean()), 1 / len(gain)),
        broken=int((gain < 0).sum()),
        fixed=int((gain > 0).sum()),
    )
