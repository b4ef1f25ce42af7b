"""Out-of-fold predictions as one stored run, its scores fold by fold, and what a leak adds."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.comparison.align import aligned
from serval.comparison.dimensions import compare_dimensions
from serval.comparison.pair import pair_scores
from serval.dimensions import dimension_run
from serval.machine import peak_memory_mb
from serval.predict import Heard, prediction_of
from serval.records import Failure, Sound
from serval.run import Journal, load_run
from serval.scores.clusters import clustering_of
from serval.scores.dimensions import dimension_scores
from serval.scores.metrics import confusion_matrix, uar
from serval.scores.paired import PairOptions
from serval.tasks import CATEGORICAL, DIMENSIONAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from serval.models.protocol import Model
    from serval.probe.features import FeatureStore
    from serval.records import Clip, Record
    from serval.run import Provenance, Run
    from serval.scores.stats import Difference
    from serval.tasks import Task

MARGIN = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossed:
    """What heads say of clips that they were not trained on.

    Attributes:
        logits: `(N, K) float32`; NaN of clips that no fold tests.
        folds: Of each clip the fold that tests it, or empty.
        strengths: What the inner folds of each fold chose.
        shares: Of a weighted sum, the weight of each level, by fold; else empty.
    """

    logits: NDArray[np.float32]
    folds: tuple[str, ...]
    strengths: Mapping[str, float]
    shares: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What a run is made of beside the predictions.

    Attributes:
        model: With labels and outputs of the head.
        provenance: Of the run.
        clips: The clips of the set in order, labelled, without audio.
        rows: `(N,)` of their features, -1 for a clip that failed.
        failures: By place.
        store: Open.
    """

    model: Model
    provenance: Provenance
    clips: Iterable[Clip]
    rows: NDArray[np.int64]
    failures: Mapping[int, Failure]
    store: FeatureStore

    def records(self, crossed: Crossed) -> Iterator[Record]:
        """Yield the record of each clip that a fold tests, or that failed."""
        for place, clip in enumerate(self.clips):
            if place in self.failures:
                yield self.failures[place]
            elif crossed.folds[place]:
                groups = {**clip.groups, "fold": crossed.folds[place]}
                facts = self.store.facts(int(self.rows[place]))
                yield prediction_of(
                    self.model, _heard(replace(clip, groups=groups), crossed.logits[place], facts)
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldScores:
    """One score fold by fold, as papers average it.

    Attributes:
        folds: UAR by fold; of dimensions the mean CCC.
        mean: Over the folds.
        deviation: Their standard deviation, with N - 1; NaN of one fold.
    """

    folds: Mapping[str, float]
    mean: float
    deviation: float


def recorded_run(folder: Path, recording: Recording, crossed: Crossed, *, fresh: bool) -> Run:
    """Return the stored run of out-of-fold predictions; one that is complete is only read."""
    start = time.perf_counter()
    with Journal(folder=folder, provenance=recording.provenance, fresh=fresh) as journal:
        if not journal.complete:
            journal.begin(datetime.now(UTC).isoformat(timespec="seconds"))
            for record in recording.records(crossed):
                if record.index not in journal.done:
                    journal.append(record, time.perf_counter() - start)
            journal.finish(time.perf_counter() - start, dropped={}, peak_memory_mb=peak_memory_mb())
        return load_run(folder)


def fold_scores(run: Run) -> FoldScores:
    """Return the score of each fold of a run, and what papers state: mean and deviation."""
    score = JUDGED[run.provenance.task].score
    of = np.array(run.groups["fold"])
    names = sorted(set(run.groups["fold"]), key=lambda name: (len(str(name)), str(name)))
    found = {str(name): score(run, of == name) for name in names}
    values = np.array(list(found.values()))
    deviation = float(values.std(ddof=1)) if len(values) > 1 else float("nan")
    return FoldScores(folds=found, mean=float(values.mean()), deviation=deviation)


def leak(apart: Run, shared: Run) -> Difference:
    """Return what sharing speakers adds to the score, paired by clip, drawn by speaker."""
    return JUDGED[apart.provenance.task].leak(apart, shared)


def _leak_of_ccc(apart: Run, shared: Run) -> Difference:
    (against,) = compare_dimensions([apart, shared], MARGIN).against
    return against.changes["mean"]["ccc"].difference


def _leak_of_uar(apart: Run, shared: Run) -> Difference:
    clips = aligned([apart, shared])
    first, second = clips.columns
    clustering = clustering_of(clips.speakers)
    return pair_scores(clips, first, second, clustering, PairOptions()).overall["uar"].difference


def _uar(run: Run, clips: NDArray[np.bool_]) -> float:
    return float(uar(confusion_matrix(run.truth[clips], run.predicted[clips], run.labels)))


def _mean_ccc(run: Run, clips: NDArray[np.bool_]) -> float:
    own = dimension_run(run)
    speakers = [None] * int(clips.sum())
    scores = dimension_scores(own.truth[clips], own.predicted[clips], speakers, own.names)
    return scores.mean["ccc"].value


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """How heads of a task are judged.

    Attributes:
        score: The headline of some clips of a run.
        leak: See `leak`.
    """

    score: Callable[[Run, NDArray[np.bool_]], float]
    leak: Callable[[Run, Run], Difference]


JUDGED: Mapping[Task, Judge] = {
    CATEGORICAL: Judge(score=_uar, leak=_leak_of_uar),
    DIMENSIONAL: Judge(score=_mean_ccc, leak=_leak_of_ccc),
}


def _heard(clip: Clip, logits: NDArray[np.float32], facts: Mapping[str, Any]) -> Heard:
    sound = facts["sound"]
    return Heard(
        clip=clip,
        logits=logits,
        inference_s=facts["inference_s"],
        audio_sha256=facts["sha256"],
        duration_s=facts["duration_s"],
        notes=tuple(facts["notes"]),
        sound=Sound(**sound) if sound else None,
    )
