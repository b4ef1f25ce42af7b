"""Two or more runs of several emotions a clip on the same clips: what differs, and how sure."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.comparison.align import aligned
from serval.comparison.partners import refuse_odd_margin, task_of_runs
from serval.comparison.words import letter_of, relation_of
from serval.files import write_json
from serval.multilabel import MultilabelRun, multilabel_run
from serval.results.document import warnings_of
from serval.scores.clusters import clustering_of
from serval.scores.multilabel import MULTILABEL_METRICS, paired_scores
from serval.scores.paired import IntervalChange, PairedScore, PairOptions
from serval.tasks import MULTILABEL
from serval.wording import change_short, counted, hundredths, percent, points, span, without_nan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from serval.run import Run
    from serval.scores.clusters import Clustering

    Ids = NDArray[np.int64]

MOVED = 10
"""Clips that are listed, those with most other answers first."""

LOWER_IS_BETTER = {key for key, one in MULTILABEL_METRICS.items() if not one.higher_is_better}


@dataclass(frozen=True, slots=True, kw_only=True)
class MultilabelAgainst:
    """One run measured against the first.

    Attributes:
        b: Its name.
        overall: By key of `MULTILABEL_METRICS`.
        per_emotion: By emotion, then by key of `EMOTION_METRICS`.
        agreement: Share of clips of which both name the same emotions, in [0, 1].
        moved: The clips with most other answers: id, the true emotions, A's and B's.
    """

    b: str
    overall: Mapping[str, IntervalChange]
    per_emotion: Mapping[str, Mapping[str, IntervalChange]]
    agreement: float
    moved: tuple[tuple[str, str, str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MultilabelComparison:
    """Runs of several emotions a clip on their common clips; the first is the baseline.

    Attributes:
        runs: Folder of each run, by name.
        only_in: Clips that not all runs have, by run.
        other_audio: How many of the common clips have other audio in another run.
        n: Common clips.
        thresholds: What is said of the thresholds of each run, by name.
        margin: The loss that would not matter, in (0, 1).
        by: What was drawn: `speaker` or `clip`.
        clusters: Number of them.
        against: Each further run against the first.
        warnings: What a reader must know before trusting the numbers, one sentence each.
    """

    runs: Mapping[str, str]
    only_in: Mapping[str, tuple[str, ...]]
    other_audio: int
    n: int
    thresholds: Mapping[str, str]
    margin: float
    by: str
    clusters: int
    against: tuple[MultilabelAgainst, ...]
    warnings: tuple[str, ...]

    @property
    def changes(self) -> dict[str, IntervalChange]:
        """Of each score of the second run that can drop, by the names that bounds have."""
        one, known = self.against[0], MULTILABEL_METRICS
        whole = {key: own for key, own in one.overall.items() if known[key].higher_is_better}
        return whole | {
            f"{key}:{label}": change
            for label, own in one.per_emotion.items()
            for key, change in own.items()
        }

    @property
    def verdict(self) -> list[str]:
        """One sentence for each further run, by macro F1."""
        return [self._sentence(one) for one in self.against]

    @property
    def document(self) -> dict[str, Any]:
        """The comparison in plain JSON types, with its sentences; undefined is `None`."""
        head = {"schema_version": 1, "task": MULTILABEL.key, "verdict": self.verdict}
        return {key: without_nan(value) for key, value in (head | asdict(self)).items()}

    def _sentence(self, one: MultilabelAgainst) -> str:
        change, first = one.overall["macro_f1"], next(iter(self.runs))
        b, gap = f"{one.b} ({letter_of(self.runs, one.b)})", change.difference
        if self.runs[one.b] == self.runs[first]:
            return f"{b} is the same run as {first} (A): name another one."
        head = f"{b} {relation_of(change.verdict)} {first} (A)"
        if math.isnan(gap.value):
            return f"{head}: none of {counted(self.n, 'clip')} has an emotion."
        return (
            f"{head}: macro F1 {percent(change.b)} against "
            f"{percent(change.a)} on {counted(self.n, 'clip')}, a difference of "
            f"{points(gap.value, sign=True)} points (95 % interval {span(gap.low, gap.high)})."
        )


def compare_multilabel(
    runs: Sequence[Run], options: PairOptions | None = None
) -> MultilabelComparison:
    """Return what differs between runs of several emotions a clip, the baseline first.

    Raises:
        ConfigError: A run has one emotion a clip, no clip is common, or the margin is odd.
        LabelError: The runs have different labels, or disagree on the truth of a clip.
    """
    task_of_runs(runs)
    options = options or PairOptions()
    refuse_odd_margin(options.margin)
    clips = aligned(runs)
    sides = [(multilabel_run(run), one.rows) for run, one in zip(runs, clips.columns, strict=True)]
    clustering = clustering_of(clips.speakers)
    names = [column.name for column in clips.columns]
    said = [line for run in runs for line in warnings_of(run)]
    return MultilabelComparison(
        runs={column.name: str(column.folder) for column in clips.columns},
        only_in={column.name: column.only_here for column in clips.columns},
        other_audio=clips.other_audio,
        n=len(clips),
        thresholds=dict(zip(names, (one.thresholds.sentence for one, _ in sides), strict=True)),
        margin=options.margin,
        by=clustering.by,
        clusters=len(clustering),
        against=tuple(
            _against(names[i], sides[0], sides[i], clustering, options) for i in range(1, len(runs))
        ),
        warnings=tuple(dict.fromkeys((*said, *clips.warnings, *clustering.warnings))),
    )


def multilabel_change_cells(change: IntervalChange) -> list[str]:
    """Return A, B, the difference with its interval and the verdict as cells of a table."""
    gap = change_short(asdict(change.difference))
    return [hundredths(change.a), hundredths(change.b), gap, change.verdict or ""]


def write_multilabel_comparison(found: MultilabelComparison, folder: Path) -> dict[str, Path]:
    """Return the path of each file, by kind: `comparison.json`."""
    return {"comparison": write_json(found.document, folder / "comparison.json")}


def _against(
    name: str,
    first: tuple[MultilabelRun, Ids],
    other: tuple[MultilabelRun, Ids],
    clustering: Clustering,
    options: PairOptions,
) -> MultilabelAgainst:
    baseline, rows = first
    labels, truth = baseline.run.labels, baseline.truth[rows]
    a, b = (values.answers_in(labels).at(places) for values, places in (first, other))
    whole, each = paired_scores(truth, a, b, clustering, options.resamples, options.seed)
    ids = [baseline.run.clip_ids[i] for i in rows]
    return MultilabelAgainst(
        b=name,
        overall=_judged(whole, options.margin),
        per_emotion={
            label: _judged(own, options.margin) for label, own in zip(labels, each, strict=True)
        },
        agreement=float((a.predicted == b.predicted).all(axis=1).mean()),
        moved=_moved(ids, labels, (truth, a.predicted, b.predicted)),
    )


def _judged(scores: Mapping[str, PairedScore], margin: float) -> dict[str, IntervalChange]:
    return {
        key: IntervalChange.judged(
            (one.a, one.b), one.difference, margin, higher_is_better=key not in LOWER_IS_BETTER
        )
        for key, one in scores.items()
    }


def _moved(
    ids: Sequence[str], labels: Sequence[str], sets: tuple[NDArray[np.bool_], ...]
) -> tuple[tuple[str, str, str, str], ...]:
    changed = (sets[1] != sets[2]).sum(axis=1)
    order = np.argsort(-changed, kind="stable")[:MOVED].tolist()
    rows = ([_words(labels, one[i]) for one in sets] for i in order)
    return tuple(
        (ids[i], truth, a, b) for i, (truth, a, b) in zip(order, rows, strict=True) if changed[i]
    )


def _words(labels: Sequence[str], marks: NDArray[np.bool_]) -> str:
    return ", ".join(labels[i] for i in np.flatnonzero(marks).tolist()) or "none"
