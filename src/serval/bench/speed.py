"""How fast models are: one clip alone, a set by workers, and how near that is to the ceiling."""

from __future__ import annotations

import io
import tempfile
from collections import deque
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import soundfile
from onnx import TensorProto, helper, numpy_helper

from serval.bench.rounds import Effort, Seconds, Timing, interleaved, timing_of
from serval.bench.subjects import Subject, noise
from serval.models.onnx import open_session
from serval.models.protocol import logits_alone
from serval.predict import infer
from serval.records import Clip

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from serval.audio import Waveform
    from serval.models.protocol import Model


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
    models: Mapping[tuple[str, int], Model],
    durations: Sequence[float],
    effort: Effort,
) -> dict[LatencyOf, Seconds]:
    """Return the times of every `(model, threads)` for every duration, all in the same rounds."""
    works = {
        LatencyOf(model=model, threads=threads, seconds=seconds): partial(
            logits_alone, opened, noise(seconds, opened.sample_rate)
        )
        for seconds in durations
        for (model, threads), opened in models.items()
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
        rtf: Processing time over the time that is heard, sum over sum, by the median pass.
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


def generated_clips(sample_rate: int, n: int, longest_s: float = 10) -> list[Clip]:
    """Return `n` clips of noise as 16-bit WAV in memory, of 1 s to `longest_s` in turn.

    Where that is less than a second, all are as long.
    """
    turn = max(1, int(longest_s))
    return [
        Clip(
            id=f"noise-{i}",
            index=i,
            label="",
            audio=_wav(noise(min(1 + i % turn, longest_s), sample_rate, seed=i), sample_rate),
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
    seconds: Mapping[ThroughputOf, Seconds], n_clips: int, audio_s: Mapping[str, float]
) -> list[Throughput]:
    """Return the rates that the times of the passes mean.

    A pass has `n_clips` clips, of which each model hears `audio_s` seconds.
    """
    timings = {of: timing_of(times) for of, times in seconds.items()}
    return [
        Throughput(
            of=of,
            timing=timing,
            clips_per_s=n_clips / timing.median_s,
            rtf=timing.median_s / audio_s[of.model],
            rtfx=audio_s[of.model] / timing.median_s,
        )
        for of, timing in timings.items()
    ]


def _pass_over(model: Model, clips: Sequence[Clip], workers: int) -> None:
    deque(infer(model, clips, workers=workers), maxlen=0)


def _wav(samples: Waveform, sample_rate: int) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, sample_rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


ROWS, DEPTH, COLUMNS = 512, 1024, 1024
"""About the largest product in a wav2vec2-large on 10 s; fits the caches of a server core."""

MATMUL_MACS = ROWS * DEPTH * COLUMNS


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """How near a model comes to the fastest MatMul of its type, with one thread.

    Attributes:
        gmac_per_s: 10^9 multiply-adds a second of the model, everything else it does included.
        ceiling_gmac_per_s: Of MatMuls alone, mixed as the model mixes its types; `None` where the
            model was faster: measured at another moment, it is then no ceiling.
        share: The first over the second, in [0, 1]; `None` without a ceiling.
    """

    gmac_per_s: float
    ceiling_gmac_per_s: float | None
    share: float | None


def reached(
    gmac_per_s: float, shares: Mapping[str, float], ceiling: Mapping[str, float]
) -> Reached:
    """Return how near a rate comes to the ceiling of a mixture of types.

    Args:
        gmac_per_s: 10^9 multiply-adds a second of the model.
        shares: Precision -> share of the model's multiply-adds; what is not int8 counts as fp32.
        ceiling: `precision/threads` -> the rate of a MatMul.

    Examples:
        >>> reached(30.0, {"int8": 0.5, "fp32": 0.5}, {"int8/1": 150.0, "fp32/1": 50.0})
        Reached(gmac_per_s=30.0, ceiling_gmac_per_s=75.0, share=0.4)
        >>> reached(90.0, {}, {"int8/1": 150.0, "fp32/1": 80.0})
        Reached(gmac_per_s=90.0, ceiling_gmac_per_s=None, share=None)
    """
    integer = shares.get("int8", 0.0)
    most = 1 / (integer / ceiling["int8/1"] + (1 - integer) / ceiling["fp32/1"])
    if gmac_per_s > most:
        return Reached(gmac_per_s=gmac_per_s, ceiling_gmac_per_s=None, share=None)
    return Reached(gmac_per_s=gmac_per_s, ceiling_gmac_per_s=most, share=gmac_per_s / most)


def matmul_work(precision: str, threads: int) -> Callable[[], object]:
    """Return a function that multiplies two matrices once, `fp32` or `int8` (u8 by s8).

    `MATMUL_MACS` multiply-adds over its time is the rate that nothing of the type goes beyond.
    """
    rng = np.random.default_rng(0)
    left, right = rng.integers(0, 255, (ROWS, DEPTH)), rng.integers(-127, 127, (DEPTH, COLUMNS))
    if precision == "fp32":
        product = _product("MatMul", right.astype(np.float32), TensorProto.FLOAT)
    else:
        product = _product("MatMulInteger", right.astype(np.int8), TensorProto.UINT8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "matmul.onnx"
        onnx.save(product, path)
        session = open_session(path, threads=threads)
    feed = left.astype(np.float32 if precision == "fp32" else np.uint8)
    return partial(session.run, None, {"left": feed})


def _product(operator: str, right: NDArray[Any], left_type: int) -> onnx.ModelProto:
    graph = helper.make_graph(
        [helper.make_node(operator, ["left", "right"], ["product"])],
        "matmul",
        [helper.make_tensor_value_info("left", left_type, [ROWS, DEPTH])],
        [onnx.ValueInfoProto(name="product")],
        [numpy_helper.from_array(right, "right")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
