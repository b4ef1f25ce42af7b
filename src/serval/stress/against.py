"""Two models under the same suite: what the second loses where the first does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.comparison import compare
from serval.errors import ConfigError
from serval.scores import HEADLINES
from serval.stress.panel import family_means, groups_of_cases, metric_columns, panel_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from serval.labels import LabelSet
    from serval.scores.metrics import Margins
    from serval.scores.paired import PanelEstimates
    from serval.scores.stats import Difference, Interval
    from serval.stress.runs import StressRuns
    from serval.stress.suite import Case

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseGap:
    """This model minus the other under one condition, on the same perturbed clips.

    Attributes:
        scores: This minus the other, in [-1, 1], by name of the metric.
        extra: This model's change minus the other's, in [-2, 2], by name of the metric: below 0
            the perturbation hurts this more.
        agreement: Share of clips on which both say the same, in [0, 1].
        unchanged: This model's share of unchanged predictions minus the other's, in [-1, 1].
    """

    scores: Mapping[str, Difference]
    extra: Mapping[str, Difference]
    agreement: Interval
    unchanged: Difference


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteComparison:
    """What changed from the other model to this one.

    Attributes:
        model: Name of the other model.
        folder: Where its stress test is stored.
        clips: How many every run of both predicted.
        clean: This minus the other without a perturbation, in [-1, 1], by name of the metric, as
            `serval compare` has it: over all clips that both predicted when clean.
        agreement: Share of unperturbed clips on which both say the same, in [0, 1].
        cases: By perturbation.
        families: The mean over the perturbations of a family; `all` over all.
    """

    model: str
    folder: str
    clips: int
    clean: Mapping[str, Difference]
    agreement: Interval
    cases: Mapping[str, CaseGap]
    families: Mapping[str, CaseGap]


def against_of(this: StressRuns, other: StressRuns, *, seed: int = 0) -> SuiteComparison:
    """Return this model minus the other under every perturbation of which both heard all clips.

    Raises:
        ConfigError: The two have no perturbation in common, or other labels, data or draws.
    """
    provenance = this.clean.provenance
    refuse_other_clips(other, provenance.labels, provenance.identity)
    cases = _common_cases(this, other)
    rows = 1 + len(cases)
    both = [[of.clean, *(of.runs[case.name] for case in cases)] for of in (this, other)]
    panel = panel_of([*both[0], *both[1]])
    clean = compare([other.clean, this.clean]).against[0].scores
    across = [(i, rows + i) for i in range(rows)]
    mine, its = [(0, i) for i in range(1, rows)], [(rows, rows + i) for i in range(1, rows)]
    groups = groups_of_cases(cases)
    found = panel.runs.estimates(
        [*across, *mine, *its], lambda counts, same: _columns(counts, same, groups), seed=seed
    )
    return SuiteComparison(
        model=str(other.clean.provenance.model["name"]),
        folder=str(other.folder),
        clips=len(panel.index),
        clean={name: clean.overall[name].difference for name in HEADLINES},
        agreement=clean.agreement,
        cases={case.name: _gap(found, "", i) for i, case in enumerate(cases)},
        families={name: _gap(found, "family ", i) for i, name in enumerate(groups)},
    )


def _common_cases(this: StressRuns, other: StressRuns) -> list[Case]:
    """Return the perturbations of which both heard all clips, refusing those drawn otherwise."""
    there = {case.name for case in other.whole}
    cases = [case for case in this.whole if case.name in there]
    if not cases:
        stopped = this.stopped or other.stopped
        remedy = "run them without --stop-when-sure" if stopped else "run the same --suite"
        raise ConfigError(
            f"{this.folder} and {other.folder} have no perturbation in common; {remedy}"
        )
    for case in cases:
        _refuse_other_draws(this, other, case.name)
    return cases


def _columns(counts: Margins, same: Floats, groups: Mapping[str, list[int]]) -> dict[str, Floats]:
    rows = counts.support.shape[1] // 2
    scores = metric_columns(counts)
    gap = scores[:, :rows] - scores[:, rows:]
    agreement, mine, its = np.split(same, [rows, 2 * rows - 1], axis=1)
    single = {
        "scores": gap[:, 1:],
        "extra": gap[:, 1:] - gap[:, :1],
        "same": agreement[:, 1:],
        "unchanged": mine - its,
    }
    return {**single, **family_means(single, groups)}


def _gap(found: PanelEstimates, prefix: str, i: int) -> CaseGap:
    return CaseGap(
        scores=_differences(found, f"{prefix}scores", i),
        extra=_differences(found, f"{prefix}extra", i),
        agreement=found.interval(f"{prefix}same", i),
        unchanged=found.difference(f"{prefix}unchanged", i),
    )


def _differences(found: PanelEstimates, name: str, i: int = 0) -> dict[str, Difference]:
    return {metric: found.difference(name, i, j) for j, metric in enumerate(HEADLINES)}


def _refuse_other_draws(this: StressRuns, other: StressRuns, name: str) -> None:
    """Raise where the same perturbation drew other random numbers or has other parameters."""
    mine, its = (of.runs[name].provenance.identity.get("change") for of in (this, other))
    if mine != its:
        raise ConfigError(
            f"{name} in {other.folder} is not the same as in {this.folder}: {its} and {mine}; "
            "run both with one --seed and one version of serval"
        )


def refuse_other_labels(other: str, its: LabelSet, labels: LabelSet) -> None:
    """Raise unless two models have equal labels."""
    if labels != its:
        raise ConfigError(
            f"{other} has the labels {', '.join(its)}, but this model has "
            f"{', '.join(labels)}; compare models with equal labels"
        )


def refuse_other_clips(
    other: StressRuns, labels: LabelSet, identity: Mapping[str, Any], seed: int | None = None
) -> None:
    """Raise unless a stored test has these labels and was run on these clips.

    Args:
        other: The stored test.
        labels: Those of the model that is to be compared with it.
        identity: `dataset`, `split` and `limit` of what that model is run on.
        seed: That of its perturbations, where they are still to be made.

    Raises:
        ConfigError: They differ.
    """
    its = other.clean.provenance
    refuse_other_labels(str(other.folder), its.labels, labels)
    for what in ("dataset", "split", "limit"):
        if identity[what] != its.identity[what]:
            both = "" if what == "dataset" else f" ({its.identity[what]}, not {identity[what]})"
            raise ConfigError(
                f"{other.folder} was run on another {what}{both}; run both on the same clips"
            )
    changes = (run.provenance.identity.get("change", {}) for run in other.runs.values())
    drawn = next((change.get("seed") for change in changes), None)
    if seed is not None and drawn is not None and drawn != seed:
        raise ConfigError(f"{other.folder} was made with --seed {drawn}, not {seed}; give that one")
