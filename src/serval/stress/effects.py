"""The runs of a stress test -> what each perturbation does to a model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from serval.scores import HEADLINES
from serval.scores.metrics import macro, recall
from serval.scores.stats import Difference, Interval, Outcome, holm
from serval.stress.chance import kept
from serval.stress.panel import StressPanel, metric_columns, panel_of
from serval.stress.suite import FAMILIES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from serval.scores.metrics import Margins
    from serval.scores.paired import PanelEstimates
    from serval.stress.cases import Case
    from serval.stress.runs import StressRuns

    Floats = NDArray[np.float64]

__all__ = [
    "ALL",
    "DECIDING_CLIPS",
    "Effect",
    "Effects",
    "FamilyEffect",
    "effects_of",
    "groups_of_cases",
]

ALL = "all"
"""The family of every perturbation."""

DECIDING_CLIPS = 10
"""A label with fewer clips decides no verdict: one clip of it moves its recall by ten points."""

Judgement = Literal["pass", "fail", "no threshold"]


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
        outcome: Whether the values keep the rule.
        sure: Whether the intervals lie wholly on that side of the thresholds.
    """

    case: Case
    failed: int
    scores: Mapping[str, Interval]
    change: Mapping[str, Difference]
    p_corrected: float
    unchanged: Interval
    recall: Mapping[str, float]
    outcome: Judgement
    sure: bool

    @property
    def verdict(self) -> Outcome | None:
        """Whether the rule is kept, as the intervals decide it; `None` without a rule."""
        if self.outcome == "no threshold":
            return None
        return self.outcome if self.sure else "cannot tell"


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
    panel: StressPanel


def effects_of(stress: StressRuns, *, seed: int = 0) -> Effects:
    """Return what every perturbation does, with intervals that know who speaks."""
    panel = panel_of([stress.clean, *stress.runs.values()])
    cases = stress.cases
    groups = groups_of_cases(cases)
    pairs = [(0, row) for row in range(1, len(cases) + 1)]
    judged = _judging(panel)
    found = panel.runs.estimates(
        pairs, lambda counts, same: _columns(counts, same, groups, judged), seed=seed
    )
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
        clean={name: found.interval("scores", 0, j) for j, name in enumerate(HEADLINES)},
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


def _judging(panel: StressPanel) -> NDArray[np.bool_]:
    """Return which labels have clips enough to decide a verdict, `(K,)`."""
    return np.bincount(panel.runs.truth, minlength=len(panel.labels)) >= DECIDING_CLIPS


def _columns(
    counts: Margins, same: Floats, groups: Mapping[str, list[int]], judged: NDArray[np.bool_]
) -> dict[str, Floats]:
    scores, recalls = metric_columns(counts), recall(counts)
    change = scores[:, 1:] - scores[:, :1]
    decided = macro(recalls, judged & ~np.isnan(recalls))
    return {
        "scores": scores,
        "change": change,
        "judged change": decided[:, 1:] - decided[:, :1],
        "unchanged": same,
        "recall": recalls,
        "family change": np.stack([change[:, p].mean(axis=1) for p in groups.values()], axis=1),
        "family unchanged": np.stack([same[:, p].mean(axis=1) for p in groups.values()], axis=1),
    }


def _effect(
    case: Case,
    found: PanelEstimates,
    i: int,
    p_corrected: float,
    recall: Mapping[str, float],
    failed: int,
) -> Effect:
    change = {name: found.difference("change", i, j) for j, name in enumerate(HEADLINES)}
    unchanged = found.interval("unchanged", i)
    outcome, sure = _judged(case, unchanged, found.difference("judged change", i))
    return Effect(
        case=case,
        failed=failed,
        scores={name: found.interval("scores", i + 1, j) for j, name in enumerate(HEADLINES)},
        change=change,
        p_corrected=p_corrected,
        unchanged=unchanged,
        recall=recall,
        outcome=outcome,
        sure=sure,
    )


def _judged(case: Case, unchanged: Interval, uar: Difference) -> tuple[Judgement, bool]:
    """Return what the values say of a rule, and whether the intervals say the same.

    Args:
        case: With its rule.
        unchanged: Share of equal predictions.
        uar: Change of UAR over the labels with clips enough; NaN if there are none, which decides
            nothing.
    """
    if case.rule is None:
        return "no threshold", False
    known = not np.isnan(uar.value)
    rule = case.rule if known else replace(case.rule, uar_change=None)
    sure = known or case.rule.uar_change is None
    if kept(rule, unchanged.value, uar.value):
        return "pass", sure and kept(rule, unchanged.low, uar.low)
    return "fail", not kept(rule, unchanged.high, uar.high)


def _families(
    groups: Mapping[str, list[int]], found: PanelEstimates, effects: Sequence[Effect]
) -> dict[str, FamilyEffect]:
    families = {}
    for row, (name, places) in enumerate(groups.items()):
        outcomes = [effects[i].outcome for i in places]
        families[name] = FamilyEffect(
            cases=len(places),
            change={
                metric: found.difference("family change", row, j, runs=max(1, len(places)))
                for j, metric in enumerate(HEADLINES)
            },
            unchanged=found.interval("family unchanged", row),
            passed=outcomes.count("pass"),
            judged=len(outcomes) - outcomes.count("no threshold"),
            sure=sum(effects[i].sure for i in places),
        )
    return families
