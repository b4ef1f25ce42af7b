"""What a stress test found, in sentences for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serval.stress.table import kept_sentence
from serval.wording import counted, in_points, points, span

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["stress_verdict"]


def stress_verdict(document: Mapping[str, Any]) -> list[str]:
    """Return what a reader takes away from `stress.json`: mean change, worst, thresholds."""
    everything, cases = document["families"]["all"], document["cases"]
    changes = {name: case["change"]["uar"]["value"] for name, case in cases.items()}
    known = {name: value for name, value in changes.items() if value is not None}
    mean = everything["change"]["uar"]
    if mean["value"] is None or mean["low"] is None or not known:
        return [kept_sentence(everything)]
    worst = min(known, key=lambda name: known[name])
    said = (
        f"Under {counted(len(cases), 'perturbation')} the UAR of {document['model']['name']} "
        f"changes by {in_points(mean['value'], sign=True)} on average (95 % interval "
        f"{span(mean['low'], mean['high'])}), most under {worst} "
        f"({points(known[worst], sign=True)}). {kept_sentence(everything)}"
    )
    return [said]
