"""The confusion matrix, and precision, recall and F1 of each emotion."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.plots.canvas import COLOURS, figure, head, plain, save
from serval.scores.metrics import confusion_matrix, support
from serval.scores.multilabel import EMOTION_METRICS, MULTILABEL_METRICS
from serval.wording import counted, hundredths, percent, scored

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from numpy.typing import NDArray

    from serval.run import Run
    from serval.scores import ClassScores, Scores
    from serval.scores.multilabel import EmotionScores, MultilabelScores
    from serval.scores.stats import Interval

LEAST = 6.0
"""Inches that even two classes get, for what is written around them."""

FITS = 13
"""Letters of an emotion that have room beside the next one."""

SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Where an axis of shares is marked."""

MOST_CLASSES = 24
"""Of more classes a picture shows those with most clips; files and tables have all."""


def save_confusion_matrix(run: Run, scores: Scores, path: Path) -> Path:
    """Return `path` after drawing counts and row shares, truth down, predicted across."""
    size = max(LEAST, 2.6 + 0.72 * min(len(run.labels), MOST_CLASSES))
    picture = figure(size + 0.8, size - 0.4)
    axes = picture.add_subplot()
    image = draw_confusion_matrix(axes, run)
    head(picture, _headline(run, scores))
    bar = picture.colorbar(image, ax=axes, label="share of the true emotion", shrink=0.8)
    bar.set_ticks(SHARES, labels=[percent(share, 0) for share in SHARES])
    return save(picture, path)


def draw_confusion_matrix(axes: Axes, run: Run) -> QuadMesh:
    """Return what shows the shares, after drawing counts and row shares into the axes."""
    counts = confusion_matrix(run.truth, run.predicted, run.labels)
    shown = _largest(support(counts))
    total = support(counts)[:, np.newaxis]
    share = np.divide(counts, total, out=np.zeros(counts.shape), where=total > 0)
    counts, share = (part[np.ix_(shown, shown)] for part in (counts, share))
    edges = np.arange(len(shown) + 1) - 0.5
    image = axes.pcolormesh(edges, edges, share, cmap="Blues", vmin=0, vmax=1)
    axes.set_aspect("equal")
    axes.invert_yaxis()
    for t, p in np.ndindex(*counts.shape):
        _write_cell(axes, t, p, int(counts[t, p]), float(share[t, p]))
    _name_axes(axes, [run.labels[i] for i in shown], total[shown, 0])
    return image


def save_per_class(run: Run, scores: Scores, path: Path) -> Path:
    """Return `path` after drawing precision, recall and F1 as bars for each emotion."""
    picture = figure(max(LEAST, 2.5 + 1.15 * min(len(run.labels), MOST_CLASSES)), 4.8)
    draw_per_class(picture.add_subplot(), scores.per_class)
    head(picture, _headline(run, scores))
    return save(picture, path)


def save_per_emotion(run: Run, scores: MultilabelScores, path: Path) -> Path:
    """Return `path` after drawing the scores of each of several emotions a clip as bars."""
    picture = figure(max(LEAST, 2.5 + 1.5 * min(len(run.labels), MOST_CLASSES)), 4.8)
    draw_per_class(picture.add_subplot(), scores.per_emotion)
    many = len(run.labels) > MOST_CLASSES
    more = f" · the {MOST_CLASSES} largest of {len(run.labels)} emotions" if many else ""
    whole = ", ".join(
        f"{MULTILABEL_METRICS[key].title} {_with_interval(scores.overall[key])}"
        for key in ("macro_f1", "mean_ap")
    )
    head(picture, f"{run_on_set(run)}\n{counted(len(run), 'clip')}{more} · {whole}")
    return save(picture, path)


def draw_per_class(axes: Axes, scores: Mapping[str, ClassScores | EmotionScores]) -> None:
    """Draw precision, recall and F1, and AP where there is one, as bars into the axes."""
    shown = _largest(np.array([own.support for own in scores.values()]))
    per_class = [list(scores.items())[i] for i in shown]
    rows = [own for _, own in per_class]
    columns = {
        title: [getattr(row, key) for row in rows]
        for key, title in EMOTION_METRICS.items()
        if all(hasattr(row, key) for row in rows)
    }
    step = 0.81 / len(columns)
    for i, (name, found) in enumerate(columns.items()):
        place = np.arange(len(rows)) + (i - (len(columns) - 1) / 2) * step
        _draw_bars(axes, place, found, name, COLOURS[i], step - 0.02)
    names = [f"{fill(label, FITS)}\nn={n.support}" for label, n in per_class]
    axes.set_xticks(range(len(rows)), names)
    axes.set(ylim=(0, 1.12), ylabel="score with 95 % interval")
    axes.set_yticks(SHARES, [percent(share, 0) for share in SHARES])
    plain(axes, axis="y")
    axes.set_axisbelow(True)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)


def _draw_bars(
    axes: Axes,
    position: NDArray[Any],
    found: list[Interval],
    name: str,
    colour: str,
    width: float,
) -> None:
    values = np.array([score.value for score in found])
    ends = np.array([(score.low, score.high) for score in found])
    heights = np.nan_to_num(values)
    reach = np.nan_to_num(np.abs(ends.T - values))
    axes.bar(position, heights, width, label=name, color=colour)
    axes.errorbar(position, heights, reach, fmt="none", ecolor="#333333", elinewidth=0.8, capsize=2)
    for x, value, top in zip(position, values, heights + reach[1], strict=True):
        axes.text(x, top + 0.012, hundredths(value, 0), ha="center", va="bottom", fontsize=7)


def _write_cell(axes: Axes, t: int, p: int, count: int, share: float) -> None:
    style: dict[str, Any] = {"ha": "center", "color": "white" if share > 0.5 else "#333333"}
    if count:
        axes.text(p, t - 0.02, str(count), va="bottom", fontsize=9, **style)
        axes.text(
            p,
            t + 0.06,
            percent(share, 0) if share >= 0.005 else "<1 %",
            va="top",
            fontsize=7,
            **style,
        )


def _largest(clips: NDArray[Any]) -> NDArray[np.int64]:
    """Return the classes to show, in their order: all, or of many those with most clips."""
    return np.sort(np.argsort(-clips, kind="stable")[:MOST_CLASSES])


def _name_axes(axes: Axes, labels: list[str], clips: NDArray[Any]) -> None:
    ids = range(len(labels))
    axes.set_xticks(ids, labels, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(ids, [f"{label} (n={n})" for label, n in zip(labels, clips, strict=True)])
    axes.set(xlabel="predicted", ylabel="truth")


def _headline(run: Run, scores: Scores) -> str:
    failed = f", {len(run.failures)} failed" if run.failures else ""
    many = len(run.labels) > MOST_CLASSES
    failed += f" · the {MOST_CLASSES} largest of {len(run.labels)} classes" if many else ""
    return (
        f"{run_on_set(run)}\n{counted(len(run), 'clip')}{failed} · accuracy "
        f"{_with_interval(scores.overall['wa'])} · UAR {_with_interval(scores.overall['uar'])}"
    )


def run_on_set(run: Run) -> str:
    """Return which run on which set a picture shows, for its title."""
    data = run.provenance.dataset
    return f"{run.name} on {' '.join(part for part in (data['name'], data['split']) if part)}"


def _with_interval(score: Interval) -> str:
    return scored({"value": score.value, "low": score.low, "high": score.high})
