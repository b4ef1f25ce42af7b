"""The sentences that a benchmark begins with, and the clips that it could not time."""

from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import pytest

from build import classifier, encoded, voice
from serval.bench import bench_verdict
from serval.bench.bench import _answered, _durations, _roofline
from serval.bench.rounds import ratio_of, timing_of
from serval.bench.speed import Latency, LatencyOf, Throughput, ThroughputOf, reached
from serval.inspection import inspect_model
from serval.models.contract import Overrides
from serval.models.onnx import load_onnx
from serval.models.protocol import heard_s
from serval.records import Clip


def latency(model, seconds, times):
    of = LatencyOf(model=model, threads=1, seconds=seconds)
    return Latency(of=of, timing=timing_of(np.array(times)), rtf=0.1)


def throughput(model, workers, rate):
    of = ThroughputOf(model=model, workers=workers, threads=1)
    timing = timing_of(np.array([1.0, 1.0, 1.1]))
    return Throughput(of=of, timing=timing, clips_per_s=rate, rtf=0.02, rtfx=rate * 5)


def measured(n):
    times = {"fast": np.full(n, 0.05), "slow": np.full(n, 0.1)}
    return SimpleNamespace(
        latency=[latency("fast", s, times["fast"] * s) for s in (1.0, 4.0, 10.0)],
        throughput=[throughput("fast", 1, 10.0), throughput("fast", 2, 18.0)],
        ratios={"latency, threads 1": [ratio_of("slow", "fast", times)]},
    )


def test_the_verdict_is_of_the_usual_length_and_the_best_setup_then_of_the_others():
    first, second = bench_verdict(measured(20))
    assert first == (
        "fast answers a clip of 4 s in 200.0 ms (median of 20; nine in ten within 200.0 ms) with "
        "1 thread, and gets through 18.0 clips/s (spread 5 %), 90 times real time, with 2 x 1 "
        "workers x threads."
    )
    assert second.startswith("Latency: slow is 0.50x as fast as fast (quartiles ")


def test_of_a_clip_a_model_is_timed_on_what_it_hears(tmp_path):
    clips = [Clip(id="long", index=0, label="", audio=encoded(voice(2, 2.0)))]
    fixed = load_onnx(classifier(tmp_path / "fixed.onnx", static=8_000))
    free = load_onnx(classifier(tmp_path / "free.onnx"), Overrides(max_seconds=4.0))
    models = [SimpleNamespace(name="a", any=fixed), SimpleNamespace(name="b", any=free)]
    _, seconds, failed = _answered(models, clips)
    assert (seconds, failed) == (pytest.approx({"a": 0.5, "b": 2.0}), ())
    assert [heard_s(model, 10.0) for model in (fixed, free)] == [0.5, 4.0]


def test_only_lengths_that_every_model_hears_are_timed(tmp_path):
    fixed = load_onnx(classifier(tmp_path / "fixed.onnx", static=8_000))
    long = load_onnx(classifier(tmp_path / "long.onnx", static=320_000))
    path = classifier(tmp_path / "free.onnx")
    short, brief = (load_onnx(path, Overrides(max_seconds=s)) for s in (4.0, 0.7))
    usual = (1.0, 3.0, 5.0, 10.0)
    assert _durations(usual, [load_onnx(path)]) == usual
    assert _durations(usual, [load_onnx(path), short]) == (1.0, 3.0)
    assert _durations(usual, [brief, short]) == (0.7,)
    assert _durations(usual, [fixed, short]) == (0.5,)
    assert _durations(usual, [long]) == (20.0,)
    assert _durations(usual, [long, short]) == (1.0, 3.0)


def test_the_work_of_the_longest_call_is_that_of_its_length(tmp_path):
    fixed = classifier(tmp_path / "fixed.onnx", static=8_000)
    free = classifier(tmp_path / "free.onnx")
    macs = [
        inspect_model(p, None, s).work.macs for p, s in ((fixed, 0.5), (free, 0.5), (free, 2.0))
    ]
    assert macs[0] == macs[1] < macs[2] / 3
    subject = SimpleNamespace(name="a", runtime="auto", any=load_onnx(fixed))
    timed = latency("a", 0.5, np.full(5, 0.01))
    ceiling = {"fp32/1": 1e6, "int8/1": 1e6}
    ((_, found),) = _roofline((subject,), [timed], ceiling, Overrides())
    assert found.gmac_per_s == pytest.approx(macs[0] / 0.01 / 1e9)


def test_three_times_have_no_nine_in_ten():
    assert "(median of 3, spread 0 %)" in bench_verdict(measured(3))[0]


def test_a_ceiling_below_what_was_measured_is_withheld():
    ceiling = {"int8/1": 100.0, "fp32/1": 50.0}
    assert reached(49.0, {"fp32": 1.0}, ceiling).share == pytest.approx(0.98)
    assert asdict(reached(57.0, {"fp32": 1.0}, ceiling)) == {
        "gmac_per_s": 57.0,
        "ceiling_gmac_per_s": None,
        "share": None,
    }


def test_clips_that_a_model_fails_at_are_timed_for_none_and_counted(model_file):
    sounds = {"good": encoded(voice(1)), "bad": b"no sound", "worse": b"none either"}
    clips = [Clip(id=name, index=i, label="", audio=sounds[name]) for i, name in enumerate(sounds)]
    clips.append(Clip(id="long", index=3, label="", audio=encoded(voice(2, 2.0))))
    models = [
        SimpleNamespace(name=name, any=load_onnx(model_file, Overrides(max_seconds=longest)))
        for name, longest in (("a", 30.0), ("b", 1.5))
    ]
    kept, seconds, failed = _answered(models, clips)
    assert [clip.id for clip in kept] == ["good"]
    assert seconds == pytest.approx({"a": 1.0, "b": 1.0})
    assert {(part.reason, part.n, part.examples) for part in failed} == {
        ("not timed: a fails (decode)", 2, ("bad", "worse")),
        ("not timed: b fails (decode)", 3, ("bad", "worse", "long")),
    }
