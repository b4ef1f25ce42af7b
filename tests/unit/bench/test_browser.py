import json
from copy import deepcopy

import pytest

from phone import DOCUMENT, TIMES
from serval.bench.browser import browser_bench
from serval.bench.rounds import Timing
from serval.bench.speed import Latency, LatencyOf
from serval.errors import ConfigError


def saved(tmp_path, document):
    (tmp_path / "phone.json").write_text(json.dumps(document), "utf-8")
    return tmp_path / "phone.json"


@pytest.fixture
def phone(tmp_path):
    return browser_bench(saved(tmp_path, DOCUMENT))


def here(model, seconds, threads, median_s):
    of = LatencyOf(model=model, threads=threads, seconds=seconds)
    timing = Timing(n=5, spread=0.1, **TIMES | {"median_s": median_s})
    return Latency(of=of, timing=timing, rtf=median_s / seconds)


def test_a_measurement_is_read_back(phone):
    assert [item.model for item in phone.latency] == ["fp32", "int8"]
    assert phone.latency[0].timing.p95_s == 0.13
    assert phone.latency[0].rtf == 0.05
    assert phone.where == (
        "Chromium 156 on Pixel 9 Android, 8 logical processors; ONNX Runtime Web 1.24.3, wasm with "
        "SIMD, not isolated, so one thread"
    )
    (ratio,) = phone.ratios["latency, threads 1"]
    assert ratio.sentence().startswith("int8 is 1.80x as fast as fp32")
    assert phone.memory_mb is None


def test_it_stands_beside_the_same_file_clip_and_threads(phone):
    facts = {"mine": {"sha256": "bb"}, "other": {"sha256": "cc"}}
    measured = [here("other", 2.0, 1, 0.9), here("mine", 3.0, 1, 0.8), here("mine", 2.0, 2, 0.7)]
    assert phone.latency[1].here(measured, facts) is None
    assert phone.latency[1].here([*measured, here("mine", 2.0, 1, 0.04)], facts) == 0.04
    assert phone.latency[0].here([here("mine", 2.0, 1, 0.04)], facts) is None


def test_a_ratio_within_the_spread_is_not_quoted(tmp_path):
    document = deepcopy(DOCUMENT)
    document["ratios"]["latency, threads 1"][0]["median"] = None
    (ratio,) = browser_bench(saved(tmp_path, document)).ratios["latency, threads 1"]
    assert ratio.sentence().startswith("int8 and fp32 cannot be told apart")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"kind": "bench"}, "its kind is not 'browser'"),
        ({"schema_version": 2}, "another version of serval made it"),
        ({"latency": []}, "it has 0 latencies"),
        ({"models": {}}, "it has no 'fp32'"),
        ({"browser": {}}, "it has no 'brands'"),
        ({"memory_mb": "much"}, "'much' is no number"),
        ({"latency": [{"model": "fp32", "threads": 0}]}, "0.0 is no time or number"),
    ],
)
def test_what_is_none_is_told(tmp_path, change, why):
    with pytest.raises(ConfigError, match="save one there with Download JSON") as told:
        browser_bench(saved(tmp_path, DOCUMENT | change))
    assert why in str(told.value)


@pytest.mark.parametrize("text", ["", "[1]", "null", "{", '{"kind": "browser"}'])
def test_no_text_ends_in_a_traceback(tmp_path, text):
    (tmp_path / "phone.json").write_text(text, "utf-8")
    with pytest.raises(ConfigError, match="is no measurement of a page"):
        browser_bench(tmp_path / "phone.json")


def test_what_a_browser_says_obeys_no_terminal(tmp_path):
    document = deepcopy(DOCUMENT)
    document["browser"]["device"] = "\x1b[31mred"
    assert "\x1b" not in browser_bench(saved(tmp_path, document)).where
