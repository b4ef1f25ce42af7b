"""A stress test in two pictures: which emotion breaks under what, and how fast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serval.plots.canvas import COLOURS, figure, save

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

__all__ = ["Cell", "Curve", "save_curves", "save_heat_map"]

ACROSS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One row of the heat map.

    Attributes:
        family: Rows of one family stand together.
        name: Of the perturbation.
        unchanged: Share of equal predictions, in [0, 1].
        uar_change: In [-1, 1].
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
class Curve:
    """UAR over the level of one kind of perturbation, levels rising."""

    name: str
    unit: str
    levels: Sequence[float]
    uar: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


def save_heat_map(cells: Sequence[Cell], title: str, path: Path) -> Path:
    """Return `path` after drawing changes of UAR and of each recall, perturbations downwards."""
    labels = list(cells[0].recall_change)
    rows = [[cell.uar_change, *(cell.recall_change[label] for label in labels)] for cell in cells]
    values = np.array(rows, dtype=np.float64)
    picture = figure(4.6 + 0.55 * len(labels), 1.8 + 0.19 * len(cells))
    axes = picture.add_subplot()
    image = axes.imshow(100 * values, cmap="RdBu", vmin=-40, vmax=40, aspect="auto")
    for row, column in np.ndindex(*values.shape):
        _write_value(axes, row, column, float(values[row, column]))
    axes.set_xticks(range(1 + len(labels)), ["UAR", *labels], rotation=45, ha="left", fontsize=7)
    axes.xaxis.tick_top()
    names = [f"{cell.name}   {100 * cell.unchanged:.0f} %{' ✗' if cell.failed_rule else '  '}"
             for cell in cells]  # fmt: skip
    axes.set_yticks(range(len(cells)), names, fontsize=6)
    for row in range(1, len(cells)):
        if cells[row].family != cells[row - 1].family:
            axes.axhline(row - 0.5, color="black", linewidth=0.8)
    axes.axvline(0.5, color="black", linewidth=0.8)
    axes.set_title(f"{title}\nchange of UAR and of each recall in points; beside the name: "
                   "predictions\nthat stay the same, ✗ below a published threshold",
                   fontsize=8)  # fmt: skip
    picture.colorbar(image, ax=axes, shrink=0.5, label="points", aspect=40)
    return save(picture, path)


def save_curves(
    curves: Sequence[Curve], lines: Mapping[str, float], title: str, path: Path
) -> Path:
    """Return `path` after drawing UAR over the level of each kind with its 95 % band.

    Args:
        curves: One panel each.
        lines: UAR to compare with, by name: clean, random.
        title: Over all.
        path: Of the picture.
    """
    across = min(ACROSS, len(curves))
    down = -(-len(curves) // across)
    picture = figure(1 + 2.7 * across, 0.9 + 2.1 * down)
    panels = picture.subplots(down, across, sharey=True, squeeze=False).ravel()
    for axes, curve in zip(panels, curves, strict=False):
        _draw_curve(axes, curve, lines)
    for axes in panels[len(curves) :]:
        axes.axis("off")
    picture.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    picture.suptitle(title, fontsize=10)
    picture.supylabel("UAR, 95 % band", fontsize=9)
    return save(picture, path)


def _draw_curve(axes: Axes, curve: Curve, lines: Mapping[str, float]) -> None:
    axes.plot(
        curve.levels, curve.uar, marker="o", markersize=3, color=COLOURS[0], label="perturbed"
    )
    axes.fill_between(
        curve.levels, curve.low, curve.high, color=COLOURS[0], alpha=0.15, linewidth=0
    )
    for (name, value), style, colour in zip(lines.items(), ("--", ":"), COLOURS[2:], strict=False):
        axes.axhline(value, linestyle=style, color=colour, linewidth=1, label=name)
    axes.set(ylim=(0, 1), xlabel=curve.unit)
    axes.set_title(curve.name.replace("_", " "), fontsize=9)
    axes.tick_params(labelsize=7)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def _write_value(axes: Axes, row: int, column: int, value: float) -> None:
    if np.isnan(value):
        return
    colour = "white" if abs(value) > 0.28 else "#333333"
    text = f"{100 * value:+.0f}"
    axes.text(column, row, text, ha="center", va="center", fontsize=5, color=colour)
