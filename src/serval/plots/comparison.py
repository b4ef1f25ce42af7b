"""How far each score of one run lies from another's, with intervals, and what broke."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serval.plots.canvas import COLOURS, figure, plain, save

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from serval.scores.stats import Difference

    Floats = NDArray[np.float64]

MOST_LABELS = 24
"""As many labels have room in a picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forest:
    """What one comparison shows.

    Attributes:
        title: Which run minus which.
        rows: Differences in [-1, 1] by the name of the score.
        changed: Clips that broke and that were fixed, by label.
    """

    title: str
    rows: Mapping[str, Difference]
    changed: Mapping[str, tuple[int, int]]


def save_forests(forests: Sequence[Forest], margin: float, path: Path) -> Path:
    """Return `path` after drawing one row of two panels for each comparison.

    On the left the differences in points with 95 % intervals and the margin; on the right the
    clips of each label that only one of the two has right. An interval that would dwarf the others
    runs out of the picture.
    """
    tall = max(len(forest.rows) for forest in forests)
    picture = figure(11, (1.4 + 0.34 * tall) * len(forests))
    panels = picture.subplots(len(forests), 2, squeeze=False, width_ratios=(3, 2))
    for forest, (left, right) in zip(forests, panels, strict=True):
        draw_differences(left, forest, margin)
        _draw_changed(right, forest)
    return save(picture, path)


def draw_differences(axes: Axes, forest: Forest, margin: float) -> None:
    """Draw the differences in points with their intervals and the margin into the axes."""
    known = {name: d for name, d in forest.rows.items() if not np.isnan(d.low)}
    values = 100 * np.array([d.value for d in known.values()])
    ends = 100 * np.array([(d.low, d.high) for d in known.values()]).reshape(-1, 2)
    position = np.arange(len(known))
    axes.axvspan(-100 * margin, 100 * margin, color="#DDDDDD", label=f"within {100 * margin:g}")
    axes.axvline(0, color="#333333", linewidth=0.8)
    reach = _reach(values, ends, margin)
    axes.errorbar(values, position, xerr=np.abs(ends.T - values), fmt="o", color=COLOURS[0],
                  markersize=4, capsize=3, label="difference, 95 %")  # fmt: skip
    for edge, marker, beyond in (
        (-reach, "<", ends[:, 0] < -reach), (reach, ">", ends[:, 1] > reach)
    ):  # fmt: skip
        places = position[beyond]
        axes.plot(np.full(len(places), 0.985 * edge), places, marker, color=COLOURS[0],
                  markersize=7, gid="goes on")  # fmt: skip
    axes.set_yticks(position, list(known))
    axes.invert_yaxis()
    axes.set_xlabel("points; below 0 is worse; an arrow: the interval goes on")
    axes.set_xlim(-reach, reach)
    plain(axes, axis="x")
    axes.set_title(forest.title, fontsize=10)
    axes.legend(fontsize=7, loc="lower left", bbox_to_anchor=(1, 0), frameon=False)


def _reach(values: Floats, ends: Floats, margin: float) -> float:
    """Return how many points the axis shows: every difference, and the usual interval whole."""
    usual = np.median(np.abs(ends).max(axis=1)) if len(ends) else 0.0
    return float(1.1 * max(np.abs(values).max(initial=0.0), 2 * usual, 150 * margin))


def _draw_changed(axes: Axes, forest: Forest) -> None:
    if not any(lost + won for lost, won in forest.changed.values()):
        axes.text(0.5, 0.5, "no clip changed between right and wrong", ha="center", va="center")
        axes.axis("off")
        return
    position = np.arange(len(forest.changed))
    broken = [broke for broke, _ in forest.changed.values()]
    fixed = [mended for _, mended in forest.changed.values()]
    axes.barh(position, [-n for n in broken], color=COLOURS[5], label="broken")
    axes.barh(position, fixed, color=COLOURS[2], label="fixed")
    for y, (lost, won) in enumerate(forest.changed.values()):
        axes.text(-lost, y, f"{lost or ''} ", ha="right", va="center", fontsize=7)
        axes.text(won, y, f" {won or ''}", ha="left", va="center", fontsize=7)
    axes.axvline(0, color="#333333", linewidth=0.8)
    axes.set_yticks(position, list(forest.changed))
    axes.invert_yaxis()
    axes.set_xticks([])
    axes.margins(x=0.15)
    axes.set_xlabel("clips that only one run has right")
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.legend(fontsize=7, loc="lower left", bbox_to_anchor=(1, 0), frameon=False)
