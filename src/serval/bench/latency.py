"""How long one clip takes, alone on the machine, by its duration: model only."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from serval.bench.rounds import Effort, Seconds, Timing, interleaved, timing_of
from serval.bench.subjects import Call, noise

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from serval.audio import Waveform

__all__ = ["Latency", "LatencyOf", "latencies", "measured_latency", "totals"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyOf:
    """What a latency is of; the key of its times.

    Attributes:
        model: Name of the subject.
        threads: Threads inside one operator.
        seconds: Duration of the clip.
    """

    model: str
    threads: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Times of one model on clips of one duration.

    Attributes:
        of: Which model, threads and duration.
        timing: Of single calls, one at a time.
        rtf: Median processing time over audio time; under 1 is faster than real time.
    """

    of: LatencyOf
    timing: Timing
    rtf: float


def measured_latency(
    calls: Mapping[tuple[str, int], tuple[Call, int]],
    durations: Sequence[float],
    effort: Effort,
    tick: Callable[[], None] = lambda: None,
) -> dict[LatencyOf, Seconds]:
    """Return the times of every call for every duration, all in the same rounds.

    Args:
        calls: `(model, threads)` -> the call and the sample rate that it wants.
        durations: Of the clips, in seconds.
        effort: How long to measure.
        tick: Called after each round.
    """
    works = {
        LatencyOf(model=model, threads=threads, seconds=seconds): _work(call, rate, seconds)
        for seconds in durations
        for (model, threads), (call, rate) in calls.items()
    }
    return interleaved(works, effort, tick)


def latencies(seconds: Mapping[LatencyOf, Seconds]) -> list[Latency]:
    """Return what the times say, for each model, threads and duration."""
    timings = {of: timing_of(times) for of, times in seconds.items()}
    return [
        Latency(of=of, timing=timing, rtf=timing.median_s / of.seconds)
        for of, timing in timings.items()
    ]


def totals(seconds: Mapping[LatencyOf, Seconds], threads: int) -> dict[str, Seconds]:
    """Return the time of all durations together, round by round, for each model."""
    sums: dict[str, Seconds] = {}
    for of, times in seconds.items():
        if of.threads == threads:
            sums[of.model] = sums.get(of.model, 0) + times
    return sums


def _work(call: Call, rate: int, seconds: float) -> Callable[[], object]:
    samples: Waveform = noise(seconds, rate)
    return partial(call, samples)
