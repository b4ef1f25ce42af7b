"""The stored runs of a stress test -> everything that they say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from serval.errors import ConfigError
from serval.groups import Fairness, fairness_of
from serval.stress.against import Against, against_of
from serval.stress.effects import Effects, effects_of
from serval.stress.random_baseline import RandomBaseline, random_baseline_of

if TYPE_CHECKING:
    from serval.stress.invariance import Invariance
    from serval.stress.runs import StressRuns

__all__ = ["Findings", "findings_of"]


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
    against: Against | None
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
    runs = [stress.clean, *stress.runs.values()]
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
