"""Runs -> the charts of a report: rows of numbers, which the page draws, tabulates and saves."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.wording import counted, three_digits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from serval.run import Run
    from serval.scores import ClassScores
    from serval.scores.multilabel import EmotionScores
    from serval.scores.stats import Difference, Interval

LATENCY_BINS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a chart's table.

    Its kind is `text`, `cell` (text that stands as numbers do), `share`, `score` (a share to its
    hundredth of a percent, beside a difference in `points`), `points` (a difference of shares),
    `count`, `number`, `correlation`, `error` or `signed` (a difference of one of these).
    """

    key: str
    title: str
    kind: str = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One chart.

    Attributes:
        id: Names its files.
        kind: How the page draws it; `table` is not drawn.
        title: What is shown.
        note: How to read it, in one or two sentences.
        columns: Of its table.
        rows: By column; shares in [0, 1], `None` where not defined.
        wide: Whether it takes the whole width.
        reference: Where a line marks a value to compare with.
        margin: A difference up to this, in [0, 1], counts as none; drawn as a band.
        dimension: Which one the page draws of every clip, from 0; the rows then sum it up.
    """

    id: str
    kind: str
    title: str
    note: str
    columns: tuple[Column, ...]
    rows: list[dict[str, Any]]
    wide: bool = False
    reference: float | None = None
    margin: float | None = None
    dimension: int | None = None


RUN = Column(key="run", title="run")
CLIPS = Column(key="clips", title="clips", kind="count")
BOUNDS = (
    Column(key="value", title="value", kind="share"),
    Column(key="low", title="95 % from", kind="share"),
    Column(key="high", title="to", kind="share"),
)


def bounds(interval: Interval | Difference) -> dict[str, float | None]:
    """Return a score, or a difference, and its interval as cells; undefined ones are `None`."""
    named = {"value": interval.value, "low": interval.low, "high": interval.high}
    return {name: defined(x) for name, x in named.items()}


def defined(value: float) -> float | None:
    """Return a number as a cell; an undefined one is `None`."""
    return None if np.isnan(value) else float(value)


def per_class_chart(
    names: Sequence[str], scores: Sequence[Mapping[str, ClassScores | EmotionScores]]
) -> Chart:
    """Return precision, recall and F1 of each class with intervals."""
    rows = [
        {"run": name, "label": label, "metric": metric, **bounds(interval), "clips": own.support}
        for name, run_scores in zip(names, scores, strict=True)
        for label, own in run_scores.items()
        for metric, interval in (
            ("recall", own.recall),
            ("precision", own.precision),
            ("F1", own.f1),
        )
    ]
    drawn = "The bars are recall; the table also has precision and F1." if len(names) > 1 else ""
    return Chart(
        id="per-class",
        kind="perClass",
        title="Each emotion",
        note="Recall: how much of an emotion was found. Precision: how often its name was right. "
        f"Lines are 95 % intervals; where two overlap widely, do not rank. {drawn}".strip(),
        columns=(RUN, Column(key="label", title="emotion"), Column(key="metric", title="score"),
                 *BOUNDS, CLIPS),
        rows=rows,
        wide=True,
    )  # fmt: skip


def speakers_chart(names: Sequence[str], runs: Sequence[Run]) -> Chart | None:
    """Return the accuracy of each speaker, or `None` where speakers are not known."""
    rows = [
        row
        for name, run in zip(names, runs, strict=True)
        for row in sorted(_speaker_rows(name, run), key=lambda row: (row["value"], -row["clips"]))
    ]
    if not rows:
        return None
    return Chart(
        id="speakers",
        kind="speakers",
        title="Each speaker",
        note="One dot is one speaker; a larger dot has more clips. Small dots scatter by chance; "
        "the table begins with the speakers that are understood least.",
        columns=(RUN, Column(key="speaker", title="speaker"), BOUNDS[0], CLIPS),
        rows=rows,
        wide=True,
    )


def latency_chart(names: Sequence[str], runs: Sequence[Run]) -> Chart:
    """Return how long the model took, as a histogram that is drawn up to the slowest hundredth."""
    times = [1000 * run.inference_s for run in runs]
    edges = _edges(np.concatenate(times))
    rows = [
        row for name, ms in zip(names, times, strict=True) for row in _histogram(name, ms, edges)
    ]
    said = "; ".join(
        f"{name}: {_latency_words(run)}" for name, run in zip(names, runs, strict=True) if len(run)
    )
    slower = sum(row["clips"] for row in rows if row["beyond"])
    left_out = f" {counted(slower, 'slower clip is', 'slower clips are')} in the table only."
    return Chart(
        id="latency",
        kind="latency",
        title="Time for one clip",
        note=f"{said}. Measured while the run went on; other work on the machine is in it."
        f"{left_out * bool(slower)}",
        columns=(RUN, Column(key="from_ms", title="from ms", kind="number"),
                 Column(key="to_ms", title="to ms", kind="number"), CLIPS),
        rows=rows,
    )  # fmt: skip


def failures_chart(names: Sequence[str], runs: Sequence[Run]) -> Chart | None:
    """Return the clips without a prediction and why, or `None` if there are none."""
    keys = ("clip_id", "truth", "stage", "reason", "speaker")
    rows = [
        {"run": name, **{key: getattr(failure, key) or "" for key in keys}}
        for name, run in zip(names, runs, strict=True)
        for failure in run.failures
    ]
    if not rows:
        return None
    stages = Counter(row["stage"] for row in rows)
    at = ", ".join(f"{n} at the stage '{stage}'" for stage, n in stages.most_common())
    return Chart(
        id="failures",
        kind="table",
        title="Clips without an answer",
        note=f"They are in no score: {at}.",
        columns=(RUN, Column(key="clip_id", title="clip"),
                 *(Column(key=key, title=key) for key in keys[1:])),
        rows=rows,
        wide=True,
    )  # fmt: skip


def _speaker_rows(name: str, run: Run) -> Iterator[dict[str, Any]]:
    clips: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for speaker, truth, predicted in zip(run.speakers, run.truth, run.predicted, strict=True):
        if speaker is not None:
            clips[speaker] += 1
            right[speaker] += int(truth == predicted)
    for speaker, n in clips.items():
        yield {"run": name, "speaker": speaker, "value": right[speaker] / n, "clips": n}


def _edges(milliseconds: np.ndarray[Any, np.dtype[np.float64]]) -> list[float]:
    if not len(milliseconds):
        return [0.0, 1.0]
    top = float(np.percentile(milliseconds, 99))
    step = _round_step(max(top, 1e-3) / LATENCY_BINS)
    return [round(step * i, 6) for i in range(int(np.ceil(top / step)) + 1)]


def _round_step(rough: float) -> float:
    """Return the least of 1, 2, 5 times a power of ten that is not below `rough`."""
    unit = 10.0 ** np.floor(np.log10(rough))
    return float(next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough))


def _histogram(
    name: str, milliseconds: np.ndarray[Any, np.dtype[np.float64]], edges: Sequence[float]
) -> list[dict[str, Any]]:
    """Return the bars, and behind them what is slower than the last: `beyond`."""
    counts, _ = np.histogram(milliseconds, bins=edges)
    slower = milliseconds[milliseconds > edges[-1]]
    ends = [*pairwise(edges), (edges[-1], float(slower.max(initial=0.0)))]
    return [
        {"run": name, "from_ms": low, "to_ms": high, "clips": int(n), "beyond": high > edges[-1]}
        for (low, high), n in zip(ends, [*counts, len(slower)], strict=True)
        if n
    ]


def _latency_words(run: Run) -> str:
    """Return median and slowest parts; a percentile needs enough clips to be one."""
    shares = {50: "half of the clips", 95: "95 %", 99: "99 %"}
    said = [
        f"{what} took under {1000 * np.percentile(run.inference_s, share):.1f} ms"
        for share, what in shares.items()
        if len(run) * (100 - share) >= 100 or share == 50
    ]
    if len(run) == 1:
        said = [f"one clip took {1000 * run.inference_s[0]:.1f} ms"]
    rtfx = float(run.duration_s.sum() / max(run.inference_s.sum(), 1e-9))
    return f"{', '.join(said)}; {three_digits(rtfx)} s of audio for each second in the model"
