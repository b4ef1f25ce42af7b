"""The runs of a stress test -> what each perturbation does to a model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.groups import Fairness, fairness_of
from serval.scores import HEADLINES
from serval.scores.chance import SIMULATIONS, random_predictions
from serval.scores.metrics import Margins
from serval.scores.stats import UNDEFINED, Difference, Interval, Verdict, holm
from serval.stress.against import SuiteComparison, against_of
from serval.stress.panel import (
    MIN_CLIPS_OF_LABEL,
    early_verdict,
    estimated,
    groups_of_cases,
    judged_clips,
    metric_columns,
    panel_of,
    verdict_of,
)
from serval.stress.runs import refuse_unanswered
from serval.stress.suite import RULES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from serval.scores.paired import PanelEstimates
    from serval.stress.invariance import Invariance
    from serval.stress.panel import StressPanel
    from serval.stress.runs import StressRuns
    from serval.stress.suite import Case

    Ids = NDArray[np.int64]
    Floats = NDArray[np.float64]


NAN = float("nan")
UNKNOWN = Difference(value=NAN, low=NAN, high=NAN, standard_error=NAN, p=NAN, detectable=NAN)


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
            alone; `cannot tell` where there is no such label, or where it is kept on what is left
            of clips of which some fail under it that do not fail clean.
        sure: Whether the intervals lie wholly on that side of the thresholds.
        lost: Whether it cannot be told for that second reason.
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
    lost: bool = False
    asked: int = 0

    @property
    def verdict(self) -> Verdict | None:
        """Whether the rule is kept, as the intervals decide it; `None` without a rule."""
        if self.outcome == "no threshold":
            return None
        return self.outcome if self.sure else "cannot tell"

    @property
    def reason(self) -> str:
        """Why the verdict is `cannot tell`, else an empty text."""
        if self.verdict != "cannot tell":
            return ""
        if self.lost:
            return "clips fail under it that have an answer when clean"
        if self.outcome == "cannot tell":
            return f"no emotion has {MIN_CLIPS_OF_LABEL} clips"
        return "the interval reaches over the threshold"


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyEffect:
    """The mean over the perturbations of a family that were asked all clips.

    Attributes:
        cases: Number of perturbations, those that were stopped among them.
        change: Perturbed minus clean, in [-1, 1], by name of the metric.
        unchanged: Share of predictions that stay as they are, in [0, 1].
        passed: Perturbations whose rule is kept.
        judged: Perturbations of which it can be told whether their rule is kept.
        cannot_tell: Perturbations with a rule of which it cannot be told.
        lost: Those of them of which clips fail that do not fail clean.
        sure: Those of them whose intervals lie wholly on one side of the thresholds.
    """

    cases: int
    change: Mapping[str, Difference]
    unchanged: Interval
    passed: int
    judged: int
    cannot_tell: int
    lost: int
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
            **_unless_lost(verdict_of(case, deciding, i), stress, case),
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
        **_unless_lost(decided, stress, case),
    )


def _unless_lost(verdict: dict[str, Any], stress: StressRuns, case: Case) -> dict[str, Any]:
    """Return a verdict; a kept rule cannot be told where clips fail that do not fail clean."""
    if verdict["outcome"] == "pass" and case.name in stress.newly_failed:
        return {"outcome": "cannot tell", "sure": False, "lost": True}
    return verdict


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
                metric: UNKNOWN if row is None else found.difference("family change", row, j)
                for j, metric in enumerate(HEADLINES)
            },
            unchanged=UNDEFINED if row is None else found.interval("family unchanged", row),
            passed=outcomes.count("pass"),
            judged=outcomes.count("pass") + outcomes.count("fail"),
            cannot_tell=outcomes.count("cannot tell"),
            lost=sum(effects[i].lost for i in places),
            sure=sum(effects[i].sure for i in places),
        )
    return families


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
    refuse_unanswered(stress, [case.name for case in stress.whole])
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
