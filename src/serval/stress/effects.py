"""The runs of a stress test -> what each perturbation does to a model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.comparison.align import aligned
from serval.scores import HEADLINES, METRICS
from serval.scores.clusters import clustering_of
from serval.scores.metrics import Tally, margins, recall
from serval.scores.paired import Panel
from serval.scores.stats import Difference, Interval, Verdict, holm
from serval.stress.suite import FAMILIES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from serval.labels import LabelSet
    from serval.run import Run
    from serval.scores.metrics import Margins
    from serval.scores.paired import PanelEstimates
    from serval.stress.runs import StressRuns
    from serval.stress.suite import Case

    Floats = NDArray[np.float64]

__all__ = [
    "ALL",
    "MIN_CLIPS_OF_LABEL",
    "Effect",
    "Effects",
    "FamilyEffect",
    "StressPanel",
    "effects_of",
    "groups_of_cases",
    "metric_columns",
    "panel_of",
]


ALL = "all"
"""The family of every perturbation."""

MIN_CLIPS_OF_LABEL = 10
"""A label of fewer clips decides no verdict: one clip of five moves its recall by 20 points."""


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

    @property
    def verdict(self) -> Verdict | None:
        """Whether the rule is kept, as the intervals decide it; `None` without a rule."""
        if self.outcome == "no threshold":
            return None
        return self.outcome if self.sure else "cannot tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyEffect:
    """The mean over the perturbations of a family.

    Attributes:
        cases: Number of perturbations.
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
        n: Clips that every run predicted.
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
    """Return what every perturbation does, with intervals that know who speaks."""
    panel = panel_of([stress.clean, *stress.runs.values()])
    cases = stress.cases
    groups = groups_of_cases(cases)
    pairs = [(0, row) for row in range(1, len(cases) + 1)]

    def estimated(of: Panel) -> PanelEstimates:
        return of.estimates(pairs, lambda counts, same: _columns(counts, same, groups), seed=seed)

    found, judged = estimated(panel.runs), _judged_clips(panel.runs)
    some = judged.any() and not judged.all()
    deciding = estimated(panel.runs.only(judged)) if some else found if judged.any() else None
    corrected = holm([found.difference("change", i, 1).p for i in range(len(cases))])
    effects = {
        case.name: replace(
            _effect(case, found, i, panel.labels),
            failed=len(stress.runs[case.name].failures),
            p_corrected=float(corrected[i]),
            **_verdict(case, deciding, i),
        )
        for i, case in enumerate(cases)
    }
    return Effects(
        n=len(panel.index),
        clean={name: found.interval("scores", 0, j) for j, name in enumerate(HEADLINES)},
        effects=effects,
        families=_families(groups, found, list(effects.values())),
        judged_labels=tuple(panel.labels[i] for i in np.unique(panel.runs.truth[judged])),
        panel=panel,
    )


def _judged_clips(panel: Panel) -> NDArray[np.bool_]:
    """Return which clips decide verdicts, `(N,)`: those of labels that have enough of them."""
    sizes = np.bincount(panel.truth, minlength=panel.k)
    return np.asarray(sizes[panel.truth] >= MIN_CLIPS_OF_LABEL)


def groups_of_cases(cases: Sequence[Case]) -> dict[str, list[int]]:
    """Return which perturbations each family has, by place, and `all` of them."""
    families = {name: [i for i, case in enumerate(cases) if case.family == name]
                for name in FAMILIES}  # fmt: skip
    return {name: places for name, places in families.items() if places} | {
        ALL: list(range(len(cases)))
    }


def _columns(counts: Margins, same: Floats, groups: Mapping[str, list[int]]) -> dict[str, Floats]:
    scores = metric_columns(counts)
    change = scores[:, 1:] - scores[:, :1]
    return {
        "scores": scores,
        "change": change,
        "unchanged": same,
        "recall": recall(counts),
        "family change": np.stack([change[:, p].mean(axis=1) for p in groups.values()], axis=1),
        "family unchanged": np.stack([same[:, p].mean(axis=1) for p in groups.values()], axis=1),
    }


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


def _verdict(case: Case, deciding: PanelEstimates | None, i: int) -> dict[str, Any]:
    """Return `outcome` and `sure` of one perturbation, from the clips that may decide it."""
    if case.rule is None:
        return {"outcome": "no threshold", "sure": False}
    if deciding is None:
        return {"outcome": "cannot tell", "sure": False}
    unchanged, uar = deciding.interval("unchanged", i), deciding.difference("change", i, 1)
    if case.rule.is_kept(unchanged.value, uar.value):
        return {"outcome": "pass", "sure": case.rule.is_kept(unchanged.low, uar.low)}
    return {"outcome": "fail", "sure": not case.rule.is_kept(unchanged.high, uar.high)}


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
            judged=outcomes.count("pass") + outcomes.count("fail"),
            undecided=outcomes.count("cannot tell"),
            sure=sum(effects[i].sure for i in places),
        )
    return families


@dataclass(frozen=True, slots=True, kw_only=True)
class StressPanel:
    """What several runs said of their common clips.

    Attributes:
        labels: The labels, equal in all runs.
        index: `(N,) int64` positions in the split of the clips that every run predicted.
        runs: The answers; row 0 is the first run's.
    """

    labels: LabelSet
    index: NDArray[np.int64]
    runs: Panel


def panel_of(runs: Sequence[Run]) -> StressPanel:
    """Return the clips that every run predicted, paired as `serval compare` pairs them.

    Raises:
        ConfigError: There is none.
        LabelError: The runs have different labels, or disagree on the truth of a clip.
    """
    clips = aligned(runs)
    return StressPanel(
        labels=clips.labels,
        index=clips.index,
        runs=Panel(
            k=len(clips.labels),
            truth=clips.truth,
            predicted=np.stack([column.predicted for column in clips.columns]),
            clustering=clustering_of(clips.speakers),
        ),
    )


def metric_columns(counts: Tally) -> Floats:
    """Return `HEADLINES` of each matrix of a stack, `(..., H)`."""
    sums = margins(counts)
    return np.stack([METRICS[name].of(sums) for name in HEADLINES], axis=-1)
