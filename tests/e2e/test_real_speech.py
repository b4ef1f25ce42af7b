"""The engine against a loop that anybody would write, on real speech."""

import io
import runpy

import numpy as np
import onnxruntime as ort
import pytest
import soundfile
import soxr

from conftest import ROOT
from serval.datasets import DatasetOptions, load_dataset
from serval.evaluation import evaluate_named
from serval.options import EvalOptions


@pytest.mark.slow
@pytest.mark.parametrize("n", [24, pytest.param(100, marks=pytest.mark.weekly)])
def test_a_plain_loop_gives_the_same_predictions(shared, tmp_path, n):
    model = shared / "models" / "serval-tiny" / "model.onnx"
    corpus = str(shared / "corpora" / "ssi-like")
    run = evaluate_named(
        EvalOptions(model=str(model), dataset=corpus, limit=n, output=str(tmp_path), plots=False)
    ).run
    session = ort.InferenceSession(model)
    dataset = load_dataset(corpus, options=DatasetOptions())
    logits = []
    for clip in dataset.clips(0, n):
        samples, rate = soundfile.read(io.BytesIO(clip.audio), dtype="float32", always_2d=True)
        samples = samples.mean(axis=1)
        if rate != 16_000:
            samples = soxr.resample(samples, rate, 16_000, quality="HQ")
        samples = samples / max(np.abs(samples).max(), 1e-12)
        logits.append(session.run(None, {"input_values": samples[np.newaxis]})[0][0])
    assert run.predicted.tolist() == np.argmax(logits, axis=1).tolist()
    np.testing.assert_allclose(run.logits, logits, atol=1e-3)


@pytest.mark.slow
def test_raw_corpora_have_the_labels_and_speakers_of_the_published_set(shared, tmp_path, capsys):
    runpy.run_path(str(shared / "corpora" / "write_raw.py"))["main"](tmp_path)
    check = runpy.run_path(str(ROOT / "benchmarks" / "raw_corpora.py"))["main"]
    assert check(tmp_path, shared / "corpora" / "ssi-like") == 0
    assert "2,162 of 2,162 clips have the label, speaker, sex, text and" in capsys.readouterr().out
