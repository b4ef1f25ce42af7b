"""Latency against the duration of the clip, with the line below which a model keeps up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from serval.plots.canvas import COLOURS, figure, save

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["LatencyCurve", "save_latency"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyCurve:
    """The latency of one model.

    Attributes:
        name: As it stands in the legend.
        seconds: Durations of the clips, rising.
        median_s: Median latency for each duration.
        p95_s: 95th percentile for each duration.
    """

    name: str
    seconds: Sequence[float]
    median_s: Sequence[float]
    p95_s: Sequence[float]


def save_latency(curves: Sequence[LatencyCurve], title: str, path: Path) -> Path:
    """Return `path` after drawing median (line) and 95th percentile (band) of each model."""
    picture = figure(7.0, 4.6)
    axes = picture.add_subplot()
    for i, curve in enumerate(curves):
        colour, dashed = COLOURS[i % len(COLOURS)], "--" if i >= len(COLOURS) else "-"
        milliseconds = [1000 * s for s in curve.median_s]
        slow = [1000 * s for s in curve.p95_s]
        axes.plot(curve.seconds, milliseconds, dashed, color=colour, marker="o", label=curve.name)
        axes.fill_between(curve.seconds, milliseconds, slow, color=colour, alpha=0.15, linewidth=0)
    ends = [min(c.seconds[0] for c in curves), max(c.seconds[-1] for c in curves)]
    axes.plot(ends, [1000 * s for s in ends], ":", color="#555555", label="real time")
    axes.set_yscale("log")
    axes.set(xlabel="duration of the clip in s", ylabel="latency in ms (band: to p95)")
    axes.grid(alpha=0.3, which="both")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    axes.set_title(title, fontsize=10)
    return save(picture, path)
