"""Models on the same clips -> where each of them stands, and which cannot be told apart."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from serval.comparison.pair import PairTest, Rank, corrected_tests, ranks
from serval.labels import emotion_of
from serval.scores import HEADLINES, METRICS
from serval.scores.clusters import clustering_of
from serval.scores.paired import Panel, PanelEstimates
from serval.scores.stats import Interval, mcnemar_exact

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from serval.run import Run
    from serval.scores.metrics import Margins

    Floats = NDArray[np.float64]
    Ids = NDArray[np.int64]


MAJORITY = "majority label"
"""What always says the most frequent emotion of a set: without a model, and without inference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standings:
    """Where models stand on one set.

    Attributes:
        clips: Those that at least one of them has a label for.
        by: What was drawn: `speaker` or `clip`.
        clusters: How many of them.
        majority: The most frequent emotion.
        warnings: What a reader must know before trusting an interval, one sentence each.
        scores: Of each model, and of `MAJORITY`, by name of `METRICS`.
        ranks: Of each of them, by each of `HEADLINES`.
        tests: Of each pair.
    """

    clips: int
    by: str
    clusters: int
    majority: str
    warnings: tuple[str, ...]
    scores: Mapping[str, Mapping[str, Interval]]
    ranks: tuple[Rank, ...]
    tests: tuple[PairTest, ...]


def standings_of(names: Sequence[str], clips: Together) -> Standings:
    """Return where each model, and the most frequent label, stands on the same clips.

    A clip that a model does not answer is an error of it. All are scored on the same draws of
    whole speakers; p-values are corrected by Holm for the number of pairs.

    Args:
        names: Of the runs of `clips`, distinct.
        clips: What they said.
    """
    clustering = clustering_of(clips.speakers)
    majority = int(np.bincount(clips.truth).argmax())
    always = np.full(len(clips.truth), majority)
    panel = Panel(
        k=len(clips.labels),
        truth=clips.truth,
        predicted=np.vstack([clips.predicted, always]),
        clustering=clustering,
    )
    every = (*names, MAJORITY)
    pairs = list(combinations(range(len(every)), 2))
    found = panel.estimates(pairs[:1], lambda counts, _shares: _columns(counts, pairs))
    tests, scores = _tests(every, pairs, panel, found), _scores(every, found)
    return Standings(
        clips=len(clips.truth),
        by=clustering.by,
        clusters=len(clustering),
        majority=clips.labels[majority],
        warnings=clustering.warnings,
        scores=scores,
        ranks=ranks(scores, tests),
        tests=tests,
    )


def _columns(counts: Margins, pairs: Sequence[tuple[int, int]]) -> dict[str, Floats]:
    scores = {name: metric.of(counts) for name, metric in METRICS.items()}
    ranked = np.stack([scores[name] for name in HEADLINES], axis=-1)
    first, second = np.array(pairs).T
    return {**scores, "changes": ranked[:, second] - ranked[:, first]}


def _scores(names: Sequence[str], found: PanelEstimates) -> dict[str, dict[str, Interval]]:
    scores = {
        name: {score: found.interval(score, row) for score in METRICS}
        for row, name in enumerate(names)
    }
    for score, interval in scores[MAJORITY].items():
        # Nothing was learned from clips, so nothing is uncertain but the set itself.
        scores[MAJORITY][score] = Interval(value=interval.value, low=math.nan, high=math.nan)
    return scores


def _tests(
    names: Sequence[str], pairs: Sequence[tuple[int, int]], panel: Panel, found: PanelEstimates
) -> tuple[PairTest, ...]:
    right = panel.predicted == panel.truth
    exact = [
        mcnemar_exact(int((right[a] & ~right[b]).sum()), int((right[b] & ~right[a]).sum()))
        for a, b in pairs
    ]
    changes = {
        score: [found.difference("changes", pair, i) for pair in range(len(pairs))]
        for i, score in enumerate(HEADLINES)
    }
    return corrected_tests([(names[a], names[b]) for a, b in pairs], changes, exact)


NO_ANSWER = "no answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What one run said, failed clips with a label behind those that it answered.

    Attributes:
        labels: Names of emotions, and then `NO_ANSWER`.
        index: `(N,)` positions in the dataset split.
        clip_ids: `(N,)` names of the clips.
        truth: `(N,)` ids of labels.
        predicted: `(N,)` ids of labels.
        speakers: `(N,)`.
    """

    labels: tuple[str, ...]
    index: Ids
    clip_ids: tuple[str, ...]
    truth: Ids
    predicted: Ids
    speakers: tuple[str | None, ...]

    @property
    def truths(self) -> Mapping[int, tuple[str, str]]:
        """Name and emotion of each clip, by its position."""
        names = (self.labels[i] for i in self.truth)
        return dict(zip(self.index.tolist(), zip(self.clip_ids, names, strict=True), strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """The clips that at least one of several runs has a label for.

    Attributes:
        labels: Of all runs; the last is `NO_ANSWER`.
        truth: `(N,)` ids of labels.
        predicted: `(R, N)`: where a run has no answer, the id of that.
        speakers: `(N,)`.
    """

    labels: tuple[str, ...]
    truth: Ids
    predicted: Ids
    speakers: tuple[str | None, ...]


def answers_of(run: Run) -> Answers:
    """Return what a run said of each labelled clip."""
    failed = [failure for failure in run.failures if failure.truth]
    names = tuple(map(emotion_of, run.labels))
    labels = names if len(set(names)) == len(names) else tuple(run.labels)
    ids = [run.labels.id_of(failure.truth) for failure in failed]
    return Answers(
        labels=(*labels, NO_ANSWER),
        index=np.append(run.index, [failure.index for failure in failed]).astype(np.int64),
        clip_ids=(*run.clip_ids, *(failure.clip_id for failure in failed)),
        truth=np.append(run.truth, ids).astype(np.int64),
        predicted=np.append(run.predicted, [len(labels)] * len(failed)).astype(np.int64),
        speakers=(*run.speakers, *(failure.speaker for failure in failed)),
    )


def of_one_task(runs: Sequence[Answers]) -> list[list[int]]:
    """Return groups of runs, by place, that agree on name and emotion of each clip they share."""
    groups: list[tuple[dict[int, tuple[str, str]], list[int]]] = []
    for place, run in enumerate(runs):
        own = run.truths
        for known, members in groups:
            if all(known.get(index, clip) == clip for index, clip in own.items()):
                known.update(own)
                members.append(place)
                break
        else:
            groups.append((dict(own), [place]))
    return [members for _, members in groups]


def together(runs: Sequence[Answers]) -> Together:
    """Return what runs of one task said, clip by clip."""
    names = dict.fromkeys(label for run in runs for label in run.labels if label != NO_ANSWER)
    labels = (*names, NO_ANSWER)
    index = np.unique(np.concatenate([run.index for run in runs]))
    truth = np.zeros(len(index), dtype=np.int64)
    predicted = np.full((len(runs), len(index)), len(names), dtype=np.int64)
    speakers: list[str | None] = [None] * len(index)
    for row, run in zip(predicted, runs, strict=True):
        ids = np.array([labels.index(label) for label in run.labels])
        places = np.searchsorted(index, run.index)
        truth[places], row[places] = ids[run.truth], ids[run.predicted]
        for place, speaker in zip(places.tolist(), run.speakers, strict=True):
            speakers[place] = speaker
    return Together(labels=labels, truth=truth, predicted=predicted, speakers=tuple(speakers))
