"""The stored runs of a stress test -> everything that they say, and its files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from serval.errors import ConfigError
from serval.files import write_text
from serval.plots.stress import Cell, Curve, save_curves, save_heat_map
from serval.results.document import write_json
from serval.stress.against import Against, against_of
from serval.stress.chance import Guessing, guessing_of
from serval.stress.document import stress_document
from serval.stress.effects import Effects, effects_of
from serval.stress.fairness import Fairness, fairness_of
from serval.stress.table import markdown, write_csv

if TYPE_CHECKING:
    from pathlib import Path

    from serval.stress.invariance import Invariance
    from serval.stress.runs import StressRuns

__all__ = ["Findings", "Written", "findings_of", "write_stress"]


SHARED = frozenset({("noise", "dB SNR"), ("time", "samples"), ("time", "%")})
"""Families and units in which the curves of several kinds are drawn in one panel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """Everything that a stress test says.

    Attributes:
        stress: The stored runs.
        effects: What each perturbation does.
        guessing: What a random model gets.
        fairness: Of the clean run.
        invariance: Of the model file, or `None` where it was not tried.
        against: What changed from another model, if one was given.
        seed: Of every random number.
    """

    stress: StressRuns
    effects: Effects
    guessing: Guessing
    fairness: Fairness
    invariance: Invariance | None
    against: Against | None
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a stress test was turned into: the content of `stress.json`, and files by kind."""

    document: dict[str, Any]
    files: dict[str, Path]


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
        guessing=guessing_of(effects.panel.runs.truth, len(stress.clean.labels), seed=seed),
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


def write_stress(found: Findings, folder: Path | None = None) -> Written:
    """Return what was written: JSON, CSV, markdown, a heat map and curves, each whole or not."""
    folder = folder or found.stress.folder
    document = stress_document(found)
    title = f"{document['model']['name']} on {_set_name(document)}, {document['clips']} clips"
    files = {
        "stress": write_json(document, folder / "stress.json"),
        "table": write_csv(document, folder / "stress.csv"),
        "summary": write_text(folder / "stress.md", markdown(document)),
        "heat map": save_heat_map(
            _cells(document), document["clips_of_label"], title, folder / "stress_heatmap.png"
        ),
    }
    curves = _curves(document)
    if curves:
        lines = {"clean": document["clean"]["uar"]["value"],
                 "random": document["random"]["uar"]["value"]}  # fmt: skip
        files["curves"] = save_curves(curves, lines, title, folder / "stress_curves.png")
    return Written(document=document, files=files)


def _set_name(document: dict[str, Any]) -> str:
    """Return the name of the set, of a path only its last part."""
    name = str(document["dataset"]["name"])
    return name if ":" in name else PurePath(name).name


def _cells(document: dict[str, Any]) -> list[Cell]:
    return [
        Cell(
            family=case["family"],
            name=name,
            unchanged=case["unchanged"]["value"],
            uar_change=case["change"]["uar"]["value"],
            recall_change=case["recall_change"],
            failed_rule=case["outcome"] == "fail",
        )
        for name, case in document["cases"].items()
    ]


def _curves(document: dict[str, Any]) -> list[Curve]:
    """Return the UAR over the level of each kind that has three levels or more."""
    kinds: dict[str, list[dict[str, Any]]] = {}
    for case in document["cases"].values():
        if case["level"] is not None:
            kinds.setdefault(case["kind"], []).append(case)
    return [
        Curve(
            name=kind,
            panel=_panel(kind, cases[0]),
            unit=cases[0]["unit"],
            levels=[case["level"] for case in cases],
            uar=[case["uar"]["value"] for case in cases],
            low=[case["uar"]["low"] for case in cases],
            high=[case["uar"]["high"] for case in cases],
        )
        for kind, found in kinds.items()
        if len(found) >= 3
        for cases in [sorted(found, key=lambda case: case["level"])]
    ]


def _panel(kind: str, case: dict[str, Any]) -> str:
    """Return what stands over a kind's axes: its family, where others have the same levels."""
    return case["family"] if (case["family"], case["unit"]) in SHARED else kind
