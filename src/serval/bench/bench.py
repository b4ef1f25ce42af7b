"""The whole benchmark: models in, latency, throughput, loading and ratios out, and a picture."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serval.bench.browser import BrowserBench, browser_bench
from serval.bench.loading import Loading, measured_loading
from serval.bench.roofline import MATMUL_MACS, Reached, matmul_work, reached
from serval.bench.rounds import Effort, Ratio, Seconds, interleaved, ratio_of, timing_of
from serval.bench.speed import (
    Latency,
    LatencyOf,
    Throughput,
    ThroughputOf,
    generated_clips,
    latencies,
    measured_latency,
    measured_throughput,
    setups_for,
    throughputs,
    totals,
)
from serval.bench.subjects import (
    Call,
    Subject,
    call_of,
    open_reference,
    open_subjects,
    runtime_packages,
)
from serval.bench.words import bench_verdict
from serval.datasets import DatasetOptions, load_dataset
from serval.errors import DatasetError
from serval.files import write_text
from serval.inspection import inspect_model
from serval.machine import available_cores, instruction_sets, platform_facts
from serval.models.contract import Overrides
from serval.models.options import ModelOptions, overrides_of
from serval.plots.latency import LatencyCurve, save_latency
from serval.predict import infer
from serval.records import Clip, Failure, LeftOut, Prediction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serval.models.protocol import Model

__all__ = [
    "Bench",
    "BenchOptions",
    "Effort",
    "Ratio",
    "bench",
    "disclosure",
    "interleaved",
    "load_average",
    "ratio_of",
    "save_bench",
]


SCHEMA_VERSION = 1


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
        imported: Files that pages of `serval web` measured, to be shown beside this machine.
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
    imported: tuple[BrowserBench, ...] = ()

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
    imported = tuple(browser_bench(Path(name)) for name in options.imported)
    setups = setups_for(available_cores())
    threads = sorted({threads for _, threads in setups})
    overrides = overrides_of(options)
    subjects = open_subjects(options.models, threads, overrides)
    calls = _calls(subjects, options, overrides, threads)
    clips, left_out = _clips(options, subjects[0].any.sample_rate, pace)
    audio_s, failed = _audio_s(subjects[0], clips)
    loads = [load_average()]
    watch(f"latency of {len(calls)} x {len(pace.durations)} durations")
    latency = measured_latency(calls, pace.durations, pace.latency)
    watch(f"throughput of {len(subjects)} models x {len(setups)} setups")
    throughput = measured_throughput(subjects, clips, setups, pace.throughput)
    watch("loading, in fresh processes")
    paths = {subject.name: subject.any.path for subject in subjects}
    loading = measured_loading(paths, overrides, pace.repetitions, setups)
    watch("the ceiling: a MatMul")
    ceiling = _ceiling(threads, pace.latency)
    loads.append(load_average())
    return Bench(
        facts={subject.name: subject.any.facts for subject in subjects},
        latency=latencies(latency),
        throughput=throughputs(throughput, len(clips), audio_s),
        loading=loading,
        matmul_gmac_per_s=ceiling,
        roofline=dict(_roofline(subjects, latencies(latency), ceiling)),
        ratios=dict(_ratios(latency, throughput, threads, setups)),
        disclosure=disclosure(_warm_up_rounds(pace), options.runtimes)
        | {"load_average": loads, "throughput_clips": len(clips)}
        | {"left_out": [asdict(part) for part in (*left_out, *failed)]},
        options=options,
        imported=imported,
    )


def save_bench(measured: Bench, folder: Path) -> dict[str, Path]:
    """Return the path of each file, by kind, after writing `bench.json` and the latency plot."""
    text = json.dumps(measured.as_dict(), indent=2, ensure_ascii=False) + "\n"
    told = measured.disclosure
    title = (
        f"single stream, batch 1, model only\n{told['processor']}, {told['cores']} cores, "
        f"onnxruntime {told['packages']['onnxruntime']}"
    )
    return {
        "benchmark": write_text(folder / "bench.json", text),
        "latency plot": save_latency(_curves(measured), title, folder / "latency.png"),
    }


def _warm_up_rounds(pace: Pace) -> dict[str, int]:
    return {"latency": pace.latency.warm_up, "throughput": pace.throughput.warm_up}


def _calls(
    subjects: tuple[Subject, ...], options: BenchOptions, overrides: Overrides, threads: list[int]
) -> dict[tuple[str, int], tuple[Call, int]]:
    models: dict[tuple[str, int], Model] = {
        (subject.name, n): subject.models[n] for subject in subjects for n in threads
    }
    for runtime in options.runtimes:
        # Labels and the like are the first model's; a checkpoint states its own.
        stated = Overrides() if ":" in runtime else overrides
        for n in threads:
            models[runtime, n] = open_reference(runtime, options.models[0], stated, n)
    return {key: (call_of(model), model.sample_rate) for key, model in models.items()}


def _clips(
    options: BenchOptions, sample_rate: int, pace: Pace
) -> tuple[list[Clip], tuple[LeftOut, ...]]:
    """Return the clips to time, and what of their set is not among them."""
    if options.dataset is None:
        return generated_clips(sample_rate, pace.clips), ()
    dataset = load_dataset(options.dataset, options=options)
    return list(dataset.clips(0, options.limit)), dataset.left_out


def _audio_s(subject: Subject, clips: list[Clip]) -> tuple[float, tuple[LeftOut, ...]]:
    """Return the length of the clips that have an answer, and those that have none by stage."""
    records = list(infer(subject.any, clips, workers=available_cores()))
    seconds = sum(record.duration_s for record in records if isinstance(record, Prediction))
    if not seconds:
        raise DatasetError("not one of the clips can be evaluated, so there is no rate; try others")
    failed: dict[str, list[str]] = {}
    for record in records:
        if isinstance(record, Failure):
            failed.setdefault(f"timed, but failed ({record.stage})", []).append(record.clip_id)
    parts = (
        LeftOut(reason=why, n=len(ids), examples=tuple(ids[:3])) for why, ids in failed.items()
    )
    return seconds, tuple(parts)


def _ceiling(threads: list[int], effort: Effort) -> dict[str, float]:
    works = {
        f"{precision}/{n}": matmul_work(precision, n) for precision in ("fp32", "int8")
        for n in threads
    }  # fmt: skip
    times = interleaved(works, effort)
    return {name: MATMUL_MACS / timing_of(s).min_s / 1e9 for name, s in times.items()}


def _roofline(
    subjects: tuple[Subject, ...], latency: list[Latency], ceiling: Mapping[str, float]
) -> Iterator[tuple[str, Reached]]:
    """Yield what each model reaches on the longest clip, in its fastest call with one thread."""
    for subject in subjects:
        alone = [i for i in latency if i.of.model == subject.name and i.of.threads == 1]
        longest = max(alone, key=lambda item: item.of.seconds)
        work = inspect_model(subject.any.path).work
        if work is not None and work.macs:
            rate = work.gmac_per_s * longest.of.seconds / longest.timing.min_s
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
        name=f"{model}, {threads} thread{'s' * (threads > 1)}",
        seconds=[item.of.seconds for item in items],
        median_s=[item.timing.median_s for item in items],
        p95_s=[item.timing.p95_s for item in items],
    )


def _flat(item: Latency | Throughput) -> dict[str, Any]:
    rest = asdict(item)
    parts: list[dict[str, Any]] = [rest.pop("of"), rest.pop("timing"), rest]
    return {name: value for part in parts for name, value in part.items()}


def _told(ratio: Ratio) -> dict[str, Any]:
    """Return a ratio for the document: its number only where it is larger than the spread."""
    stated = asdict(ratio) | {"told_apart": ratio.told_apart, "sentence": ratio.sentence()}
    return stated if ratio.told_apart else stated | {"median": None}


SCOPES = {
    "latency": "model only: normalisation and the model, one clip at a time, no padding",
    "throughput": "end to end: read from memory, decode, resample, model, softmax, record",
    "loading": "a fresh process: open, verify the contract, answer once",
}


def disclosure(warm_up_rounds: Mapping[str, int], runtimes: Sequence[str]) -> dict[str, Any]:
    """Return processor, instruction sets, cores, versions, provider, batch, warm-up and scopes.

    Args:
        warm_up_rounds: What was measured -> rounds before it whose times were thrown away.
        runtimes: As they were named.
    """
    facts = platform_facts()
    packages = {name: metadata.version(name) for name in runtime_packages(runtimes)}
    return facts | {
        "packages": facts["packages"] | packages,
        "instruction_sets": list(instruction_sets()),
        "provider": "CPUExecutionProvider",
        "batch": 1,
        "warm_up_rounds": dict(warm_up_rounds),
        "order": "all models in every round, the order turning by one place a round",
        "scopes": SCOPES,
    }


def load_average() -> float | None:
    """Return how many processes wanted a core in the last minute, or `None` where unknown."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
