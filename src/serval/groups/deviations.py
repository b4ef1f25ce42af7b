"""How far each group is from all clips, against thresholds that random models set.

On few clips even a random model treats groups unequally. So the threshold for each difference is
the largest that random models show on as many clips of the same classes, as the field's published
test suite has it. Who speaks is not in it: for gaps that know of speakers see `gaps`.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from serval.scores.chance import SIMULATIONS, WORTH_FINDING, random_predictions
from serval.scores.metrics import Counts, in_truth, macro, precision, predictions, recall
from serval.scores.stats import POWER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from serval.scores.stats import Verdict

    Ids = NDArray[np.int64]
    Floats = NDArray[np.float64]

MEASURES = ("uar", "recall", "precision")
"""Of a group minus all clips: UAR; the largest difference, either way, of one label's recall; and
that of one label's precision."""

AT_ONCE = 2_000_000
"""Cells of confusion matrices in memory at once: 16 MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupDeviation:
    """One group against all clips.

    Attributes:
        group: Value of the column.
        n: Clips of the group.
        speakers: Known speakers of the group; random models know nothing of them, and of few
            speakers any may be beyond the threshold.
        gaps: By measure: that of UAR in [-1, 1], below 0 the group is served worse; those of
            recall and precision are magnitudes in [0, 1].
        thresholds: By measure: the largest magnitude in `SIMULATIONS` random models, in [0, 1].
        detectable: By measure: the smallest magnitude that is beyond its threshold `POWER` of the
            time, in [0, 1].
        random: By measure: the mean magnitude in these models, in [0, 1].
        findings: By measure; `cannot tell` where no threshold is passed but a difference of
            `WORTH_FINDING` would not be found.
    """

    group: str
    n: int
    speakers: int
    gaps: Mapping[str, float]
    thresholds: Mapping[str, float]
    detectable: Mapping[str, float]
    random: Mapping[str, float]
    findings: Mapping[str, Verdict]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Simulated:
    """What the random models show, each `(G, 3)` in [0, 1]: largest, mean and spread."""

    largest: Floats
    mean: Floats
    spread: Floats


def deviations_from_all(
    names: Sequence[str],
    group: Ids,
    answers: tuple[Ids, Ids, int],
    speakers: Sequence[str | None],
    rng: np.random.Generator,
) -> tuple[GroupDeviation, ...]:
    """Return how far each group is from all clips, and how far it is for a random model.

    Source: audeering ser-tests, fairness: thresholds are the maximum over 1,000 random models;
    there they are simulated once, here for these clips.

    Args:
        names: `(G,)` names of the groups.
        group: `(N,)` place in `names`, or its length for a clip of no group.
        answers: Truth `(N,)`, predictions `(N,)` and the number of labels.
        speakers: `(N,)`, `None` where not known.
        rng: What the random models draw their labels from.
    """
    truth, predicted, k = answers
    shape = (len(names) + 1, k)
    measured = _gaps(_counts(truth, predicted[np.newaxis], group, shape))[0]
    simulated = _simulated(truth, group, shape, rng)
    return tuple(
        _deviation(name, np.flatnonzero(group == i), speakers, (measured[i], simulated, i))
        for i, name in enumerate(names)
    )


def _simulated(
    truth: Ids, group: Ids, shape: tuple[int, int], rng: np.random.Generator
) -> _Simulated:
    """Return what `SIMULATIONS` random models show, some at a time."""
    groups, k = shape
    at_once = max(1, AT_ONCE // (groups * k * k))
    sizes = [min(at_once, SIMULATIONS - start) for start in range(0, SIMULATIONS, at_once)]
    drawn = np.concatenate(
        [_gaps(_counts(truth, random_predictions(truth, k, size, rng), group, shape))
         for size in sizes]
    )  # fmt: skip
    magnitude = np.abs(drawn)
    return _Simulated(
        largest=magnitude.max(axis=0), mean=magnitude.mean(axis=0), spread=drawn.std(axis=0)
    )


def _counts(truth: Ids, predicted: Ids, group: Ids, shape: tuple[int, int]) -> Ids:
    """Return the confusion matrices `(S, G, K, K)` of `(S, N)` predictions."""
    groups, k = shape
    of_clip = (group * k + truth) * k
    cells = (
        np.arange(len(predicted))[:, np.newaxis] * groups * k * k + of_clip + predicted
    ).ravel()
    return np.bincount(cells, minlength=len(predicted) * groups * k * k).reshape(-1, groups, k, k)


def _gaps(counts: Counts) -> Floats:
    """Return `(S, G, 3)`: `MEASURES` of each group minus those of all, over the group's labels."""
    everyone = counts.sum(axis=1, keepdims=True)
    classes = in_truth(counts)
    uar = macro(recall(counts), classes) - macro(
        np.broadcast_to(recall(everyone), counts.shape[:-1]), classes
    )
    of_recall = np.abs(recall(counts) - recall(everyone))
    # A label that a group is never given has no precision there: it counts as 0 in scores alone.
    given = predictions(counts) > 0
    of_precision = np.where(given, np.abs(precision(counts) - precision(everyone)), 0.0)
    largest = [np.where(classes, gap, 0.0).max(axis=-1) for gap in (of_recall, of_precision)]
    return np.asarray(np.nan_to_num(np.stack([np.asarray(uar), *largest], axis=-1)))


def _deviation(
    name: str,
    clips: Ids,
    speakers: Sequence[str | None],
    found: tuple[Floats, _Simulated, int],
) -> GroupDeviation:
    gaps, simulated, i = found
    largest = simulated.largest[i]
    detectable = np.minimum(1.0, largest + NormalDist().inv_cdf(POWER) * simulated.spread[i])
    return GroupDeviation(
        group=name,
        n=len(clips),
        speakers=len({speakers[clip] for clip in clips} - {None}),
        gaps=_by_measure(gaps),
        thresholds=_by_measure(largest),
        detectable=_by_measure(detectable),
        random=_by_measure(simulated.mean[i]),
        findings=dict(zip(MEASURES, map(_standing, gaps, largest, detectable), strict=True)),
    )


def _by_measure(values: Floats) -> dict[str, float]:
    return dict(zip(MEASURES, values.tolist(), strict=True))


def _standing(gap: float, threshold: float, detectable: float) -> Verdict:
    if abs(gap) > threshold:
        return "beyond"
    return "within" if detectable <= WORTH_FINDING else "cannot tell"
