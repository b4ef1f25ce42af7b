"""What chance does, decided in one place: the random baseline, and which gap must not be missed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ids = NDArray[np.int64]

__all__ = [
    "ALPHA",
    "POWER",
    "SIMULATIONS",
    "WORTH_FINDING",
    "occurring",
    "random_predictions",
    "random_uar",
]

ALPHA = 0.05
"""How often chance alone may be taken for a gap, over all columns together."""

POWER = 0.80
"""How often a gap of a size would have to be found, for its absence to say anything."""

WORTH_FINDING = 0.10
"""A gap of 10 points: where one of this size would be missed, the verdict is `cannot tell`."""

SIMULATIONS = 1000
"""Random models whose scores are simulated."""


def occurring(truth: Ids, k: int) -> Ids:
    """Return the label ids that a random model draws from: those that occur, or all of one only.

    Args:
        truth: `(N,)` label ids in [0, k).
        k: Number of labels.

    Examples:
        >>> occurring(np.array([2, 0, 2]), 4).tolist(), occurring(np.array([2, 2]), 4).tolist()
        ([0, 2], [0, 1, 2, 3])
    """
    present = np.unique(truth)
    return present if len(present) > 1 else np.arange(k)


def random_uar(truth: Ids, k: int) -> float:
    """Return the UAR of a random model in (0, 1], 1 / the number of labels that it draws from.

    Examples:
        >>> random_uar(np.array([2, 0, 2]), 4)
        0.5
    """
    return 1 / len(occurring(truth, k))


def random_predictions(truth: Ids, k: int, models: int, rng: np.random.Generator) -> Ids:
    """Return what random models say, `(models, N)` label ids, each label equally often.

    Source: audeering ser-tests, the random categorical model.
    """
    labels = occurring(truth, k)
    return np.asarray(labels[rng.integers(len(labels), size=(models, len(truth)))])
