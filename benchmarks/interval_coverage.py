"""How often do 95 % intervals hold the truth? `python benchmarks/interval_coverage.py`.

Datasets are simulated: speakers differ (a random effect on the logit of being right), emotions
differ. From the same draws of speakers it makes percentile intervals and serval's own. Prints the
coverage in percent, of three scores, and takes a few minutes.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serval.labels import LabelSet
from serval.scores import bearing, score_columns
from serval.scores.clusters import cluster_tables, clustering_of, effective_number, resampled
from serval.scores.metrics import confusion_matrix
from serval.scores.stats import interval, spread

Ids = NDArray[np.int64]
Set = tuple[Ids, Ids, Ids]

LABELS = LabelSet(["a", "b", "c", "d"])
K = len(LABELS)
EASE, SHARE = np.array([2.0, 1.5, 2.5, 1.0]), np.array([0.4, 0.3, 0.2, 0.1])
SCORES = {"accuracy": 0, "UAR": 1, "macro F1": 2}
SHAPES = {
    "300 clips, each its own speaker": (np.ones(300, dtype=int), 0.0),
    "5 speakers, 100 clips each": (np.full(5, 100), 0.5),
    "10 speakers, 60 clips each": (np.full(10, 60), 0.5),
    "24 speakers, 40 clips each": (np.full(24, 40), 0.5),
    "115 speakers with 11-13 clips, 2 with 250": (
        np.r_[np.full(91, 13), np.full(24, 11), np.full(2, 250)],
        0.5,
    ),
}


def clips(sizes: Ids, spread_of_speakers: float, rng: np.random.Generator) -> Set:
    """Return speaker, truth and prediction of each clip of one simulated set."""
    speaker = np.repeat(np.arange(len(sizes)), sizes)
    truth = rng.choice(K, len(speaker), p=SHARE)
    ease = EASE[truth] + rng.normal(0, spread_of_speakers, len(sizes))[speaker]
    right = ease > rng.logistic(size=len(speaker))
    return speaker, truth, np.where(right, truth, (truth + rng.integers(1, K, len(truth))) % K)


def both_intervals(simulated: Set, rng: np.random.Generator) -> tuple[Any, Any]:
    """Return the percentile intervals and serval's, `(3, 2)` each, from the same draws."""
    speaker, truth, predicted = simulated
    clustering = clustering_of([str(i) for i in speaker])
    tables = cluster_tables(truth * K + predicted, K * K, clustering)
    values = score_columns(tables.total.reshape(K, K))
    draws = score_columns(resampled(tables, 500, rng).reshape(-1, K, K))
    effective = effective_number(bearing(tables.tables.reshape(-1, K, K)), tables.times)
    errors = spread(draws, effective)
    percentile = np.nanquantile(draws, [0.025, 0.975], axis=0).T
    own = [interval(values[i], errors[i], effective[i]) for i in SCORES.values()]
    return percentile[list(SCORES.values())], np.array([(i.low, i.high) for i in own])


def main(repeats: int) -> None:
    """Print one line for each shape of a dataset."""
    rng = np.random.default_rng(0)
    print(f"{'':44}" + "".join(f"{name:>22}" for name in SCORES))
    print(f"{f'coverage in %, {repeats} sets each':44}" + f"{'percentile':>12}{'serval':>10}" * 3)
    for name, (sizes, speakers) in SHAPES.items():
        large = [clips(np.full(2000, 20), speakers, rng)[1:] for _ in range(20)]
        truth = score_columns(sum(confusion_matrix(t, p, LABELS) for t, p in large))
        wanted = truth[list(SCORES.values()), np.newaxis]
        held = np.zeros((2, len(SCORES)))
        for _ in range(repeats):
            for kind, ends in enumerate(both_intervals(clips(sizes, speakers, rng), rng)):
                held[kind] += ((ends[:, :1] <= wanted) & (wanted <= ends[:, 1:])).ravel()
        share = 100 * held / repeats
        cells = "".join(f"{share[0, i]:12.1f}{share[1, i]:10.1f}" for i in range(len(SCORES)))
        print(f"{name:44}{cells}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
