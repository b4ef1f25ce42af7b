"""The largest gap between two groups, judged over every two of them."""

from itertools import pairwise

import numpy as np
import pytest

from serval.groups.pairs import ScoredGroups, pair_gap
from serval.scores.stats import mean_error


def groups_of(*values, flip=0.0):
    """Groups whose score is the mean of their values, so that each clip moves it by its share."""
    ends = np.cumsum([0, *map(len, values)])
    values = [np.asarray(own, dtype=np.float64) for own in values]
    return ScoredGroups(
        names=tuple("abcdef"[: len(values)]),
        clips=[np.arange(*pair) for pair in pairwise(ends)],
        scores=np.array([own.mean() for own in values]),
        moves=[(own - own.mean()) / len(own) for own in values],
        flips=np.full(len(values), flip),
    )


def test_the_error_of_two_means_is_that_of_both():
    rng = np.random.default_rng(0)
    a, b = rng.normal(1, 1, 50), rng.normal(0, 1, 50)
    gap = pair_gap(groups_of(a, b), [None] * 100, 10.0, 0.1, 1)
    errors = [mean_error(own, np.arange(50)) for own in (a, b)]
    assert (gap.high_group, gap.low_group, gap.finding) == ("a", "b", "more than chance")
    assert gap.difference.value == pytest.approx(a.mean() - b.mean())
    assert gap.difference.standard_error == pytest.approx(np.hypot(*errors))
    assert gap.detectable == pytest.approx(gap.difference.detectable)


def test_a_speaker_in_both_groups_cancels_out():
    speakers = [f"s{i}" for i in range(30)]
    own = np.random.default_rng(1).normal(0, 5, 30)
    gap = pair_gap(groups_of(own + 1, own), speakers * 2, 100.0, 0.1, 1)
    alone = pair_gap(groups_of(own + 1, own), [None] * 60, 100.0, 0.1, 1)
    # Never surer than independent clips.
    assert gap.difference.standard_error == pytest.approx(alone.difference.standard_error, rel=0.03)
    apart = [f"{side}{i // 3}" for side in "xy" for i in range(30)]
    wider = pair_gap(groups_of(own.repeat(3)[:30], own), apart, 100.0, 0.1, 1)
    assert wider.difference.standard_error > alone.difference.standard_error


def test_a_small_group_between_two_large_ones_may_hide_a_gap():
    rng = np.random.default_rng(2)
    large = rng.normal(0, 1, (2, 4000))
    large -= large.mean(axis=1, keepdims=True) + np.array([[0.005], [-0.005]])
    two = pair_gap(groups_of(*large), [None] * 8000, 10.0, 0.1, 1)
    assert two.finding == "no more than chance"
    few = rng.normal(0, 1, 12)
    three = pair_gap(groups_of(*large, few - few.mean()), [None] * 8012, 10.0, 0.1, 1)
    assert three.difference.value == pytest.approx(two.difference.value)
    assert (three.finding, three.detectable > 0.5) == ("cannot tell", True)


def test_of_gaps_that_are_more_than_chance_the_largest_is_told():
    rng = np.random.default_rng(3)
    sure, other = rng.normal(0, 0.1, 400), rng.normal(0.5, 0.1, 400)
    wild = rng.normal(0, 3, 10)
    gap = pair_gap(groups_of(sure, other, wild - wild.mean() + 1), [None] * 810, 10.0, 0.1, 1)
    assert (gap.high_group, gap.low_group, gap.finding) == ("b", "a", "more than chance")


def test_a_group_of_one_speaker_says_nothing_of_others():
    own = np.r_[np.zeros(50), np.ones(50), np.zeros(50), np.ones(50) * 3]
    speakers = ["x"] * 50 + ["x"] * 50 + ["y"] * 50 + ["z"] * 50
    gap = pair_gap(groups_of(own[:100], own[100:]), speakers, 10.0, 0.1, 1)
    assert (gap.finding, np.isnan(gap.detectable)) == ("cannot tell", True)
    assert gap.p_corrected > 0.05
