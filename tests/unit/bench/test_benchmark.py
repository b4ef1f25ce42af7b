import importlib
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from build import classifier, labels_metadata
from serval.bench import BenchOptions, bench, save_bench
from serval.bench.bench import QUICK
from serval.bench.loading import measured_loading
from serval.bench.speed import MATMUL_MACS, generated_clips, matmul_work, setups_for
from serval.bench.subjects import model_key, noise, open_reference, open_subjects, runtime_packages
from serval.errors import ConfigError, DatasetError, MissingExtraError, ModelError
from serval.machine import available_cores, instruction_sets, peak_memory_mb
from serval.models.contract import Overrides
from serval.models.load import load_model
from serval.models.onnx import load_onnx
from serval.models.protocol import logits_alone


@pytest.fixture
def other_model(tmp_path):
    return classifier(tmp_path / "other.onnx", seed=4, metadata=labels_metadata())


@pytest.fixture
def few_rounds(monkeypatch):
    """All setups of this machine, with fewer durations, clips and processes than even --quick."""
    few = replace(QUICK.latency, most=QUICK.latency.fewest)
    pace = replace(QUICK, durations=(1.0, 5.0), clips=4, repetitions=1, latency=few)
    monkeypatch.setattr(importlib.import_module("serval.bench.bench"), "QUICK", pace)
    return pace


@pytest.mark.slow
def test_a_benchmark_says_everything_that_one_must_disclose(
    model_file, other_model, few_rounds, tmp_path
):
    options = BenchOptions(models=(str(model_file), str(other_model)), quick=True)
    steps = []
    measured = bench(options, steps.append)
    files = save_bench(measured, tmp_path / "out")
    document = json.loads(files["benchmark"].read_text(encoding="utf-8"))
    assert len(steps) == 4
    assert document["disclosure"].keys() >= {
        *("processor", "instruction_sets", "cores", "system", "python", "packages", "provider"),
        *("batch", "warm_up_rounds", "scopes", "load_average"),
    }
    assert document["disclosure"]["warm_up_rounds"] == {
        "latency": few_rounds.latency.warm_up,
        "throughput": few_rounds.throughput.warm_up,
    }
    assert set(document["models"]) == set(document["loading"]) == {"emo", "other"}
    durations = {(row["model"], row["seconds"]) for row in document["latency"]}
    assert durations == {(m, s) for m in ("emo", "other") for s in few_rounds.durations}
    for line in document["roofline"].values():
        if line["share"] is not None:  # a busy machine may have no ceiling
            assert line["gmac_per_s"] == pytest.approx(line["share"] * line["ceiling_gmac_per_s"])
    assert set(document["roofline"]) == {"emo", "other"}
    assert document["verdict"][0].startswith("emo answers a clip of 5 s in ")
    assert document["disclosure"]["left_out"] == []
    for name in ("emo", "other"):
        peaks = document["loading"][name]["peak_memory_by_setup_mb"]
        setups = {f"{row['workers']}x{row['threads']}" for row in document["throughput"]}
        assert set(peaks) == setups
        assert min(peaks.values()) > 0
        compared = document["ratios"][f"throughput of {name}"]
        assert len(compared) == len(setups) - 1
        assert {ratio["to"] for ratio in compared} <= {f"workers {available_cores()} x threads 1"}
    for row in document["throughput"]:
        assert row["rtf"] * row["rtfx"] == pytest.approx(1)
        assert row["clips_per_s"] * row["median_s"] == pytest.approx(few_rounds.clips)
    assert all(
        (ratio["median"] is None) != ratio["told_apart"]
        for ratios in document["ratios"].values()
        for ratio in ratios
    )
    assert files["latency plot"].read_bytes().startswith(b"\x89PNG")


def test_a_model_named_twice_is_refused(model_file):
    again = model_file.parent / ".." / model_file.parent.name / model_file.name
    for other in (model_file, again):
        with pytest.raises(ConfigError, match="named twice"):
            bench(BenchOptions(models=(str(model_file), str(other))))


def test_two_names_of_one_model_in_python_are_one_and_two_models_of_a_file_are_two(
    monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    names = ("python:m.py:A", f"python:../{tmp_path.name}/m.py:A", "python:m.py:B")
    one, again, other = map(model_key, names)
    assert one == again != other


def test_what_is_said_of_a_set_needs_one(model_file):
    unused = BenchOptions(models=(str(model_file),), limit=-3, split="test")
    with pytest.raises(ConfigError, match="--split and --limit would change nothing: without -d"):
        bench(unused)
    with pytest.raises(ConfigError, match="--limit -3 leaves no clip"):
        bench(BenchOptions(models=(str(model_file),), dataset="demo", limit=-3))


def test_clips_that_are_no_audio_have_no_rate(model_file, tmp_path):
    (tmp_path / "a.wav").write_bytes(b"noise" * 100)
    (tmp_path / "set.csv").write_text("path,label\na.wav,angry\n")
    with pytest.raises(DatasetError, match="no rate"):
        bench(BenchOptions(models=(str(model_file),), dataset=str(tmp_path / "set.csv")))


def test_models_of_one_name_are_told_apart(model_file, tmp_path):
    (tmp_path / "b").mkdir()
    twin = classifier(tmp_path / "b" / "emo.onnx", metadata=labels_metadata())
    subjects = open_subjects([str(model_file), str(twin)], [1], Overrides())
    assert [subject.name for subject in subjects] == ["emo", "emo#2"]


def test_noise_is_never_silent_and_always_the_same():
    samples = noise(1.5, 16_000)
    assert samples.shape == (24_000,)
    assert 0.5 < np.abs(samples).max() <= 1
    assert samples.tobytes() == noise(1.5, 16_000).tobytes()


def test_generated_clips_have_the_durations_in_turn():
    clips = generated_clips(8_000, 12)
    sizes = [(len(clip.audio) - 44) / 16_000 for clip in clips]
    assert sizes == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1, 2]
    for longest_s, expected in ((2.5, [1, 2, 1]), (0.5, [0.5, 0.5, 0.5])):
        clips = generated_clips(8_000, 3, longest_s)
        assert [(len(clip.audio) - 44) / 16_000 for clip in clips] == expected


@pytest.mark.parametrize("cores", [1, 2, 4, 6, 16])
def test_setups_use_the_cores_and_begin_with_one(cores):
    setups = setups_for(cores)
    assert (1, 1) in setups
    assert (cores, 1) in setups
    assert max(workers * threads for workers, threads in setups) <= 2 * cores


@pytest.mark.slow
def test_loading_is_measured_in_a_process_of_its_own(model_file):
    ballast = np.ones(40_000_000)
    (loading,) = measured_loading({"emo": (str(model_file), "auto")}, Overrides(), 1).values()
    assert loading.load_s > 0
    assert loading.clip_s == 10
    assert loading.peak_memory_mb < peak_memory_mb()
    assert ballast.sum() == 40_000_000


@pytest.mark.slow
def test_the_memory_of_every_setup_is_measured(tmp_path):
    wide = classifier(tmp_path / "wide.onnx", bands=2_000, metadata=labels_metadata())
    named = {"m": (str(wide), "auto")}
    (loading,) = measured_loading(named, Overrides(), 1, [(1, 1), (4, 1)]).values()
    assert loading.peak_memory_by_setup_mb.keys() == {"1x1", "4x1"}
    assert loading.n == 1
    one, four = loading.peak_memory_by_setup_mb.values()
    assert four > one == loading.peak_memory_mb


def test_a_process_that_cannot_open_the_model_says_so(tmp_path):
    with pytest.raises(ModelError, match=r"gone\.onnx"):
        measured_loading({"gone": (str(tmp_path / "gone.onnx"), "auto")}, Overrides(), 1)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts the parent's memory")
def test_peak_memory_is_that_of_this_process_only():
    ballast = np.ones(40_000_000)
    code = "from serval.machine import peak_memory_mb; print(peak_memory_mb())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 200 < 320 < peak_memory_mb()
    assert ballast.any()


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_ceiling_is_a_real_product(precision):
    (product,) = matmul_work(precision, 1)()
    assert product.shape == (512, 1024)
    assert product.shape[0] * product.shape[1] * 1024 == MATMUL_MACS


def test_unknown_peers_and_missing_checkpoints_are_refused(model_file, tmp_path):
    refused = ("tensorrt", "onnxruntime", "openvino:folder", "torch", f"torch:{tmp_path / 'gone'}")
    for runtime in refused:
        with pytest.raises(
            ConfigError, match=f"unknown runtime '{runtime}'; known: .*torch:FOLDER"
        ):
            open_reference(runtime, str(model_file), Overrides(), 1)
    assert runtime_packages(["openvino"]) == ("openvino",)


@pytest.mark.parametrize("runtime", ["openvino", "torch"])
def test_a_runtime_that_is_not_installed_is_named(runtime, model_file, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, runtime, None)
    name = runtime if runtime == "openvino" else f"torch:{tmp_path}"
    with pytest.raises(MissingExtraError, match=rf"{runtime}.*pip install"):
        open_reference(name, str(model_file), Overrides(), 1)


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr("serval.models.openvino.compiled_folder", lambda: tmp_path / "cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.slow
def test_openvino_is_timed_in_the_same_rounds(model_file, brief_bench, own_cache, monkeypatch):
    pytest.importorskip("openvino")
    inspected = []
    room = sys.modules["serval.bench.bench"]
    seen = room.inspect_model
    monkeypatch.setattr(room, "inspect_model", lambda *of: inspected.append(of[1]) or seen(*of))
    options = BenchOptions(
        models=(str(model_file),), runtimes=("openvino",), quick=True, sample_rate=8_000
    )
    measured = bench(options)
    assert [overrides.sample_rate for overrides in inspected] == [8_000]
    names = {"emo", "openvino"}
    assert {item.of.model for item in measured.latency} == names
    assert {item.of.model for item in measured.throughput} == names
    assert set(measured.loading) == names
    assert set(measured.roofline) == {"emo"}
    assert "openvino" in measured.disclosure["packages"]
    for what in ("latency, threads 1", "throughput, workers 1 x threads 1"):
        (ratio,) = measured.ratios[what]
        assert (ratio.of, ratio.to) == ("openvino", "emo")


@pytest.mark.slow
def test_a_model_of_python_is_timed_too(tmp_path, brief_bench):
    source = """
class Loudness:
    labels, sample_rate = ["soft", "loud"], 16_000
    def __call__(self, waveform):
        return [1.0, float(waveform.std())]
"""
    (tmp_path / "mine.py").write_text(source, encoding="utf-8")
    measured = bench(BenchOptions(models=(f"python:{tmp_path / 'mine.py'}:Loudness",), quick=True))
    assert set(measured.loading) == {"mine:Loudness"}
    assert measured.roofline == {}


def test_openvino_gives_the_same_logits(model_file, own_cache):
    pytest.importorskip("openvino")
    samples = noise(1, 16_000)
    answer = logits_alone(open_reference("openvino", str(model_file), Overrides(), 1), samples)
    expected = logits_alone(load_onnx(model_file), samples)
    np.testing.assert_allclose(answer, expected, rtol=1e-3, atol=1e-4)


def test_openvino_takes_a_batch_where_the_graph_takes_one_clip(tmp_path, own_cache):
    pytest.importorskip("openvino")
    path = classifier(tmp_path / "m.onnx", static=16_000, batch=1)
    batch, lengths = np.stack([noise(1, 16_000), noise(1, 16_000, seed=1)]), np.array([16_000] * 2)
    answers = load_model(str(path), runtime="openvino").logits(batch, lengths)
    expected = load_model(str(path)).logits(batch, lengths)
    np.testing.assert_allclose(answers, expected, rtol=1e-3, atol=1e-4)


def test_a_folder_that_is_no_checkpoint_is_one_line(model_file, tmp_path):
    pytest.importorskip("torch")
    with pytest.raises(ModelError, match="is not a folder with a config") as raised:
        open_reference(f"torch:{tmp_path}", str(model_file), Overrides(), 1)
    assert "\n" not in str(raised.value)


def test_instruction_sets_are_known_names():
    assert set(instruction_sets()) <= {
        *("avx2", "f16c", "fma", "avx_vnni", "avx512f", "avx512_bf16", "avx512_vnni", "amx_int8"),
        *("neon", "asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve", "sve2"),
    }
