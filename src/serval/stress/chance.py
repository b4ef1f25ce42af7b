"""What a model that guesses gets out of the same suite, on as many clips of the same classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serval.scores import HEADLINES, guessable
from serval.scores.metrics import Margins
from serval.stress.cases import RULES, Rule
from serval.stress.panel import metric_columns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["SIMULATIONS", "Guess", "Guessing", "guessed_margins", "guessing_of", "kept"]

SIMULATIONS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """The mean over the simulations, and where 95 % of them lie."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Guessing:
    """A random model: it draws each label that occurs equally often, anew for each perturbation.

    Attributes:
        scores: By name of the metric.
        change: Perturbed minus clean, by name of the metric.
        unchanged: Share of equal predictions.
        passes: Probability that it keeps a rule, by name of the rule.
    """

    scores: Mapping[str, Guess]
    change: Mapping[str, Guess]
    unchanged: Guess
    passes: Mapping[str, float]


def guessing_of(truth: NDArray[np.int64], k: int, *, seed: int = 0) -> Guessing:
    """Return what `SIMULATIONS` random models get on clips of that truth, `(N,)` label ids.

    Source: audeering ser-tests compares with a random categorical model in the same way.
    """
    rng = np.random.default_rng(seed)
    labels = np.flatnonzero(guessable(np.bincount(truth, minlength=k)))
    clean, other = (
        labels[rng.integers(len(labels), size=(SIMULATIONS, len(truth)))] for _ in range(2)
    )
    scores = metric_columns(guessed_margins(truth, clean, k))
    change = metric_columns(guessed_margins(truth, other, k)) - scores
    same = (clean == other).mean(axis=1)
    return Guessing(
        scores={name: _guess(scores[:, i]) for i, name in enumerate(HEADLINES)},
        change={name: _guess(change[:, i]) for i, name in enumerate(HEADLINES)},
        unchanged=_guess(same),
        passes={
            name: float(np.mean([kept(rule, float(s), float(c)) for s, c in
                                 zip(same, change[:, HEADLINES.index("uar")], strict=True)]))
            for name, rule in RULES.items()
        },
    )  # fmt: skip


def guessed_margins(truth: NDArray[np.int64], predicted: NDArray[np.int64], k: int) -> Margins:
    """Return the margins `(S, K)` of the confusion matrices of `(S, N)` predictions."""
    cells = np.arange(len(predicted))[:, np.newaxis] * k + predicted
    shape = (len(predicted), k)
    hits, given = (
        np.bincount(found.ravel(), minlength=shape[0] * k).reshape(shape)
        for found in (cells[predicted == truth], cells)
    )
    support = np.broadcast_to(np.bincount(truth, minlength=k), shape)
    return Margins(hits=hits, support=support, predictions=given)


def kept(rule: Rule, unchanged: float, uar_change: float) -> bool:
    """Return whether a share of unchanged predictions and a change of UAR keep a rule."""
    enough = rule.uar_change is None or uar_change >= rule.uar_change
    return unchanged >= rule.unchanged and enough


def _guess(draws: Floats) -> Guess:
    low, high = np.quantile(draws, [0.025, 0.975])
    return Guess(value=float(draws.mean()), low=float(low), high=float(high))
