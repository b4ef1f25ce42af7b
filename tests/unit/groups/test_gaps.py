from functools import cache

import numpy as np
import pytest
from scipy import stats

from serval.groups import gaps
from serval.groups.gaps import gaps_between, permutation_of

RNG = np.random.default_rng(0)


def gaps_of(groups, clips, monkeypatch):
    rng = np.random.default_rng(groups)
    group = np.repeat(np.arange(groups), clips)
    truth = rng.integers(0, 3, len(group))
    right = (rng.random(len(group)) < np.linspace(0.6, 0.9, groups)[group]).astype(float)
    monkeypatch.setattr(gaps, "PERMUTATIONS", 99)
    names = [str(i) for i in range(groups)]
    kinds = (np.zeros_like(truth), truth)
    return gaps_between(
        names, permutation_of(group, None), right, kinds, 1, np.random.default_rng(1)
    )


@pytest.mark.parametrize("groups", [2, 7, 60])
def test_taking_like_groups_together_misses_no_pair(groups, monkeypatch):
    short = gaps_of(groups, 30, monkeypatch)
    every_pair = lambda self: self.t_squared().max(axis=(-2, -1))  # noqa: E731
    monkeypatch.setattr(gaps._GroupMeans, "largest_t_squared", every_pair)
    for quick, thorough in zip(short, gaps_of(groups, 30, monkeypatch), strict=True):
        assert (quick.best, quick.worst, quick.p) == (thorough.best, thorough.worst, thorough.p)
        assert quick.by_chance == pytest.approx(thorough.by_chance)
    assert all(0 < gap.p <= 1 for gap in short)


def test_a_gap_between_speakers_is_that_of_their_shares(monkeypatch):
    right = RNG.integers(0, 2, 80).astype(float)
    group = np.repeat([0, 1], [50, 30])
    speakers = [f"s{i // 10}" for i in range(80)]
    permutation = permutation_of(group, speakers)
    assert (permutation.what, permutation.unit.max()) == ("speakers", 7)
    monkeypatch.setattr(gaps, "PERMUTATIONS", 99)
    (gap,) = gaps_between(
        "ab", permutation, right, (np.zeros(80, dtype=int),), 1, np.random.default_rng(0)
    )
    assert gap.value == pytest.approx(abs(right[:50].mean() - right[50:].mean()))
    assert gap.reach == pytest.approx(max(gap.value, gap.detectable))


@pytest.mark.parametrize("shared", [0, 1])
def test_one_speaker_in_two_groups_does_not_hide_a_gap(shared):
    """Shuffled inside speakers alone, hardly a clip would move, and any gap would be chance."""
    group = np.repeat([0, 1], [26, 14])
    speakers = [f"s{i}" for i in range(40 - shared)] + ["s0"] * shared
    right = 1.0 - group
    permutation = permutation_of(group, speakers)
    assert permutation.what == "speakers"
    kinds = (np.zeros(40, dtype=int),)
    (gap,) = gaps_between("ab", permutation, right, kinds, 1, np.random.default_rng(0))
    assert gap.finding == "more than chance"
    assert gap.by_chance < 0.6


@pytest.mark.parametrize("moved", [0.05, 0.3, 0.7])
def test_unlike_speakers_partly_in_both_groups_make_no_gap(moved, monkeypatch):
    monkeypatch.setattr(gaps, "PERMUTATIONS", 99)
    rng, found = np.random.default_rng(0), 0
    for _ in range(40):
        speaker = np.repeat(np.arange(30), rng.integers(4, 16, 30))
        own = rng.integers(0, 2, 30)[speaker]
        any_group = rng.integers(0, 2, len(own))
        group = np.where(rng.random(len(own)) < moved, any_group, own)
        skill = np.clip(rng.normal(0.7, 0.2, 30), 0.05, 0.98)[speaker]
        right = (rng.random(len(own)) < skill).astype(float)
        permutation = permutation_of(group, [f"s{i}" for i in speaker])
        (gap,) = gaps_between("ab", permutation, right, (np.zeros_like(group),), 1, rng)
        found += gap.finding == "more than chance"
    assert found <= 5


def test_clips_of_speakers_in_all_groups_are_permuted_inside_them():
    group, speakers = np.tile([0, 1], 20), [f"s{i // 4}" for i in range(40)]
    permutation = permutation_of(group, speakers)
    assert permutation.what == "clips"
    drawn = permutation.draw(np.random.default_rng(0))
    assert drawn.reshape(10, 4).sum(axis=1).tolist() == [2] * 10
    assert drawn.tolist() != group.tolist()


def test_without_a_kind_that_all_have_there_is_no_gap():
    group, kind = np.repeat([0, 1], 10), np.repeat([0, 1], 10)
    permutation = permutation_of(group, None)
    (gap,) = gaps_between("ab", permutation, np.ones(20), (kind,), 1, np.random.default_rng(0))
    assert np.isnan(gap.value)
    assert gap.finding == "not judged"


@cache
def of_speakers(sizes):
    """The speaker and the group of each clip, and what is permuted."""
    clips = np.concatenate(sizes)
    speaker = np.repeat(np.arange(len(clips)), clips)
    group = np.repeat(np.arange(len(sizes)), [len(own) for own in sizes])[speaker]
    return speaker, group, permutation_of(group, [f"s{i}" for i in speaker])


def drawn(sizes, shares, rng, spread=0.05):
    """The gap between groups of speakers, each with so many clips and a skill of its own."""
    speaker, group, permutation = of_speakers(tuple(map(tuple, sizes)))
    own = rng.normal(0, spread, speaker[-1] + 1)[speaker]
    skill = np.clip(np.array(shares)[group] + own, 0, 1)
    right = (rng.random(len(speaker)) < skill).astype(float)
    names = [str(i) for i in range(len(sizes))]
    (gap,) = gaps_between(names, permutation, right, (np.zeros_like(group),), 1, rng)
    return gap


@pytest.mark.parametrize(
    "sizes", [[[10] * 20] * 2, [[13] * 91, [250] * 2], [[10] * 30, [10] * 29 + [300]]]
)
def test_no_gap_is_found_where_there_is_none(sizes, monkeypatch):
    """At a true rate of 5 %, more than 18 of 200 are found once in a hundred."""
    monkeypatch.setattr(gaps, "PERMUTATIONS", 39)
    rng = np.random.default_rng(0)
    found = [drawn(sizes, (0.8, 0.8), rng, spread=0.1).finding for _ in range(200)]
    assert found.count("more than chance") <= stats.binom.ppf(0.99, 200, gaps.ALPHA) == 18


@pytest.mark.parametrize("sizes", [[[20] * 40] * 2, [[10] * 150, [40] * 30], [[40] * 10] * 2])
def test_a_gap_of_the_detectable_size_is_found_about_four_times_in_five(sizes, monkeypatch):
    """At a true rate of 80 %, fewer than 35 of 60 or all of them are one in ten thousand."""
    monkeypatch.setattr(gaps, "PERMUTATIONS", 99)
    rng = np.random.default_rng(0)
    size = np.median([drawn(sizes, (0.75, 0.75), rng).detectable for _ in range(20)])
    assert 0.03 < size < 0.2
    shares = (0.75 + size / 2, 0.75 - size / 2)
    found = [drawn(sizes, shares, rng).finding for _ in range(60)]
    assert 35 <= found.count("more than chance") <= 59


@pytest.mark.parametrize("speakers", [1, 2, 3])
def test_with_few_speakers_a_group_no_gap_could_be_found(speakers):
    """Of three speakers against three there are ten partitions: no p is below 0.1."""
    gap = drawn([[200] * speakers] * 2, (0.9, 0.9), np.random.default_rng(0), spread=0)
    assert (gap.finding, gap.detectable, gap.reach) == ("cannot tell", 1, 1)
    few = "1 speaker" if speakers == 1 else f"{speakers} speakers"
    assert gap.reason in {f"some groups are too small: {name} has {few}" for name in "01"}


def test_a_speaker_with_most_clips_of_a_group_is_worth_little_more_than_one():
    sizes = [[5] * 20 + [400], [20] * 25]
    gap = drawn(sizes, (0.9, 0.9), np.random.default_rng(0))
    assert gap.finding == "cannot tell"
    assert gap.reason == (
        "some groups are too small: 0 has 21 speakers, as good as 1.6 of equal weight"
    )


def test_a_large_gap_that_chance_may_make_is_not_called_chance(monkeypatch):
    """Between groups of unlike speakers 15 points may be missed; that is not the same as none."""
    monkeypatch.setattr(gaps, "PERMUTATIONS", 99)
    rng = np.random.default_rng(5)
    found = [drawn([[30] * 8] * 2, (0.83, 0.7), rng, spread=0.15) for _ in range(20)]
    missed = [gap for gap in found if gap.finding != "more than chance"]
    assert missed
    assert {gap.finding for gap in missed} == {"cannot tell"}
