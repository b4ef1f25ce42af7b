import numpy as np
import pytest

from serval.bench.rounds import Effort, Ratio, interleaved, ratio_of, timing_of
from serval.errors import ConfigError


def effort(**changes):
    return Effort(**{"warm_up": 0, "fewest": 3, "most": 3, "budget_s": 0} | changes)


def test_every_work_runs_once_a_round_and_the_order_turns():
    ran = []
    works = {name: lambda name=name: ran.append(name) for name in "abc"}
    times = interleaved(works, effort())
    assert "".join(ran) == "abcbcacab"
    assert {name: len(t) for name, t in times.items()} == {"a": 3, "b": 3, "c": 3}


def test_another_clock_gives_the_seconds():
    ticks = iter([0.0, 3.0, 10.0, 15.0])
    times = interleaved({"a": lambda: None}, effort(fewest=2, most=2), clock=lambda: next(ticks))
    assert times["a"].tolist() == [3.0, 5.0]


def test_warm_up_rounds_are_not_counted():
    ran = []
    times = interleaved({"a": lambda: ran.append(1)}, effort(warm_up=2))
    assert (len(ran), len(times["a"])) == (5, 3)


def test_rounds_end_with_the_budget_but_never_before_the_fewest():
    times = interleaved({"a": lambda: None}, effort(fewest=2, most=50))
    assert len(times["a"]) == 2
    times = interleaved({"a": lambda: None}, effort(fewest=2, most=50, budget_s=100))
    assert len(times["a"]) == 50


def test_percentiles_are_those_of_numpy_and_p99_needs_a_hundred_times():
    seconds = np.random.default_rng(0).gamma(2, 1, 100)
    timing = timing_of(seconds)
    assert (timing.p90_s, timing.p95_s, timing.p99_s) == pytest.approx(
        tuple(np.percentile(seconds, [90, 95, 99]))
    )
    assert timing.spread == pytest.approx(
        np.subtract(*np.percentile(seconds, [75, 25])) / np.median(seconds)
    )
    assert timing_of(seconds[:99]).p99_s is None


def test_a_ratio_is_taken_round_by_round():
    slow_machine = np.array([1.0, 1.0, 5.0, 5.0, 5.0])
    ratio = ratio_of("new", "old", {"new": slow_machine, "old": 2 * slow_machine})
    assert (ratio.median, ratio.low, ratio.high, ratio.n) == (2.0, 2.0, 2.0, 5)
    assert ratio.told_apart
    assert "2.00x" in ratio.sentence()


def test_a_ratio_smaller_than_the_spread_is_not_quoted():
    noisy = Ratio(of="a", to="b", median=1.08, low=1.0, high=1.1, n=20)
    assert not noisy.told_apart
    assert "cannot be told apart" in noisy.sentence()
    assert "1.08" not in noisy.sentence()


def test_times_of_different_rounds_are_refused():
    with pytest.raises(ConfigError, match="same rounds"):
        ratio_of("a", "b", {"a": np.ones(3), "b": np.ones(4)})


def test_of_few_calls_no_quantile_is_told_that_is_only_the_slowest():
    few, enough = timing_of(np.arange(1.0, 4.0)), timing_of(np.arange(1.0, 31.0))
    assert [few.told(name) for name in ("p50_s", "p90_s", "p95_s")] == [2.0, None, None]
    assert enough.told("p90_s") == pytest.approx(27.1)
    assert enough.told("p95_s") is not None
    assert enough.told("p99_s") is None
