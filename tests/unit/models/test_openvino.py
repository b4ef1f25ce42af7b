"""OpenVINO beside ONNX Runtime: the same contract and answers, .xml files, and its cache."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from build import classifier, labels_metadata, voice
from graphs import masked
from serval.errors import AudioError, ConfigError, ModelError
from serval.evaluation import evaluate_named
from serval.machine import available_cores
from serval.models.load import load_model
from serval.models.openvino import compiled_folder
from serval.options import EvalOptions
from serval.run import load_run

openvino = pytest.importorskip("openvino")

KINDS = {
    "any length": {},
    "attention mask": {"mask": True},
    "fixed length": {"static": 16_000, "batch": 1},
    "softmax": {"softmax": True},
}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setattr("serval.models.openvino.compiled_folder", lambda: folder)
    return folder


def as_ir(path):
    """The file in OpenVINO's own form, beside it."""
    graph = openvino.Core().read_model(path)
    openvino.save_model(graph, path.with_suffix(".xml"), compress_to_fp16=False)
    return path.with_suffix(".xml")


def answer(model, samples):
    return model.logits(samples[np.newaxis], np.array([len(samples)]))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_has_the_contract_and_the_answers_of_onnx_runtime(kind, tmp_path):
    path = classifier(tmp_path / "m.onnx", metadata=labels_metadata(), **KINDS[kind])
    known = load_model(str(path))
    for file, runtime in ((path, "openvino"), (as_ir(path), "auto")):
        model = load_model(str(file), runtime=runtime)
        assert model.contract == known.contract
        assert model.facts["runtime"]["name"] == "openvino"
        for seconds in (0.5, 1.3):
            expected = answer(known, voice(1, seconds))
            np.testing.assert_allclose(answer(model, voice(1, seconds)), expected, atol=1e-4)


def test_a_mask_that_marks_padding_is_found_in_an_ir_too(tmp_path):
    from onnx import TensorProto

    path = masked(tmp_path / "m.onnx", "padding_mask", TensorProto.BOOL, marks_padding=True)
    model = load_model(str(as_ir(path)))
    assert (model.contract.mask_name, model.contract.mask_marks) == ("padding_mask", "padding")


def test_the_answer_is_the_same_from_many_threads(model_file):
    model = load_model(str(model_file), runtime="openvino")
    clips = [voice(seed, 0.4 + 0.1 * seed) for seed in range(8)]
    alone = [answer(model, clip) for clip in clips]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda clip: answer(model, clip), clips))
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))
    assert model.backend.compiled.get_property("NUM_STREAMS") == available_cores()


def test_a_clip_that_is_too_short_is_a_fault_of_the_clip(model_file):
    model = load_model(str(model_file), runtime="openvino")
    with pytest.raises(AudioError, match="cannot run the model on 100 samples"):
        answer(model, voice(seconds=100 / 16_000))


def test_a_compiled_model_is_kept_in_the_users_cache_and_nowhere_else(model_file, cache):
    before = sorted(model_file.parent.iterdir())
    opened = [load_model(str(model_file), runtime="openvino") for _ in range(2)]
    found = [model.backend.compiled.get_property("LOADED_FROM_CACHE") for model in opened]
    assert found == [False, True]
    assert np.array_equal(*(answer(model, voice()) for model in opened))
    assert sorted(set(model_file.parent.iterdir()) - {cache}) == before


def test_another_file_of_the_same_name_and_date_is_compiled_anew(model_file):
    first = answer(load_model(str(model_file), runtime="openvino"), voice())
    date = model_file.stat().st_mtime_ns
    classifier(model_file, seed=9, metadata=labels_metadata())
    os.utime(model_file, ns=(date, date))
    other = load_model(str(model_file), runtime="openvino")
    assert not np.allclose(answer(other, voice()), first)
    np.testing.assert_allclose(
        answer(other, voice()), answer(load_model(str(model_file)), voice()), atol=1e-4
    )


def test_a_cache_that_cannot_be_written_costs_only_time(model_file, cache):
    cache.write_text("a file")
    model = load_model(str(model_file), runtime="openvino")
    assert not model.backend.compiled.get_property("LOADED_FROM_CACHE")


def test_the_cache_is_where_the_system_keeps_such(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")
    assert compiled_folder() == tmp_path / "serval" / "openvino"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr("sys.platform", "darwin")
    assert compiled_folder().parts[-4:] == ("Library", "Caches", "serval", "openvino")


def test_an_ir_without_its_weights_or_on_another_runtime_is_one_line(model_file):
    ir = as_ir(model_file)
    with pytest.raises(ConfigError, match=r"emo.xml is of openvino; --runtime onnxruntime runs no"):
        load_model(str(ir), runtime="onnxruntime")
    with pytest.raises(ConfigError, match=r"--provider cuda is of ONNX Runtime; leave it out"):
        load_model(str(ir), provider="cuda")
    ir.with_suffix(".bin").unlink()
    with pytest.raises(ModelError, match=r"its weights emo.bin are not beside it; copy both"):
        load_model(str(ir))
    ir.with_suffix(".bin").write_bytes(b"")
    ir.write_text("<net/>")
    with pytest.raises(ModelError, match=r"OpenVINO cannot run .*emo.xml") as raised:
        load_model(str(ir))
    assert "\n" not in str(raised.value)


def test_an_evaluation_is_stored_with_its_runtime_and_not_gone_on_with_on_another(
    model_file, manifest, tmp_path, serval
):
    out = tmp_path / "out"
    common = ("evaluate", "-m", model_file, "-d", manifest, "-o", out, "--no-plots")
    done = serval(*common, "--runtime", "openvino")
    assert done.returncode == 0, done.stderr
    assert f"run by openvino {openvino.__version__.split('-')[0][:6]}" in done.stderr
    run = load_run(out)
    assert run.provenance.model["runtime"]["name"] == "openvino"
    plain = evaluate_named(EvalOptions(model=str(model_file), dataset=str(manifest), plots=False,
                                       output=str(tmp_path / "plain")))  # fmt: skip
    assert "runtime" not in plain.run.provenance.model
    np.testing.assert_allclose(run.logits, plain.run.logits, atol=1e-4)
    again = serval(*common)
    assert again.returncode == 2
    assert 'runtime was {"name": "openvino"} and is now not given' in again.stderr
