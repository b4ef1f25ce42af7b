"""A run -> its scores, each with an interval, beside what guessing would score."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.scores.clusters import (
    Clustering,
    ClusterTables,
    cluster_tables,
    clustering_of,
    effective_number,
    resampled,
)
from serval.scores.metrics import (
    Counts,
    f1,
    in_truth,
    macro,
    macro_f1,
    precision,
    predictions,
    recall,
    support,
    uar,
    wa,
    weighted,
    weighted_f1,
)
from serval.scores.stats import LEVEL, Interval, interval, spread

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from serval.labels import LabelSet
    from serval.run import Run

__all__ = [
    "OVERALL",
    "RESAMPLES",
    "ClassScores",
    "Resampling",
    "Scores",
    "bearing",
    "intervals",
    "score_columns",
    "scores_of",
]

OVERALL = ("wa", "uar", "macro_f1", "weighted_f1", "macro_precision", "weighted_precision")
"""Scores of a whole run. Macro recall is `uar` and weighted recall is `wa`."""

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
        seed: Of the random numbers.
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
        overall: By name, see `OVERALL`.
        per_class: By label.
        baselines: What guessing scores on the same clips: `random`, each label equally often,
            and `majority`, always the most frequent one.
        resampling: How the intervals were made.
        warnings: What a reader must know before trusting them, one sentence each.
    """

    n: int
    classes_averaged: int
    overall: Mapping[str, Interval]
    per_class: Mapping[str, ClassScores]
    baselines: Mapping[str, Mapping[str, float]]
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
    """
    k = len(run.labels)
    clustering = clustering_of(run.speakers)
    tables = cluster_tables(run.truth * k + run.predicted, k * k, clustering)
    counts = tables.total.reshape(k, k)
    found = intervals(tables, k, resamples, np.random.default_rng(seed))
    first = len(OVERALL)
    return Scores(
        n=len(run),
        classes_averaged=int(in_truth(counts).sum()),
        overall=dict(zip(OVERALL, found[:first], strict=True)),
        per_class=_per_class(found[first:], counts, run.labels),
        baselines=_baselines(counts),
        resampling=_resampling(clustering, resamples, seed),
        warnings=clustering.warnings,
    )


def score_columns(counts: Counts) -> NDArray[np.float64]:
    """Return every score of each matrix of a stack, `(..., 6 + 3 K)`.

    First `OVERALL`, then the precision of each class, then recall, then F1.
    """
    p = precision(counts)
    whole = (
        wa(counts),
        uar(counts),
        macro_f1(counts),
        weighted_f1(counts),
        macro(p, in_truth(counts)),
        weighted(p, counts),
    )
    return np.concatenate([np.stack(whole, axis=-1), p, recall(counts), f1(counts)], axis=-1)


def bearing(counts: Counts) -> NDArray[Any]:
    """Return how many clips bear on each score of `score_columns`, `(..., 6 + 3 K)`."""
    truth, predicted = support(counts), predictions(counts)
    all_clips = np.repeat(truth.sum(axis=-1, keepdims=True), len(OVERALL), axis=-1)
    return np.concatenate([all_clips, predicted, truth, truth + predicted], axis=-1)


def intervals(
    tables: ClusterTables, k: int, resamples: int, rng: np.random.Generator
) -> list[Interval]:
    """Return the interval of each score of `score_columns`.

    Args:
        tables: Of K x K cells, truth x K + predicted.
        k: Number of labels.
        resamples: Draws of the bootstrap.
        rng: Its random numbers.
    """
    values = score_columns(tables.total.reshape(k, k))
    effective = effective_number(bearing(tables.tables.reshape(-1, k, k)), tables.times)
    draws = resampled(tables, resamples, rng).reshape(-1, k, k)
    errors = spread(score_columns(draws), effective)
    rows = zip(values.tolist(), errors.tolist(), effective.tolist(), strict=True)
    return [interval(value, error, number) for value, error, number in rows]


def _per_class(found: list[Interval], counts: Counts, labels: LabelSet) -> dict[str, ClassScores]:
    k = len(labels)
    columns = zip(
        labels, found[:k], found[k : 2 * k], found[2 * k :], support(counts).tolist(), strict=True
    )
    return {
        label: ClassScores(precision=p, recall=r, f1=f, support=n) for label, p, r, f, n in columns
    }


def _baselines(counts: Counts) -> dict[str, dict[str, float]]:
    truth = support(counts).astype(np.float64)
    uniform = np.repeat(truth[:, np.newaxis] / len(truth), len(truth), axis=1)
    majority = np.zeros(counts.shape)
    majority[:, truth.argmax()] = truth
    tables = {"random": uniform, "majority": majority}
    return {
        name: dict(zip(OVERALL, score_columns(table)[: len(OVERALL)].tolist(), strict=True))
        for name, table in tables.items()
    }


def _resampling(clustering: Clustering, resamples: int, seed: int) -> Resampling:
    return Resampling(
        level=LEVEL,
        by=clustering.by,
        clusters=len(clustering),
        effective=round(clustering.effective, 1),
        resamples=resamples,
        seed=seed,
    )
