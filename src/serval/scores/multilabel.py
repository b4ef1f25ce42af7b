"""Scores of several emotions a clip, as functions of sums over clips.

The sums that stand here for the confusion counts are, for each emotion, its hits, false alarms,
misses and rejections, and the clips whose whole set is right. So intervals by speaker, paired
differences and groups are had as for one emotion a clip, with the same bootstrap.

Average precision is no function of such sums: see `ranking`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from serval.scores.clusters import (
    Clustering,
    ClusterTables,
    cluster_tables,
    clustering_of,
    effective_number,
)
from serval.scores.metrics import Margins, f1, in_truth, macro_f1, precision, ratio, recall
from serval.scores.paired import PairedScore
from serval.scores.ranking import (
    arrays_of,
    average_precision_interval,
    average_precisions,
    estimates_of_weights,
)
from serval.scores.score import RESAMPLES
from serval.scores.uncertainty import Estimates, estimates, moves, of_clusters_and_clips

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from serval.scores.stats import Interval

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

STATES = 4
"""Of an emotion and a clip: hit, false alarm, miss, rejection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """Sums over clips.

    Attributes:
        emotions: `(..., K)` hits, clips with and predictions of each emotion.
        exact: `(...)` clips whose whole set is right.
        n: `(...)` clips.
    """

    emotions: Margins
    exact: Floats
    n: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class MultilabelMetric:
    """A score of a whole run of several emotions a clip, in [0, 1].

    Attributes:
        key: Its name in files and bounds.
        title: Its name in a table.
        of: The score of sums; of average precision, which has none, `None`.
        higher_is_better: Its direction.
    """

    key: str
    title: str
    of: Callable[[Sums], Floats] | None
    higher_is_better: bool = True


def micro_f1(sums: Sums) -> Floats:
    """Return 2TP / (2TP + FP + FN) of all emotions together; NaN if none is true or named.

    Source: `sklearn.metrics.f1_score(average="micro")`.
    """
    own = sums.emotions
    return ratio(2 * own.hits.sum(axis=-1), (own.support + own.predictions).sum(axis=-1))


def subset_accuracy(sums: Sums) -> Floats:
    """Return the share of clips whose whole set of emotions is right; NaN without a clip.

    Source: `sklearn.metrics.accuracy_score` of multi-label indicators.
    """
    return ratio(sums.exact, sums.n)


def hamming_loss(sums: Sums) -> Floats:
    """Return the share of wrong answers among all emotions of all clips; NaN without a clip.

    Source: `sklearn.metrics.hamming_loss`.
    """
    own = sums.emotions
    wrong = (own.support + own.predictions - 2 * own.hits).sum(axis=-1)
    return ratio(wrong, sums.n * own.hits.shape[-1])


MULTILABEL_METRICS: Mapping[str, MultilabelMetric] = {
    metric.key: metric
    for metric in (
        MultilabelMetric(key="macro_f1", title="macro F1", of=lambda sums: macro_f1(sums.emotions)),
        MultilabelMetric(key="micro_f1", title="micro F1", of=micro_f1),
        MultilabelMetric(key="mean_ap", title="mean AP", of=None),
        MultilabelMetric(key="subset_accuracy", title="subset accuracy", of=subset_accuracy),
        MultilabelMetric(
            key="hamming_loss", title="Hamming loss", of=hamming_loss, higher_is_better=False
        ),
    )
}
"""By key, in the order of every table. Macro F1 and mean AP run over the emotions with clips."""

EMOTION_METRICS = {"precision": "precision", "recall": "recall", "f1": "F1", "ap": "AP"}
"""Scores of one emotion, with their titles."""

OF_SUMS = tuple(key for key, metric in MULTILABEL_METRICS.items() if metric.of is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmotionScores:
    """The scores of one emotion, in [0, 1]; how many clips have it and of how many it is named.

    AP depends on no threshold; without a model it is about the share of clips that have the
    emotion.
    """

    precision: Interval
    recall: Interval
    f1: Interval
    ap: Interval
    support: int
    named: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MultilabelScores:
    """The scores of a run of several emotions a clip.

    Attributes:
        n: Clips that were scored.
        emotions_averaged: Emotions that a clip has: macro F1 and mean AP run over these.
        overall: By key of `MULTILABEL_METRICS`.
        per_emotion: By emotion.
        baseline: Scores of an answer that names every emotion of every clip.
        by: What was drawn: `speaker` or `clip`.
        clusters: Number of them.
        effective: How many of equal size would say as much.
        warnings: What a reader must know before trusting them, one sentence each.
    """

    n: int
    emotions_averaged: int
    overall: Mapping[str, Interval]
    per_emotion: Mapping[str, EmotionScores]
    baseline: Mapping[str, float]
    by: str
    clusters: int
    effective: float
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAnswers:
    """What one run says of N clips.

    Attributes:
        scores: `(N, K)` in [0, 1].
        predicted: `(N, K)` which emotions it names.
    """

    scores: Floats
    predicted: Bools

    def at(self, clips: NDArray[np.int64]) -> SetAnswers:
        """Return what it says of some of the clips, by their positions."""
        return replace(self, scores=self.scores[clips], predicted=self.predicted[clips])


def multilabel_scores(
    truth: Bools,
    answers: SetAnswers,
    speakers: Sequence[str | None],
    labels: Sequence[str],
    resamples: int = RESAMPLES,
) -> MultilabelScores:
    """Return every score with its 95 % interval, clustered by speaker where speakers are known.

    Args:
        truth: `(N, K)` which emotions each clip has.
        answers: What the run says of them.
        speakers: `(N,)` or `None` where not known.
        labels: The K emotions.
        resamples: Draws of the bootstrap.
    """
    clustering, k = clustering_of(speakers), len(labels)
    tables = _tables([_codes(truth, answers.predicted)], k, clustering)
    ap = _average_precisions(truth, answers.scores, clustering)
    overall, each = _by_key(_intervals(tables, k, resamples), ap)
    sizes = zip(truth.sum(axis=0).tolist(), answers.predicted.sum(axis=0).tolist(), strict=True)
    return MultilabelScores(
        n=len(truth),
        emotions_averaged=int(truth.any(axis=0).sum()),
        overall=overall,
        per_emotion={
            label: EmotionScores(**own, support=support, named=named)
            for label, own, (support, named) in zip(labels, each, sizes, strict=True)
        },
        baseline=_baseline(truth),
        by=clustering.by,
        clusters=len(clustering),
        effective=round(clustering.effective, 1),
        warnings=clustering.warnings,
    )


def _intervals(tables: ClusterTables, k: int, resamples: int) -> list[Interval]:
    """Return the interval of each score of `_columns`."""
    bearing, rng = _bearing(tables, k), np.random.default_rng(0)
    found = estimates(tables, lambda sums: _columns(_sums(sums, k)), bearing, resamples, rng)
    return [found.uncertainty(i).interval(float(one)) for i, one in enumerate(found.values)]


def _average_precisions(truth: Bools, scores: Floats, clustering: Clustering) -> list[Interval]:
    """Return the average precision of each emotion, and their mean."""
    parts = average_precisions(truth, scores)
    found = estimates_of_weights(truth, *arrays_of(parts), clustering)
    return [average_precision_interval(found, own, i) for i, own in enumerate(parts)]


Score = TypeVar("Score")


def _by_key(
    cells: Sequence[Score], ap: Sequence[Score]
) -> tuple[dict[str, Score], list[dict[str, Score]]]:
    """Return what is of the whole, by key, and what is of each emotion.

    Args:
        cells: As `_columns` has them.
        ap: Of the average precision of each of the K emotions, and of their mean.
    """
    k = len(ap) - 1
    whole = dict(zip(OF_SUMS, cells, strict=False)) | {"mean_ap": ap[k]}
    each = [[*cells[len(OF_SUMS) + i :: k], ap[i]] for i in range(k)]
    return (
        {key: whole[key] for key in MULTILABEL_METRICS},
        [dict(zip(EMOTION_METRICS, own, strict=True)) for own in each],
    )


def paired_scores(
    truth: Bools,
    a: SetAnswers,
    b: SetAnswers,
    clustering: Clustering,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[dict[str, PairedScore], list[dict[str, PairedScore]]]:
    """Return the differences of two runs on the same clips: of the whole, and of each emotion.

    Args:
        truth: `(N, K)` which emotions each clip has.
        a: The first run.
        b: The one that is measured against it.
        clustering: Which clips belong together.
        resamples: Draws of the bootstrap.
        seed: Of the random numbers.
    """
    k, runs = truth.shape[1], [a, b]
    tables = _tables([_codes(truth, one.predicted) for one in runs], k, clustering)
    each = _columns(_sums(tables.total.astype(np.float64), k, runs=2))
    flips = one_flip(_sums(tables.total.astype(np.float64)[STATES * k + 2 :], k))
    cells = _paired(each, _changes(tables, k, resamples, seed), flips)
    aps = [arrays_of(average_precisions(truth, one.scores)) for one in runs]
    values, moves = (second - first for first, second in zip(*aps, strict=True))
    gaps = estimates_of_weights(truth, values, moves, clustering)
    return _by_key(cells, _paired([own for own, _ in aps], gaps, _ap_flips(truth)))


def macro_f1_of(truth: Bools, predicted: Bools) -> tuple[float, Floats, float]:
    """Return macro F1 of some clips, how much each of them moves it, `(N,)`, and one flip does.

    Args:
        truth: `(N, K)`; each emotion in some clip.
        predicted: `(N, K)`.
    """
    k, place = truth.shape[1], OF_SUMS.index("macro_f1")
    rows = np.concatenate([truth & predicted, truth, predicted], axis=1).astype(np.float64)

    def of(sums: Floats) -> Floats:
        hits, support, predictions = np.split(sums, 3, axis=-1)
        found = macro_f1(Margins(hits=hits, support=support, predictions=predictions))
        return np.asarray(found)[..., np.newaxis]

    total = rows.sum(axis=0)
    tables = _tables([_codes(truth, predicted)], k, clustering_of([None] * len(truth)))
    flips = one_flip(_sums(tables.total.astype(np.float64), k))
    return float(of(total)[0]), moves(rows, total, of)[:, 0], float(flips[place])


def one_flip(sums: Sums) -> Floats:
    """Return how much each of `_columns` changes, root mean square, when one answer flips.

    That is whether one emotion of one clip is named: of recall it is one of the clips that have
    the emotion, not one of all. Of all flips those count that move a score.
    """
    own, k = sums.emotions, sums.emotions.hits.shape[-1]
    hits, misses = own.hits, own.support - own.hits
    alarms = own.predictions - own.hits
    rejections = sums.n - own.support - alarms
    # By how much hits and predictions change where a hit, miss, alarm or rejection flips.
    kinds = ((hits, -1, -1), (misses, 1, 1), (alarms, 0, -1), (rejections, 0, 1))
    weights = np.concatenate([times for times, _, _ in kinds])
    one = np.eye(k)
    exact = sums.exact + (1.0 if sums.exact == 0 else -1.0)
    moved = Sums(
        emotions=Margins(
            hits=own.hits + np.concatenate([step * one for _, step, _ in kinds]),
            support=np.tile(own.support, (4 * k, 1)),
            predictions=own.predictions + np.concatenate([step * one for _, _, step in kinds]),
        ),
        exact=np.full(4 * k, exact),
        n=np.full(4 * k, sums.n),
    )
    squares = np.nan_to_num((_columns(moved) - _columns(sums)) ** 2)
    bears = weights @ (squares > 0)
    return np.asarray(np.sqrt(ratio(weights @ squares, np.maximum(bears, 1))))


def _codes(truth: Bools, predicted: Bools) -> NDArray[np.int64]:
    """Return the cells that each clip counts in, `(N, K + 1)`: one an emotion, and of its set."""
    state = np.where(truth, np.where(predicted, 0, 2), np.where(predicted, 1, 3))
    k = truth.shape[1]
    exact = STATES * k + (truth == predicted).all(axis=1)
    return np.column_stack([STATES * np.arange(k) + state, exact]).astype(np.int64)


def _tables(codes: Sequence[NDArray[np.int64]], k: int, clustering: Clustering) -> ClusterTables:
    """Return the sums of each cluster, R runs one behind the other."""
    cells = STATES * k + 2
    placed = [one + run * cells for run, one in enumerate(codes)]
    return cluster_tables(np.concatenate(placed, axis=1), len(codes) * cells, clustering)


def _sums(sums: Floats, k: int, runs: int = 1) -> Sums:
    """Return what R x (4 K + 2) sums hold: `(..., K)` of one run, `(..., R, K)` of several."""
    parts = sums.reshape(*sums.shape[:-1], runs, STATES * k + 2)
    if runs == 1:
        parts = parts[..., 0, :]
    states = parts[..., : STATES * k].reshape(*parts.shape[:-1], k, STATES)
    hits, alarms, misses = (states[..., i] for i in range(3))
    exact = parts[..., STATES * k + 1]
    return Sums(
        emotions=Margins(hits=hits, support=hits + misses, predictions=hits + alarms),
        exact=exact,
        n=exact + parts[..., STATES * k],
    )


def _columns(sums: Sums) -> Floats:
    """Return every score of sums, `(..., M + 3 K)`: of the whole, then precision, recall, F1."""
    metrics = (MULTILABEL_METRICS[key].of for key in OF_SUMS)
    whole = np.stack([of(sums) for of in metrics if of is not None], axis=-1)
    per = [precision(sums.emotions), recall(sums.emotions), f1(sums.emotions)]
    return np.concatenate([whole, *per], axis=-1)


def _bearing(tables: ClusterTables, k: int, runs: int = 1) -> tuple[Floats, Floats]:
    """Return how many clusters, and how many clips, bear on each score of `_columns`."""
    return of_clusters_and_clips(tables, lambda one: _bearing_number(one, k, runs))


def _bearing_number(tables: ClusterTables, k: int, runs: int) -> Floats:
    sums = _sums(tables.tables.toarray().astype(np.float64), k, runs)
    own = sums.emotions
    parts = [sums.n[..., np.newaxis], own.predictions, own.support, own.predictions + own.support]
    if runs > 1:
        parts = [part.sum(axis=-2) for part in parts]
    whole, *each = (effective_number(part, tables.times) for part in parts)
    return np.concatenate([np.repeat(whole, len(OF_SUMS)), *each])


def _changes(tables: ClusterTables, k: int, resamples: int, seed: int = 0) -> Estimates:
    """Return the scores of the second of two blocks of sums minus those of the first."""

    def second_minus_first(sums: Floats) -> Floats:
        columns = _columns(_sums(sums, k, runs=2))
        return np.asarray(columns[..., 1, :] - columns[..., 0, :])

    rng = np.random.default_rng(seed)
    return estimates(tables, second_minus_first, _bearing(tables, k, runs=2), resamples, rng)


def _ap_flips(truth: Bools) -> Floats:
    """Return how much AP of each emotion, and their mean, change by one clip that has it."""
    support = truth.sum(axis=0).astype(np.float64)
    there = support[support > 0]
    mean = np.sqrt((1 / there).sum() / max(there.sum(), 1.0)) / max(len(there), 1)
    return np.append(1 / np.maximum(support, 1.0), mean)


def _paired(values: Iterable[Floats], gaps: Estimates, flips: Floats) -> list[PairedScore]:
    """Return the scores of A and B, `(M,)` each, and B minus A, with what one flip changes."""
    return [
        PairedScore(
            a=float(a),
            b=float(b),
            difference=gaps.uncertainty(i).difference(float(b - a), float(flips[i])),
        )
        for i, (a, b) in enumerate(zip(*values, strict=True))
    ]


def _baseline(truth: Bools) -> dict[str, float]:
    """Return the scores of an answer that names every emotion of every clip."""
    everything = np.ones_like(truth)
    total = _tables([_codes(truth, everything)], truth.shape[1], clustering_of([None] * len(truth)))
    sums = _sums(total.total.astype(np.float64), truth.shape[1])
    found = {key: float(of(sums)) for key in OF_SUMS if (of := MULTILABEL_METRICS[key].of)}
    shares = truth.mean(axis=0)[in_truth(sums.emotions)] if len(truth) else np.zeros(0)
    found["mean_ap"] = float(shares.mean()) if len(shares) else float("nan")
    return {key: found[key] for key in MULTILABEL_METRICS}
