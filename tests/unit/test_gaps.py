import numpy as np
import pytest

from serval import gaps
from serval.gaps import exchange_of, gaps_between

RNG = np.random.default_rng(0)


def gaps_of(groups, clips, monkeypatch):
    rng = np.random.default_rng(groups)
    group = np.repeat(np.arange(groups), clips)
    truth = rng.integers(0, 3, len(group))
    right = (rng.random(len(group)) < np.linspace(0.6, 0.9, groups)[group]).astype(float)
    monkeypatch.setattr(gaps, "PERMUTATIONS", 99)
    names = [str(i) for i in range(groups)]
    kinds = (np.zeros_like(truth), truth)
    return gaps_between(names, exchange_of(group, None), right, kinds, 1, np.random.default_rng(1))


@pytest.mark.parametrize("groups", [2, 7, 60])
def test_taking_like_groups_together_misses_no_pair(groups, monkeypatch):
    short = gaps_of(groups, 30, monkeypatch)
    every_pair = lambda self: float(self.t_squared().max())  # noqa: E731
    monkeypatch.setattr(gaps._Groups, "largest_t_squared", every_pair)
    for quick, thorough in zip(short, gaps_of(groups, 30, monkeypatch), strict=True):
        assert (quick.best, quick.worst, quick.p) == (thorough.best, thorough.worst, thorough.p)
        assert quick.by_chance == pytest.approx(thorough.by_chance)
    assert all(0 < gap.p <= 1 for gap in short)


def test_a_gap_between_speakers_is_that_of_their_shares(monkeypatch):
    right = RNG.integers(0, 2, 80).astype(float)
    group = np.repeat([0, 1], [50, 30])
    speakers = [f"s{i // 10}" for i in range(80)]
    exchange = exchange_of(group, speakers)
    assert (exchange.what, exchange.unit.max()) == ("speakers", 7)
    monkeypatch.setattr(gaps, "PERMUTATIONS", 99)
    (gap,) = gaps_between(
        "ab", exchange, right, (np.zeros(80, dtype=int),), 1, np.random.default_rng(0)
    )
    assert gap.value == pytest.approx(abs(right[:50].mean() - right[50:].mean()))
    assert gap.reach == pytest.approx(max(gap.value, gap.by_chance))


@pytest.mark.parametrize("shared", [0, 1])
def test_one_speaker_in_two_groups_does_not_hide_a_gap(shared):
    """Shuffled inside speakers alone, hardly a clip would move, and any gap would be chance."""
    group = np.repeat([0, 1], [26, 14])
    speakers = [f"s{i}" for i in range(40 - shared)] + ["s0"] * shared
    right = 1.0 - group
    exchange = exchange_of(group, speakers)
    assert exchange.what == "speakers"
    kinds = (np.zeros(40, dtype=int),)
    (gap,) = gaps_between("ab", exchange, right, kinds, 1, np.random.default_rng(0))
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
        exchange = exchange_of(group, [f"s{i}" for i in speaker])
        (gap,) = gaps_between("ab", exchange, right, (np.zeros_like(group),), 1, rng)
        found += gap.finding == "more than chance"
    assert found <= 5


def test_clips_of_speakers_in_all_groups_are_exchanged_inside_them():
    group, speakers = np.tile([0, 1], 20), [f"s{i // 4}" for i in range(40)]
    exchange = exchange_of(group, speakers)
    assert exchange.what == "clips"
    drawn = exchange.draw(np.random.default_rng(0))
    assert drawn.reshape(10, 4).sum(axis=1).tolist() == [2] * 10
    assert drawn.tolist() != group.tolist()


def test_without_a_kind_that_all_have_there_is_no_gap():
    group, kind = np.repeat([0, 1], 10), np.repeat([0, 1], 10)
    exchange = exchange_of(group, None)
    (gap,) = gaps_between("ab", exchange, np.ones(20), (kind,), 1, np.random.default_rng(0))
    assert np.isnan(gap.value)
    assert gap.finding == "not judged"
