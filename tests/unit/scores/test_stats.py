from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import ttost_paired

from serval.scores.stats import (
    Difference,
    difference,
    equivalence_p,
    holm,
    interval,
    mcnemar_exact,
    mean_error,
    mean_interval,
    rank_ranges,
    smallest_significant,
    spread,
    verdict,
)

NAN = float("nan")


def known(low, high, **changes):
    value = (low + high) / 2
    parts = {"value": value, "low": low, "high": high, "standard_error": 0.002, "p": 0.5}
    return Difference(**parts | {"detectable": 0.006} | changes)


@given(st.integers(0, 200), st.integers(0, 200))
def test_mcnemar_equals_statsmodels(only_a, only_b):
    table = [[10, only_a], [only_b, 10]]
    expected = mcnemar(table, exact=True).pvalue if only_a + only_b else 1.0
    assert mcnemar_exact(only_a, only_b) == pytest.approx(expected, abs=1e-12)


@settings(max_examples=30)
@given(st.integers(0, 80))
def test_the_smallest_significant_net_difference_is_the_smallest(discordant):
    net = smallest_significant(discordant)
    splits = [(k, discordant - k) for k in range(discordant // 2 + 1)]
    nets = [b - a for a, b in splits if mcnemar_exact(a, b) <= 0.05]
    assert net == (min(nets) if nets else None)


@pytest.mark.parametrize(
    ("share", "points"), [(0.02, 0.70), (0.03, 0.90), (0.05, 1.10), (0.08, 1.30)]
)
def test_what_1999_clips_can_show(share, points):
    net = smallest_significant(round(share * 1999))
    assert 100 * net / 1999 == pytest.approx(points, abs=0.06)


@settings(max_examples=25)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_equals_statsmodels(p_values):
    with patch("gc.collect"):  # which statsmodels calls each time, for a third of a second
        expected = multipletests(p_values, method="holm")[1]
    np.testing.assert_allclose(holm(p_values), expected, atol=1e-12)


def test_holm_leaves_out_what_is_not_defined():
    corrected = holm([0.01, NAN, 0.04])
    assert np.isnan(corrected[1])
    np.testing.assert_allclose(corrected[[0, 2]], [0.02, 0.04])


@given(st.integers(1, 1998))
def test_many_independent_clips_have_wilsons_interval(right):
    share, n = right / 1999, 1999
    found = interval(share, np.sqrt(share * (1 - share) / n), 1e9)
    low, high = proportion_confint(right, n, method="wilson")
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-6)


@given(st.floats(0, 1), st.floats(0, 0.5), st.floats(0, 500))
def test_an_interval_holds_its_value_and_stays_in_range(value, error, effective):
    found = interval(value, error, effective)
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_fewer_clusters_make_a_wider_interval():
    widths = [i.high - i.low for i in (interval(0.8, 0.02, c) for c in (3, 10, 100))]
    assert widths == sorted(widths, reverse=True)


def test_a_perfect_score_is_as_sure_as_its_clusters_are_many():
    few, many = interval(1.0, 0.0, 5), interval(1.0, 0.0, 500)
    assert few.low < 0.6
    assert many.low > 0.99
    assert few.high == many.high == 1.0


def test_what_is_not_defined_has_no_interval():
    assert np.isnan(interval(NAN, 0.1, 10).low)
    assert np.isnan(interval(0.5, NAN, 10).high)
    assert np.isnan(difference(NAN, 0.1, 10, 0.01).p)
    assert np.isnan(difference(0.1, NAN, 10, 0.01).detectable)


def test_spread_is_the_standard_deviation_put_right_for_few_clusters():
    scores = np.random.default_rng(0).normal(size=(1000, 1))
    expected = scores.std(ddof=1) * np.sqrt(5 / 4)
    assert spread(scores, np.array([5.0]))[0] == pytest.approx(expected)


def test_spread_leaves_out_draws_without_a_score():
    scores = np.array([[1.0, NAN], [NAN, NAN], [3.0, 1.0]])
    errors = spread(scores, np.array([1e9, 1e9]))
    assert errors[0] == pytest.approx(np.sqrt(2))
    assert np.isnan(errors[1])


def test_no_flip_at_all_still_leaves_doubt_on_a_small_set():
    small, large = difference(0.0, 0.0, 30, 1 / 30), difference(0.0, 0.0, 2000, 1 / 2000)
    assert verdict(small, 0.01) == "cannot tell"
    assert verdict(large, 0.01) == "not worse"
    assert small.p == large.p == 1.0


def test_nothing_that_could_flip_is_no_difference():
    found = difference(0.0, 0.0, 10, 0.0)
    assert (found.p, verdict(found, 0.01)) == (1.0, "not worse")


def test_mean_error_is_the_clustered_one_of_statsmodels():
    rng = np.random.default_rng(0)
    ids = np.sort(rng.integers(0, 12, 90))
    values = rng.normal(size=12)[ids] + rng.normal(size=90)
    ids = np.unique(ids, return_inverse=True)[1]
    fit = OLS(values, np.ones(90)).fit(cov_type="cluster", cov_kwds={"groups": ids})
    assert mean_error(values, ids) == pytest.approx(fit.bse[0])


def test_a_mean_needs_two_clusters():
    assert np.isnan(mean_error(np.ones(3), np.zeros(3, dtype=int)))
    assert np.isnan(mean_error(np.ones(0), np.zeros(0, dtype=int)))


def test_a_mean_has_students_interval():
    found = mean_interval(2.0, 0.5, 11)
    assert (found.low, found.high) == pytest.approx((2 - 2.228 * 0.5, 2 + 2.228 * 0.5), abs=1e-3)


def test_a_difference_stays_in_range():
    found = difference(-0.9, 0.5, 3, 0.1)
    assert (found.low, found.high) == (-1.0, pytest.approx(found.high))
    assert difference(0.9, 0.5, 3, 0.1).high == 1.0


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-0.005, 0.004, "not worse"),
        (0.01, 0.03, "not worse"),
        (-0.009, -0.001, "not worse"),
        (-0.03, -0.001, "worse"),
        (-0.05, -0.02, "worse"),
        (-0.03, 0.02, "cannot tell"),
        (-0.01, 0.02, "cannot tell"),
        (NAN, NAN, "cannot tell"),
    ],
)
def test_the_verdict_is_decided_by_the_interval(low, high, expected):
    assert verdict(known(low, high), margin=0.01) == expected


def test_equivalence_equals_statsmodels_for_independent_clips():
    rng = np.random.default_rng(3)
    a, b = rng.normal(0, 1, 60), rng.normal(0.05, 1, 60)
    gap = a - b
    error = gap.std(ddof=1) / np.sqrt(60)
    result = difference(gap.mean(), error, 60, 0.0)
    expected = ttost_paired(a, b, -0.4, 0.4)[0]
    assert equivalence_p(result, 0.4, 60) == pytest.approx(expected, rel=1e-6)


def test_the_smallest_detectable_difference_is_found_four_times_in_five():
    rng = np.random.default_rng(1)
    error, effective = 0.01, 200
    detectable = difference(0.0, error, effective, 0.0).detectable
    found = [
        difference(v, error, effective, 0.0).p < 0.05 for v in rng.normal(detectable, error, 2000)
    ]
    assert np.mean(found) == pytest.approx(0.8, abs=0.03)


def test_ranks_of_runs_that_cannot_be_told_apart_overlap():
    worse = np.zeros((3, 3), dtype=bool)
    worse[2, 0] = True
    assert rank_ranges(worse) == [(1, 2), (1, 3), (2, 3)]


def test_what_is_detectable_among_many_tests_is_beyond_what_the_corrected_p_asks():
    for effective in (4.0, 30.0, 2000.0):
        alone = difference(0.0, 0.01, effective, 0.0)
        many = difference(0.0, 0.01, effective, 0.0, tests=20)
        found, missed = (
            20 * difference(one.detectable, 0.01, effective, 0.0).p for one in (many, alone)
        )
        assert found < 0.05 < missed
        assert (many.low, many.high, many.p) == (alone.low, alone.high, alone.p)
