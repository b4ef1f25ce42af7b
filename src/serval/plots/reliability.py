"""How far confidence can be believed, and what a model gains by abstaining."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from serval.plots.canvas import COLOURS, figure, head, plain, save
from serval.wording import counted, percent

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    from serval.scores.calibration import Calibration, Fit


def save_reliability(calibration: Calibration, title: str, path: Path) -> Path:
    """Return where accuracy against confidence, and against answered clips, is drawn."""
    picture = figure(9.5, 4.4)
    left, right = picture.subplots(1, 2)
    draw_reliability(left, calibration)
    _draw_coverage(right, calibration)
    for axes in (left, right):
        plain(axes)
    head(picture, f"{title} · {counted(calibration.n, 'clip')}")
    return save(picture, path)


def draw_reliability(axes: Axes, calibration: Calibration) -> None:
    """Draw accuracy against confidence into the axes."""
    axes.plot([0, 100], [0, 100], color="#333333", linewidth=0.8, linestyle=":")
    _draw_bins(axes, calibration.as_is, COLOURS[0], "as it is")
    if calibration.scaled is not None:
        label = f"at temperature {calibration.scaled.temperature:.2f}"
        _draw_bins(axes, calibration.scaled, COLOURS[1], label)
    axes.set(xlim=(0, 100), ylim=(0, 100), aspect="equal",
             xlabel="mean confidence (%)", ylabel="right (%), with 95 % interval")  # fmt: skip
    axes.legend(fontsize=8, frameon=False, loc="upper left")
    axes.set_title("Is it right as often as it is sure? Bins of equally many clips", fontsize=9)


def _draw_bins(axes: Axes, fit: Fit, colour: str, label: str) -> None:
    value, low, high = (
        100 * np.array([getattr(found, end) for found in fit.bin_accuracy])
        for end in ("value", "low", "high")
    )
    axes.errorbar(
        [100 * part.confidence for part in fit.bins],
        value,
        yerr=(value - low, high - value),
        marker="o",
        markersize=4,
        capsize=2,
        elinewidth=0.9,
        color=colour,
        label=f"{label}: ECE {percent(fit.ece, 1)}",
    )


def _draw_coverage(axes: Axes, calibration: Calibration) -> None:
    share = [100 * point.coverage for point in calibration.coverage]
    accuracy = [100 * point.accuracy.value for point in calibration.coverage]
    low = [100 * point.accuracy.low for point in calibration.coverage]
    high = [100 * point.accuracy.high for point in calibration.coverage]
    axes.plot(share, accuracy, marker="o", markersize=4, color=COLOURS[2])
    axes.fill_between(share, low, high, color=COLOURS[2], alpha=0.2, label="95 % interval")
    axes.set(xlabel="share of clips answered, surest first (%)", ylabel="right (%)")
    axes.invert_xaxis()
    if share:
        axes.legend(fontsize=8, frameon=False, loc="upper left")
    axes.set_title(
        f"Where it may abstain: AURC {calibration.aurc.value:.3f}, "
        f"at best {calibration.aurc_best:.3f}",
        fontsize=9,
    )
