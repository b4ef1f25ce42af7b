"""Scores of several emotions a clip: scikit-learn's values, and intervals that mean something."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics

from serval.scores.clusters import clustering_of
from serval.scores.multilabel import (
    SetAnswers,
    macro_f1_of,
    multilabel_scores,
    paired_scores,
)
from serval.scores.ranking import average_precision, best_thresholds, ranked_score
from serval.scores.uncertainty import few_clusters_factor

LABELS = ("angry", "happy", "sad")
SHAPES = st.tuples(st.integers(1, 30), st.just(3))


def answers(scores, threshold=0.5):
    return SetAnswers(scores=scores, predicted=scores >= threshold)


def found(truth, scores, speakers=None, resamples=20):
    return multilabel_scores(
        truth, answers(scores), speakers or [None] * len(truth), LABELS, resamples
    )


@given(shape=SHAPES, data=st.data())
@settings(max_examples=25, deadline=None)
def test_scores_are_those_of_scikit_learn(shape, data):
    truth = data.draw(arrays(bool, shape))
    scores = data.draw(arrays(np.float64, shape, elements=st.sampled_from((0, 0.2, 0.5, 0.7, 1))))
    own, predicted = found(truth, scores), scores >= 0.5
    value = {key: score.value for key, score in own.overall.items()}
    there = [i for i in range(3) if truth[:, i].any()]
    assert value["subset_accuracy"] == pytest.approx(metrics.accuracy_score(truth, predicted))
    assert value["hamming_loss"] == pytest.approx(metrics.hamming_loss(truth, predicted))
    if truth.any() or predicted.any():
        micro = metrics.f1_score(truth, predicted, average="micro")
        assert value["micro_f1"] == pytest.approx(micro)
    if there:
        macro = metrics.f1_score(truth, predicted, average="macro", labels=there, zero_division=0)
        ap = metrics.average_precision_score(truth[:, there], scores[:, there], average="macro")
        assert (value["macro_f1"], value["mean_ap"]) == (pytest.approx(macro), pytest.approx(ap))
    for i in there:
        each = own.per_emotion[LABELS[i]]
        p, r, f, n = metrics.precision_recall_fscore_support(
            truth[:, i], predicted[:, i], average="binary", zero_division=0
        )
        assert n is None
        expected = [p, r, f, metrics.average_precision_score(truth[:, i], scores[:, i])]
        assert [one.value for one in (each.precision, each.recall, each.f1, each.ap)] == (
            pytest.approx(expected)
        )
        assert (each.support, each.named) == (truth[:, i].sum(), predicted[:, i].sum())
    assert own.emotions_averaged == len(there)


def many(n=600, speakers=20, seed=0):
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, speakers, n)
    truth = rng.random((n, 3)) < 0.25
    apart = rng.normal(0, 0.12, speakers)[ids, np.newaxis]
    scores = np.clip(0.35 * truth + apart + rng.normal(0.3, 0.2, (n, 3)), 0, 1)
    return truth, scores, [f"s{i}" for i in ids], ids


def test_the_error_of_ap_is_that_of_a_bootstrap_of_weights():
    truth, scores, speakers, ids = many()
    truth, scores = truth[:, :1], scores[:, :1]  # scikit-learn takes its time
    other = np.clip(scores + np.where(truth & (ids % 3 == 0)[:, np.newaxis], -0.3, 0), 0, 1)
    rng = np.random.default_rng(1)

    def drawn():
        weights = rng.multinomial(20, np.full(20, 1 / 20))[ids].astype(float)
        one, two = (
            metrics.average_precision_score(truth, some, sample_weight=weights)
            for some in (scores, other)
        )
        return two - one

    clustering = clustering_of(speakers)
    whole, _ = paired_scores(truth, answers(scores), answers(other), clustering, 20)
    expected = np.std([drawn() for _ in range(250)]) * np.sqrt(20 / 19)
    error = whole["mean_ap"].difference.standard_error
    assert error / few_clusters_factor(clustering.effective) == pytest.approx(expected, rel=0.15)


def test_ap_of_few_clips_is_too_high_by_its_excess():
    rng = np.random.default_rng(0)

    def drawn(n):
        truth = rng.random(n) < 0.2
        return ranked_score(truth, truth + rng.normal(0, 1, n))

    whole = drawn(40_000)
    few = [drawn(80) for _ in range(400)]
    value, excess = (np.mean([getattr(one, part) for one in few]) for part in ("value", "excess"))
    assert value - whole.value > 0.02
    assert value - excess == pytest.approx(whole.value, abs=0.02)
    assert whole.excess < 0.001


def test_intervals_by_speaker_are_wider_where_speakers_differ():
    truth, scores, speakers, _ = many()
    by_speaker, by_clip = found(truth, scores, speakers, 400), found(truth, scores, None, 400)
    assert (by_speaker.by, by_clip.by, by_speaker.clusters) == ("speaker", "clip", 20)
    for key in ("macro_f1", "micro_f1", "hamming_loss"):
        wide, narrow = by_speaker.overall[key], by_clip.overall[key]
        assert wide.value == narrow.value
        assert wide.low < narrow.low < wide.value < narrow.high < wide.high


def test_a_difference_is_paired_and_of_the_values_of_both():
    truth, scores, speakers, _ = many()
    other = np.clip(scores + np.where(truth, -0.1, 0.1), 0, 1)
    whole, each = paired_scores(
        truth, answers(scores), answers(other), clustering_of(speakers), 400
    )
    one, two = found(truth, scores, speakers), found(truth, other, speakers)
    for key, change in whole.items():
        values = (one.overall[key].value, two.overall[key].value)
        assert (change.a, change.b) == pytest.approx(values)
        assert change.difference.value == pytest.approx(values[1] - values[0])
    assert whole["macro_f1"].difference.high < 0 < whole["hamming_loss"].difference.low
    assert each[2]["ap"].b == pytest.approx(average_precision(truth[:, 2], other[:, 2]))
    alone = two.overall["macro_f1"].high - two.overall["macro_f1"].low
    gap = whole["macro_f1"].difference
    assert gap.high - gap.low < 1.2 * alone


def test_a_run_differs_from_itself_by_nothing():
    truth, scores, speakers, _ = many(60, 6)
    own = answers(scores)
    whole, _ = paired_scores(truth, own, own, clustering_of(speakers), 50)
    assert {change.difference.value for change in whole.values()} == {0.0}


def test_one_flip_is_one_of_the_clips_that_have_the_emotion():
    truth = np.zeros((200, 3), dtype=bool)
    truth[:120, 0] = truth[80:, 1] = truth[:2, 2] = True
    own = answers(np.where(truth, 0.8, 0.2))
    whole, each = paired_scores(truth, own, own, clustering_of([None] * 200), 50)
    error = {key: each[2][key].difference.standard_error for key in each[2]}
    assert (error["recall"], error["ap"]) == (pytest.approx(1 / 2), pytest.approx(1 / 2))
    # Two hits may become misses, 198 clips without it false alarms: precision 1 becomes 2 / 3.
    assert error["precision"] == pytest.approx(1 / 3)
    assert error["f1"] == pytest.approx(np.sqrt((2 / 9 + 198 / 25 - 2 / 9 + 2 / 9) / 200), rel=0.02)
    # All flips of one emotion where it is, and where it is not, change the score alike.
    kinds = 2 * np.arange(3) + truth
    _, first, times = np.unique(kinds, return_index=True, return_counts=True)
    flipped = np.repeat(truth[np.newaxis], len(first), axis=0)
    flipped.reshape(len(first), -1)[np.arange(len(first)), first] ^= True
    scores = [metrics.f1_score(truth, one, average="macro", zero_division=0) for one in flipped]
    expected = np.sqrt(np.average((np.array(scores) - 1) ** 2, weights=times))
    assert whole["macro_f1"].difference.standard_error == pytest.approx(expected)
    assert whole["hamming_loss"].difference.standard_error == pytest.approx(1 / 600)


def test_macro_f1_of_a_group_is_sklearns_and_moves_as_clips_are_left_out():
    truth, scores, _, _ = many(80, 3)
    predicted = scores >= 0.5
    value, moves, flip = macro_f1_of(truth, predicted)
    assert value == pytest.approx(metrics.f1_score(truth, predicted, average="macro"))
    without = metrics.f1_score(truth[1:], predicted[1:], average="macro")
    assert value - without == pytest.approx(moves[0], abs=2e-3)
    assert abs(moves.sum()) < 1e-6
    assert 0 < flip < 0.05


def test_without_a_clip_average_precision_has_no_interval():
    own = found(np.zeros((4, 3), dtype=bool), np.full((4, 3), 0.2))
    for ap in (own.overall["mean_ap"], own.per_emotion["sad"].ap):
        assert np.isnan([ap.value, ap.low, ap.high]).all()


@given(shape=SHAPES, data=st.data())
@settings(max_examples=15, deadline=None)
def test_no_other_threshold_has_a_higher_f1(shape, data):
    truth = data.draw(arrays(bool, shape))
    scores = data.draw(arrays(np.float64, shape, elements=st.sampled_from((0, 0.2, 0.5, 0.7, 1))))
    for i, best in enumerate(best_thresholds(truth, scores)):
        if not truth[:, i].any():
            assert np.isnan(best)
            continue
        f1 = {
            t: metrics.f1_score(truth[:, i], scores[:, i] >= t, zero_division=0)
            for t in (0, 0.2, 0.5, 0.7, 1)
        }
        assert f1[best] == pytest.approx(max(f1.values()))


def test_without_a_clip_nothing_is_defined():
    none = np.zeros((0, 3))
    own = found(none.astype(bool), none)
    assert np.isnan([score.value for score in own.overall.values()]).all()
    assert own.per_emotion["sad"].support == 0
    assert np.isnan(average_precision(np.zeros(2, dtype=bool), np.array([0.1, 0.2])))


def test_naming_everything_is_the_baseline():
    truth = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0], [1, 0, 0]], dtype=bool)
    own = found(truth, np.full(truth.shape, 0.1))
    everything = np.ones_like(truth)
    assert own.baseline["micro_f1"] == metrics.f1_score(truth, everything, average="micro")
    assert own.baseline["hamming_loss"] == metrics.hamming_loss(truth, everything)
    assert own.baseline["mean_ap"] == pytest.approx((3 / 4 + 1 / 4) / 2)
    assert own.overall["micro_f1"].value == 0.0
