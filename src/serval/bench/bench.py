"""The whole benchmark: models in, latency, throughput, loading and ratios out, and a picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from serval.bench.browser import Timed, browser_bench
from serval.bench.loading import Loading, measured_loading
from serval.bench.rounds import Effort, Ratio, Seconds, interleaved, ratio_of, timing_of
from serval.bench.speed import (
    MATMUL_MACS,
    Latency,
    LatencyOf,
    Reached,
    Throughput,
    ThroughputOf,
    generated_clips,
    latencies,
    matmul_work,
    measured_latency,
    measured_throughput,
    reached,
    setups_for,
    throughputs,
    totals,
)
from serval.bench.subjects import (
    Subject,
    disclosure,
    load_average,
    open_reference,
    open_subjects,
)
from serval.datasets import DatasetOptions, load_dataset
from serval.errors import DatasetError
from serval.files import write_json
from serval.inspection import inspect_model
from serval.machine import available_cores
from serval.models.contract import Overrides
from serval.models.options import ModelOptions, overrides_of
from serval.models.protocol import heard_s
from serval.options import changed, refuse_unused
from serval.plots.latency import LatencyCurve, save_latency
from serval.predict import infer
from serval.records import Clip, Failure, LeftOut, Prediction
from serval.wording import counted, percent, three_digits

if TYPE_CHECKING:
    from pathlib import Path

    from serval.models.protocol import Model

__all__ = [
    "Bench",
    "BenchOptions",
    "Effort",
    "Ratio",
    "bench",
    "bench_verdict",
    "disclosure",
    "interleaved",
    "load_average",
    "ratio_of",
    "save_bench",
]


SCHEMA_VERSION = 1

USUAL_S = 5.0
"""About as long as an utterance of the usual corpora."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchOptions(ModelOptions, DatasetOptions):
    """Every option of a benchmark, with its default; stored in `bench.json`.

    Attributes:
        models: Paths of .onnx files, or built-in names; the first is what the others are
            compared with.
        runtimes: Further ones, to compare with: `openvino`, `torch:FOLDER`.
        dataset: Clips for the throughput; by default generated noise of 1 to 10 s.
        output: Folder of `bench.json` and the plot.
        quick: Fewer durations and rounds: about half a minute for a small model.
        imported: What pages of `serval web` measured, files or the texts of their QR codes, to be
            shown beside this machine.
    """

    models: tuple[str, ...] = ("serval-tiny",)
    runtimes: tuple[str, ...] = ()
    dataset: str | None = None
    output: str = "./bench_results"
    quick: bool = False
    imported: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What `--quick` changes."""

    durations: tuple[float, ...]
    latency: Effort
    throughput: Effort
    clips: int
    repetitions: int


FULL = Pace(
    durations=tuple(float(s) for s in range(1, 11)),
    latency=Effort(warm_up=2, fewest=5, most=200, budget_s=90),
    throughput=Effort(warm_up=1, fewest=5, most=15, budget_s=90),
    clips=30,
    repetitions=3,
)
QUICK = Pace(
    durations=(1.0, 3.0, 5.0, 10.0),
    latency=Effort(warm_up=1, fewest=3, most=20, budget_s=10),
    throughput=Effort(warm_up=1, fewest=3, most=5, budget_s=10),
    clips=10,
    repetitions=2,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A finished benchmark.

    Attributes:
        facts: Each model's facts by its name in the benchmark.
        latency: For each model or reference runtime, number of threads and duration.
        throughput: For each model, number of workers and threads.
        loading: For each model.
        matmul_gmac_per_s: 10^9 multiply-adds a second of the fastest MatMul, by
            `precision/threads`.
        roofline: What each model reaches of that with one thread.
        ratios: What each is compared by -> the comparison, quoted only when told apart.
        disclosure: What a reader must know.
        options: As they were given.
        imported: What browsers measured.
    """

    facts: Mapping[str, Mapping[str, Any]]
    latency: list[Latency]
    throughput: list[Throughput]
    loading: Mapping[str, Loading]
    matmul_gmac_per_s: Mapping[str, float]
    roofline: Mapping[str, Reached]
    ratios: Mapping[str, list[Ratio]]
    disclosure: Mapping[str, Any]
    options: BenchOptions
    imported: tuple[Timed, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the benchmark in plain JSON types."""
        return {
            "schema_version": SCHEMA_VERSION,
            "verdict": bench_verdict(self),
            "disclosure": dict(self.disclosure),
            "models": {name: dict(facts) for name, facts in self.facts.items()},
            "latency": [_flat(item) for item in self.latency],
            "throughput": [_flat(item) for item in self.throughput],
            "loading": {name: asdict(loading) for name, loading in self.loading.items()},
            "matmul_gmac_per_s": dict(self.matmul_gmac_per_s),
            "roofline": {name: asdict(reached) for name, reached in self.roofline.items()},
            "ratios": {what: [_told(r) for r in ratios] for what, ratios in self.ratios.items()},
            "options": asdict(self.options),
            "imported": [dict(each.document) for each in self.imported],
        }


Watch = Callable[[str], None]


def bench(options: BenchOptions, watch: Watch = lambda _: None) -> Bench:
    """Return how fast the models are on this machine.

    Raises:
        ServalError: A model, runtime or dataset cannot be opened; nothing was timed then.
    """
    pace = QUICK if options.quick else FULL
    _refuse_options_of_no_set(options)
    imported = tuple(map(browser_bench, options.imported))
    setups = setups_for(available_cores())
    threads = sorted({threads for _, threads in setups})
    subjects = open_subjects(options.models, threads, overrides_of(options), _runtimes(options))
    models = _models(subjects, options, threads)
    durations = _durations(pace.durations, list(models.values()))
    clips, audio_s, left_out = _clips(subjects, options, pace, durations[-1])
    before = load_average()
    models_by = f"{counted(len(subjects), 'model')} with {' and '.join(map(str, threads))} threads"
    watch(f"latency of {models_by} x {counted(len(durations), 'duration')}")
    latency = measured_latency(models, durations, pace.latency)
    watch(f"throughput of {counted(len(subjects), 'model')} x {counted(len(setups), 'setup')}")
    throughput = measured_throughput(subjects, clips, setups, pace.throughput)
    watch("loading, in fresh processes")
    loading = _loading(subjects, options, pace, setups)
    ceiling = _ceiling(threads, pace.latency, watch)
    return Bench(
        facts={subject.name: subject.any.facts for subject in subjects},
        latency=latencies(latency),
        throughput=throughputs(throughput, len(clips), audio_s),
        loading=loading,
        matmul_gmac_per_s=ceiling,
        roofline=dict(_roofline(subjects, latencies(latency), ceiling, overrides_of(options))),
        ratios=dict(_ratios(latency, throughput, threads, setups)),
        disclosure=_disclosed(pace, options, [before, load_average()], len(clips), left_out),
        options=options,
        imported=imported,
    )


def _refuse_options_of_no_set(options: BenchOptions) -> None:
    if options.dataset is None:
        refuse_unused(changed(options, DatasetOptions), "without -d the clips are generated")


def bench_verdict(measured: Bench) -> list[str]:
    """Return what a reader takes away: how fast the first model is, then how the others stand."""
    name = measured.latency[0].of.model
    one = _usual([item for item in measured.latency if item.of.model == name])
    own = [item for item in measured.throughput if item.of.model == name]
    best = max(own, key=lambda item: item.clips_per_s)
    setup = f"{best.of.workers} x {best.of.threads}"
    first = (
        f"{name} answers a clip of {one.of.seconds:g} s in {1000 * one.timing.median_s:.1f} ms "
        f"({_spread(one)}) with {counted(one.of.threads, 'thread')}, and gets through "
        f"{best.clips_per_s:.1f} clips/s (spread {percent(best.timing.spread, 0)}), "
        f"{three_digits(best.rtfx)} times real time, with {setup} workers x threads."
    )
    ratios = measured.ratios.get("latency, threads 1", [])
    return [first, *(f"Latency: {ratio.sentence()}." for ratio in ratios)]


def _spread(one: Latency) -> str:
    """Return how sure a median is; few times have no nine in ten."""
    t = one.timing
    p90_s = t.told("p90_s")
    if p90_s is None:
        return f"median of {t.n}, spread {percent(t.spread, 0)}"
    return f"median of {t.n}; nine in ten within {1000 * p90_s:.1f} ms"


def _usual(latency: list[Latency]) -> Latency:
    """Return the latency of the usual duration with the fewest threads."""
    fewest = min(item.of.threads for item in latency)
    alone = [item for item in latency if item.of.threads == fewest]
    return min(alone, key=lambda item: abs(item.of.seconds - USUAL_S))


def save_bench(measured: Bench, folder: Path) -> dict[str, Path]:
    """Return the path of each file, by kind, after writing `bench.json` and the latency plot."""
    told = measured.disclosure
    title = (
        f"single stream, batch 1, model only\n{told['processor']}, {told['cores']} cores, "
        f"onnxruntime {told['packages']['onnxruntime']}"
    )
    return {
        "benchmark": write_json(measured.as_dict(), folder / "bench.json"),
        "latency plot": save_latency(_curves(measured), title, folder / "latency.png"),
    }


def _loading(
    subjects: Sequence[Subject], options: BenchOptions, pace: Pace, setups: list[tuple[int, int]]
) -> dict[str, Loading]:
    named = {subject.name: (subject.source, subject.runtime) for subject in subjects}
    return measured_loading(named, overrides_of(options), pace.repetitions, setups)


def _disclosed(
    pace: Pace, options: BenchOptions, loads: list[Any], clips: int, left_out: Sequence[LeftOut]
) -> dict[str, Any]:
    warm_up = {"latency": pace.latency.warm_up, "throughput": pace.throughput.warm_up}
    return {
        **disclosure(warm_up, options.runtimes),
        "load_average": loads,
        "throughput_clips": clips,
        "left_out": [asdict(part) for part in left_out],
    }


def _runtimes(options: BenchOptions) -> list[str]:
    """Return the runtimes that run the same files; the others name checkpoints of their own."""
    return [name for name in options.runtimes if ":" not in name]


def _models(
    subjects: tuple[Subject, ...], options: BenchOptions, threads: list[int]
) -> dict[tuple[str, int], Model]:
    models: dict[tuple[str, int], Model] = {
        (subject.name, n): subject.models[n] for subject in subjects for n in threads
    }
    for checkpoint in (name for name in options.runtimes if ":" in name):
        for n in threads:  # it states its own labels and the like
            models[checkpoint, n] = open_reference(checkpoint, options.models[0], Overrides(), n)
    return models


def _durations(usual: Sequence[float], models: Sequence[Model]) -> tuple[float, ...]:
    """Return which of the usual lengths of a clip every model hears, at least one.

    Models that all have a fixed length do the same work for every clip: that of it.
    """
    if all(model.contract.static_samples for model in models):
        return (min(heard_s(model, math.inf) for model in models),)
    longest_s = min(heard_s(model, max(usual)) for model in models)
    return tuple(seconds for seconds in usual if seconds <= longest_s) or (longest_s,)


def _clips(
    subjects: Sequence[Subject], options: BenchOptions, pace: Pace, longest_s: float
) -> tuple[list[Clip], dict[str, float], tuple[LeftOut, ...]]:
    """Return the clips to time, what each model hears, and what of their set is not among them."""
    if options.dataset is None:
        most_s = min(longest_s, max(pace.durations))
        clips = generated_clips(subjects[0].any.sample_rate, pace.clips, most_s)
        return _answered(subjects, clips)
    dataset = load_dataset(options.dataset, options=options)
    clips, audio_s, failed = _answered(subjects, list(dataset.clips(0, options.limit)))
    return clips, audio_s, (*dataset.left_out, *failed)


def _answered(
    subjects: Sequence[Subject], clips: Sequence[Clip]
) -> tuple[list[Clip], dict[str, float], tuple[LeftOut, ...]]:
    """Return the clips that every model answers, how many seconds of them each hears, and the rest.

    A clip that one model refuses would cost that model no time, and so make it look fast.
    """
    failed: dict[str, list[str]] = {}
    refused, seconds = set[int](), dict[int, float]()
    for subject in subjects:
        for record in infer(subject.any, clips, workers=available_cores()):
            if isinstance(record, Failure):
                why = f"not timed: {subject.name} fails ({record.stage})"
                failed.setdefault(why, []).append(record.clip_id)
                refused.add(record.index)
            elif isinstance(record, Prediction):
                seconds[record.index] = record.duration_s
    kept = [clip for clip in clips if clip.index not in refused]
    if not kept:
        raise DatasetError(
            "not one of the clips can be evaluated by every model, so there is no rate; try others"
        )
    parts = (
        LeftOut(reason=why, n=len(ids), examples=tuple(ids[:3])) for why, ids in failed.items()
    )
    lengths = [seconds[clip.index] for clip in kept]
    heard = {s.name: sum(heard_s(s.any, length) for length in lengths) for s in subjects}
    return kept, heard, tuple(parts)


def _ceiling(threads: list[int], effort: Effort, watch: Watch) -> dict[str, float]:
    watch("the ceiling: a MatMul")
    works = {
        f"{precision}/{n}": matmul_work(precision, n) for precision in ("fp32", "int8")
        for n in threads
    }  # fmt: skip
    times = interleaved(works, effort)
    return {name: MATMUL_MACS / timing_of(s).min_s / 1e9 for name, s in times.items()}


def _roofline(
    subjects: tuple[Subject, ...],
    latency: list[Latency],
    ceiling: Mapping[str, float],
    overrides: Overrides,
) -> Iterator[tuple[str, Reached]]:
    """Yield what each .onnx file reaches on the longest clip, in its fastest call with one thread.

    Only ONNX Runtime says what it runs in integers, and the ceiling is measured with it.
    """
    files = [s for s in subjects if s.runtime == "auto" and s.any.path.suffix == ".onnx"]
    for subject in files:
        alone = [i for i in latency if i.of.model == subject.name and i.of.threads == 1]
        longest = max(alone, key=lambda item: item.of.seconds)
        work = inspect_model(subject.any.path, overrides, longest.of.seconds).work
        if work is not None and work.macs:
            rate = work.macs / longest.timing.min_s / 1e9
            yield subject.name, reached(rate, work.shares, ceiling)


def _ratios(
    latency: Mapping[LatencyOf, Seconds],
    throughput: Mapping[ThroughputOf, Seconds],
    threads: list[int],
    setups: list[tuple[int, int]],
) -> Iterator[tuple[str, list[Ratio]]]:
    """Yield what is compared: models, runtimes with the first, setups with the engine's."""
    for n in threads:
        yield f"latency, threads {n}", _to_the_first(totals(latency, n))
    for workers, n in setups:
        passes = {
            of.model: times
            for of, times in throughput.items()
            if (of.workers, of.threads) == (workers, n)
        }
        yield f"throughput, workers {workers} x threads {n}", _to_the_first(passes)
    own = (max(workers for workers, _ in setups), 1)
    for model in dict.fromkeys(of.model for of in throughput):
        passes = {
            f"workers {workers} x threads {n}": throughput[
                ThroughputOf(model=model, workers=workers, threads=n)
            ]
            for workers, n in sorted(setups, key=lambda setup: setup != own)
        }
        yield f"throughput of {model}", _to_the_first(passes)


def _to_the_first(seconds: Mapping[str, Seconds]) -> list[Ratio]:
    first, *others = seconds
    return [ratio_of(other, first, seconds) for other in others]


def _curves(measured: Bench) -> list[LatencyCurve]:
    curves = dict.fromkeys((item.of.model, item.of.threads) for item in measured.latency)
    return [_curve(measured, model, threads) for model, threads in curves]


def _curve(measured: Bench, model: str, threads: int) -> LatencyCurve:
    items = [i for i in measured.latency if (i.of.model, i.of.threads) == (model, threads)]
    return LatencyCurve(
        name=f"{model}, {counted(threads, 'thread')}",
        seconds=[item.of.seconds for item in items],
        median_s=[item.timing.median_s for item in items],
        p95_s=[item.timing.p95_s for item in items],
        calls=[item.timing.n for item in items],
    )


def _flat(item: Latency | Throughput) -> dict[str, Any]:
    rest = asdict(item)
    parts: list[dict[str, Any]] = [rest.pop("of"), rest.pop("timing"), rest]
    return {name: value for part in parts for name, value in part.items()}


def _told(ratio: Ratio) -> dict[str, Any]:
    """Return a ratio for the document: its number only where it is larger than the spread."""
    stated = asdict(ratio) | {"told_apart": ratio.told_apart, "sentence": ratio.sentence()}
    return stated if ratio.told_apart else stated | {"median": None}
