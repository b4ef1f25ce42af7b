"""The torch backend and the export never run code that lies in a checkpoint."""

import json

import numpy as np
import pytest

pytest.importorskip("torch")

from build import classifier, voice
from checkpoints import FAMILIES, checkpoint
from serval.errors import ConfigError, MissingExtraError, ModelError
from serval.export.flow import open_checkpoint
from serval.export.options import ExportOptions
from serval.models.contract import Overrides
from serval.models.load import load_model

PLANTED = """
from pathlib import Path
Path({marker!r}).write_text("ran")
import transformers
class Config(transformers.Wav2Vec2Config): ...
class Extractor(transformers.Wav2Vec2FeatureExtractor): ...
class Net(transformers.Wav2Vec2ForSequenceClassification): ...
"""

CALLS = {
    "export": lambda folder: open_checkpoint(str(folder), ExportOptions()),
    "torch": lambda folder: load_model(str(folder), runtime="torch"),
}
AUTO = {
    "AutoConfig": "planted.Config",
    "AutoFeatureExtractor": "planted.Extractor",
    "AutoModelForAudioClassification": "planted.Net",
}


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory):
    return checkpoint(tmp_path_factory.mktemp("checkpoint") / "c", "wav2vec2")


@pytest.fixture
def folder(folder_of, tmp_path, monkeypatch):
    """A checkpoint with a planted file, and a user who answers yes to every question."""
    copy = tmp_path / "c"
    copy.mkdir()
    for file in folder_of.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    marker = tmp_path / "marker"
    (copy / "planted.py").write_text(PLANTED.format(marker=str(marker)))
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))
    return copy


def change(folder, name, **entries):
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("where", ["config.json", "preprocessor_config.json"])
def test_code_that_a_checkpoint_brings_is_not_run_where_a_class_of_transformers_reads_it(
    folder, tmp_path, call, where
):
    change(folder, where, auto_map=AUTO)
    assert tuple(CALLS[call](folder).labels)
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("where", "entries"),
    [
        ("config.json", {"model_type": "own"}),
        ("preprocessor_config.json", {"feature_extractor_type": "Own"}),
    ],
)
def test_a_checkpoint_that_only_its_own_code_reads_is_refused(
    folder, tmp_path, call, where, entries
):
    change(folder, where, auto_map=AUTO, **entries)
    with pytest.raises(ModelError) as raised:
        CALLS[call](folder)
    assert str(raised.value).isprintable()
    assert "trust_remote_code" not in str(raised.value)
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "content",
    ["[" * 9_999, '{"hidden_size": "many", "model_type": "wav2vec2", "conv_stride": 1}'],
)
def test_a_config_that_nobody_can_read_is_one_line(folder, call, content):
    (folder / "config.json").write_text(content)
    with pytest.raises(ModelError) as raised:
        CALLS[call](folder)
    assert str(raised.value).isprintable()


def test_odd_but_clear_entries_of_a_config_are_put_right(folder):
    path = folder / "config.json"
    usual = json.loads(path.read_text())
    odd = {"conv_dim": [str(n) for n in usual["conv_dim"]], "hidden_act": None}
    path.write_text(json.dumps(usual | odd))
    assert load_model(str(folder), runtime="torch").labels == tuple(usual["id2label"].values())
    path.write_text(json.dumps(usual | {"conv_dim": ["many"] * 7}))
    with pytest.raises(ModelError, match=r"its config\.json: .*; correct the entry there"):
        load_model(str(folder), runtime="torch")


def test_a_checkpoint_without_its_head_is_never_timed_with_a_random_one(folder):
    from safetensors.torch import load_file, save_file

    path = folder / "model.safetensors"
    weights = {k: v for k, v in load_file(path).items() if not k.startswith("classifier")}
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lacks trained weights for classifier\.bias"):
        load_model(str(folder), runtime="torch")


@pytest.mark.parametrize("family", FAMILIES)
def test_the_torch_backend_gives_what_transformers_gives_with_the_published_extractor(
    tmp_path, family
):
    import torch
    from transformers import AutoFeatureExtractor, AutoModelForAudioClassification

    folder = checkpoint(tmp_path / "c", family, layers=1)
    model = load_model(str(folder))
    samples = 0.1 * voice()
    (got,) = model.logits(samples[np.newaxis], np.array([len(samples)]))
    extractor = AutoFeatureExtractor.from_pretrained(folder, trust_remote_code=False)
    network = AutoModelForAudioClassification.from_pretrained(
        folder, trust_remote_code=False, attn_implementation="eager"
    )
    with torch.no_grad():
        (wanted,) = network(**extractor(samples, sampling_rate=16_000, return_tensors="pt")).logits
    np.testing.assert_allclose(got, wanted.numpy(), atol=1e-5)


def test_a_folder_with_both_is_opened_as_a_checkpoint_and_says_so(folder):
    classifier(folder / "model.onnx")
    model = load_model(str(folder))
    assert model.runtime["name"] == "torch"
    assert model.contract.notes[-1] == (
        "The checkpoint was taken; there is an ONNX file too: take it with "
        f"-m {folder / 'model.onnx'}."
    )


def test_a_checkpoint_without_torch_is_one_line(folder, monkeypatch):
    monkeypatch.setattr("serval.checkpoints.open.find_spec", lambda _name: None)
    with pytest.raises(MissingExtraError, match=r"needs torch, transformers: pip install 'serval"):
        load_model(str(folder))


def test_a_network_that_ends_in_a_linear_layer_gives_logits_however_small(folder):
    import torch
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    head = [key for key in weights if key.startswith("classifier.")]
    weights |= {key: weights[key] * 1e-3 for key in head}
    weights["classifier.bias"] = torch.linspace(0.2, 0.8, len(weights["classifier.bias"]))
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    contract = load_model(str(folder), runtime="torch").contract
    assert (contract.outputs, contract.sources["outputs"]) == ("logits", "architecture")
    change(folder, "config.json", problem_type="multi_label_classification")
    assert load_model(str(folder), runtime="torch").contract.outputs == "sigmoid"


def test_nobody_states_other_outputs_than_the_network_has(folder):
    with pytest.raises(ConfigError, match="probabilities contradicts the network of this"):
        load_model(str(folder), Overrides(outputs="probabilities"), runtime="torch")
    stated = load_model(str(folder), Overrides(outputs="logits"), runtime="torch")
    assert stated.contract.outputs == "logits"
