"""Pictures of numbers: truth against prediction, and what two runs differ by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from serval.plots.canvas import COLOURS, figure, head, plain, save
from serval.wording import counted

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from serval.dimensions import DimensionRun, Scale

    Floats = NDArray[np.float64]

DENSE = 2_000
"""Of more clips the density is drawn instead of points, which would hide each other."""


def save_dimensions(values: DimensionRun, path: Path) -> Path:
    """Return `path` after drawing truth against prediction, and the errors, of each dimension."""
    d = len(values.names)
    picture = figure(3.6 * d, 6.4)
    rows = picture.subplots(2, d, squeeze=False)
    for i, name in enumerate(values.names):
        known = ~np.isnan(values.truth[:, i])
        truth, predicted = values.truth[known, i], values.predicted[known, i]
        draw_true_against_predicted(rows[0, i], truth, predicted, values.scale)
        rows[0, i].set_title(f"{name}: {counted(known.sum(), 'clip')}", fontsize=10)
        _draw_errors(rows[1, i], truth, predicted)
    data = str(values.run.provenance.dataset.get("name", ""))
    head(picture, f"{values.run.name} on {data}, scale {values.scale}")
    return save(picture, path)


def draw_true_against_predicted(axes: Axes, truth: Floats, predicted: Floats, scale: Scale) -> None:
    """Draw predictions over ratings into the axes, with the line on which they are equal."""
    _draw_cloud(axes, truth, predicted)
    axes.axline((scale.low, scale.low), slope=1, color="#333333", linewidth=0.8, linestyle=":")
    ends = (scale.low - 0.02 * scale.width, scale.high + 0.02 * scale.width)
    axes.set(xlim=ends, ylim=ends, xlabel="rated", ylabel="predicted", aspect="equal")


def save_agreement(name: str, a: tuple[str, Floats], b: tuple[str, Floats], path: Path) -> Path:
    """Return `path` after drawing how far two runs are apart over their mean.

    Source: Bland and Altman (1986), Statistical methods for assessing agreement between two
    methods of clinical measurement: mean difference and 1.96 standard deviations on both sides.

    Args:
        name: Of the dimension.
        a: Name and `(N,)` predictions of the first run.
        b: Of the second.
        path: Where to.
    """
    picture = figure(6, 4.2)
    axes = picture.subplots()
    difference = b[1] - a[1]
    _draw_cloud(axes, (a[1] + b[1]) / 2, difference)
    middle, spread = (
        float(difference.mean()),
        float(difference.std(ddof=1)) if len(difference) > 1 else 0.0,
    )
    for level, style in (
        (middle, "-"),
        (middle - 1.96 * spread, "--"),
        (middle + 1.96 * spread, "--"),
    ):
        axes.axhline(level, color=COLOURS[5], linewidth=0.9, linestyle=style)
        axes.annotate(f"{level:+.3f}", (1.0, level), xycoords=("axes fraction", "data"), fontsize=8)
    axes.set(xlabel=f"mean of both, {name}", ylabel=f"{b[0]} minus {a[0]}")
    head(
        picture,
        f"{b[0]} and {a[0]}, {name}: {counted(len(difference), 'clip')}; lines: mean, 1.96 s.d.",
    )
    return save(picture, path)


def _draw_cloud(axes: Axes, x: Floats, y: Floats) -> None:
    if len(x) > DENSE:
        axes.hexbin(x, y, gridsize=40, mincnt=1, cmap="viridis", linewidths=0)
    else:
        axes.scatter(x, y, s=8, alpha=0.5, color=COLOURS[0], linewidths=0)
    plain(axes)


def _draw_errors(axes: Axes, truth: Floats, predicted: Floats) -> None:
    _draw_cloud(axes, truth, predicted - truth)
    axes.axhline(0, color="#333333", linewidth=0.8, linestyle=":")
    axes.set(xlabel="rated", ylabel="predicted minus rated")
