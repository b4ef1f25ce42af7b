"""The runs of a stress test -> what each perturbation does to a model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from serval.scores import HEADLINES
from serval.scores.stats import Difference, Interval, Verdict, holm
from serval.stress.panel import (
    early_verdict,
    estimated,
    groups_of_cases,
    judged_clips,
    panel_of,
    verdict_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from serval.scores.paired import PanelEstimates
    from serval.stress.panel import StressPanel
    from serval.stress.runs import StressRuns
    from serval.stress.suite import Case

__all__ = ["Effect", "Effects", "FamilyEffect", "effects_of"]


NAN = float("nan")
UNKNOWN = Difference(value=NAN, low=NAN, high=NAN, standard_error=NAN, p=NAN, detectable=NAN)
NEVER = Interval(value=NAN, low=NAN, high=NAN)
"""Of a family of which every perturbation was stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What one perturbation does.

    Attributes:
        case: The perturbation.
        failed: Clips without an answer under it.
        scores: In [0, 1] by name of the metric, with intervals.
        change: Perturbed minus clean on the same clips, in [-1, 1] by name of the metric.
        p_corrected: That UAR does not change, corrected by Holm for all perturbations.
        unchanged: Share of predictions that stay as they are, in [0, 1].
        recall: Of each label, perturbed minus clean, in [-1, 1]; NaN for a label without clips.
        outcome: Whether the rule is kept, on the labels of at least `MIN_CLIPS_OF_LABEL` clips
            alone; `cannot tell` where there is no such label.
        sure: Whether the intervals lie wholly on that side of the thresholds.
        asked: Clips after which it was stopped, since its verdict was sure or a milder level had
            surely failed; 0 where all clips were asked.
    """

    case: Case
    failed: int
    scores: Mapping[str, Interval]
    change: Mapping[str, Difference]
    p_corrected: float
    unchanged: Interval
    recall: Mapping[str, float]
    outcome: Verdict
    sure: bool
    asked: int = 0

    @property
    def verdict(self) -> Verdict | None:
        """Whether the rule is kept, as the intervals decide it; `None` without a rule."""
        if self.outcome == "no threshold":
            return None
        return self.outcome if self.sure else "cannot tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyEffect:
    """The mean over the perturbations of a family that were asked all clips.

    Attributes:
        cases: Number of perturbations, those that were stopped among them.
        change: Perturbed minus clean, in [-1, 1], by name of the metric.
        unchanged: Share of predictions that stay as they are, in [0, 1].
        passed: Perturbations whose rule is kept.
        judged: Perturbations of which it can be told whether their rule is kept.
        undecided: Perturbations with a rule of which it cannot be told.
        sure: Those of them whose intervals lie wholly on one side of the thresholds.
    """

    cases: int
    change: Mapping[str, Difference]
    unchanged: Interval
    passed: int
    judged: int
    undecided: int
    sure: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """What the suite does to one model.

    Attributes:
        n: Clips that every run predicted that was asked all of them.
        clean: Scores without a perturbation, on these clips.
        effects: By name of the perturbation.
        families: By name; `all` is the mean over all perturbations.
        judged_labels: Those of at least `MIN_CLIPS_OF_LABEL` clips, which decide the verdicts.
        panel: The common clips; row 0 is the clean run, then one row for each perturbation.
    """

    n: int
    clean: Mapping[str, Interval]
    effects: Mapping[str, Effect]
    families: Mapping[str, FamilyEffect]
    judged_labels: tuple[str, ...]
    panel: StressPanel


def effects_of(stress: StressRuns, *, seed: int = 0) -> Effects:
    """Return what every perturbation does, with intervals that know who speaks.

    One that was stopped is compared with the clean run on the clips that it was asked, and is in no
    mean over a family.
    """
    cases = stress.whole
    # Where all were stopped, the clean run beside itself has the clean scores.
    panel = panel_of(
        [stress.clean, *([stress.runs[case.name] for case in cases] or [stress.clean])]
    )
    groups = groups_of_cases(cases)
    found, judged = estimated(panel.runs, groups, seed), judged_clips(panel.runs)
    deciding = found if judged.all() else None
    if judged.any() and not judged.all():
        deciding = estimated(panel.runs.only(judged), groups, seed)
    whole = {
        case.name: replace(
            _effect(case, found, i, panel.labels),
            failed=len(stress.runs[case.name].failures),
            **verdict_of(case, deciding, i),
        )
        for i, case in enumerate(cases)
    }
    effects = _corrected(
        [whole.get(case.name) or _stopped_effect(stress, case, seed) for case in stress.cases]
    )
    return Effects(
        n=len(panel.index),
        clean={name: found.interval("scores", 0, j) for j, name in enumerate(HEADLINES)},
        effects={effect.case.name: effect for effect in effects},
        families=_families(groups, found, effects),
        judged_labels=tuple(panel.labels[i] for i in np.unique(panel.runs.truth[judged])),
        panel=panel,
    )


def _corrected(effects: Sequence[Effect]) -> list[Effect]:
    corrected = holm([effect.change["uar"].p for effect in effects])
    return [replace(one, p_corrected=float(p)) for one, p in zip(effects, corrected, strict=True)]


def _stopped_effect(stress: StressRuns, case: Case, seed: int) -> Effect:
    """Return what a perturbation does on the clips that it was asked."""
    run = stress.runs[case.name]
    panel = panel_of([stress.clean, run])
    level = float(run.provenance.identity["looks"]["level"])
    decided = early_verdict(stress.clean, run, case, level)
    return replace(
        _effect(case, estimated(panel.runs, {}, seed), 0, panel.labels),
        failed=len(run.failures),
        asked=len(run) + len(run.failures),
        **decided,
    )


def _effect(case: Case, found: PanelEstimates, i: int, labels: Sequence[str]) -> Effect:
    """Return what the numbers say of one perturbation, without a verdict."""
    recalls = found.values["recall"]
    return Effect(
        case=case,
        failed=0,
        scores={name: found.interval("scores", i + 1, j) for j, name in enumerate(HEADLINES)},
        change={name: found.difference("change", i, j) for j, name in enumerate(HEADLINES)},
        p_corrected=1.0,
        unchanged=found.interval("unchanged", i),
        recall=dict(zip(labels, (recalls[i + 1] - recalls[0]).tolist(), strict=True)),
        outcome="no threshold",
        sure=False,
    )


def _families(
    means: Mapping[str, list[int]], found: PanelEstimates, effects: Sequence[Effect]
) -> dict[str, FamilyEffect]:
    """Return each family's means, of which `means` has the places, and all its verdicts."""
    families, rows = {}, list(means)
    for name, places in groups_of_cases([effect.case for effect in effects]).items():
        outcomes = [effects[i].outcome for i in places]
        row = rows.index(name) if name in rows else None
        families[name] = FamilyEffect(
            cases=len(places),
            change={
                metric: UNKNOWN
                if row is None
                else found.difference("family change", row, j, runs=len(means[name]))
                for j, metric in enumerate(HEADLINES)
            },
            unchanged=NEVER if row is None else found.interval("family unchanged", row),
            passed=outcomes.count("pass"),
            judged=outcomes.count("pass") + outcomes.count("fail"),
            undecided=outcomes.count("cannot tell"),
            sure=sum(effects[i].sure for i in places),
        )
    return families
