"""Score against size of every quantized variant of a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from serval.plots.canvas import COLOURS, figure, lay_out, plain, save

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.transforms import Bbox

RISES = (-3, *(sign * step for step in range(9, 220, 12) for sign in (1, -1)))
"""Heights of a label above its point that are tried, in points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizedPoint:
    """One variant: MB, its score in the unit of the picture, times as fast as FP32.

    `pareto` says that no other is smaller, faster and more accurate at once.
    """

    name: str
    size_mb: float
    score: float
    speed: float
    pareto: bool


def save_quantization(points: Sequence[QuantizedPoint], score: str, title: str, path: Path) -> Path:
    """Return `path` after drawing size across, the score up; the area of a point is its speed.

    `score` is its name, with the unit.
    """
    picture = figure(8.0, 5.0)
    axes = picture.add_subplot()
    for point in points:
        colour = COLOURS[0] if point.pareto else "#999999"
        axes.scatter(
            point.size_mb,
            point.score,
            s=60 * point.speed,
            color=colour,
            alpha=0.8,
            zorder=3 if point.pareto else 2,
        )
    axes.set_xlim(0, 1.3 * max(point.size_mb for point in points))
    axes.set(xlabel="size in MB", ylabel=score)
    axes.margins(y=0.15)
    plain(axes)
    axes.set_axisbelow(True)
    note = "blue: nothing else is smaller, faster and more accurate; area: speed against FP32"
    axes.set_title(f"{title}\n{note}", fontsize=9)
    label_apart(picture, axes, points)
    return save(picture, path)


def label_apart(picture: Any, axes: Any, points: Sequence[QuantizedPoint]) -> list[Any]:  # noqa: ANN401 - of matplotlib
    """Return the labels, each at the nearest place to its point where it covers no other.

    Variants of one model are of nearly the same size, so that labels at one fixed distance would
    be written over each other.
    """
    lay_out(picture)  # until then nobody knows where the axes are
    taken = [_disc_of(axes, point) for point in points]
    labels: list[Any] = []
    for point in sorted(points, key=lambda point: (-point.score, point.size_mb)):
        for rise in RISES:
            label = axes.annotate(
                f"{point.name}, {point.speed:.1f}x",
                (point.size_mb, point.score),
                xytext=(12, rise),
                textcoords="offset points",
                fontsize=8,
                arrowprops={"arrowstyle": "-", "color": "#999999", "linewidth": 0.6},
            )
            label.set_in_layout(False)
            box = text_box(picture, label)
            if not any(box.overlaps(other) for other in taken):
                break
            label.remove()
        else:
            continue
        taken.append(box)
        labels.append(label)
    return labels


def text_box(picture: Any, label: Any) -> Any:  # noqa: ANN401 - of matplotlib
    """Return the extent of a label's text; its own extent has the line to the point in it."""
    from matplotlib.text import Text

    label.update_positions(picture.canvas.get_renderer())
    return Text.get_window_extent(label)


def _disc_of(axes: Any, point: QuantizedPoint) -> Bbox:  # noqa: ANN401 - of matplotlib
    from matplotlib.transforms import Bbox

    x, y = axes.transData.transform((point.size_mb, point.score))
    radius = 5 * axes.figure.dpi / 72
    return Bbox([[x - radius, y - radius], [x + radius, y + radius]])
