"""Published checkpoints become files that evaluate, inspect and quantize take as any other."""

import csv
import json

import numpy as np
import pytest
import soundfile

pytest.importorskip("torch")

from build import speech_set, voice, write_manifest
from published import LAYOUTS, audeering
from serval.dimensions import dimension_run
from serval.export import ExportOptions, export_checkpoint
from serval.inspection import inspect_model
from serval.models.onnx import load_onnx
from serval.run import load_run

pytestmark = pytest.mark.slow
exporting = pytest.mark.xdist_group("export")

EACH_TIME = ("SpeechBrain", "emotion2vec+")
"""One of each toolkit beside transformers, whose own test_export has, with one layer; each week all
have two."""


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return str(speech_set(tmp_path_factory.mktemp("clips"), 8, seconds=1.0, labels=("ang", "hap")))


@pytest.mark.parametrize(
    ("layout", "options"),
    [
        *(pytest.param(layout, {"layers": 1}, id=layout, marks=exporting) for layout in EACH_TIME),
        *(
            pytest.param(layout, {}, id=f"{layout}, two layers", marks=pytest.mark.weekly)
            for layout in LAYOUTS
        ),
    ],
)
def test_a_published_checkpoint_is_exported_evaluated_and_quantized(
    layout, options, tmp_path, clips, serval
):
    published = LAYOUTS[layout](tmp_path / "checkpoint", **options)
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
    done = serval("quantize", path, "-o", small, "--calibration", clips, "--clips", 1)
    assert done.returncode == 0, done.stderr
    assert inspect_model(small).work.shares["int8"] > 0


@pytest.fixture(scope="module")
def rated(tmp_path_factory):
    """Clips of four speakers with ratings from 1 to 7."""
    path = speech_set(tmp_path_factory.mktemp("rated"), 12, speakers=4)
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    rng = np.random.default_rng(0)
    for row in rows:
        row |= {name: f"{rng.uniform(1, 7):.2f}" for name in ("arousal", "valence", "dominance")}
    return write_manifest(path, rows)


@exporting
def test_a_checkpoint_of_dimensions_goes_through_every_verb(tmp_path, rated, serval):
    published = audeering(tmp_path / "vad", layers=1)

    def done(command):
        said = serval(*command.format(rated=rated).split())
        assert said.returncode == 0, f"{command}\n{said.stderr}"
        return " ".join(said.stdout.split())

    on_rated = "-d {rated} --scale 1..7 -q"
    done("export vad -o vad.onnx --model-scale=-20..20")
    said = done("quantize vad.onnx -o small.onnx --calibration {rated} --eval {rated} --scale 1..7")
    assert "its mean CCC changes by " in said
    for model, run in (("vad", "checkpoint"), ("vad.onnx", "fp32"), ("small.onnx", "int8")):
        stated = "--model-scale=-20..20" if run == "checkpoint" else ""
        done(f"evaluate -m {model} {on_rated} {stated} --no-plots -o {run}")
    runs = {name: dimension_run(load_run(tmp_path / name)) for name in ("checkpoint", "fp32")}
    with (rated.parent / load_run(tmp_path / "fp32").clip_ids[0]).open("rb") as file:
        waveform, _ = soundfile.read(file, dtype="float32")
    # The reference is in the layout's own order: arousal, dominance, valence.
    wanted = 1 + (published.reference(waveform) + 20) * 6 / 40
    for values in runs.values():
        np.testing.assert_allclose(values.predicted[0], wanted, atol=1e-3)
    done("compare checkpoint fp32 -o same")
    same = json.loads((tmp_path / "same" / "comparison.json").read_text())
    change = same["against"][0]["changes"]["mean"]["ccc"]
    assert abs(change["difference"]["value"]) < 1e-4
    assert change["verdict"] == "cannot tell", "twelve clips cannot rule out a loss of 0.01"
    assert min(same["against"][0]["agreement"].values()) > 0.9999
    assert "passes the gate" in done("gate int8 --baseline fp32 --max-drop ccc=0.9 --min ccc=-1")
    done(f"stress -m small.onnx {on_rated} --suite white_10db -o under")
    done("report int8 --baseline fp32 --stress under -o page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert '"task":"dimensions"' in page
    assert "white_10db" in page
    assert "CCC of dominance" in done("card int8")
