"""Published checkpoints become files that evaluate, inspect and quantize take as any other."""

import json

import numpy as np
import pytest

pytest.importorskip("torch")

from build import speech_set, voice
from published import LAYOUTS
from serval.export import ExportOptions, export_checkpoint
from serval.inspection import inspect_model
from serval.models.onnx import load_onnx

pytestmark = pytest.mark.slow

EACH_TIME = ("SpeechBrain", "emotion2vec+")
"""One of each toolkit beside transformers, whose own test_export has; the others each week."""


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return str(speech_set(tmp_path_factory.mktemp("clips"), 8, seconds=1.0, labels=("ang", "hap")))


@pytest.mark.parametrize(
    "layout",
    [
        *(pytest.param(layout, id=layout) for layout in EACH_TIME),
        *(
            pytest.param(layout, id=layout, marks=pytest.mark.weekly)
            for layout in LAYOUTS
            if layout not in EACH_TIME
        ),
    ],
)
def test_a_published_checkpoint_is_exported_evaluated_and_quantized(
    layout, tmp_path, clips, serval
):
    published = LAYOUTS[layout](tmp_path / "checkpoint")
    path, small = tmp_path / "model.onnx", tmp_path / "small.onnx"
    made = export_checkpoint(str(published.folder), path, ExportOptions(dataset=clips))
    assert made.parity.max_abs_diff <= 1e-4
    waveform = 0.3 * voice(seconds=1.7)
    (given,) = load_onnx(path).logits(waveform[None], np.array([len(waveform)]))
    np.testing.assert_allclose(given, published.reference(waveform), atol=1e-4)
    out = tmp_path / "out"
    done = serval("evaluate", "-m", path, "-d", clips, "-o", out, "--no-plots", "--json",
                  "--drop-unmapped")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["metadata"]["failed_samples"] == 0
    done = serval("quantize", path, "-o", small, "--calibration", clips, "--drop-unmapped")
    assert done.returncode == 0, done.stderr
    assert inspect_model(small).work.shares["int8"] > 0
