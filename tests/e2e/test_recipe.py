"""The recipe of the built-in model, on a few clips: what it trains is what its file answers."""

import importlib
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

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("onnxscript")
RECIPE = ROOT / "recipes" / "serval-tiny"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def whisper():
    """A model of the size of Whisper tiny.en, with random weights."""
    torch.manual_seed(0)
    config = transformers.WhisperConfig(
        vocab_size=64, d_model=384, encoder_layers=4, encoder_attention_heads=6,
        encoder_ffn_dim=1536, decoder_layers=1, decoder_attention_heads=6, decoder_ffn_dim=64,
        pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
    )  # fmt: skip
    return transformers.WhisperModel(config).eval()


@pytest.fixture(scope="module")
def encoder(whisper, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whisper-tiny.en")
    whisper.save_pretrained(folder)
    return folder


@pytest.fixture
def recipe(monkeypatch):
    """The modules of the recipe, which is no package."""
    monkeypatch.syspath_prepend(str(RECIPE))
    return lambda name: importlib.import_module(name)


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
    with np.load(tmp_path / "plan-fold-0-of-2.npz") as file:
        fold = dict(file)
    speakers = {clip.speaker for clip in load_dataset(str(manifest)).metadata(0, None)}
    assert 0 < len(set(fold["speakers"])) < len(speakers)
    for step in ("clean", "frozen", "tuned", "averaged"):
        assert fold[f"{step}0"].shape == (len(fold["truth"]), 8)
    assert not np.allclose(fold["frozen0"], fold["tuned0"], atol=0.1)
    assert not np.allclose(fold["tuned0"], fold["averaged0"], atol=0.1)
    measured = subprocess.run(
        [sys.executable, RECIPE / "measure.py", tmp_path / "plan-fold-0-of-2.npz"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    assert "as they are: weights of trainings averaged" in measured
    assert "copies 1 and 2: head, perturbed copies too" in measured
    with pytest.raises(subprocess.CalledProcessError) as refused:
        trained(encoder, manifest, tmp_path, halved_before=None)
    assert "give a new output folder" in refused.value.stderr


def test_the_levels_are_those_of_transformers(whisper, encoder, recipe):
    tiny = recipe("tiny")
    network = tiny.Tiny(tiny.weights_of(str(encoder)), None)
    samples = np.random.default_rng(0).uniform(-1, 1, 480_000).astype(np.float32)
    extractor = transformers.WhisperFeatureExtractor(feature_size=80)
    features = extractor(samples, sampling_rate=16_000, return_tensors="pt").input_features
    with torch.inference_mode():
        log_mel = network.log_mel(torch.from_numpy(samples)[None])
        found = network.levels(features)
        expected = whisper.encoder(features, output_hidden_states=True)
        found[-1] = whisper.encoder.layer_norm(found[-1])
    torch.testing.assert_close(log_mel, features, atol=1e-3, rtol=0)
    for level, hidden in zip(found, expected.hidden_states, strict=True):
        torch.testing.assert_close(level, hidden, atol=1e-4, rtol=1e-4)


@pytest.mark.xdist_group("export")
@pytest.mark.parametrize(
    ("layers", "halved_before"),
    [
        (2, 1),
        pytest.param(4, 1, marks=pytest.mark.weekly),
        pytest.param(4, None, marks=pytest.mark.weekly),
    ],
)
def test_file_and_network_answer_alike(
    encoder, recipe, tmp_path, monkeypatch, layers, halved_before
):
    tiny = recipe("tiny")
    weights = tiny.weights_of(str(encoder))
    monkeypatch.setattr(tiny, "LAYERS", layers)
    head = torch.randn(8, 2 * (layers + 1) * tiny.SIZE)
    network = tiny.Tiny(weights | {"head_weight": head}, halved_before)
    tiny.write_onnx(network, tmp_path / "tiny.onnx")
    model = load_model(str(tmp_path / "tiny.onnx"))
    assert (model.sample_rate, model.contract.normalize) == (16_000, "peak")
    for samples in (16_000, 16_300):
        noise = np.random.default_rng(0).uniform(-1, 1, (1, samples)).astype(np.float32)
        with torch.inference_mode():
            found = network(torch.from_numpy(noise)).numpy()
        answer = model.logits(noise, np.array([samples]))
        np.testing.assert_allclose(found, answer, rtol=1e-4, atol=1e-4)


def test_an_encoder_of_another_size_is_refused(recipe, tmp_path):
    config = transformers.WhisperConfig(
        vocab_size=64, d_model=16, encoder_layers=2, encoder_attention_heads=2, decoder_layers=1,
        encoder_ffn_dim=16, decoder_attention_heads=2, decoder_ffn_dim=16, pad_token_id=0,
        bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
    )  # fmt: skip
    transformers.WhisperModel(config).save_pretrained(tmp_path)
    with pytest.raises(SystemExit, match="give openai/whisper-tiny"):
        recipe("tiny").weights_of(str(tmp_path))
    with pytest.raises(SystemExit, match="as a checkpoint of Whisper"):
        recipe("tiny").weights_of(str(tmp_path / "none"))


@pytest.fixture
def trainer(recipe):
    """Makes a trainer of one small weight, from weights that all trainers share."""
    tiny, tuning = recipe("tiny"), recipe("tuning")
    weights = {"block_3_fc1_weight": torch.zeros(2, 2)}

    def make(scale=1.0, **plan):
        head = tuning.Head(
            mean=torch.full((6,), scale), deviation=torch.full((6,), 2.0),
            weight=torch.full((8, 6), scale), bias=torch.zeros(8),
        )  # fmt: skip
        plan = {"layers": 4, "seed": 0, "masked": 0, **plan}
        return tuning.Trainer(tiny.Tiny(weights, None), head, {}, None, plan)

    return make


def test_trainings_begin_alike_and_their_weights_and_folded_heads_are_averaged(trainer):
    first, second, third = trainer(1.0), trainer(2.0), trainer(3.0)
    for one, values in ((first, 1.0), (second, 3.0)):
        one.network.weights["block_3_fc1_weight"].fill_(values)
    assert (third.network.weights["block_3_fc1_weight"] == 0).all()
    features = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    expected = torch.stack([one.head.logits(features) for one in (first, second, third)]).mean(0)
    first.average([second, third])
    torch.testing.assert_close(
        first.network.weights["block_3_fc1_weight"], torch.full((2, 2), 4 / 3)
    )
    torch.testing.assert_close(first.head.logits(features), expected)


def test_a_span_of_frames_is_set_to_zero_and_none_without_masking(trainer):
    hidden = torch.ones(400, 50, 3)
    assert (trainer(masked=0)._masked(hidden) == 1).all()
    kept = trainer(masked=0.2)._masked(hidden)[:, :, 0].numpy()
    spans = [np.flatnonzero(row == 0) for row in kept]
    lengths = np.array([len(span) for span in spans])
    assert set(lengths) == set(range(11))
    assert all(span[-1] - span[0] + 1 == len(span) for span in spans if len(span))
    assert {int(span[0]) for span in spans if len(span)} >= {0, 20, 40}
