"""A finished sweep of probes -> the picture of their scores against their cost."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from serval.plots.cost import CostPoint, save_costs
from serval.scores import METRICS
from serval.sweep.verdict import told_from

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    Document = Mapping[str, Any]
    Row = Mapping[str, Any]

__all__ = ["write_cost_picture"]


def write_cost_picture(document: Document, path: Path) -> Path:
    """Return where the picture is, after drawing each set of a leaderboard that has costs."""
    panels = {
        task["dataset"]: list(_points(document, task["dataset"])) for task in document["tasks"]
    }
    drawn = {name: points for name, points in panels.items() if points}
    return save_costs(drawn, METRICS[document["ranked_by"]].title, path)


def _points(document: Document, dataset: str) -> Iterator[CostPoint]:
    """Yield the points of a set, by the scores that its ranks are made of."""
    score = document["ranked_by"]
    rows = [row for row in document["rows"] if row["dataset"] == dataset and row.get("cost")]
    if not rows:
        return
    worse, _ = told_from(document, rows[0]["model"], dataset)  # rows are sorted, best first
    for row in rows:
        value, low, high = (_number(row["ranked"][score][key]) for key in ("value", "low", "high"))
        yield CostPoint(
            encoder=row["encoder"],
            layer=row["layer"],
            ms=row["cost"]["ms"],
            value=value,
            low=low,
            high=high,
            worse=row["model"] in worse,
        )


def _number(value: float | None) -> float:
    return math.nan if value is None else value
