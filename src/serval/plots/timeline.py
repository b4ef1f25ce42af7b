"""Emotions or values over time: the probability or value of each, window by window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serval.plots.canvas import COLOURS, figure, head, plain, save

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

MOST_LINES = 8
"""Emotions with a line of their own: as many as there are colours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """What a model says along one clip.

    Attributes:
        labels: The K emotions or dimensions.
        starts_s: `(W,)` where each window begins, in seconds.
        ends_s: `(W,)` where it ends.
        probs: `(W, K)` in [0, 1]; of dimensions values.
        mean: `(K,)`: what it says of the clip as a whole.
        scale: Of values as the model states it, `0..1` or empty; `None` of probabilities.
    """

    labels: Sequence[str]
    starts_s: NDArray[np.float64]
    ends_s: NDArray[np.float64]
    probs: NDArray[np.float64]
    mean: NDArray[np.float64]
    scale: str | None = None


def save_timeline(timeline: Timeline, title: str, path: Path) -> Path:
    """Return `path` after drawing a line for each label, at the middle of each window.

    Of more labels than there are colours, those with the highest numbers anywhere.
    """
    picture = figure(9.0, 4.2)
    axes = picture.add_subplot()
    middles = (timeline.starts_s + timeline.ends_s) / 2
    mark = "o" if len(middles) <= 60 else ""
    form = ".0%" if timeline.scale is None else ".3g"
    for place, i in enumerate(_shown(timeline)):
        label = f"{timeline.labels[i]}, {timeline.mean[i]:{form}}"
        axes.plot(middles, timeline.probs[:, i], color=COLOURS[place], marker=mark,
                  markersize=3.5, linewidth=1.4, label=label)  # fmt: skip
    axes.set_xlim(timeline.starts_s[0], timeline.ends_s[-1])
    if timeline.scale is None:
        axes.set(ylim=(-0.02, 1.02), ylabel="probability")
    else:
        axes.set_ylabel(f"value, scale {timeline.scale}" if timeline.scale else "value")
    axes.set_xlabel("time in s")
    plain(axes)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False, title="clip as a whole")
    head(picture, title)
    return save(picture, path)


def _shown(timeline: Timeline) -> list[int]:
    """Return the emotions to draw: the likeliest anywhere, ordered by their mean."""
    likeliest = np.argsort(-timeline.probs.max(axis=0), kind="stable")[:MOST_LINES]
    return sorted((int(i) for i in likeliest), key=lambda i: -timeline.mean[i])
