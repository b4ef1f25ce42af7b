"""What perturbations do to a model of dimensions: to its CCC, its mean, and to single clips."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.comparison.dimensions import compare_dimensions
from serval.dimensions import dimension_run
from serval.files import write_json, write_text
from serval.results.dimensions import scores_of_values
from serval.results.document import caveats_of
from serval.results.summary import items
from serval.scores.clusters import clustering_of
from serval.scores.dimensions import MEAN
from serval.scores.uncertainty import share_of
from serval.stress.runs import refuse_unanswered
from serval.stress.suite import WHOSE
from serval.tasks import DIMENSIONAL
from serval.wording import counted, hundredths, markdown_table, markdown_text, numbered, without_nan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from serval.dimensions import DimensionRun
    from serval.scores.dimensions import DimensionScores
    from serval.scores.paired import IntervalChange
    from serval.scores.stats import Interval
    from serval.stress.runs import StressRuns
    from serval.stress.suite import Case

STEP = 0.05
"""A clip that moves by less than this share of the scale counts as unmoved."""

THRESHOLDS = {"ccc": 0.5, "pearson": 0.5, "mae": 0.1}
"""Least CCC and Pearson, and largest MAE as a share of the scale, that are asked of each dimension.

Source: Derington et al. (2023), Testing speech emotion recognition machine learning models.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptThresholds:
    """Whether scores keep `THRESHOLDS` in every dimension.

    Attributes:
        kept: By value.
        sure: Whether no interval reaches over a threshold that decides it.
    """

    kept: bool
    sure: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DimensionEffect:
    """What one perturbation does.

    Attributes:
        case: The perturbation.
        scores: Under it, on all clips that have an answer then.
        change: Perturbed minus clean on the common clips, by dimension and `mean`, then by score;
            that of `bias` is the mean shift of the values.
        unmoved: Share of the common clips that move by less than `STEP` of the scale, by dimension.
        thresholds: Whether the scores keep them.
        failed: Clips without an answer under it.
    """

    case: Case
    scores: DimensionScores
    change: Mapping[str, Mapping[str, IntervalChange]]
    unmoved: Mapping[str, Interval]
    thresholds: KeptThresholds
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DimensionFindings:
    """Everything that a stress test of a model of dimensions says.

    Attributes:
        stress: The stored runs.
        clean: The clean run, on the scale of its set.
        scores: Of it.
        thresholds: Whether these keep them.
        effects: By name of the perturbation.
        seed: What every random number was drawn with.
    """

    stress: StressRuns
    clean: DimensionRun
    scores: DimensionScores
    thresholds: KeptThresholds
    effects: Mapping[str, DimensionEffect]
    seed: int


def dimension_findings(stress: StressRuns, *, seed: int = 0) -> DimensionFindings:
    """Return everything that stored runs of dimensions say; neither audio nor model is needed.

    Raises:
        ConfigError: No clip has an answer both clean and under a perturbation.
    """
    for case in stress.cases or [None]:
        refuse_unanswered(stress, [case.name] if case else [])
    clean = dimension_run(stress.clean)
    scores = scores_of_values(clean)
    return DimensionFindings(
        stress=stress,
        clean=clean,
        scores=scores,
        thresholds=_kept(scores, clean.scale.width),
        effects={case.name: _effect(case, stress, clean) for case in stress.cases},
        seed=seed,
    )


def _effect(case: Case, stress: StressRuns, clean: DimensionRun) -> DimensionEffect:
    run = stress.runs[case.name]
    perturbed = dimension_run(run)
    (against,) = compare_dimensions([stress.clean, run], margin=STEP).against
    scores = scores_of_values(perturbed)
    return DimensionEffect(
        case=case,
        scores=scores,
        change=against.changes,
        unmoved=_unmoved(clean, perturbed),
        thresholds=_kept(scores, clean.scale.width),
        failed=len(run.failures),
    )


def _unmoved(clean: DimensionRun, perturbed: DimensionRun) -> dict[str, Interval]:
    _, mine, its = np.intersect1d(clean.run.index, perturbed.run.index, return_indices=True)
    moved = np.abs(perturbed.predicted[its] - clean.predicted[mine])
    still = moved < STEP * clean.scale.width
    clustering = clustering_of([clean.run.speakers[i] for i in mine.tolist()])
    return {
        name: share_of(column, clustering)
        for name, column in zip(clean.names, still.T, strict=True)
    }


def _kept(scores: DimensionScores, width: float) -> KeptThresholds:
    """Return whether every dimension keeps every threshold, and whether that is sure."""
    sides = [
        _sides(own[key], bound * width if key == "mae" else bound, key)
        for own in scores.per_dimension.values()
        for key, bound in THRESHOLDS.items()
    ]
    values, best, worst = (all(side) for side in zip(*sides, strict=True))
    return KeptThresholds(kept=values, sure=worst if values else not best)


def _sides(score: Interval, bound: float, key: str) -> tuple[bool, bool, bool]:
    """Return whether a score keeps its bound, and whether its better and worse ends do.

    Of a better end that is not known nothing is ruled out.
    """
    if key == "mae":
        return score.value <= bound, not score.low > bound, score.high <= bound
    return score.value >= bound, not score.high < bound, score.low >= bound


def dimension_stress_document(found: DimensionFindings) -> dict[str, Any]:
    """Return the content of `stress.json` of a model of dimensions; undefined is `None`."""
    clean, width = found.stress.clean, found.clean.scale.width
    document = {
        "schema_version": 1,
        "task": DIMENSIONAL.key,
        "model": dict(clean.provenance.model),
        "dataset": dict(clean.provenance.dataset),
        "dimensions": list(found.clean.names),
        "scale": [found.clean.scale.low, found.clean.scale.high],
        "step": STEP * width,
        "thresholds": THRESHOLDS | {"mae": THRESHOLDS["mae"] * width},
        "clips": len(clean),
        "seed": found.seed,
        "clean": _scored_part(found.scores, found.thresholds),
        "cases": {name: _case_part(effect) for name, effect in found.effects.items()},
        "seconds": round(found.stress.seconds, 1),
        "platform": dict(clean.provenance.platform),
        "warnings": caveats_of([clean], [], [*found.scores.warnings, *_warnings(found.stress)]),
        "verdict": dimension_stress_verdict(found),
    }
    return {key: without_nan(value) for key, value in document.items()}


def _warnings(stress: StressRuns) -> Iterator[str]:
    yield from stress.unfinished_warnings()
    yield from stress.lost_warnings("its numbers are over the clips that are left")


def _scored_part(scores: DimensionScores, thresholds: KeptThresholds) -> dict[str, Any]:
    part = asdict(scores)
    return {key: part[key] for key in ("per_dimension", "mean")} | asdict(thresholds)


def _case_part(effect: DimensionEffect) -> dict[str, Any]:
    case = effect.case
    return {
        **{key: getattr(case, key) for key in ("family", "kind", "level", "unit")},
        **{key: case.facts[key] for key in ("function", "parameters")},
        **_scored_part(effect.scores, effect.thresholds),
        "change": {
            name: {key: asdict(one.difference) for key, one in own.items()}
            for name, own in effect.change.items()
        },
        "unmoved": {name: asdict(one) for name, one in effect.unmoved.items()},
        "failed": effect.failed,
    }


def dimension_stress_verdict(found: DimensionFindings) -> list[str]:
    """Return what a reader takes away: how many perturbations it stands, and the worst of them."""
    name, n = found.stress.clean.provenance.model["name"], len(found.stress.clean)
    asked = "CCC and Pearson of at least 0.5 and MAE of at most 10 % of the scale"
    kept = sum(effect.thresholds.kept for effect in found.effects.values())
    clean = "keeps" if found.thresholds.kept else "misses"
    first = (
        f"{name} {clean} the thresholds of {WHOSE} ({asked} in every dimension) on "
        f"{counted(n, 'clean clip')}, and keeps them under {kept} of "
        f"{counted(len(found.effects), 'perturbation')}."
    )
    said = [first]
    fell = [effect for effect in found.effects.values() if _mean_change(effect) < 0]  # not NaN
    if fell:
        worst = min(fell, key=_mean_change)
        gap = asdict(worst.change[MEAN]["ccc"].difference)
        said.append(f"Mean CCC falls most under {worst.case.name}, by {numbered(gap)}.")
    return said


def _mean_change(effect: DimensionEffect) -> float:
    return effect.change[MEAN]["ccc"].difference.value


def dimension_stress_cells(case: Mapping[str, Any]) -> list[str]:
    """Return mean CCC, its change, the mean shift, clips that stay and that fail, and if kept."""
    still = case["unmoved"]
    least = min(still, key=lambda name: still[name]["value"])
    doubt = "" if case["sure"] else "?"
    return [
        numbered({**case["mean"]["ccc"], "low": None}),
        numbered(case["change"][MEAN]["ccc"]),
        numbered({**case["change"][MEAN]["bias"], "low": None}),
        hundredths(still[least]["value"], 0),
        str(case["failed"]),
        f"{'yes' if case['kept'] else 'NO'}{doubt}",
    ]


HEAD = ("Perturbation", "CCC", "change", "shift", "unmoved %", "failed", "kept")


def write_dimension_stress(
    found: DimensionFindings, folder: Path
) -> tuple[dict[str, Any], dict[str, Path]]:
    """Return the document and the path of each file, by kind: `stress.json` and `stress.md`."""
    document = dimension_stress_document(found)
    rows = [[name, *dimension_stress_cells(case)] for name, case in document["cases"].items()]
    step = f"{document['step']:g} on the scale {found.clean.scale}"
    note = (
        "CCC: mean over the dimensions. Change and shift, the mean move of all values: on the "
        f"clips that have both answers. Unmoved: clips that move by less than {step}, in the "
        "dimension that moves most. Failed: clips without an answer under it."
    )
    warnings = items(document["warnings"])
    parts = [
        f"# {markdown_text(str(document['model']['name']))} under perturbations\n",
        *(f"{markdown_text(line)}\n" for line in document["verdict"]),
        f"{note}\n",
        markdown_table(HEAD, rows),
        *(["\n## Before you trust these numbers\n", *warnings] if warnings else []),
    ]
    return document, {
        "stress": write_json(document, folder / "stress.json"),
        "summary": write_text(folder / "stress.md", "\n".join(parts) + "\n"),
    }
