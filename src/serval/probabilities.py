"""From what a model gives to logits, and from logits to probabilities: the one place for both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.errors import AudioError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Logits = NDArray[np.float32]
    Probabilities = NDArray[np.float64]

LARGEST_SCORE = 1 - 2.0**-25
"""A score of 1 counts as this much, which float32 rounds to 1 again, so that no logit is infinite.
"""

SCORE_MARGIN = 1e-3
"""What rounding to 8 bits may put a score beyond 0 or 1."""


def probabilities_of(logits: NDArray[Any], outputs: str = "logits") -> Probabilities:
    """Return probabilities, `(..., K) float64` in [0, 1], of `(..., K)` stored logits.

    For `logits` and `probabilities` that is their softmax, which sums to 1. For `sigmoid` each
    label has a score of its own, whatever the others have: they do not sum to 1, and the
    confidence of an answer is the score of its label.

    Args:
        logits: As a run stores them.
        outputs: `Contract.outputs` of the model.

    Examples:
        >>> probabilities_of(np.float32([0.0, 0.0, 0.0, 0.0]), "logits").tolist()
        [0.25, 0.25, 0.25, 0.25]
        >>> probabilities_of(np.float32([0.0, 0.0, 0.0, 0.0]), "sigmoid").tolist()
        [0.5, 0.5, 0.5, 0.5]
    """
    if outputs == "values":
        return logits.astype(np.float64)
    return _sigmoid(logits) if outputs == "sigmoid" else softmax(logits)


def log_probabilities_of(logits: NDArray[Any], outputs: str = "logits") -> Probabilities:
    """Return the logarithms of `probabilities_of`, exact where a probability rounds to 0.

    Examples:
        >>> log_probabilities_of(np.array([-1000.0, 0.0]), "sigmoid").round(3).tolist()
        [-1000.0, -0.693]
    """
    if outputs == "sigmoid":
        return np.asarray(-np.logaddexp(0.0, -logits.astype(np.float64)))
    from scipy.special import log_softmax  # the first clip need not wait for scipy

    return np.asarray(log_softmax(logits, axis=-1))


def joined_logits(logits: Logits, places: Sequence[Sequence[int]], outputs: str) -> Logits:
    """Return `(L,) float32` logits of labels as which some of `(K,)` outputs count.

    The probability of a label is the sum of those of its outputs; of `sigmoid` scores, which are
    no shares of one, the highest.

    Args:
        logits: As the model gives them.
        places: For each label, the outputs that count as it.
        outputs: `Contract.outputs` of the model.

    Examples:
        >>> joined = joined_logits(np.float32([0.0, 0.0, 0.0]), [[0, 2], [1]], "logits")
        >>> probabilities_of(joined).round(3).tolist()
        [0.667, 0.333]
    """
    join = np.max if outputs == "sigmoid" else np.logaddexp.reduce
    return np.array([join(logits[list(of)]) for of in places], dtype=np.float32)


def outputs_of(model: Mapping[str, Any]) -> str:
    """Return what a stored model's outputs are: `logits` where its facts do not say.

    Args:
        model: `Run.provenance.model`, or the `facts` of an opened model.
    """
    contract = model.get("contract")
    return str(contract.get("outputs", "logits")) if isinstance(contract, Mapping) else "logits"


def softmax(logits: NDArray[Any]) -> Probabilities:
    """Return probabilities, `(..., K) float64` in [0, 1], that sum to 1 over the last axis.

    Examples:
        >>> softmax(np.float32([0.0, 0.0])).tolist()
        [0.5, 0.5]
    """
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


def logits_of_scores(scores: Logits, outputs: str) -> Logits:
    """Return `(B, K) float32` logits of what a model gave, such that `probabilities_of` undoes it.

    Raises:
        AudioError: A model of `sigmoid` scores gave one that is not in [0, 1].

    Examples:
        >>> logits_of_scores(np.float32([[0.5, 1.0]]), "sigmoid").round(2).tolist()
        [[0.0, 17.329999923706055]]
    """
    tiny = np.finfo(np.float32).tiny
    if outputs == "probabilities":
        return np.log(np.maximum(scores, tiny))
    if outputs == "sigmoid":
        if scores.min() < -SCORE_MARGIN or scores.max() > 1 + SCORE_MARGIN:
            raise AudioError(
                f"the model gave scores from {scores.min():.3g} to {scores.max():.3g}, although "
                "they were all between 0 and 1 on the trial when it was opened"
            )
        exact = np.clip(scores.astype(np.float64), tiny, LARGEST_SCORE)
        return np.log(exact / (1 - exact)).astype(np.float32)
    return scores


def _sigmoid(logits: NDArray[Any]) -> Probabilities:
    wide = logits.astype(np.float64)
    small = np.exp(-np.abs(wide))
    return np.asarray(np.where(wide >= 0, 1.0, small) / (1 + small))
