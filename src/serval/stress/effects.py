"""The runs of a stress test -> what each perturbation does to a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from serval.scores.stats import Difference, Interval, holm
from serval.stress.chance import kept
from serval.stress.panel import METRICS, Estimates, Panel, metric_columns, panel_of
from serval.stress.suite import FAMILIES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from serval.scores.metrics import Counts
    from serval.stress.cases import Case
    from serval.stress.runs import StressRuns

    Floats = NDArray[np.float64]

__all__ = ["ALL", "Effect", "Effects", "FamilyEffect", "effects_of", "groups_of_cases"]

ALL = "all"
"""The family of every perturbation."""

Outcome = Literal["pass", "fail", "no threshold"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What one perturbation does.

    Attributes:
        case: The perturbation.
        failed: Clips without an answer under it.
        scores: By name of the metric, with intervals.
        change: Perturbed minus clean on the same clips, by name of the metric.
        p_corrected: That UAR does not change, corrected by Holm for all perturbations.
        unchanged: Share of predictions that stay as they are.
        recall: Of each label, perturbed minus clean; NaN for a label without clips.
        outcome: Whether the rule is kept.
        sure: Whether the intervals lie wholly on that side of the thresholds.
    """

    case: Case
    failed: int
    scores: Mapping[str, Interval]
    change: Mapping[str, Difference]
    p_corrected: float
    unchanged: Interval
    recall: Mapping[str, float]
    outcome: Outcome
    sure: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyEffect:
    """The mean over the perturbations of a family.

    Attributes:
        cases: How many.
        change: By name of the metric.
        unchanged: Share of predictions that stay as they are.
        passed: Perturbations whose rule is kept.
        judged: Perturbations with a rule.
        sure: Those of them whose intervals lie wholly on one side of the thresholds.
    """

    cases: int
    change: Mapping[str, Difference]
    unchanged: Interval
    passed: int
    judged: int
    sure: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """What the suite does to one model.

    Attributes:
        n: Clips that every run predicted.
        clean: Scores without a perturbation, on these clips.
        effects: By name of the perturbation.
        families: By name; `all` is the mean over all perturbations.
        panel: The common clips; row 0 is the clean run, then one row for each perturbation.
    """

    n: int
    clean: Mapping[str, Interval]
    effects: Mapping[str, Effect]
    families: Mapping[str, FamilyEffect]
    panel: Panel


def effects_of(stress: StressRuns, *, seed: int = 0) -> Effects:
    """Return what every perturbation does, with intervals that know who speaks."""
    panel = panel_of([stress.clean, *stress.runs.values()])
    cases = stress.cases
    groups = groups_of_cases(cases)
    pairs = [(0, row) for row in range(1, len(cases) + 1)]
    found = panel.estimates(pairs, lambda counts, same: _columns(counts, same, groups), seed=seed)
    corrected = holm([found.difference("change", i, 1).p for i in range(len(cases))])
    recalls = found.values["recall"]
    effects = {
        case.name: _effect(case, found, i, float(corrected[i]),
                           dict(zip(panel.labels, (recalls[i + 1] - recalls[0]).tolist(),
                                    strict=True)),
                           len(stress.runs[case.name].failures))
        for i, case in enumerate(cases)
    }  # fmt: skip
    return Effects(
        n=len(panel.index),
        clean={name: found.interval("scores", 0, j) for j, name in enumerate(METRICS)},
        effects=effects,
        families=_families(groups, found, list(effects.values())),
        panel=panel,
    )


def groups_of_cases(cases: Sequence[Case]) -> dict[str, list[int]]:
    """Return which perturbations each family has, by place, and `all` of them."""
    families = {name: [i for i, case in enumerate(cases) if case.family == name]
                for name in FAMILIES}  # fmt: skip
    return {name: places for name, places in families.items() if places} | {
        ALL: list(range(len(cases)))
    }


def _columns(counts: Counts, same: Floats, groups: Mapping[str, list[int]]) -> dict[str, Floats]:
    scores = metric_columns(counts)
    change = scores[:, 1:] - scores[:, :1]
    truth = counts.sum(axis=-1)
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    undefined = np.full(truth.shape, np.nan)
    return {
        "scores": scores,
        "change": change,
        "unchanged": same,
        "recall": np.divide(hits, truth, out=undefined, where=truth > 0),
        "family change": np.stack([change[:, p].mean(axis=1) for p in groups.values()], axis=1),
        "family unchanged": np.stack([same[:, p].mean(axis=1) for p in groups.values()], axis=1),
    }


def _effect(
    case: Case,
    found: Estimates,
    i: int,
    p_corrected: float,
    recall: Mapping[str, float],
    failed: int,
) -> Effect:
    change = {name: found.difference("change", i, j) for j, name in enumerate(METRICS)}
    unchanged = found.interval("unchanged", i)
    outcome, sure = _judged(case, unchanged, change["uar"])
    return Effect(
        case=case,
        failed=failed,
        scores={name: found.interval("scores", i + 1, j) for j, name in enumerate(METRICS)},
        change=change,
        p_corrected=p_corrected,
        unchanged=unchanged,
        recall=recall,
        outcome=outcome,
        sure=sure,
    )


def _judged(case: Case, unchanged: Interval, uar: Difference) -> tuple[Outcome, bool]:
    if case.rule is None:
        return "no threshold", False
    if kept(case.rule, unchanged.value, uar.value):
        return "pass", kept(case.rule, unchanged.low, uar.low)
    return "fail", not kept(case.rule, unchanged.high, uar.high)


def _families(
    groups: Mapping[str, list[int]], found: Estimates, effects: Sequence[Effect]
) -> dict[str, FamilyEffect]:
    families = {}
    for row, (name, places) in enumerate(groups.items()):
        outcomes = [effects[i].outcome for i in places]
        families[name] = FamilyEffect(
            cases=len(places),
            change={
                metric: found.difference("family change", row, j, runs=max(1, len(places)))
                for j, metric in enumerate(METRICS)
            },
            unchanged=found.interval("family unchanged", row),
            passed=outcomes.count("pass"),
            judged=len(outcomes) - outcomes.count("no threshold"),
            sure=sum(effects[i].sure for i in places),
        )
    return families
