"""Confusion matrix -> scores. The counts are made once; every score is a pure function of them.

One rule on what is averaged: macro scores run over the classes with truth clips. Precision of
such a class that was never predicted counts as 0, as in scikit-learn with `zero_division=0`.

Every function but `confusion_matrix` and `classification_report` also takes a stack of matrices,
`(..., K, K)`, and then returns one score for each: a bootstrap scores thousands at once with the
very functions that made the point estimate. They need no more of a matrix than its diagonal and
its margins, and take those too: 3 K numbers instead of K x K.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from serval.errors import LabelError

if TYPE_CHECKING:
    from serval.labels import LabelSet

Counts = NDArray[Any]
"""`(K, K) int64`; `counts[t, p]` clips of truth `t` were predicted as `p`. Resampled and expected
counts are stacks `(..., K, K)`, `int64` or `float64`."""


@dataclass(frozen=True, kw_only=True)
class Margins:
    """What the scores need of a confusion matrix, or of a stack of them.

    The scores of each class are made once, for there are several means of each.

    Attributes:
        hits: `(..., K)` clips of each class that were found.
        support: `(..., K)` truth clips of each class.
        predictions: `(..., K)` clips predicted as each class.
    """

    hits: NDArray[Any]
    support: NDArray[Any]
    predictions: NDArray[Any]

    @cached_property
    def recall(self) -> PerClass:
        """See the function of this name."""
        return ratio(self.hits, self.support)

    @cached_property
    def precision(self) -> PerClass:
        """See the function of this name."""
        share = ratio(self.hits, self.predictions)
        return np.where((self.support > 0) & np.isnan(share), 0.0, share)

    @cached_property
    def f1(self) -> PerClass:
        """See the function of this name."""
        return ratio(2 * self.hits, self.predictions + self.support)


Tally: TypeAlias = Counts | Margins
"""A confusion matrix or its margins: every score takes either."""

PerClass = NDArray[np.float64]
"""`(K,) float64`, or `(..., K)` of a stack; NaN where the score is not defined for a class."""

Score: TypeAlias = Any
"""`float` of one matrix; `(...) float64` of a stack, NaN where the score is not defined."""


def confusion_matrix(truth: ArrayLike, predicted: ArrayLike, labels: LabelSet) -> Counts:
    """Return the `(K, K) int64` counts, rows truth, columns predicted; zeros on empty input.

    Source: equals `sklearn.metrics.confusion_matrix(truth, predicted, labels=range(K))`.

    Args:
        truth: `(N,)` label ids in [0, K).
        predicted: `(N,)` label ids in [0, K).
        labels: The K labels.

    Raises:
        LabelError: The two differ in length, or an id is out of range.

    Examples:
        >>> from serval.labels import LabelSet
        >>> confusion_matrix([0, 0, 1], [0, 1, 1], LabelSet(["a", "b"])).tolist()
        [[1, 1], [0, 1]]
    """
    rows, columns = np.asarray(truth, dtype=np.int64), np.asarray(predicted, dtype=np.int64)
    if rows.shape != columns.shape:
        raise LabelError(f"{rows.size} truth labels but {columns.size} predicted labels")
    k = len(labels)
    if rows.size and not (
        0 <= min(rows.min(), columns.min()) <= max(rows.max(), columns.max()) < k
    ):
        raise LabelError(f"label ids must lie in 0..{k - 1}")
    return np.bincount(rows * k + columns, minlength=k * k).reshape(k, k)


def margins(counts: Tally) -> Margins:
    """Return the diagonal, the row sums and the column sums of each matrix.

    Examples:
        >>> margins(np.array([[3, 1], [0, 2]])).predictions.tolist()
        [3, 3]
    """
    if isinstance(counts, Margins):
        return counts
    return Margins(
        hits=np.diagonal(counts, axis1=-2, axis2=-1),
        support=np.asarray(counts.sum(axis=-1)),
        predictions=np.asarray(counts.sum(axis=-2)),
    )


def support(counts: Tally) -> NDArray[Any]:
    """Return the number of truth clips of each class, `(..., K)`."""
    return margins(counts).support


def predictions(counts: Tally) -> NDArray[Any]:
    """Return how many clips were predicted as each class, `(..., K)`."""
    return margins(counts).predictions


def wa(counts: Tally) -> Score:
    """Return weighted accuracy = accuracy = share of clips that are right, in [0, 1]; NaN if none.

    Source: `sklearn.metrics.accuracy_score`; called WA or WAR in speech emotion papers.

    Examples:
        >>> wa(np.array([[3, 1], [0, 0]]))
        0.75
    """
    return _plain(ratio(_hits(counts).sum(axis=-1), support(counts).sum(axis=-1)))


def recall(counts: Tally) -> PerClass:
    """Return the share of each class's truth clips that was found; NaN without truth clips.

    Source: `sklearn.metrics.recall_score(average=None)`.

    Examples:
        >>> recall(np.array([[3, 1], [0, 0]])).tolist()
        [0.75, nan]
    """
    return margins(counts).recall


def precision(counts: Tally) -> PerClass:
    """Return the share of each class's predictions that was right.

    0 for a class that has truth clips and was never predicted; NaN for one that has neither.

    Source: `sklearn.metrics.precision_score(average=None, zero_division=0)`.

    Examples:
        >>> precision(np.array([[3, 1, 0], [2, 0, 0], [0, 0, 0]])).tolist()
        [0.6, 0.0, nan]
    """
    return margins(counts).precision


def f1(counts: Tally) -> PerClass:
    """Return 2TP / (2TP + FP + FN) of each class; NaN for one neither in truth nor predicted.

    Source: `sklearn.metrics.f1_score(average=None)`.

    Examples:
        >>> f1(np.array([[3, 1], [0, 0]])).round(3).tolist()
        [0.857, 0.0]
    """
    return margins(counts).f1


def macro(per_class: PerClass, classes: NDArray[np.bool_]) -> Score:
    """Return the mean of a per-class score over `classes`, undefined scores as 0; NaN if none.

    Source: `sklearn.metrics.precision_recall_fscore_support(average="macro", zero_division=0)`:
    with `labels=` the classes of the truth for `in_truth(counts)`, and with its default `labels`
    for `occurring(counts)`.

    Args:
        per_class: `(..., K)` scores.
        classes: `(..., K)` which classes to average: `in_truth(counts)` or `occurring(counts)`.

    Examples:
        >>> macro(np.array([1.0, 0.5, np.nan]), np.array([True, True, False]))
        0.75
    """
    total = np.where(classes & ~np.isnan(per_class), per_class, 0.0).sum(axis=-1)
    return _plain(ratio(total, classes.sum(axis=-1)))


def in_truth(counts: Tally) -> NDArray[np.bool_]:
    """Return which classes have truth clips, `(..., K) bool`: UAR and macro F1 average these."""
    return support(counts) > 0


def occurring(counts: Tally) -> NDArray[np.bool_]:
    """Return which classes occur in truth or predictions, `(..., K)`: scikit-learn's default."""
    return np.asarray((support(counts) > 0) | (predictions(counts) > 0))


def weighted(per_class: PerClass, counts: Tally) -> Score:
    """Return the mean of a per-class score weighted by truth clips; NaN if there are none.

    Source: `sklearn.metrics.precision_recall_fscore_support(average="weighted")`.

    Examples:
        >>> weighted(np.array([1.0, 0.5]), np.array([[3, 0], [0, 1]]))
        0.875
    """
    share = support(counts)
    total = (np.where(np.isnan(per_class), 0.0, per_class) * share).sum(axis=-1)
    return _plain(ratio(total, share.sum(axis=-1)))


def uar(counts: Tally) -> Score:
    """Return unweighted average recall over the classes with truth clips, in [0, 1].

    Source: Schuller et al., The INTERSPEECH 2009 Emotion Challenge; equals
    `sklearn.metrics.balanced_accuracy_score`.

    Examples:
        >>> uar(np.array([[1, 0, 1], [0, 2, 0], [0, 0, 0]]))
        0.75
    """
    return macro(recall(counts), in_truth(counts))


def macro_f1(counts: Tally) -> Score:
    """Return the mean F1 over the classes with truth clips, in [0, 1].

    Source: `sklearn.metrics.f1_score(average="macro", labels=present)`.

    Examples:
        >>> round(macro_f1(np.array([[1, 0, 1], [0, 2, 0], [0, 0, 0]])), 3)
        0.833
    """
    return macro(f1(counts), in_truth(counts))


def weighted_f1(counts: Tally) -> Score:
    """Return the F1 of each class weighted by its truth clips, in [0, 1].

    Source: `sklearn.metrics.f1_score(average="weighted")`.

    Examples:
        >>> weighted_f1(np.diag([5, 1]))
        1.0
    """
    return weighted(f1(counts), counts)


def macro_precision(counts: Tally) -> Score:
    """Return the mean precision over the classes with truth clips, in [0, 1].

    Source: `sklearn.metrics.precision_score(average="macro", labels=present, zero_division=0)`.

    Examples:
        >>> macro_precision(np.array([[2, 2], [0, 4]])).__round__(3)
        0.833
    """
    return macro(precision(counts), in_truth(counts))


def weighted_precision(counts: Tally) -> Score:
    """Return the precision of each class weighted by its truth clips, in [0, 1].

    Source: `sklearn.metrics.precision_score(average="weighted", zero_division=0)`.

    Examples:
        >>> weighted_precision(np.diag([5, 1]))
        1.0
    """
    return weighted(precision(counts), counts)


def classification_report(counts: Counts, labels: LabelSet) -> dict[str, Any]:
    """Return per-class and averaged scores in the shape that scikit-learn's report has.

    Source: `sklearn.metrics.classification_report(labels=range(K), target_names=labels,
    output_dict=True, zero_division=0)`: here, and only here, macro runs over all K classes and an
    undefined score is 0, because scripts that read this block expect exactly that.

    Examples:
        >>> from serval.labels import LabelSet
        >>> report = classification_report(np.diag([2, 1]), LabelSet(["a", "b"]))
        >>> report["a"]
        {'precision': 1.0, 'recall': 1.0, 'f1-score': 1.0, 'support': 2}
        >>> report["accuracy"]
        1.0
    """
    scores = _defined(counts)
    report: dict[str, Any] = dict(zip(labels, class_report(counts), strict=True))
    total = {"support": int(support(counts).sum())}
    report["accuracy"] = wa(counts)
    report["macro avg"] = {name: float(values.mean()) for name, values in scores.items()} | total
    report["weighted avg"] = {name: weighted(v, counts) for name, v in scores.items()} | total
    return report


def class_report(counts: Counts) -> list[dict[str, float]]:
    """Return the scores of each of K classes as `classification_report` has them."""
    scores = _defined(counts)
    return [
        {name: float(values[i]) for name, values in scores.items()} | {"support": int(n)}
        for i, n in enumerate(support(counts))
    ]


def _defined(counts: Counts) -> dict[str, NDArray[np.float64]]:
    """Return `(K,)` precision, recall and F1, 0 where one is undefined."""
    columns = {"precision": precision(counts), "recall": recall(counts), "f1-score": f1(counts)}
    return {name: np.nan_to_num(values) for name, values in columns.items()}


def _hits(counts: Tally) -> NDArray[Any]:
    return margins(counts).hits


def ratio(part: NDArray[Any], whole: NDArray[Any]) -> NDArray[np.float64]:
    """Return `part / whole`, NaN where `whole` is not above 0; the shape of both."""
    undefined = np.full(np.shape(whole), np.nan)
    return np.asarray(np.divide(part, whole, out=undefined, where=np.asarray(whole) > 0))


def _plain(score: NDArray[np.float64]) -> Score:
    return float(score) if score.ndim == 0 else score
