"""Timing several things in turn, so that their ratios hold on a machine that others use too."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from serval.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

K = TypeVar("K")

Clock = Callable[[], float]

Seconds = NDArray[np.float64]
"""`(R,) float64`, one time for each round, in the order of the rounds."""

FEWEST_FOR = {"p90_s": 10, "p95_s": 20, "p99_s": 100}
"""With fewer times such a quantile is only another name for the slowest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How long to measure.

    Attributes:
        warm_up: Rounds whose times are thrown away.
        fewest: Rounds that are measured whatever they take.
        most: Rounds after which there is no more to learn.
        budget_s: No new round begins after this many seconds.
    """

    warm_up: int = 2
    fewest: int = 5
    most: int = 200
    budget_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """What repeated times of the same work say, in seconds.

    Attributes:
        n: Number of times.
        min_s: The fastest: what the machine can do when left alone.
        median_s: The middle one.
        spread: Distance of the quartiles as a share of the median: how noisy the machine was.
        p50_s: Equal to the median.
        p90_s: Nine in ten are not slower.
        p95_s: 95 in 100 are not slower.
        p99_s: 99 in 100 are not slower; `None` with fewer than 100 times.
    """

    n: int
    min_s: float
    median_s: float
    spread: float
    p50_s: float
    p90_s: float
    p95_s: float
    p99_s: float | None

    def told(self, quantile: str) -> float | None:
        """Return a quantile by the name of its field, or `None` where n is too few to have one."""
        value: float | None = getattr(self, quantile)
        return value if self.n >= FEWEST_FOR.get(quantile, 1) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """How many times faster one thing is than another, from times of the same rounds.

    Attributes:
        of: The one that is faster if the ratio is over 1.
        to: The one that it is compared with.
        median: Median over the rounds, above 0; 1 for equally fast.
        low: Lower quartile.
        high: Upper quartile.
        n: Number of rounds.
    """

    of: str
    to: str
    median: float
    low: float
    high: float
    n: int

    @property
    def told_apart(self) -> bool:
        """Whether the difference from 1 is larger than the distance of the quartiles."""
        return abs(self.median - 1) > self.high - self.low

    def sentence(self) -> str:
        """Return the ratio in words, or why there is none to quote.

        Examples:
            >>> Ratio(of="int8", to="fp32", median=1.5, low=1.45, high=1.6, n=9).sentence()
            'int8 is 1.50x as fast as fp32 (quartiles 1.45 to 1.60, 9 rounds)'
            >>> Ratio(of="int8", to="fp32", median=1.05, low=0.9, high=1.2, n=9).sentence()
            'int8 and fp32 cannot be told apart: the spread of 0.30 is larger than the difference'
        """
        if not self.told_apart:
            return (
                f"{self.of} and {self.to} cannot be told apart: the spread of "
                f"{self.high - self.low:.2f} is larger than the difference"
            )
        return (
            f"{self.of} is {self.median:.2f}x as fast as {self.to} "
            f"(quartiles {self.low:.2f} to {self.high:.2f}, {self.n} rounds)"
        )


def timed(work: Callable[[], object], clock: Clock = time.perf_counter) -> float:
    """Return how long the work took, in seconds."""
    start = clock()
    work()
    return clock() - start


def interleaved(
    works: Mapping[K, Callable[[], object]], effort: Effort, clock: Clock = time.perf_counter
) -> dict[K, Seconds]:
    """Return the times of each work, every work having run once in every round.

    The order turns by one place from round to round, so that none always follows the same one.

    Args:
        works: What to time, by name.
        effort: How long to measure.
        clock: Gives the seconds. `time.process_time` counts only what this process computes, for a
            machine where others compute too.
    """
    for _ in range(effort.warm_up):
        for work in works.values():
            work()
    rounds: list[dict[K, float]] = []
    start = time.perf_counter()
    while _goes_on(len(rounds), time.perf_counter() - start, effort):
        rounds.append(_round(works, len(rounds), clock))
    return {name: np.array([times[name] for times in rounds]) for name in works}


def timing_of(seconds: Seconds) -> Timing:
    """Return what the times say.

    Examples:
        >>> timing = timing_of(np.array([2.0, 1.0, 3.0]))
        >>> timing.min_s, timing.median_s, timing.spread, timing.p99_s
        (1.0, 2.0, 0.5, None)
    """
    p25, p50, p75, p90, p95, p99 = (
        float(p) for p in np.percentile(seconds, [25, 50, 75, 90, 95, 99])
    )
    return Timing(
        n=len(seconds),
        min_s=float(seconds.min()),
        median_s=p50,
        spread=(p75 - p25) / p50,
        p50_s=p50,
        p90_s=p90,
        p95_s=p95,
        p99_s=p99 if len(seconds) >= FEWEST_FOR["p99_s"] else None,
    )


def ratio_of(of: str, to: str, seconds: Mapping[str, Seconds]) -> Ratio:
    """Return how many times faster `of` is than `to`, round by round.

    Raises:
        ConfigError: The two were not timed in the same rounds.

    Examples:
        >>> times = {"a": np.array([1.0, 2.0]), "b": np.array([2.0, 4.0])}
        >>> ratio_of("a", "b", times).median
        2.0
    """
    if len(seconds[of]) != len(seconds[to]):
        raise ConfigError(f"{of} and {to} were not timed in the same rounds; time them together")
    ratios = seconds[to] / seconds[of]
    low, median, high = (float(q) for q in np.percentile(ratios, [25, 50, 75]))
    return Ratio(of=of, to=to, median=median, low=low, high=high, n=len(ratios))


def _goes_on(done: int, elapsed_s: float, effort: Effort) -> bool:
    return done < effort.fewest or (done < effort.most and elapsed_s < effort.budget_s)


def _round(works: Mapping[K, Callable[[], object]], number: int, clock: Clock) -> dict[K, float]:
    names: Sequence[K] = list(works)
    turn = number % len(names)
    return {name: timed(works[name], clock) for name in (*names[turn:], *names[:turn])}
