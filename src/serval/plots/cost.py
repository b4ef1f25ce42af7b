"""A score of encoders against what they cost, with intervals: one panel for each set."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from serval.plots.canvas import COLOURS, figure, plain, save

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

ACROSS = 3
NAMED = 40
"""Characters of the name of an encoder in a line of the legend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostPoint:
    """One level of an encoder on one set.

    Attributes:
        encoder: Points of one encoder share a colour and a line.
        layer: What stands beside the point.
        ms: Time for a clip of three seconds.
        value: The score, in [0, 1].
        low: Lower end of its 95 % interval; NaN where there is none.
        high: Upper end.
        worse: Whether a test tells it from the best of the set.
    """

    encoder: str
    layer: str
    ms: float
    value: float
    low: float
    high: float
    worse: bool


def save_costs(panels: Mapping[str, Sequence[CostPoint]], score: str, path: Path) -> Path:
    """Return `path` after drawing the score against the time for a clip, the time logarithmic."""
    encoders = list(dict.fromkeys(point.encoder for own in panels.values() for point in own))
    across = min(ACROSS, len(panels))
    down = -(-len(panels) // across)
    picture = figure(1.2 + 4.2 * across, 1.2 + 3.6 * down)
    places = picture.subplots(down, across, squeeze=False, sharey=True).ravel()
    for axes, (name, points) in zip(places, panels.items(), strict=False):
        _draw(axes, points, encoders)
        axes.set(title=name, xlabel="ms for a clip of 3 s")
    for axes in places[len(panels) :]:
        axes.set_axis_off()
    for axes in places[::across]:
        axes.set_ylabel(f"{score} %, with 95 % interval")
    handles = [axes.get_legend_handles_labels() for axes in places[: len(panels)]]
    lines = {name: line for own, names in handles for line, name in zip(own, names, strict=True)}
    names = [fill(name, NAMED) for name in lines]
    picture.legend(lines.values(), names, loc="outside lower center", fontsize=8,
                   title="hollow: worse than the best of the set, by a corrected test",
                   title_fontsize=8, frameon=False)  # fmt: skip
    return save(picture, path)


def _draw(axes: Axes, points: Sequence[CostPoint], encoders: Sequence[str]) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter

    for place, encoder in enumerate(encoders):
        own = sorted((one for one in points if one.encoder == encoder), key=lambda one: one.ms)
        if own:
            _draw_encoder(axes, own, COLOURS[place % len(COLOURS)])
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(lambda ms, _place: f"{ms:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(x=0.12)
    plain(axes, which="both")


def _draw_encoder(axes: Axes, points: Sequence[CostPoint], colour: str) -> None:
    ms = [point.ms for point in points]
    value, low, high = (
        100 * np.array([getattr(point, name) for point in points])
        for name in ("value", "low", "high")
    )
    ends = np.nan_to_num(np.abs([value - low, high - value]))
    axes.errorbar(ms, value, yerr=ends, fmt="none", ecolor=colour, capsize=2, alpha=0.5)
    axes.plot(ms, value, "-", color=colour, marker="o", label=points[0].encoder)
    for point, x, y in zip(points, ms, value, strict=True):
        if point.worse:
            axes.plot([x], [y], "o", color=colour, markerfacecolor="white")
        axes.annotate(point.layer, (x, y), xytext=(5, -9), textcoords="offset points", fontsize=7)
