"""The random baseline, and answers that cannot be right: one meaning of chance for every room.

A random answer is a label that the set has. On four emotions it is right in one of four, whatever
else the model could say.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.probabilities import outputs_of, probabilities_of
from serval.scores.metrics import Counts, margins, support
from serval.scores.registry import METRICS
from serval.scores.uncertainty import share_of
from serval.wording import counted, percent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from serval.run import Run
    from serval.scores.clusters import Clustering
    from serval.scores.stats import Interval

    Ids = NDArray[np.int64]

ALPHA = 0.05
"""How often chance alone may be taken for a gap, over all columns of groups together."""

WORTH_FINDING = 0.10
"""A gap of 10 points: where one of this size would be missed, the verdict is `cannot tell`."""

SIMULATIONS = 1000
"""Random models whose scores are simulated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """Answers that are labels which no clip of the set has, and what a free choice costs.

    Attributes:
        n: How many answers are.
        labels: Those answers, the most frequent first.
        among: The labels that the set has.
        accuracy: Where the model may choose among those only.
    """

    n: int
    labels: tuple[str, ...]
    among: tuple[str, ...]
    accuracy: Interval

    def warnings(self, clips: int) -> Iterator[str]:
        """Yield what a reader must know, if there is any such answer."""
        if self.n:
            span = f"{percent(self.accuracy.low)} to {percent(self.accuracy.high)}"
            yield (
                f"{self.n} of {clips} answers are labels that no scored clip has "
                f"({', '.join(self.labels)}) and cannot be right; choosing among the others "
                f"({counted(len(self.among), 'label')}) only, the model is right in "
                f"{percent(self.accuracy.value)} (95 % interval {span})."
            )


def baseline_labels(truth_counts: NDArray[Any]) -> NDArray[np.bool_]:
    """Return from which of K labels random answers are drawn: the truth's, all if that is but one.

    Args:
        truth_counts: `(K,)` truth clips of each label.

    Examples:
        >>> [baseline_labels(np.array(n)).tolist() for n in ([3, 0, 2], [3, 0, 0])]
        [[True, False, True], [True, True, True]]
    """
    occur = np.asarray(truth_counts) > 0
    return occur if occur.sum() > 1 else np.ones(len(occur), dtype=bool)


def chance(truth_counts: NDArray[Any]) -> float:
    """Return the accuracy and UAR of the random baseline, in (0, 1].

    Examples:
        >>> chance(np.array([3, 0, 2]))
        0.5
    """
    return 1 / int(baseline_labels(truth_counts).sum())


def random_uar(truth: Ids, k: int) -> float:
    """Return the UAR of a random model on clips, in (0, 1].

    Args:
        truth: `(N,)` label ids in [0, k).
        k: Number of labels.

    Examples:
        >>> random_uar(np.array([2, 0, 2]), 4)
        0.5
    """
    return chance(np.bincount(truth, minlength=k))


def random_predictions(truth: Ids, k: int, models: int, rng: np.random.Generator) -> Ids:
    """Return what random models say, `(models, N)` label ids, each label equally often.

    Source: audeering ser-tests, the random categorical model.

    Args:
        truth: `(N,)` label ids in [0, k); a random model draws from those that are
            `baseline_labels`.
        k: Number of labels.
        models: Number of random models.
        rng: What the labels are drawn with.

    Examples:
        >>> drawn = random_predictions(np.array([2, 0, 2]), 4, 5, np.random.default_rng(0))
        >>> drawn.shape, sorted(set(drawn.ravel().tolist()))
        ((5, 3), [0, 2])
    """
    labels = np.flatnonzero(baseline_labels(np.bincount(truth, minlength=k)))
    return np.asarray(labels[rng.integers(len(labels), size=(models, len(truth)))])


def baselines_of(counts: Counts) -> dict[str, dict[str, float]]:
    """Return every metric of the random baseline, and of always saying the most frequent label.

    Args:
        counts: `(K, K)` confusion matrix of the clips.
    """
    truth = support(counts).astype(np.float64)
    drawn = baseline_labels(truth)
    uniform = np.outer(truth, drawn / drawn.sum())
    majority = np.zeros(counts.shape)
    majority[:, truth.argmax()] = truth
    return {
        name: {key: float(metric.of(margins(table))) for key, metric in METRICS.items()}
        for name, table in (("random", uniform), ("majority", majority))
    }


def restricted(run: Run) -> Run:
    """Return the run as if only labels that the set has too could win.

    Probabilities are divided by what those labels have together; independent (sigmoid) scores stay
    as they are. The logits of other labels are minus infinity.
    """
    own = baseline_labels(np.bincount(run.truth, minlength=len(run.labels)))
    logits = np.where(own, run.logits, np.float32(-np.inf))
    chosen = np.flatnonzero(own)[np.argmax(np.nan_to_num(run.logits[:, own], nan=-np.inf), axis=1)]
    outputs = outputs_of(run.provenance.model)
    probs = probabilities_of(logits, outputs) if len(run) else run.probs
    return replace(
        run,
        predicted=np.where(own[run.predicted], run.predicted, chosen),
        logits=logits,
        probs=probs.astype(np.float32),
    )


def outside_of(run: Run, clustering: Clustering) -> Outside:
    """Return the answers of a run that are labels which its set does not have."""
    counts = np.bincount(run.truth, minlength=len(run.labels))
    own = np.flatnonzero(baseline_labels(counts))
    elsewhere = run.predicted[~np.isin(run.predicted, own)]
    kinds, times = np.unique(elsewhere, return_counts=True)
    among = np.array_equal(own, np.arange(len(run.labels)))
    chosen = run.predicted if among else restricted(run).predicted
    return Outside(
        n=len(elsewhere),
        labels=tuple(run.labels[int(i)] for i in kinds[np.argsort(-times, kind="stable")]),
        among=tuple(run.labels[int(i)] for i in own),
        accuracy=share_of(chosen == run.truth, clustering),
    )
