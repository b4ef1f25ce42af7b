"""Whether a model serves all groups alike, by thresholds that a random model sets.

On few clips even a model that guesses treats groups unequally. So the threshold for each
difference is the largest that random models show on as many clips of the same classes.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from serval.scores import scores_of
from serval.scores.metrics import Counts, in_truth, macro, precision, predictions, recall
from serval.stress.chance import SIMULATIONS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from serval.run import Run

    Ids = NDArray[np.int64]
    Floats = NDArray[np.float64]

__all__ = ["MEASURES", "Fairness", "GroupGap", "fairness_columns", "fairness_of"]

MEASURES = ("uar", "recall", "precision")
"""Of a group minus all clips: UAR; the largest difference, either way, of one label's recall; and
that of one label's precision."""

MIN_CLIPS = 10
AT_ONCE = 2_000_000
"""Cells of confusion matrices in memory at once: 16 MB."""

SYNONYMS = {
    "sex": "sex", "gender": "sex", "age": "age", "age_group": "age", "dataset": "corpus",
    "corpus": "corpus", "speaker": "speaker", "text": "text", "transcript": "text",
}  # fmt: skip
"""Columns that public sets have, and what the suite calls them."""

Finding = Literal["within", "beyond"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupGap:
    """One group against all clips.

    Attributes:
        group: Value of the column.
        n: Clips of the group.
        gaps: By measure: that of UAR in [-1, 1], below 0 the group is served worse; those of
            recall and precision are magnitudes in [0, 1].
        thresholds: By measure: the largest magnitude in `SIMULATIONS` random models.
        random: By measure: the mean magnitude in these.
        findings: By measure.
    """

    group: str
    n: int
    gaps: Mapping[str, float]
    thresholds: Mapping[str, float]
    random: Mapping[str, float]
    findings: Mapping[str, Finding]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fairness:
    """Every group of a run.

    Attributes:
        judged: Whether the model is better than chance; one that is not treats all alike.
        reason: Why it is not judged, else an empty text.
        columns: Groups of at least `MIN_CLIPS` clips, by column; empty if not judged.
    """

    judged: bool
    reason: str
    columns: Mapping[str, tuple[GroupGap, ...]]


def fairness_of(run: Run, *, seed: int = 0) -> Fairness:
    """Return how far each group is from all, and how far it would be for a model that guesses.

    Source: audeering ser-tests, fairness: thresholds are the maximum over 1,000 random models;
    there they are simulated once, here for these clips.
    """
    scores = scores_of(run, resamples=1000) if len(run) else None
    uar = scores.overall["uar"] if scores else None
    chance = scores.baselines["random"]["uar"] if scores else float("nan")
    if uar is None or not uar.low > chance:
        low = "is not defined" if uar is None else f"begins at {100 * uar.low:.1f} %"
        return Fairness(
            judged=False,
            reason=f"UAR is not better than chance: its 95 % interval {low}, "
            f"a random model has {100 * chance:.1f} %",
            columns={},
        )
    rng = np.random.default_rng(seed)
    columns = fairness_columns(run)
    tables = {name: _column(run, values, rng) for name, values in columns.items()}
    return Fairness(judged=True, reason="", columns=tables)


def fairness_columns(run: Run) -> dict[str, Sequence[str | None]]:
    """Return sex, age, corpus, speaker and text where the set has them in two groups or more."""
    known = {"speaker": run.speakers, **run.groups}
    columns = {SYNONYMS[name]: values for name, values in known.items() if name in SYNONYMS}
    return {name: values for name, values in columns.items() if len(_large(values)) >= 2}


def _large(values: Sequence[str | None]) -> list[str]:
    counts = Counter(value for value in values if value is not None)
    return [value for value, n in counts.most_common() if n >= MIN_CLIPS]


def _column(
    run: Run, values: Sequence[str | None], rng: np.random.Generator
) -> tuple[GroupGap, ...]:
    names = _large(values)
    number = {name: i for i, name in enumerate(names)}
    group = np.array([number.get(value, len(names)) if value is not None else len(names)
                      for value in values])  # fmt: skip
    k, n_groups = len(run.labels), len(names) + 1
    measured = _gaps(_counts(run.truth, run.predicted[np.newaxis], group, (n_groups, k)))[0]
    largest, total = np.zeros((n_groups, len(MEASURES))), np.zeros((n_groups, len(MEASURES)))
    at_once = max(1, AT_ONCE // (n_groups * k * k))
    for start in range(0, SIMULATIONS, at_once):
        size = min(at_once, SIMULATIONS - start)
        guesses = rng.integers(k, size=(size, len(run)))
        gaps = np.abs(_gaps(_counts(run.truth, guesses, group, (n_groups, k))))
        largest, total = np.maximum(largest, gaps.max(axis=0)), total + gaps.sum(axis=0)
    sizes = np.bincount(group, minlength=n_groups)
    return tuple(
        _gap(name, int(sizes[i]), measured[i], largest[i], total[i] / SIMULATIONS)
        for i, name in enumerate(names)
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


def _gap(name: str, n: int, gaps: Floats, largest: Floats, mean: Floats) -> GroupGap:
    beyond = np.abs(gaps) > largest
    return GroupGap(
        group=name,
        n=n,
        gaps=dict(zip(MEASURES, gaps.tolist(), strict=True)),
        thresholds=dict(zip(MEASURES, largest.tolist(), strict=True)),
        random=dict(zip(MEASURES, mean.tolist(), strict=True)),
        findings={
            measure: "beyond" if far else "within"
            for measure, far in zip(MEASURES, beyond.tolist(), strict=True)
        },
    )
