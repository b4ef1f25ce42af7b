"""Accuracy against size of every quantized variant of a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from serval.plots.canvas import COLOURS, figure, save

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["QuantizedPoint", "save_quantization"]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizedPoint:
    """One variant.

    Attributes:
        name: As it stands beside the point.
        size_mb: In MB (10^6 bytes).
        accuracy: In [0, 1].
        speed: Times as fast as FP32 in the same run.
        pareto: Whether no other is smaller, faster and more accurate at once.
    """

    name: str
    size_mb: float
    accuracy: float
    speed: float
    pareto: bool


def save_quantization(points: Sequence[QuantizedPoint], title: str, path: Path) -> Path:
    """Return `path` after drawing size across, accuracy up; the area of a point is its speed."""
    picture = figure(8.0, 5.0)
    axes = picture.add_subplot()
    for point in points:
        colour = COLOURS[0] if point.pareto else "#999999"
        accuracy = 100 * point.accuracy
        axes.scatter(point.size_mb, accuracy, s=60 * point.speed, color=colour, alpha=0.8)
        axes.annotate(
            f"{point.name}, {point.speed:.1f}x",
            (point.size_mb, accuracy),
            xytext=(7, 5),
            textcoords="offset points",
            fontsize=8,
        )
    axes.set_xlim(0, 1.3 * max(point.size_mb for point in points))
    axes.set(xlabel="size in MB", ylabel="accuracy in %")
    axes.margins(y=0.15)
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    note = "blue: nothing else is smaller, faster and more accurate; area: speed against FP32"
    axes.set_title(f"{title}\n{note}", fontsize=9)
    return save(picture, path)
