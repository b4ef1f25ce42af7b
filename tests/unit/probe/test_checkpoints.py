"""Probes of encoders that torch runs: their levels, and one file of encoder and head."""

import json

import numpy as np
import onnx
import pytest

from build import speech_set
from serval.errors import ModelError
from serval.evaluation import evaluate_named
from serval.options import EvalOptions
from serval.probe import ProbeOptions, probe
from serval.probe.encoder import open_encoder

torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")

from checkpoints import checkpoint  # noqa: E402 - it imports both

SAMPLES = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)


def published(place, model=transformers.AutoModel):
    """The hidden states of a second of noise as transformers gives them, `(frames, F)` each."""
    own = model.from_pretrained(place).eval()
    extractor = transformers.AutoFeatureExtractor.from_pretrained(place)
    inputs = extractor(SAMPLES, sampling_rate=16_000, return_tensors="pt")
    with torch.no_grad():
        states = own(inputs[own.main_input_name], output_hidden_states=True).hidden_states
    return [state[0].numpy() for state in states]


def has_the_features_of(encoder, states):
    found = encoder.model.logits(SAMPLES[np.newaxis], np.array([16_000]))[0]
    for of, frames in zip(encoder.inputs, states, strict=True):
        expected = np.concatenate([frames.mean(axis=0), frames.std(axis=0)])
        np.testing.assert_allclose(found[encoder.columns(of)], expected, atol=1e-4)


@pytest.mark.parametrize("family", ["wav2vec2", "wavlm", "audio-spectrogram-transformer"])
@pytest.mark.parametrize("headless", [False, True])
def test_the_levels_of_a_checkpoint_are_its_hidden_states(tmp_path, family, headless):
    place = checkpoint(tmp_path / "own", family)
    if headless:  # as encoders are published
        transformers.AutoModel.from_pretrained(place).save_pretrained(tmp_path / "encoder")
        extractor = transformers.AutoFeatureExtractor.from_pretrained(place)
        extractor.save_pretrained(tmp_path / "encoder")
        place = tmp_path / "encoder"
    encoder = open_encoder(str(place), EvalOptions(), "all", "mean+std")
    assert [level.name for level in encoder.levels] == ["0", "1", "2"]
    names = [encoder.stored_name(of) for of in encoder.inputs]
    assert names == ["hidden state 0", "hidden state 1", "hidden state 2"]
    has_the_features_of(encoder, published(place))


@pytest.mark.parametrize("of", ["classifier", "transcriber"])
def test_the_levels_of_whisper_are_those_of_the_frames_of_the_clip(tmp_path, of):
    place = checkpoint(tmp_path / "own", "whisper")
    if of == "transcriber":
        config = transformers.AutoConfig.from_pretrained(place)
        transformers.WhisperForConditionalGeneration(config).save_pretrained(place)
    encoder = open_encoder(str(place), EvalOptions(), "all", "mean+std")
    kind = transformers.models.whisper.modeling_whisper.WhisperEncoder
    whole = transformers.AutoModel.from_pretrained(place).encoder
    whole.save_pretrained(tmp_path / "encoder")
    transformers.AutoFeatureExtractor.from_pretrained(place).save_pretrained(tmp_path / "encoder")
    states = published(tmp_path / "encoder", kind)
    assert {len(frames) for frames in states} == {1500}
    has_the_features_of(encoder, [frames[:50] for frames in states])


def test_a_level_that_a_checkpoint_has_not_is_refused(tmp_path):
    place = checkpoint(tmp_path / "own")
    with pytest.raises(ModelError, match=r"no --layer 7; it has 0 to 2"):
        open_encoder(str(place), EvalOptions(), "7", "mean")


@pytest.mark.slow
@pytest.mark.xdist_group("export")
@pytest.mark.parametrize(
    ("family", "layer"),
    [pytest.param("wavlm", "1", marks=pytest.mark.weekly), ("whisper of 10 s", "weighted")],
)
def test_encoder_and_head_become_one_file(tmp_path, family, layer):
    pytest.importorskip("onnxscript")
    place = checkpoint(tmp_path / "own", family)
    (place / "README.md").write_text("---\nlicense: mit\n---\n", encoding="utf-8")
    speech_set(tmp_path, 12, labels=("angry", "sad"), speakers=3, seconds=0.3)
    usual = {"dataset": str(tmp_path / "set.csv"), "workers": 1}
    saved = tmp_path / "head.onnx"
    found = probe(
        ProbeOptions(
            model=str(place), layer=layer, folds="speaker:3", save=str(saved), cost=True,
            output=str(tmp_path / "probe"), **usual,
        )
    )  # fmt: skip
    with_file = EvalOptions(model=str(saved), output=str(tmp_path / "run"), plots=False, **usual)
    run = evaluate_named(with_file).run
    assert len(run) == 12
    said = {entry.key: entry.value for entry in onnx.load(saved).metadata_props}
    assert (said["license"], said["encoder"]) == ("mit", "own")
    names = {"1": "hidden_state_1", "weighted": "hidden_state_0 + hidden_state_1 + hidden_state_2"}
    assert said["layer"] == f"{layer} ({names[layer]})"
    assert said.get("layer_weights", "[1]") != "[]"
    assert sum(json.loads(said.get("layer_weights", "[1]"))) == pytest.approx(1, abs=1e-3)
    assert found.layers[0].cost.parameters > 10_000
