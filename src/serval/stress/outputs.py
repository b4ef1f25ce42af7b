"""The files of a stress test: JSON, CSV, markdown and pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from serval.files import write_text
from serval.plots.stress import HeatMapRow, StressCurve, save_curves, save_heat_map
from serval.results.document import write_json
from serval.stress.document import stress_document
from serval.stress.table import markdown, write_csv

if TYPE_CHECKING:
    from pathlib import Path

    from serval.stress.findings import Findings

__all__ = ["StressFiles", "write_stress"]

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


def write_stress(found: Findings, folder: Path | None = None) -> StressFiles:
    """Return what was written: JSON, CSV, markdown, a heat map and curves, each whole or not."""
    folder = folder or found.stress.folder
    document = stress_document(found)
    title = f"{document['model']['name']} on {_set_name(document)}, {document['clips']} clips"
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
    curves = _curves(document)
    if curves:
        lines = {"clean": document["clean"]["uar"]["value"],
                 "random": document["random"]["uar"]["value"]}  # fmt: skip
        files["curves"] = save_curves(curves, lines, title, folder / "stress_curves.png")
    return StressFiles(document=document, files=files)


def _set_name(document: dict[str, Any]) -> str:
    """Return the name of the set, of a path only its last part."""
    name = str(document["dataset"]["name"])
    return name if ":" in name else PurePath(name).name


def _heat_map_rows(document: dict[str, Any]) -> list[HeatMapRow]:
    return [
        HeatMapRow(
            family=case["family"],
            name=name,
            unchanged=case["unchanged"]["value"],
            uar_change=case["change"]["uar"]["value"],
            recall_change=case["recall_change"],
            failed_rule=case["outcome"] == "fail",
        )
        for name, case in document["cases"].items()
    ]


def _curves(document: dict[str, Any]) -> list[StressCurve]:
    """Return the UAR over the level of each kind that has three levels or more."""
    kinds: dict[str, list[dict[str, Any]]] = {}
    for case in document["cases"].values():
        if case["level"] is not None:
            kinds.setdefault(case["kind"], []).append(case)
    return [
        StressCurve(
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
