"""Do 95 % intervals hold the truth in 95 % of simulated datasets, and does the verdict err rarely?

Speakers differ (a random effect on the logit of being right), emotions differ, and the sets have
the shapes of real ones: many clips of unknown speakers, few speakers, very unequal speakers.
"""

import numpy as np
import pytest

from serval.compare.align import Aligned, Column
from serval.compare.pair import PairOptions, pair_scores
from serval.labels import LabelSet
from serval.scores import OVERALL, intervals
from serval.scores.clusters import cluster_tables, clustering_of
from serval.scores.metrics import confusion_matrix
from serval.scores.sums import score_columns

LABELS = LabelSet(["a", "b", "c", "d"])
K = len(LABELS)
EASE = np.array([2.0, 1.5, 2.5, 1.0])
SHARE = np.array([0.4, 0.3, 0.2, 0.1])
REPEATS = 1000

SHAPES = {
    "300 clips, speakers unknown": (np.ones(300, dtype=int), 0.0, False),
    "24 speakers with 40 clips": (np.full(24, 40), 0.5, True),
    "10 speakers with 60 clips": (np.full(10, 60), 0.5, True),
    "91 + 24 speakers with few clips, 2 with 250": (
        np.r_[np.full(91, 13), np.full(24, 11), np.full(2, 250)],
        0.5,
        True,
    ),
}


def clips(sizes, spread, rng, *, gain=0.0, models=1):
    """Truth and predictions of models that are right on largely the same clips."""
    speaker = np.repeat(np.arange(len(sizes)), sizes)
    truth = rng.choice(K, len(speaker), p=SHARE)
    ease = EASE[truth] + rng.normal(0, spread, len(sizes))[speaker]
    luck = rng.logistic(size=len(speaker))
    answers = []
    for model in range(models):
        own = 0.15 * rng.logistic(size=len(speaker)) if models > 1 else 0.0
        right = ease + gain * model + own > luck
        answers.append(np.where(right, truth, (truth + rng.integers(1, K, len(truth))) % K))
    return speaker, truth, answers


def speakers_of(ids, *, known):
    return [str(i) if known else None for i in ids]


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_intervals_hold_the_truth_in_93_to_97_percent(shape):
    sizes, spread, known = SHAPES[shape]
    rng = np.random.default_rng(20_260_101)
    large = [clips(np.full(2000, 20), spread, rng) for _ in range(10)]
    truth = score_columns(sum(confusion_matrix(t, p[0], LABELS) for _, t, p in large))
    held = np.zeros(len(truth))
    for _ in range(REPEATS):
        ids, labels, (predicted,) = clips(sizes, spread, rng)
        clustering = clustering_of(speakers_of(ids, known=known))
        tables = cluster_tables(labels * K + predicted, K * K, clustering)
        found = intervals(tables, K, 300, rng)
        held += [i.low <= v <= i.high for i, v in zip(found, truth, strict=True)]
    coverage = dict(zip(OVERALL, held / REPEATS, strict=False))
    per_class = held[len(OVERALL) :] / REPEATS
    for score in ("wa", "uar", "macro_f1", "weighted_f1"):
        assert 0.93 <= coverage[score] <= 0.97, (score, coverage)
    assert 0.93 <= per_class.mean() <= 0.97, per_class


def aligned_clips(ids, truth, answers, *, known):
    column = {"folder": None, "model": "", "only_here": (), "failed": 0}
    return Aligned(
        labels=LABELS,
        clip_ids=tuple(map(str, range(len(truth)))),
        index=np.arange(len(truth)),
        truth=truth,
        duration_s=np.ones(len(truth)),
        speakers=tuple(speakers_of(ids, known=known)),
        groups={},
        columns=tuple(
            Column(name=name, predicted=predicted, log_probs=np.zeros((len(truth), K)), **column)
            for name, predicted in zip("ab", answers, strict=True)
        ),
        warnings=(),
    )


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["24 speakers with 40 clips", "300 clips, speakers unknown"])
def test_paired_differences_hold_the_truth_in_93_to_97_percent(shape):
    sizes, spread, known = SHAPES[shape]
    rng = np.random.default_rng(5)
    large = [clips(np.full(2000, 20), spread, rng, gain=-0.3, models=2) for _ in range(20)]
    a, b = (
        score_columns(sum(confusion_matrix(t, p[i], LABELS) for _, t, p in large)) for i in range(2)
    )
    truth = dict(zip(OVERALL, b - a, strict=False))
    held = dict.fromkeys(("wa", "uar", "macro_f1"), 0)
    wrong = {"not worse": 0, "worse": 0}
    repeats = 600
    for _ in range(repeats):
        ids, labels, answers = clips(sizes, spread, rng, gain=-0.3, models=2)
        both = aligned_clips(ids, labels, answers, known=known)
        clustering = clustering_of(both.speakers)
        options = PairOptions(margin=-float(truth["wa"]), resamples=300)
        found = pair_scores(both, *both.columns, clustering, options).overall
        for score in held:
            gap = found[score].difference
            held[score] += gap.low <= truth[score] <= gap.high
        wrong["not worse"] += found["wa"].verdict == "not worse"
    for score, times in held.items():
        assert 0.93 <= times / repeats <= 0.97, (score, held)
    assert wrong["not worse"] / repeats <= 0.04
