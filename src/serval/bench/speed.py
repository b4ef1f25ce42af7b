"""How fast models are: one clip alone on the machine by its length, and a set by workers."""

from __future__ import annotations

import io
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import soundfile

from serval.bench.rounds import Effort, Seconds, Timing, interleaved, timing_of
from serval.bench.subjects import Call, Subject, noise
from serval.predict import infer
from serval.records import Clip

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np

    from serval.audio import Waveform
    from serval.models.protocol import Model

__all__ = [
    "Latency",
    "LatencyOf",
    "Throughput",
    "ThroughputOf",
    "generated_clips",
    "latencies",
    "measured_latency",
    "measured_throughput",
    "setups_for",
    "throughputs",
    "totals",
]


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
        timing: Seconds of single calls, one at a time.
        rtf: Median processing time over audio time; under 1 is faster than real time.
    """

    of: LatencyOf
    timing: Timing
    rtf: float


def measured_latency(
    calls: Mapping[tuple[str, int], tuple[Call, int]],
    durations: Sequence[float],
    effort: Effort,
) -> dict[LatencyOf, Seconds]:
    """Return the times of every call for every duration, all in the same rounds.

    Args:
        calls: `(model, threads)` -> the call and the sample rate that it wants.
        durations: Lengths of the clips, in seconds.
        effort: How long to measure.
    """
    works = {
        LatencyOf(model=model, threads=threads, seconds=seconds): _work(call, rate, seconds)
        for seconds in durations
        for (model, threads), (call, rate) in calls.items()
    }
    return interleaved(works, effort)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ThroughputOf:
    """What a throughput is of; the key of its times."""

    model: str
    workers: int
    threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """The rate at which one model gets through a set of clips.

    Attributes:
        of: Which model, workers and threads.
        timing: Seconds of whole passes over the set.
        clips_per_s: By the median pass.
        rtf: Processing time over audio time, sum over sum, by the median pass.
        rtfx: Its inverse: seconds of audio in one second.
    """

    of: ThroughputOf
    timing: Timing
    clips_per_s: float
    rtf: float
    rtfx: float


def setups_for(cores: int) -> list[tuple[int, int]]:
    """Return the pairs of workers and threads that are worth a try on that many cores.

    Examples:
        >>> setups_for(1), setups_for(2)
        ([(1, 1)], [(1, 1), (1, 2), (2, 1), (2, 2)])
        >>> setups_for(8)
        [(1, 1), (1, 8), (2, 4), (4, 2), (8, 1)]
    """
    pairs = {(1, 1), (1, cores), (cores, 1)}
    pairs |= {(cores, 2), (2, 2)} if cores == 2 else set()
    pairs |= {(w, cores // w) for w in (2, 4) if w < cores and cores % w == 0}
    return sorted(pairs)


def generated_clips(sample_rate: int, n: int, longest_s: int = 10) -> list[Clip]:
    """Return `n` clips of noise as 16-bit WAV in memory, of 1 s to `longest_s` in turn."""
    return [
        Clip(
            id=f"noise-{i}",
            index=i,
            label="",
            audio=_wav(noise(1 + i % longest_s, sample_rate, seed=i), sample_rate),
        )
        for i in range(n)
    ]


def measured_throughput(
    subjects: Sequence[Subject],
    clips: Sequence[Clip],
    setups: Sequence[tuple[int, int]],
    effort: Effort,
) -> dict[ThroughputOf, Seconds]:
    """Return the time of a pass over the clips, for every model and setup, in the same rounds."""
    works = {
        ThroughputOf(model=subject.name, workers=workers, threads=threads): partial(
            _pass_over, subject.models[threads], clips, workers
        )
        for workers, threads in setups
        for subject in subjects
    }
    return interleaved(works, effort)


def throughputs(
    seconds: Mapping[ThroughputOf, Seconds], n_clips: int, audio_s: float
) -> list[Throughput]:
    """Return the rates that the times of the passes mean."""
    timings = {of: timing_of(times) for of, times in seconds.items()}
    return [
        Throughput(
            of=of,
            timing=timing,
            clips_per_s=n_clips / timing.median_s,
            rtf=timing.median_s / audio_s,
            rtfx=audio_s / timing.median_s,
        )
        for of, timing in timings.items()
    ]


def _pass_over(model: Model, clips: Sequence[Clip], workers: int) -> None:
    deque(infer(model, clips, workers=workers), maxlen=0)


def _wav(samples: np.ndarray[tuple[int], np.dtype[np.float32]], sample_rate: int) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, sample_rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()
