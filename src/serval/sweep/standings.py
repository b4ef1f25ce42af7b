"""Models on the same clips -> where each of them stands, and which cannot be told apart."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from serval.comparison.pair import PairTest, Rank, corrected_tests, ranks
from serval.scores import HEADLINES, METRICS
from serval.scores.clusters import clustering_of
from serval.scores.paired import Panel, PanelEstimates
from serval.scores.stats import Interval, mcnemar_exact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from serval.scores.metrics import Margins
    from serval.sweep.answers import Together

    Floats = NDArray[np.float64]

__all__ = ["MAJORITY", "Standings", "standings_of"]

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
        ranks: Of each model, and of `MAJORITY`, by each of `HEADLINES`.
        tests: Of each pair.
    """

    clips: int
    by: str
    clusters: int
    majority: str
    warnings: tuple[str, ...]
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
    tests = _tests(every, pairs, panel, found)
    return Standings(
        clips=len(clips.truth),
        by=clustering.by,
        clusters=len(clustering),
        majority=clips.labels[majority],
        warnings=clustering.warnings,
        ranks=ranks(_scores(every, found), tests),
        tests=tests,
    )


def _columns(counts: Margins, pairs: Sequence[tuple[int, int]]) -> dict[str, Floats]:
    scores = np.stack([METRICS[name].of(counts) for name in HEADLINES], axis=-1)
    first, second = np.array(pairs).T
    return {"scores": scores, "changes": scores[:, second] - scores[:, first]}


def _scores(names: Sequence[str], found: PanelEstimates) -> dict[str, dict[str, Interval]]:
    scores = {
        name: {score: found.interval("scores", row, i) for i, score in enumerate(HEADLINES)}
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
