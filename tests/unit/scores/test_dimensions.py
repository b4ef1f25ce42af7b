"""Scores of arousal, valence and dominance equal those of the libraries that the field uses."""

import audmetric
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from serval.scores.clusters import clustering_of
from serval.scores.dimensions import (
    DIMENSION_METRICS,
    dimension_scores,
    moment_tables,
    moments_of_sums,
    one_clip,
    paired_dimension_scores,
    score_columns,
)

NAMES = ["arousal", "valence", "dominance"]


def drawn(seed, n, *, tied=False):
    rng = np.random.default_rng(seed)
    truth = rng.normal(4, 1, (n, 3))
    predicted = 0.7 * truth + rng.normal(1.5, 0.7, (n, 3))
    return (truth.round(), predicted.round(1)) if tied else (truth, predicted)


def oracle(x, y):
    return {
        "ccc": audmetric.concordance_cc(x, y),
        "pearson": stats.pearsonr(x, y).statistic,
        "spearman": stats.spearmanr(x, y).statistic,
        "mae": metrics.mean_absolute_error(x, y),
        "rmse": metrics.root_mean_squared_error(x, y),
        "bias": np.mean(y - x),
    }


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.integers(4, 60), st.booleans())
def test_every_score_equals_the_librarys(seed, n, tied):
    truth, predicted = drawn(seed, n, tied=tied)
    scores = dimension_scores(truth, predicted, [None] * n, NAMES)
    for i, name in enumerate(NAMES):
        if np.ptp(truth[:, i]) == 0 or np.ptp(predicted[:, i]) == 0:
            continue
        for key, expected in oracle(truth[:, i], predicted[:, i]).items():
            found = scores.per_dimension[name][key]
            assert found.value == pytest.approx(expected, abs=1e-9), key
            assert found.low <= found.value <= found.high, key
    for key, mean in scores.mean.items():
        assert mean.value == pytest.approx(
            np.mean([scores.per_dimension[n][key].value for n in NAMES]), nan_ok=True
        )


def test_a_clip_without_one_truth_counts_for_the_others():
    truth, predicted = drawn(1, 40)
    truth[:10, 1] = np.nan
    scores = dimension_scores(truth, predicted, list("abcd") * 10, NAMES)
    assert scores.clips == {"arousal": 40, "valence": 30, "dominance": 40}
    expected = oracle(truth[10:, 1], predicted[10:, 1])
    for key, value in expected.items():
        assert scores.per_dimension["valence"][key].value == pytest.approx(value)
    assert (scores.by, scores.clusters) == ("speaker", 4)


def test_moments_add_up_over_speakers_and_runs():
    (truth, a), (_, b) = drawn(2, 30), drawn(3, 30)
    clustering = clustering_of(list("xyz") * 10)
    both = moment_tables(np.stack([truth, truth]), np.stack([a, b]), clustering)
    sums = both.total
    assert np.allclose(sums, both.clips.total)
    alone = [
        moments_of_sums(moment_tables(truth[None], one[None], clustering).total) for one in (a, b)
    ]
    together = score_columns(moments_of_sums(sums, runs=2))
    np.testing.assert_allclose(together, [score_columns(one) for one in alone])


def test_truth_that_never_varies_has_no_correlation():
    scores = dimension_scores(np.ones((5, 1)), np.arange(5.0)[:, None], [None] * 5, ["arousal"])
    assert np.isnan(scores.per_dimension["arousal"]["ccc"].value)
    assert np.isnan(scores.per_dimension["arousal"]["pearson"].low)
    assert scores.per_dimension["arousal"]["bias"].value == 1.0


@pytest.mark.parametrize("n", [5, 10, 40, 1000])
@pytest.mark.parametrize("rating", [0.1, 0.7, 3.3])
def test_rounding_is_no_variation(rating, n):
    predicted = np.random.default_rng(n).uniform(0, 1, (n, 1))
    scores = dimension_scores(np.full((n, 1), rating), predicted, [None] * n, ["arousal"])
    for key in ("ccc", "pearson", "spearman"):
        assert np.isnan(scores.per_dimension["arousal"][key].value), key


def test_a_dimension_called_mean_takes_no_score_of_another():
    rng = np.random.default_rng(0)
    truth = rng.uniform(1, 7, (50, 2))
    sides = (truth + rng.normal(size=truth.shape), truth + 0.5)
    found, usual = (
        paired_dimension_scores(truth, sides, clustering_of([None] * 50), names, 6.0)
        for names in (("mean", "valence"), ("arousal", "valence"))
    )
    assert found["valence"] == usual["valence"]
    assert found["valence"]["bias"].b == pytest.approx(0.5)
    assert found["mean"] == usual["mean"]


def test_two_clips_lie_on_a_line_and_no_clip_has_a_score():
    two = dimension_scores(np.array([[1.0], [2.0]]), np.array([[1.0], [1.1]]), [None] * 2, ["v"])
    pearson = two.per_dimension["v"]["pearson"]
    assert pearson.value == pytest.approx(1.0)
    assert np.isnan([pearson.low, pearson.high]).all()
    none = dimension_scores(np.zeros((0, 2)), np.zeros((0, 2)), [], ["a", "v"])
    assert none.n == 0
    assert np.isnan([none.mean["ccc"].value, none.mean["mae"].value]).all()


@pytest.mark.parametrize("speakers", [[None] * 60, [f"s{i % 6}" for i in range(60)]])
def test_a_dimension_of_few_clips_is_as_sure_as_they_are_alone(speakers):
    truth, predicted = drawn(4, 60)
    rated = np.arange(60) % 6 < 2 if speakers[0] else np.arange(60) < 5
    truth[~rated, 1] = np.nan
    together = dimension_scores(truth, predicted, speakers, NAMES)
    own = [speakers[i] for i in np.flatnonzero(rated)]
    alone = dimension_scores(truth[rated], predicted[rated], own, NAMES).per_dimension["valence"]
    for key, interval in alone.items():
        found = together.per_dimension["valence"][key]
        assert (found.low, found.high) == pytest.approx((interval.low, interval.high)), key
    worth = "worth 2 speakers" if speakers[0] else "of 5 clips"
    assert f"valence has ratings {worth} only" in together.warnings[-1]
    three = np.where(np.arange(60)[:, None] < 3, truth, np.nan)
    three[:, [0, 2]] = truth[:, [0, 2]]
    few = dimension_scores(three, predicted, speakers, NAMES)
    assert np.isnan(few.per_dimension["valence"]["ccc"].low)
    assert np.isnan(few.mean["ccc"].low)


def test_one_clip_moves_a_score_as_the_prediction_of_another_would():
    truth, predicted = drawn(5, 6)
    found = one_clip(truth, predicted)[:, 0]
    x, y = truth[:, 0], predicted[:, 0]
    before = np.array(list(oracle(x, y).values()))
    squares = []
    for i in range(6):
        for j in set(range(6)) - {i}:
            after = oracle(x, np.where(np.arange(6) == i, y[j], y))
            squares.append((np.array(list(after.values())) - before) ** 2)
    expected = np.sqrt(np.mean(squares, axis=0))
    keys = list(DIMENSION_METRICS)
    for key in ("ccc", "pearson", "mae", "rmse", "bias"):
        assert found[keys.index(key)] == pytest.approx(expected[keys.index(key)]), key


@pytest.mark.parametrize("speakers", [10, 24, 91])
def test_intervals_of_ccc_hold_for_speakers_who_differ(speakers):
    rng = np.random.default_rng(speakers)
    expected, held = 2 * 0.7 * 1.09 / (1.09 + 0.49 * 1.09 + 0.09 + 0.49 + 0.04), 0
    ids = np.repeat(np.arange(speakers), 12)
    for _ in range(120):
        x = 3 + 0.3 * rng.normal(size=speakers)[ids] + rng.normal(size=len(ids))
        y = (
            0.7 * (x - 3)
            + 3.2
            + 0.3 * rng.normal(size=speakers)[ids]
            + 0.7 * rng.normal(size=len(ids))
        )
        found = dimension_scores(x[:, None], y[:, None], ids.astype(str).tolist(), ["arousal"])
        interval = found.per_dimension["arousal"]["ccc"]
        held += interval.low <= expected <= interval.high
    assert held >= 106
