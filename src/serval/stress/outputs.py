"""The files of a stress test: everything that it found as JSON, CSV, markdown and pictures."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.files import write_json, write_text
from serval.plots.stress import HeatMapRow, StressCurve, save_curves, save_heat_map
from serval.results.document import warnings_of
from serval.stress.dimensions import write_dimension_stress
from serval.stress.invariance import EXACT
from serval.stress.panel import EARLY_ERROR, MIN_CLIPS_OF_LABEL
from serval.stress.suite import RULES
from serval.stress.table import case_title, kinds_of, markdown, stress_verdict, write_csv
from serval.tasks import CATEGORICAL, DIMENSIONAL
from serval.wording import counted, percent, without_nan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from serval.groups import Fairness
    from serval.run import Run
    from serval.stress.against import SuiteComparison
    from serval.stress.dimensions import DimensionFindings
    from serval.stress.effects import Effect, Effects, Findings, RandomBaseline
    from serval.stress.panel import StressPanel
    from serval.stress.runs import StressRuns
    from serval.tasks import Task

SCHEMA_VERSION = 1


def stress_document(found: Findings) -> dict[str, Any]:
    """Return the content of `stress.json`; what is not defined is `None`.

    No key has a dot, so that every number has a path: `cases.white_20db.unchanged.value`.
    """
    effects, clean = found.effects, found.stress.clean
    document = {
        "schema_version": SCHEMA_VERSION,
        "model": dict(clean.provenance.model),
        "dataset": dict(clean.provenance.dataset),
        "labels": list(clean.labels),
        "clips": effects.n,
        "clips_clean": len(clean),
        "clips_of_label": _clips_of_label(effects.panel),
        "labels_judged": list(effects.judged_labels),
        "seed": found.seed,
        "clean": {name: asdict(score) for name, score in effects.clean.items()},
        "random": _random(found.random),
        "rules": {name: asdict(rule) for name, rule in RULES.items()},
        "cases": {name: _effect(effect, found.random) for name, effect in
                  effects.effects.items()},
        "families": {name: asdict(family) for name, family in effects.families.items()},
        "fairness": _fairness(found.fairness),
        "invariance": found.invariance and asdict(found.invariance),
        "against": None if found.against is None else _against(found.against),
        "seconds": _seconds(found.stress),
        "platform": dict(clean.provenance.platform),
        "warnings": [*found.stress.unfinished_warnings(), *_stopped(effects), *warnings_of(clean),
                     *effects.panel.runs.clustering.warnings,
                     *_lost(found.stress, effects.n), *_few_clips(effects),
                     *_undone(found.stress)],
    }  # fmt: skip
    plain = {key: without_nan(value) for key, value in document.items()}
    return plain | {"verdict": stress_verdict(plain)}


def _seconds(stress: StressRuns) -> dict[str, Any]:
    return {
        "total": round(stress.seconds, 1),
        "clean": round(stress.clean.seconds, 1),
        "cases": {name: round(run.seconds, 1) for name, run in stress.runs.items()},
    }


def _clips_of_label(panel: StressPanel) -> dict[str, int]:
    sizes = np.bincount(panel.runs.truth, minlength=len(panel.labels))
    return dict(zip(panel.labels, sizes.tolist(), strict=True))


def _effect(effect: Effect, random: RandomBaseline) -> dict[str, Any]:
    part, rule = asdict(effect), effect.case.rule
    return {
        **{key: part["case"][key] for key in ("family", "kind", "level", "unit")},
        **{key: effect.case.facts[key] for key in ("function", "parameters")},
        **part["scores"],
        **{key: part[key] for key in ("change", "p_corrected", "unchanged")},
        "recall_change": part["recall"],
        "failed": effect.failed,
        "rule": rule.name if rule else None,
        "outcome": effect.outcome,
        "passed": {"pass": True, "fail": False}.get(effect.outcome),
        "sure": effect.sure if rule else None,
        "verdict": effect.verdict,
        "reason": effect.reason,
        "lost": effect.lost,
        "random_passes": random.passes[rule.name] if rule else None,
        **({"stopped_after": effect.asked} if effect.asked else {}),
    }


def _random(random: RandomBaseline) -> dict[str, Any]:
    part = asdict(random)
    passes = {name.replace(" ", "_"): share for name, share in random.passes.items()}
    return {**part.pop("scores"), **part, "passes": passes}


def _fairness(fairness: Fairness) -> dict[str, Any]:
    """Return every group, and by column how many are beyond a threshold or cannot be told of."""
    beyond, open_ = {}, {}
    for name, groups in fairness.columns.items():
        found = [set(group.findings.values()) for group in groups]
        beyond[name] = sum("beyond" in of for of in found)
        open_[name] = sum("cannot tell" in of and "beyond" not in of for of in found)
    return {
        "judged": fairness.judged,
        "reason": fairness.reason,
        "beyond": beyond,
        "cannot_tell": open_,
        "columns": {
            name: [asdict(group) for group in groups] for name, groups in fairness.columns.items()
        },
    }


def _against(against: SuiteComparison) -> dict[str, Any]:
    part = asdict(against)
    gaps = {name: {place: gap.pop("scores") | gap for place, gap in part[name].items()}
            for name in ("cases", "families")}  # fmt: skip
    return part | gaps


def _lost(stress: StressRuns, n: int) -> Iterator[str]:
    common = counted(n, "clip that has", "clips that have")
    return stress.lost_warnings(f"every number is over the {common} one under all")


def _few_clips(effects: Effects) -> Iterator[str]:
    """Yield which emotions have so few clips that they decide no threshold."""
    sizes = _clips_of_label(effects.panel)
    few = [f"{label} ({n})" for label, n in sizes.items()
           if n and label not in effects.judged_labels]  # fmt: skip
    rest = ", ".join(effects.judged_labels)
    others = f"the clips of {rest} do" if rest else "none is judged"
    if few:
        yield (
            f"Emotions of fewer than {MIN_CLIPS_OF_LABEL} clips decide no threshold "
            f"({', '.join(few)}); {others}."
        )


def _stopped(effects: Effects) -> Iterator[str]:
    """Yield which perturbations were asked fewer clips, and what that means for the numbers."""
    asked = {name: effect.asked for name, effect in effects.effects.items() if effect.asked}
    names = ", ".join(f"{name} ({counted(n, 'clip')})" for name, n in asked.items())
    if names:
        yield (
            f"Stopped, since the verdict was sure or a milder level had surely failed: {names}. A "
            f"verdict of these is wrong with a chance of {percent(EARLY_ERROR, 1)} at most; their "
            "numbers are of these clips, and in no mean over a family."
        )


def _undone(stress: StressRuns) -> Iterator[str]:
    """Yield which perturbations the model does not even notice; that it keeps a rule says little.

    A model of 8 kHz never had what a low-pass at 7 kHz takes, and one that brings every clip to
    the same peak undoes a gain.
    """
    names = [name for name, run in stress.runs.items() if _largest_move(stress.clean, run) < EXACT]
    if names:
        yield (
            f"No probability moves by {EXACT:g} under {', '.join(names)}: the model's sample rate "
            "or normalization undoes the change before the model hears it, or it is too small to "
            "matter."
        )


def _largest_move(clean: Run, run: Run) -> float:
    _, mine, its = np.intersect1d(clean.index, run.index, return_indices=True)
    return float(np.abs(clean.probs[mine] - run.probs[its]).max(initial=0.0))


SHARED = frozenset({("noise", "dB SNR"), ("time", "samples"), ("time", "%")})
"""Families and units in which the curves of several kinds are drawn in one panel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StressFiles:
    """What a stress test was turned into.

    Attributes:
        document: The content of `stress.json`.
        files: Paths by kind: `stress`, `table`, `summary`, `heat map`, and `curves` if any.
    """

    document: dict[str, Any]
    files: dict[str, Path]


def write_stress(found: Findings | DimensionFindings, folder: Path | None = None) -> StressFiles:
    """Return what was written: JSON, CSV, markdown, a heat map and curves, each whole or not.

    Of dimensions JSON and markdown alone.
    """
    write = WRITERS[found.stress.clean.provenance.task]
    document, files = write(found, folder or found.stress.folder)
    return StressFiles(document=document, files=files)


def _write_emotions(found: Findings, folder: Path) -> tuple[dict[str, Any], dict[str, Path]]:
    document = stress_document(found)
    title = (
        f"{document['model']['name']} on {_set_name(document)}, "
        f"{counted(document['clips'], 'clip')}"
    )
    files = {
        "stress": write_json(document, folder / "stress.json"),
        "table": write_csv(document, folder / "stress.csv"),
        "summary": write_text(folder / "stress.md", markdown(document)),
        "heat map": save_heat_map(
            _heat_map_rows(document),
            document["clips_of_label"],
            title,
            folder / "stress_heatmap.png",
        ),
    }
    curves, picture = _curves(document), folder / "stress_curves.png"
    picture.unlink(missing_ok=True)  # an earlier suite may have had curves
    if curves:
        lines = {"clean": document["clean"]["uar"]["value"],
                 "random": document["random"]["uar"]["value"]}  # fmt: skip
        files["curves"] = save_curves(curves, lines, title, picture)
    return document, files


WRITERS: Mapping[Task, Callable[..., tuple[dict[str, Any], dict[str, Path]]]] = {
    CATEGORICAL: _write_emotions,
    DIMENSIONAL: write_dimension_stress,
}


def _set_name(document: dict[str, Any]) -> str:
    """Return the name of the set, of a path only its last part."""
    name = str(document["dataset"]["name"])
    return name if ":" in name else PurePath(name).name


def _heat_map_rows(document: dict[str, Any]) -> list[HeatMapRow]:
    return [
        HeatMapRow(
            family=case["family"],
            name=case_title(name, case),
            unchanged=case["unchanged"]["value"],
            uar_change=case["change"]["uar"]["value"],
            recall_change=case["recall_change"],
            failed_rule=case["outcome"] == "fail",
        )
        for name, case in document["cases"].items()
    ]


def _curves(document: dict[str, Any]) -> list[StressCurve]:
    """Return the UAR over the level of each kind that has three levels or more."""
    return [
        StressCurve(
            name=kind,
            panel=_panel(kind, cases[0]),
            unit=cases[0]["unit"],
            levels=[case["level"] for case in cases],
            uar=[case["uar"]["value"] for case in cases],
            low=[case["uar"]["low"] for case in cases],
            high=[case["uar"]["high"] for case in cases],
            few=["stopped_after" in case for case in cases],
        )
        for kind, cases in kinds_of(document).items()
    ]


def _panel(kind: str, case: Mapping[str, Any]) -> str:
    """Return what stands over a kind's axes: its family, where others have the same levels."""
    return case["family"] if (case["family"], case["unit"]) in SHARED else kind
