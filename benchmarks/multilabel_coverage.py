"""How often do 95 % intervals hold the truth? `multilabel_coverage.py [SETS [SPEAKERS ...]]`.

Simulated sets of 600 clips with four emotions that a clip may have together, speakers who differ
in how high they score, and a threshold of 0.5; for each number of speakers, in percent of the sets,
of macro F1, micro F1, mean AP, subset accuracy and Hamming loss.
"""

from __future__ import annotations

import sys

import numpy as np

from serval.scores.multilabel import MULTILABEL_METRICS, SetAnswers, multilabel_scores

CLIPS = 600
SHARE = np.array([0.35, 0.25, 0.2, 0.15])
GAIN, SPREAD = 2.0, 0.6
"""What an emotion adds to its logit, and the deviation of speakers."""

LABELS = ("a", "b", "c", "d")


def drawn(speakers: int, rng: np.random.Generator) -> tuple[np.ndarray, SetAnswers, np.ndarray]:
    """Return the truth of some clips, the answers, and who speaks."""
    ids = np.repeat(np.arange(speakers), -(-CLIPS // speakers))[:CLIPS]
    truth = rng.random((CLIPS, len(SHARE))) < SHARE
    apart = rng.normal(0, SPREAD, (speakers, len(SHARE)))[ids]
    logits = GAIN * truth - 1.2 + apart + rng.logistic(size=truth.shape)
    scores = 1 / (1 + np.exp(-logits))
    return truth, SetAnswers(scores=scores, predicted=scores >= 0.5), ids


def true_scores(rng: np.random.Generator) -> dict[str, float]:
    """Return the scores of a set of many speakers with a clip each."""
    truth, answers, _ = zip(*(drawn(CLIPS, rng) for _ in range(400)), strict=True)
    whole = SetAnswers(
        scores=np.concatenate([one.scores for one in answers]),
        predicted=np.concatenate([one.predicted for one in answers]),
    )
    every = np.concatenate(truth)
    found = multilabel_scores(every, whole, [None] * len(every), LABELS, 2)
    return {key: score.value for key, score in found.overall.items()}


def main() -> None:
    """Print a line for each number of speakers."""
    sets = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    rng = np.random.default_rng(0)
    right = true_scores(rng)
    print("speakers", *MULTILABEL_METRICS)
    for speakers in map(int, sys.argv[2:] or ("10", "24", "91")):
        held = dict.fromkeys(MULTILABEL_METRICS, 0)
        for _ in range(sets):
            truth, answers, ids = drawn(speakers, rng)
            found = multilabel_scores(truth, answers, list(map(str, ids)), LABELS, 400)
            for key, score in found.overall.items():
                held[key] += score.low <= right[key] <= score.high
        print(speakers, *(f"{100 * n / sets:.1f}" for n in held.values()))


if __name__ == "__main__":
    main()
