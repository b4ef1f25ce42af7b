"""What predict, quantize and stress say of a model of dimensions: values, and never an emotion."""

import csv
import io
import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from build import classifier, labels_metadata, speech_set, write_manifest
from commandline import called
from serval.comparison.dimensions import compare_dimensions
from serval.dimensions import dimension_run
from serval.run import load_run
from serval.scores.dimensions import ccc, dimension_scores, moments_of

NAMES = ("arousal", "valence")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    metadata = labels_metadata(NAMES, task="dimensions", scale="-20..20", normalize="none")
    return classifier(tmp_path_factory.mktemp("model") / "dim.onnx", k=2, metadata=metadata)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    path = speech_set(tmp_path_factory.mktemp("clips"), 12)
    with path.open() as file:
        rows = list(csv.DictReader(file))
    rng = np.random.default_rng(0)
    for row in rows:
        row |= {name: f"{rng.uniform(1, 7):.2f}" for name in NAMES}
        del row["label"]
    return write_manifest(path, rows)


@pytest.fixture(scope="module")
def sounds(clips):
    return sorted(path for path in clips.parent.rglob("*.wav"))[:2]


def words(done):
    assert done.returncode == 0, done.stderr
    return " ".join(done.stdout.split())


def test_predict_shows_values_with_their_scale(model, sounds, tmp_path):
    said = words(called(["predict", "-m", model, *sounds], tmp_path, {"COLUMNS": "120"}))
    assert said.startswith("arousal, valence of 2 files, on the scale -20..20.")
    assert "%" not in said
    told = json.loads(words(called(["predict", "-m", model, *sounds, "--json"], tmp_path, {})))
    assert [sorted(row["values"]) for row in told] == [list(NAMES)] * 2
    assert told[0].keys() == {"file", "scale", "duration_s", "failure", "values"}
    assert f"{told[0]['values']['arousal']:.3g}" in said


def test_predict_writes_values_and_counts_what_failed(model, sounds, tmp_path):
    (tmp_path / "no.wav").write_bytes(b"no sound")
    given = ["predict", "-m", model, *sounds, tmp_path / "no.wav"]
    done = called([*given, "--csv"], tmp_path, {})
    assert done.returncode == 3
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["valence"] == "" for row in rows] == [False, False, True]
    assert rows[2]["failure"].startswith("decode: ")
    assert [row["scale"] for row in rows] == ["'-20..20"] * 3
    assert called([*given, "-o", "out.parquet"], tmp_path, {}).returncode == 3
    table = pq.read_table(tmp_path / "out.parquet")
    assert table["arousal"].to_pylist()[:2] == [float(row["arousal"]) for row in rows[:2]]


def test_values_over_time_are_shown_written_and_drawn(model, sounds, tmp_path):
    given = ["predict", "-m", model, sounds[0], "--window", "0.3", "--hop", "0.2"]
    (told,) = json.loads(words(called([*given, "--json"], tmp_path, {})))
    windows = [one["values"] for one in told["windows"]]
    assert len(windows) > 2
    for name in NAMES:
        mean = np.mean([one[name] for one in windows])
        assert told["values"][name] == pytest.approx(mean, abs=1e-4)
    rows = list(csv.DictReader(io.StringIO(called([*given, "--csv"], tmp_path, {}).stdout)))
    assert rows[1].keys() == {"file", "start_s", "end_s", *NAMES, "scale", "failure"}
    assert (rows[1]["start_s"], rows[1]["scale"]) == ("0.2", "'-20..20")
    assert [float(row["valence"]) for row in rows] == [one["valence"] for one in windows]
    said = words(called(given, tmp_path, {"COLUMNS": "120"}))
    assert f"{sounds[0].name}: arousal {told['values']['arousal']:.3g}, valence " in said
    assert f" {windows[2]['arousal']:.3g} " in said
    assert called([*given, "-o", "line.png"], tmp_path, {}).returncode == 0
    assert (tmp_path / "line.png").read_bytes().startswith(b"\x89PNG")


def test_quantize_measures_ccc_and_the_largest_move(model, clips, tmp_path):
    given = ["quantize", model, "-o", "int8.onnx", "--calibration", clips, "--clips", "4"]
    said = words(called(given, tmp_path, {"COLUMNS": "120"}))
    assert "CCC with FP32 on 8 clips: arousal 0.9" in said or "arousal 1.0" in said
    assert "same emotion" not in said.lower()
    evaluated = {}
    for name, path in (("fp32", model), ("int8", tmp_path / "int8.onnx")):
        run = ["evaluate", "-m", path, "-d", clips, "--scale", "1..7", "-o", name, "--no-plots"]
        assert called([*run, "-q"], tmp_path, {}).returncode == 0
        evaluated[name] = dimension_run(load_run(tmp_path / name))
    fp32, int8 = evaluated["fp32"], evaluated["int8"]
    assert (int8.names, int8.scale) == (fp32.names, fp32.scale)
    assert (ccc(moments_of(fp32.predicted, int8.predicted)) > 0.9).all()


def test_quantize_judges_dimensions_by_the_change_of_the_mean_ccc(model, clips, tmp_path):
    """The numbers are those of `serval compare` of both files, also with ratings that lack."""
    with clips.open() as file:
        rows = list(csv.DictReader(file))
    rows[0]["arousal"] = rows[5]["valence"] = ""
    clips = write_manifest(clips.with_name("few.csv"), rows)
    given = ["quantize", model, "-o", "int8.onnx", "--calibration", clips, "--clips", "4"]
    said = words(
        called([*given, "--eval", clips, "--scale", "1..7", "--max-drop", "90"], tmp_path, {})
    )
    assert "of few.csv its mean CCC changes by " in said
    runs = []
    for name, path in (("fp32", model), ("int8", tmp_path / "int8.onnx")):
        run = ["evaluate", "-m", path, "-d", clips, "--scale", "1..7", "-o", name, "--no-plots"]
        assert called([*run, "-q"], tmp_path, {}).returncode == 0
        runs.append(load_run(tmp_path / name))
    change = compare_dimensions(runs, margin=0.01).against[0].changes["mean"]["ccc"]
    found = json.loads((tmp_path / "int8.tried.json").read_text("utf-8"))["result"]["measured"]
    assert (found["score"], found["accuracy"]) == ("mean CCC", None)
    assert (found["a"], found["b"]) == pytest.approx((change.a, change.b), abs=1e-6)
    for key in ("value", "low", "high"):
        assert found["change"][key] == pytest.approx(getattr(change.difference, key), abs=1e-6)


def test_stress_tells_the_change_of_ccc_the_shift_and_who_stays(model, clips, tmp_path):
    given = ["stress", "-m", model, "-d", clips, "--scale", "1..7", "-o", "out"]
    done = called([*given, "--suite", "gain_plus2db,white_0db"], tmp_path, {"COLUMNS": "60"})
    assert "keeps them under" in words(done)
    assert "white_0db" in done.stdout
    document = json.loads((tmp_path / "out" / "stress.json").read_text())
    assert (document["task"], document["step"]) == ("dimensions", pytest.approx(0.3))
    clean, noisy = (
        dimension_run(load_run(tmp_path / "out" / name)) for name in ("clean", "white_0db")
    )
    case = document["cases"]["white_0db"]
    moved = noisy.predicted[:, 0] - clean.predicted[:, 0]
    assert case["change"]["arousal"]["bias"]["value"] == pytest.approx(moved.mean())
    assert case["unmoved"]["arousal"]["value"] == pytest.approx((np.abs(moved) < 0.3).mean())
    scores = [
        dimension_scores(one.truth, one.predicted, one.run.speakers, NAMES).mean["ccc"].value
        for one in (clean, noisy)
    ]
    assert case["change"]["mean"]["ccc"]["value"] == pytest.approx(scores[1] - scores[0])
    assert case["kept"] is False
    assert (tmp_path / "out" / "stress.md").read_text().count("| white_0db |") == 1


def test_stress_against_another_model_is_refused_first(model, clips, tmp_path):
    given = ["stress", "-m", model, "-d", clips, "--scale", "1..7", "-o", "out"]
    done = called([*given, "--baseline", model], tmp_path, {})
    assert done.returncode == 2
    assert "--baseline compares under stress one emotion" in done.stderr
    assert not (tmp_path / "out").exists()
