"""A stress test in two pictures: which emotion breaks under what, and how fast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serval.plots.canvas import COLOURS, figure, plain, save
from serval.wording import percent, points

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

ACROSS = 4
FULL_COLOUR = 40
"""Points at which the colour of the heat map is full."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatMapRow:
    """One row of the heat map.

    Attributes:
        family: Rows of one family stand together.
        name: The perturbation, as in files: `white_20db`.
        unchanged: Share of equal predictions, in [0, 1].
        uar_change: Perturbed minus clean, in [-1, 1].
        recall_change: By label, in [-1, 1]; `None` for a label without clips.
        failed_rule: Whether a published threshold is missed; marked.
    """

    family: str
    name: str
    unchanged: float
    uar_change: float
    recall_change: Mapping[str, float | None]
    failed_rule: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StressCurve:
    """UAR over the level of one kind of perturbation, levels rising.

    Curves with one panel and unit share their axes.

    Attributes:
        name: The kind of perturbation.
        panel: What stands over its axes.
        unit: Of the levels.
        levels: `(L,)` in that unit, rising.
        uar: `(L,)` in [0, 1].
        low: `(L,)` lower ends of its 95 % intervals, in [0, 1].
        high: `(L,)` upper ends.
        few: `(L,)` whether it was stopped, so that its clips are fewer than those of the lines.
    """

    name: str
    panel: str
    unit: str
    levels: Sequence[float]
    uar: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    few: Sequence[bool]


def save_heat_map(
    rows: Sequence[HeatMapRow], clips: Mapping[str, int], title: str, path: Path
) -> Path:
    """Return `path` after drawing changes of UAR and of each recall, perturbations downwards.

    Beside a label stands its number of clips, for one of five moves a recall by 20 points; one
    without any has no column.
    """
    labels = [label for label in rows[0].recall_change if clips[label]]
    values = np.array(
        [[row.uar_change, *(row.recall_change[label] for label in labels)] for row in rows],
        dtype=np.float64,
    )
    picture = figure(4.6 + 0.55 * len(labels), 1.8 + 0.19 * max(5, len(rows)))
    axes = picture.add_subplot()
    image = axes.imshow(100 * values, cmap="RdBu", vmin=-FULL_COLOUR, vmax=FULL_COLOUR,
                        aspect="auto")  # fmt: skip
    for place, column in np.ndindex(*values.shape):
        _write_value(axes, place, column, float(values[place, column]))
    _name_sides(axes, rows, ["UAR", *(f"{label} ({clips[label]})" for label in labels)])
    axes.set_title(f"{title}\nchange of UAR and of each emotion's recall, in points\n"
                   "(clips of the emotion); beside a perturbation: answers that\n"
                   "stay the same, ✗ misses a published threshold", fontsize=8)  # fmt: skip
    shrink, aspect = (0.5, 40) if len(rows) > 20 else (1.0, 15)
    picture.colorbar(image, ax=axes, shrink=shrink, aspect=aspect, label="points", extend="both")
    return save(picture, path)


def _name_sides(axes: Axes, rows: Sequence[HeatMapRow], heads: Sequence[str]) -> None:
    """Write what columns and rows are, with lines behind UAR and between families."""
    axes.set_xticks(range(len(heads)), heads, rotation=45, ha="left", fontsize=7)
    axes.xaxis.tick_top()
    names = [f"{row.name}   {percent(row.unchanged, 0)}{' ✗' if row.failed_rule else '  '}"
             for row in rows]  # fmt: skip
    axes.set_yticks(range(len(rows)), names, fontsize=6)
    for place in range(1, len(rows)):
        if rows[place].family != rows[place - 1].family:
            axes.axhline(place - 0.5, color="black", linewidth=0.8)
    axes.axvline(0.5, color="black", linewidth=0.8)


def save_curves(
    curves: Sequence[StressCurve], lines: Mapping[str, float], title: str, path: Path
) -> Path:
    """Return `path` after drawing UAR over the level of each kind with its 95 % band.

    Args:
        curves: Those of one panel are drawn in one.
        lines: UAR in [0, 1] to compare with, by name: clean, random.
        title: What stands over the picture.
        path: Where the picture is written.
    """
    panels: dict[tuple[str, str], list[StressCurve]] = {}
    for curve in curves:
        panels.setdefault((curve.panel, curve.unit), []).append(curve)
    across = min(ACROSS, len(panels))
    down = -(-len(panels) // across)
    picture = figure(1 + 2.7 * across, 0.9 + 2.3 * down)
    handles: list[Line2D] = []
    places = picture.subplots(down, across, sharey=True, squeeze=False).ravel()
    for axes, ((name, _), drawn) in zip(places, panels.items(), strict=False):
        handles = _draw_panel(axes, name, drawn, lines)
    picture.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    for axes in places[len(panels) :]:
        axes.axis("off")
    hollow = ", hollow: stopped after fewer clips" if any(any(c.few) for c in curves) else ""
    picture.suptitle(title, fontsize=10)
    picture.supylabel(f"UAR, 95 % band{hollow}", fontsize=9)
    return save(picture, path)


def _draw_panel(
    axes: Axes, name: str, curves: Sequence[StressCurve], lines: Mapping[str, float]
) -> list[Line2D]:
    """Return the lines to compare with, after drawing them and the curves."""
    for curve, colour in zip(curves, COLOURS, strict=False):
        label = curve.name.replace("_", " ")
        axes.plot(curve.levels, curve.uar, marker="o", markersize=3, color=colour, label=label)
        inside = ["white" if few else colour for few in curve.few]
        axes.scatter(curve.levels, curve.uar, s=9, c=inside, edgecolors=colour, zorder=3)
        axes.fill_between(
            curve.levels, curve.low, curve.high, color=colour, alpha=0.12, linewidth=0
        )
    if len(curves) > 1:
        axes.legend(fontsize=6, framealpha=0.6)
    handles = [
        axes.axhline(value, linestyle=style, color=colour, linewidth=1, label=f"{line} {value:.2f}")
        for (line, value), style, colour in zip(
            lines.items(), ("--", ":"), ("black", "dimgrey"), strict=False
        )
    ]
    axes.set(ylim=(0, 1), xlabel=curves[0].unit)
    names = ", ".join(curve.name for curve in curves)
    axes.set_title((name if len(curves) > 3 else names).replace("_", " "), fontsize=9)
    axes.tick_params(labelsize=7, labelleft=True)
    plain(axes)
    return handles


def _write_value(axes: Axes, row: int, column: int, value: float) -> None:
    if np.isnan(value):
        return
    colour = "white" if abs(value) > 0.22 else "#333333"
    text = points(value, sign=True, digits=0)
    axes.text(column, row, text, ha="center", va="center", fontsize=5, color=colour)
