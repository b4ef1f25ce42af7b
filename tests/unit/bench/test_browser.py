import json
from copy import deepcopy
from pathlib import Path

import pytest

from phone import DOCUMENT, SHORT, TIMES, code_of
from serval.bench.browser import browser_bench, timed_in
from serval.bench.rounds import Timing
from serval.bench.speed import Latency, LatencyOf
from serval.errors import ConfigError


def saved(tmp_path, document):
    (tmp_path / "phone.json").write_text(json.dumps(document), "utf-8")
    return tmp_path / "phone.json"


@pytest.fixture
def phone(tmp_path):
    return browser_bench(str(saved(tmp_path, DOCUMENT)))


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
    (ratio,) = browser_bench(str(saved(tmp_path, document))).ratios["latency, threads 1"]
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
        browser_bench(str(saved(tmp_path, DOCUMENT | change)))
    assert why in str(told.value)


@pytest.mark.parametrize("text", ["", "[1]", "null", "{", '{"kind": "browser"}'])
def test_no_text_ends_in_a_traceback(tmp_path, text):
    (tmp_path / "phone.json").write_text(text, "utf-8")
    with pytest.raises(ConfigError, match="is no measurement of a page"):
        browser_bench(str(tmp_path / "phone.json"))


def test_what_a_browser_says_obeys_no_terminal(tmp_path):
    document = deepcopy(DOCUMENT)
    document["browser"]["device"] = "\x1b[31mred"
    assert "\x1b" not in browser_bench(str(saved(tmp_path, document))).where


def test_a_code_is_read_back_with_what_a_file_says(phone):
    read = browser_bench(code_of(SHORT))
    assert read.source == "the code"
    assert read.where == phone.where
    assert read.ratios == phone.ratios
    assert read.memory_mb == 301.5
    assert read.latency[0] == phone.latency[0]
    second = read.latency[1]
    assert (second.model, second.facts["sha256"], second.timing.n) == ("int8", "bb", 8)
    assert second.timing.p50_s == second.timing.median_s == 0.05012
    assert second.timing.spread == 0.055
    assert read.document["latency"][1]["rtf"] == 0.02506


def test_a_code_may_stand_in_an_address():
    for given in (f"https://host.example/#{code_of(SHORT)}", f" {code_of(SHORT)}\n"):
        assert browser_bench(given).latency[0].seconds == 2


@pytest.mark.parametrize("name", ["serval-bench-1.2/phone.json", "serval-bench-1.json"])
def test_a_file_whose_name_is_like_a_code_is_read(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_text(json.dumps(DOCUMENT), "utf-8")
    assert browser_bench(name).latency[0].seconds == 2


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (code_of(SHORT)[:-9], "its end is missing"),
        ("serval-bench-1.____", "it is damaged"),
        (code_of([1]), "no measurement of a page"),
        (code_of({key: value for key, value in SHORT.items() if key != "models"}), "no 'models'"),
        (code_of(SHORT | {"latency": SHORT["latency"] | {"model": [0, 7]}}), "no measurement"),
        (code_of(SHORT | {"latency": SHORT["latency"] | {"n": [9]}}), "no measurement of a page"),
    ],
)
def test_a_damaged_code_is_told(code, why):
    with pytest.raises(ConfigError, match="copy the whole text of its QR code") as told:
        browser_bench(code)
    assert why in str(told.value)
    assert str(told.value).startswith("--import the code is no measurement")


def test_a_bench_file_holds_this_machine_and_what_it_imported(tmp_path):
    flat = {"model": "tiny", "threads": 2, "seconds": 3.0, "n": 5, "spread": 0.1, **TIMES}
    document = {
        "disclosure": {"processor": "EPYC", "cores": 2, "packages": {"onnxruntime": "1.32.0"}},
        "models": {"tiny": {"sha256": "cc"}},
        "latency": [flat, flat | {"model": "torch:folder"}],
        "imported": [DOCUMENT],
    }
    here, phone = timed_in(str(saved(tmp_path, document)))
    assert here.where == "EPYC, 2 cores; onnxruntime 1.32.0"
    assert [(one.model, one.facts["sha256"]) for one in here.latency] == [
        ("tiny", "cc"),
        ("torch:folder", ""),
    ]
    assert here.latency[0].timing.p90_s == 0.12
    assert phone.where.startswith("Chromium 156 on Pixel 9")
    assert [one.where for one in timed_in(code_of(SHORT))] == [phone.where]
    assert timed_in(str(saved(tmp_path, DOCUMENT)))[0].latency == phone.latency


@pytest.mark.parametrize("document", [{}, [], {"latency": [], "models": {}}, {"kind": "browser"}])
def test_other_files_are_no_measurement(tmp_path, document):
    with pytest.raises(ConfigError, match=r"phone\.json is no measurement of serval bench"):
        timed_in(str(saved(tmp_path, document)))


def test_a_code_that_grows_without_bound_is_refused():
    with pytest.raises(ConfigError, match="its end is missing"):
        browser_bench(code_of(SHORT | {"made": "x" * (1 << 21)}))
