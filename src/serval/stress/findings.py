"""The stored runs of a stress test -> everything that they say, and what a random model gets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serval.errors import ConfigError
from serval.groups import Fairness, fairness_of
from serval.scores import HEADLINES
from serval.scores.chance import SIMULATIONS, random_predictions
from serval.scores.metrics import Margins
from serval.scores.stats import Interval
from serval.stress.against import SuiteComparison, against_of
from serval.stress.effects import Effects, effects_of
from serval.stress.panel import metric_columns
from serval.stress.suite import RULES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from serval.stress.invariance import Invariance
    from serval.stress.runs import StressRuns

    Ids = NDArray[np.int64]
    Floats = NDArray[np.float64]

__all__ = ["Findings", "RandomBaseline", "findings_of", "random_baseline_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """Everything that a stress test says.

    Attributes:
        stress: The stored runs.
        effects: What each perturbation does.
        random: What a random model gets.
        fairness: How far each group of the clean run is from all clips.
        invariance: Whether the model file gives the same clip the same answer, or `None` where it
            was not tried.
        against: What changed from another model, if one was given.
        seed: What every random number was drawn with.
    """

    stress: StressRuns
    effects: Effects
    random: RandomBaseline
    fairness: Fairness
    invariance: Invariance | None
    against: SuiteComparison | None
    seed: int


def findings_of(
    stress: StressRuns,
    *,
    invariance: Invariance | None = None,
    other: StressRuns | None = None,
    seed: int = 0,
) -> Findings:
    """Return everything that stored runs say; neither audio nor model is needed.

    Raises:
        ConfigError: No perturbation was finished or no clip has an answer under all, or the other
            stress test is of other clips.
    """
    if not stress.runs:
        raise ConfigError(f"{stress.folder} has no finished perturbation; run serval stress again")
    runs = [stress.clean, *(stress.runs[case.name] for case in stress.whole)]
    if not set.intersection(*(set(run.clip_ids) for run in runs)):
        raise ConfigError(_no_clip_left(stress))
    effects = effects_of(stress, seed=seed)
    return Findings(
        stress=stress,
        effects=effects,
        random=random_baseline_of(effects.panel.runs.truth, len(stress.clean.labels), seed=seed),
        fairness=fairness_of(stress.clean, seed=seed),
        invariance=invariance,
        against=None if other is None else against_of(stress, other, seed=seed),
        seed=seed,
    )


def _no_clip_left(stress: StressRuns) -> str:
    worst = max(stress.runs, key=lambda name: len(stress.runs[name].failures))
    return (
        f"no clip of {stress.folder} has an answer under every perturbation; most fail under "
        f"{worst}, the first with: {stress.runs[worst].failures[0].reason}; "
        f"leave {worst} out of --suite"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomBaseline:
    """A random model: it draws each label that occurs equally often, anew for each perturbation.

    Attributes:
        scores: The mean over the simulations in [0, 1], and between what 95 % of them lie, by name
            of the metric.
        change: The same of perturbed minus clean, in [-1, 1].
        unchanged: Share of equal predictions, in [0, 1].
        passes: Probability that it keeps a rule, in [0, 1], by name of the rule.
    """

    scores: Mapping[str, Interval]
    change: Mapping[str, Interval]
    unchanged: Interval
    passes: Mapping[str, float]


def random_baseline_of(truth: Ids, k: int, *, seed: int = 0) -> RandomBaseline:
    """Return what `SIMULATIONS` random models get on clips of that truth, `(N,)` label ids.

    Source: audeering ser-tests compares with a random categorical model in the same way.
    """
    rng = np.random.default_rng(seed)
    clean, other = (random_predictions(truth, k, SIMULATIONS, rng) for _ in range(2))
    scores = metric_columns(_margins(truth, clean, k))
    change = metric_columns(_margins(truth, other, k)) - scores
    same = (clean == other).mean(axis=1)
    pairs = list(zip(same.tolist(), change[:, HEADLINES.index("uar")].tolist(), strict=True))
    return RandomBaseline(
        scores={name: _summed_up(scores[:, i]) for i, name in enumerate(HEADLINES)},
        change={name: _summed_up(change[:, i]) for i, name in enumerate(HEADLINES)},
        unchanged=_summed_up(same),
        passes={
            name: float(np.mean([rule.is_kept(*pair) for pair in pairs]))
            for name, rule in RULES.items()
        },
    )


def _margins(truth: Ids, predicted: Ids, k: int) -> Margins:
    """Return the margins `(S, K)` of the confusion matrices of `(S, N)` predictions."""
    cells = np.arange(len(predicted))[:, np.newaxis] * k + predicted
    shape = (len(predicted), k)
    hits, given = (
        np.bincount(found.ravel(), minlength=shape[0] * k).reshape(shape)
        for found in (cells[predicted == truth], cells)
    )
    support = np.broadcast_to(np.bincount(truth, minlength=k), shape)
    return Margins(hits=hits, support=support, predictions=given)


def _summed_up(draws: Floats) -> Interval:
    low, high = np.quantile(draws, [0.025, 0.975])
    return Interval(value=float(draws.mean()), low=float(low), high=float(high))
