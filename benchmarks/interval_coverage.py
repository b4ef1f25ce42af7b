"""How often do 95 % intervals hold the truth? `interval_coverage.py [SETS [SPEAKERS ...]]`.

Datasets are simulated: speakers differ (a random effect on the logit of being right, which gives
the clips of one speaker a correlation), emotions differ. For each number of speakers, equal and
very unequal sizes and each correlation it prints, in percent of the sets: how often the interval
of three scores holds the truth in all sets, and in the third of the sets with the narrowest
intervals; the same for the difference of two models that are equally good; and how often one of
these is called worse. A few minutes for each hundred sets.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serval.labels import LabelSet
from serval.scores import OVERALL, intervals
from serval.scores.clusters import cluster_tables, clustering_of
from serval.scores.metrics import confusion_matrix
from serval.scores.paired import PairOptions, Panel
from serval.scores.score import score_columns

Ids = NDArray[np.int64]

LABELS = LabelSet(["a", "b", "c", "d"])
K = len(LABELS)
EASE, SHARE = np.array([2.0, 1.5, 2.5, 1.0]), np.array([0.4, 0.3, 0.2, 0.1])
SCORES = ("wa", "uar", "macro_f1")
PLACES = [OVERALL.index(name) for name in SCORES]
CLIPS = 600
SPEAKERS, CORRELATIONS = (2, 4, 8, 10, 24), (0.0, 0.1, 0.25, 0.5)
RESAMPLES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Intervals of many sets, `(S, 3, 2)`, what they ought to hold, and false verdicts, `(S,)`."""

    ends: NDArray[np.float64]
    truth: NDArray[np.float64]
    called_worse: NDArray[np.bool_]

    def held(self) -> NDArray[np.float64]:
        """Return the share of all sets and of the narrowest third that hold the truth, `(3, 2)`."""
        held = (self.ends[..., 0] <= self.truth) & (self.truth <= self.ends[..., 1])
        order = np.argsort(self.ends[..., 1] - self.ends[..., 0], axis=0, kind="stable")
        narrow = np.take_along_axis(held, order[: len(order) // 3], axis=0)
        return np.stack([held.mean(axis=0), narrow.mean(axis=0)], axis=1)


def sizes_of(speakers: int, *, equal: bool) -> Ids:
    """Return the clips of each speaker; unequal ones fall off from the first as 1, 1/2, 1/3 ..."""
    weights = np.ones(speakers) if equal else 1 / np.arange(1, speakers + 1)
    return np.maximum(5, np.round(CLIPS * weights / weights.sum())).astype(np.int64)


def spread_of(correlation: float) -> float:
    """Return the standard deviation of speakers on the logit that gives clips this correlation."""
    return float(np.sqrt(correlation / (1 - correlation)) * np.pi / np.sqrt(3))


def answers(
    sizes: Ids, correlation: float, rng: np.random.Generator, models: int = 1
) -> tuple[Ids, Ids, Ids]:
    """Return speaker and truth of each clip, and predictions `(M, N)` of equally good models.

    Several models share most of their luck, and each has speakers that it alone finds hard.
    """
    speaker = np.repeat(np.arange(len(sizes)), sizes)
    truth = rng.choice(K, len(speaker), p=SHARE)
    spread = spread_of(correlation)
    ease = EASE[truth] + rng.normal(0, spread, len(sizes))[speaker]
    luck = rng.logistic(size=len(speaker))
    wrong = (truth + rng.integers(1, K, len(truth))) % K
    predicted = []
    for _ in range(models):
        own = np.zeros(len(speaker))
        if models > 1:
            own = 0.15 * rng.logistic(size=len(speaker))
            own += rng.normal(0, 0.3 * spread, len(sizes))[speaker]
        predicted.append(np.where(ease + own > luck, truth, wrong))
    return speaker, truth, np.array(predicted)


def wanted(correlation: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the three scores over very many speakers, `(3,)`."""
    large = [answers(np.full(4000, 10), correlation, rng) for _ in range(20)]
    counts = sum(confusion_matrix(truth, predicted[0], LABELS) for _, truth, predicted in large)
    return score_columns(np.asarray(counts))[PLACES]


def singles(sizes: Ids, correlation: float, sets: int, rng: np.random.Generator) -> Found:
    """Return the intervals of the scores of one model on simulated sets."""
    ends = np.zeros((sets, len(SCORES), 2))
    for i in range(sets):
        speaker, truth, (predicted,) = answers(sizes, correlation, rng)
        tables = cluster_tables(truth * K + predicted, K * K, clustering_of(_names(speaker)))
        found = intervals(tables, K, RESAMPLES, rng)
        ends[i] = [(found[place].low, found[place].high) for place in PLACES]
    return Found(ends=ends, truth=wanted(correlation, rng), called_worse=np.zeros(sets, bool))


def pairs(sizes: Ids, correlation: float, sets: int, rng: np.random.Generator) -> Found:
    """Return the intervals of differences of two equally good models on simulated sets."""
    ends, worse = np.zeros((sets, len(SCORES), 2)), np.zeros(sets, dtype=bool)
    for i in range(sets):
        speaker, truth, predicted = answers(sizes, correlation, rng, models=2)
        panel = Panel(
            k=K, truth=truth, predicted=predicted, clustering=clustering_of(_names(speaker))
        )
        found = panel.changes(PairOptions(resamples=RESAMPLES, seed=i))
        gaps = [found[place].difference for place in PLACES]
        ends[i] = [(gap.low, gap.high) for gap in gaps]
        worse[i] = found[PLACES[0]].verdict == "worse"
    return Found(ends=ends, truth=np.zeros(len(SCORES)), called_worse=worse)


def _names(speaker: Ids) -> list[str | None]:
    return [str(i) for i in speaker]


def main(sets: int, numbers: tuple[int, ...]) -> None:
    """Print one line for each shape of a dataset and each correlation."""
    rng = np.random.default_rng(0)
    print(f"{sets} sets each; in percent: all sets / the third with the narrowest intervals")
    head = [*SCORES, *(f"diff {name}" for name in SCORES), "called worse"]
    print(f"{'speakers':>8} {'sizes':>8} {'corr':>5}" + "".join(f"{name:>15}" for name in head))
    for speakers in numbers:
        for equal in (True, False):
            for correlation in CORRELATIONS:
                sizes = sizes_of(speakers, equal=equal)
                one, two = (of(sizes, correlation, sets, rng) for of in (singles, pairs))
                cells: list[Any] = [*one.held(), *two.held()]
                shown = "".join(f"{100 * a:8.1f} /{100 * b:5.1f}" for a, b in cells)
                kind = "equal" if equal else "unequal"
                worse = 100 * two.called_worse.mean()
                print(f"{speakers:8} {kind:>8} {correlation:5.2f}{shown}{worse:15.1f}", flush=True)


if __name__ == "__main__":
    asked = [int(argument) for argument in sys.argv[1:]]
    main(asked[0] if asked else 1000, tuple(asked[1:]) or SPEAKERS)
