"""Latency against the duration of the clip, with the line below which a model keeps up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from serval.plots.canvas import COLOURS, figure, plain, save

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

FEWEST_FOR_P95 = 20
"""Calls below which the 95th percentile is only the slowest of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyCurve:
    """The latency of one model.

    Attributes:
        name: As it stands in the legend.
        seconds: Durations of the clips, rising.
        median_s: Median latency for each duration.
        p95_s: 95th percentile for each duration.
        calls: How many times each was measured; of few there is no 95th percentile.
    """

    name: str
    seconds: Sequence[float]
    median_s: Sequence[float]
    p95_s: Sequence[float]
    calls: Sequence[int]


def save_latency(curves: Sequence[LatencyCurve], title: str, path: Path) -> Path:
    """Return `path` after drawing median (line) and 95th percentile (band) of each model."""
    picture = figure(7.0, 4.6)
    axes = picture.add_subplot()
    fewest = min(n for curve in curves for n in curve.calls)
    banded = fewest >= FEWEST_FOR_P95
    for i, curve in enumerate(curves):
        colour, dashed = COLOURS[i % len(COLOURS)], "--" if i >= len(COLOURS) else "-"
        milliseconds = [1000 * s for s in curve.median_s]
        slow = [1000 * s for s in curve.p95_s]
        axes.plot(curve.seconds, milliseconds, dashed, color=colour, marker="o", label=curve.name)
        if banded:
            axes.fill_between(
                curve.seconds, milliseconds, slow, color=colour, alpha=0.15, linewidth=0
            )
    axes.set_yscale("log")
    _draw_real_time(axes, curves)
    _label_plainly(axes)
    band = "band: to the 95th percentile" if banded else f"median of {fewest} calls"
    axes.set(xlabel="duration of the clip in s", ylabel=f"latency in ms ({band})")
    plain(axes, which="both")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    axes.set_title(title, fontsize=10)
    return save(picture, path)


def _label_plainly(axes: Axes) -> None:
    """Write 600, not 6 x 10^2, at as many places of the logarithmic axis as have room."""
    from matplotlib.ticker import MaxNLocator, NullLocator

    low, high = axes.get_ylim()
    if high < 3 * low:
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_minor_locator(NullLocator())
    steps = "125" if high > 10 * low else "123456789"

    def plain(milliseconds: float, _place: float | None = None) -> str:
        digits = f"{milliseconds:.6e}"
        round_one = digits[0] in steps and digits[2:8] == "000000"
        return f"{milliseconds:g}" if round_one or high < 3 * low else ""

    axes.yaxis.set_major_formatter(plain)
    axes.yaxis.set_minor_formatter(plain)


def _draw_real_time(axes: Axes, curves: Sequence[LatencyCurve]) -> None:
    """Mark real time where it is in the picture: decades of nothing lie below it otherwise."""
    low, high = axes.get_ylim()
    ends = [min(c.seconds[0] for c in curves), max(c.seconds[-1] for c in curves)]
    outside = "" if low <= 1000 * ends[0] <= high else " (above the picture)"
    axes.plot(ends, [1000 * s for s in ends], ":", color="#555555", label=f"real time{outside}")
    axes.set_ylim(low, high)
