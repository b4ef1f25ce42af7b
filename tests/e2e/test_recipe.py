"""The recipe of the built-in model, on a few clips: what it trains is what its file answers."""

import json
import subprocess
import sys

import numpy as np
import pytest
import yaml

from conftest import ROOT
from serval.datasets import load_dataset
from serval.evaluation import evaluate_named
from serval.models.load import load_model
from serval.options import EvalOptions

pytest.importorskip("torch")
RECIPE = ROOT / "recipes" / "serval-tiny"


@pytest.fixture(scope="module")
def encoder(shared):
    return shared / "models" / "serval-tiny" / "model.onnx"


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    """16 clips of the demo set, of two corpora by name."""
    path = tmp_path_factory.mktemp("set") / "clips.csv"
    clips = list(load_dataset("demo").clips(0, 16))
    names = [path.parent / f"{i}.flac" for i in range(len(clips))]
    for name, clip in zip(names, clips, strict=True):
        name.write_bytes(clip.audio if isinstance(clip.audio, bytes) else clip.audio.read_bytes())
    rows = (f"{name},{clip.label},{clip.speaker},{'one' if i % 2 else 'two'}"
            for i, (name, clip) in enumerate(zip(names, clips, strict=True)))  # fmt: skip
    path.write_text("\n".join(["path,label,speaker,corpus", *rows]), encoding="utf-8")
    return path


def trained(encoder, manifest, folder, *flags, **changes):
    plan = yaml.safe_load((RECIPE / "plan.yaml").read_text(encoding="utf-8"))
    place = folder / "plan.yaml"
    small = [own | {"copies": [0, i], "epochs": 2} for i, own in enumerate(plan["trainings"], 1)]
    changed = {**plan, "trainings": small, "batch": 4, **changes}
    place.write_text(json.dumps(changed), encoding="utf-8")
    command = [sys.executable, RECIPE / "train.py", encoder, manifest, folder, "--split", "",
               "--column", "corpus", "--plan", place, *flags]  # fmt: skip
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.weekly
def test_the_recipe_learns_its_clips_and_names_those_of_speakers_left_out(
    encoder, manifest, tmp_path
):
    trained(encoder, manifest, tmp_path, c=1.0, dropout=0.0)
    made = tmp_path / "serval-tiny.onnx"
    options = EvalOptions(model=str(made), dataset=str(manifest), output=str(tmp_path / "run"))
    run = evaluate_named(options).run
    assert np.mean(run.truth == run.predicted) >= 0.9
    trained(encoder, manifest, tmp_path, "--fold", "0/2", learning_rate=0.1)
    fold = np.load(tmp_path / "fold-0-of-2.npz")
    speakers = {clip.speaker for clip in load_dataset(str(manifest)).metadata(0, None)}
    assert 0 < len(set(fold["speakers"])) < len(speakers)
    for step in ("clean", "frozen", "tuned", "averaged"):
        assert fold[f"{step}0"].shape == (len(fold["truth"]), 8)
    assert not np.allclose(fold["frozen0"], fold["tuned0"], atol=0.1)
    assert not np.allclose(fold["tuned0"], fold["averaged0"], atol=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("samples", [16_000, 16_300])
def test_file_and_network_answer_alike_on_all_frames_and_on_half(
    encoder, tmp_path, monkeypatch, samples
):
    monkeypatch.syspath_prepend(str(RECIPE))
    import tiny
    import torch

    weights = tiny.weights_of(str(encoder))
    made = tmp_path / "halved.onnx"
    tiny.write_onnx(str(encoder), str(made), weights)
    noise = np.random.default_rng(0).uniform(-1, 1, (1, samples)).astype(np.float32)
    for file, halved_before in ((made, tiny.HALVED_BEFORE), (encoder, None)):
        with torch.inference_mode():
            found = tiny.Tiny(weights, halved_before)(torch.from_numpy(noise)).numpy()
        answer = load_model(str(file)).logits(noise, np.array([samples]))
        np.testing.assert_allclose(found, answer, atol=1e-3)
