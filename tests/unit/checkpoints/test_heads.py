"""Each published head gives the scores that its own description gives, or it is refused."""

import json
import re

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from safetensors.torch import load_file, save_file

from build import EMOTIONS, voice
from checkpoints import checkpoint
from published import (
    LAYOUTS,
    audeering,
    ehcalabres,
    emotion2vec,
    odyssey,
    speech_classification,
    speechbrain,
    superb,
    xmj2002,
)
from serval.checkpoints import open_checkpoint
from serval.checkpoints.network import published_scores
from serval.errors import ConfigError, ModelError
from serval.models.contract import Overrides
from serval.models.load import load_model


def changed(folder, **entries):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))
    return folder


def with_weights(folder, change):
    """The folder after `change` was done to the tensors of its weight file."""
    file = head_file(folder)
    if file.suffix == ".safetensors":
        save_file(change(load_file(file)), file, metadata={"format": "pt"})
    else:
        content = torch.load(file, weights_only=True)
        torch.save(change(content.get("model", content)), file)
    return folder


def head_file(folder):
    names = ("model.safetensors", "pytorch_model.bin", "model.ckpt", "model.pt")
    return next(folder / name for name in names if (folder / name).is_file())


def refused(folder, said):
    with pytest.raises(ModelError, match=said) as raised:
        load_model(str(folder))
    assert str(raised.value).isprintable()
    assert "\n" not in str(raised.value)


def is_head(name):
    starts = ("classifier", "projector", "lm_head", "layer_weights", "0.w", "ser_model", "proj.")
    return name.startswith(starts)


NEVER_RANDOM = "would be random|gives features and no emotions"


@pytest.fixture(scope="module", params=LAYOUTS)
def published(request, tmp_path_factory):
    return LAYOUTS[request.param](tmp_path_factory.mktemp("published") / "model")


def test_the_scores_are_those_of_the_description(published):
    model = load_model(str(published.folder))
    for seconds in (0.7, 2.3):
        waveform = 0.3 * voice(seconds=seconds) + np.float32(0.05)
        (given,) = model.logits(waveform[None], np.array([len(waveform)]))
        np.testing.assert_allclose(given, published.reference(waveform), atol=1e-5, rtol=1e-5)


def test_a_head_that_is_left_out_is_never_random(published, tmp_path):
    folder = copied(published.folder, tmp_path)
    with_weights(folder, lambda tensors: {k: v for k, v in tensors.items() if not is_head(k)})
    refused(folder, NEVER_RANDOM)


def test_a_head_of_other_names_is_never_random(published, tmp_path):
    folder = copied(published.folder, tmp_path)
    with_weights(
        folder, lambda tensors: {f"own.{k}" if is_head(k) else k: v for k, v in tensors.items()}
    )
    refused(folder, NEVER_RANDOM)


def test_a_head_that_lost_a_layer_is_never_random(published, tmp_path):
    folder = copied(published.folder, tmp_path)
    lost = {"classifier.dense.weight", "projector.weight", "lm_head.weight", "0.w.weight",
            "proj.weight", "ser_model.fc.0.1.bias"}  # fmt: skip
    with_weights(folder, lambda tensors: {k: v for k, v in tensors.items() if k not in lost})
    refused(folder, f"{NEVER_RANDOM}|Missing key")


def test_a_file_that_is_cut_off_is_one_line(published, tmp_path):
    folder = copied(published.folder, tmp_path)
    file = head_file(folder)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    refused(folder, "weights cannot be read .* download it again")


def copied(folder, place):
    copy = place / folder.name
    copy.mkdir()
    for file in folder.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    return copy


def test_a_missing_weight_of_the_encoder_is_named(tmp_path):
    folder = ehcalabres(tmp_path / "c").folder
    name = "wav2vec2.encoder.layers.0.final_layer_norm.bias"
    with_weights(folder, lambda tensors: {k: v for k, v in tensors.items() if k != name})
    refused(folder, r"lacks trained weights for encoder\.layers\.0\.final_layer_norm\.bias")


def test_what_only_training_needs_may_be_missing_or_left_over(tmp_path):
    published = ehcalabres(tmp_path / "c")
    left_over = {"quantizer.codevectors": torch.zeros(1, 2), "project_q.bias": torch.zeros(2)}
    with_weights(
        published.folder,
        lambda tensors: left_over | {k: v for k, v in tensors.items() if "masked_spec" not in k},
    )
    waveform = voice()
    model = load_model(str(published.folder))
    (given,) = model.logits(waveform[None], np.array([len(waveform)]))
    np.testing.assert_allclose(given, published.reference(waveform), atol=1e-5)


def test_layers_that_do_not_fit_each_other_are_named(tmp_path):
    folder = ehcalabres(tmp_path / "c").folder
    with_weights(folder, lambda tensors: tensors | {"classifier.output.weight": torch.zeros(8, 7)})
    refused(folder, r"classifier\.dense\.weight gives 32 values but classifier\.output\.weight tak")


def test_as_many_labels_as_outputs(tmp_path):
    folder = changed(ehcalabres(tmp_path / "c").folder, id2label={"0": "a", "1": "b"})
    refused(folder, r"its weights have 8 outputs, but id2label in its config\.json names 2 labels")


def test_another_pooling_is_another_model(tmp_path):
    folder = speech_classification(tmp_path / "c").folder
    before = load_model(str(folder)).facts
    after = load_model(str(changed(folder, pooling_mode="sum"))).facts
    assert (before["sha256"], before["contract"]) == (after["sha256"], after["contract"])
    assert before["external"]["config.json"] != after["external"]["config.json"]


def test_an_unknown_pooling_is_named(tmp_path):
    folder = changed(speech_classification(tmp_path / "c").folder, pooling_mode="attention")
    refused(folder, "pooling_mode in its config.json is 'attention'; known: mean, sum, max")


def test_dimensions_are_values_and_no_scores(tmp_path):
    published = audeering(tmp_path / "c")
    opened = open_checkpoint(published.folder, "c")
    assert (opened.task.model, opened.labels) == ("dimensions", ("arousal", "dominance", "valence"))
    model = load_model(str(published.folder), Overrides(scale="0..1"))
    assert (model.contract.task, model.contract.outputs) == ("dimensions", "values")
    assert model.contract.scale == "0..1"
    waveform = voice()
    (given,) = model.logits(waveform[None], np.array([len(waveform)]))
    np.testing.assert_allclose(given, published.reference(waveform), atol=1e-5)


def test_several_emotions_at_once_are_scores_of_their_own(tmp_path):
    published = speech_classification(tmp_path / "c")
    changed(published.folder, problem_type="multi_label_classification")
    model = load_model(str(published.folder))
    assert (model.contract.task, model.contract.outputs) == ("emotions, several at once", "sigmoid")
    waveform = voice()
    (given,) = model.logits(waveform[None], np.array([len(waveform)]))
    np.testing.assert_allclose(given, published.reference(waveform), atol=1e-4)


def test_a_pickle_that_is_more_than_weights_is_not_run(tmp_path):
    folder = ehcalabres(tmp_path / "c").folder
    torch.save({"model": re.compile("x"), "path": tmp_path}, folder / "pytorch_model.bin")
    refused(folder, "holds more than weights .* which serval does not run")


def test_labels_are_read_in_the_order_of_their_ids(tmp_path):
    labels = {"2": "c", "0": "a", "1": "b"}
    folder = changed(audeering(tmp_path / "c").folder, id2label=labels, problem_type=None)
    assert tuple(load_model(str(folder)).labels) == ("a", "b", "c")


def test_labels_of_which_only_label2id_is_there(tmp_path):
    assert tuple(load_model(str(superb(tmp_path / "c").folder)).labels) == (
        "neu",
        "hap",
        "ang",
        "sad",
    )


def test_config_entries_as_text_are_numbers(tmp_path):
    folder = changed(ehcalabres(tmp_path / "c").folder, num_hidden_layers="2", layerdrop="0.1")
    assert tuple(load_model(str(folder)).labels) == EMOTIONS


def test_an_encoder_alone_is_said_to_be_one(tmp_path):
    folder = ehcalabres(tmp_path / "c").folder
    with_weights(folder, lambda tensors: {k: v for k, v in tensors.items() if not is_head(k)})
    refused(folder, r"lacks trained weights for classifier\.bias, .*: it holds an encoder alone")


def test_a_tag_of_a_recipe_is_a_name_and_makes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    load_model(str(speechbrain(tmp_path / "c").folder))
    assert not (tmp_path / "it_was_run").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("return_std: False", "return_std: True"), "reads the mean over time alone"),
        (
            ("sample_rate: 16000", "sample_rate: fast"),
            "the sample rate in its hyperparams.yaml is 'fast'",
        ),
        (("wav2vec2_hub:", "[[["), "its hyperparams.yaml cannot be read"),
    ],
)
def test_another_recipe_is_refused(tmp_path, change, said):
    folder = speechbrain(tmp_path / "c").folder
    recipe = folder / "hyperparams.yaml"
    recipe.write_text(recipe.read_text().replace(*change))
    refused(folder, said)


@pytest.mark.parametrize("labels", ["'neu' => 0\n", "'neu' => 0\n'ang' => 1\n'hap' => 3\n"])
def test_labels_of_speechbrain_that_do_not_fit_are_one_line(tmp_path, labels):
    folder = speechbrain(tmp_path / "c").folder
    (folder / "label_encoder.txt").write_text(labels)
    refused(folder, r"label_encoder\.txt cannot be read")


def test_a_missing_file_of_speechbrain_is_named(tmp_path):
    folder = speechbrain(tmp_path / "c").folder
    (folder / "wav2vec2.ckpt").unlink()
    refused(folder, r"has hyperparams\.yaml but no wav2vec2\.ckpt")


def test_other_models_of_funasr_are_left_to_their_own_package(tmp_path):
    folder = emotion2vec(tmp_path / "c").folder
    config = folder / "config.yaml"
    config.write_text(config.read_text().replace("Emotion2vec", "SenseVoiceSmall"))
    refused(folder, "is a 'SenseVoiceSmall' of FunASR, .* pip install funasr")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("layer_norm_first: false", "layer_norm_first: true"), "norms before the layers"),
        (("embed_dim: 24", "embed_dim: 48"), "does not fit"),
        (("depth: 2", "depth: 3"), r"lacks trained weights for blocks\.2"),
        (("norm_eps: 1e-05", "norm_eps: []"), "not that of an emotion2vec"),
        (("'[(8, 10, 10)]", "__import__('os')"), r"has others that are not used: convs\.2"),
    ],
)
def test_another_config_of_funasr_is_refused(tmp_path, change, said):
    folder = emotion2vec(tmp_path / "c").folder
    config = folder / "config.yaml"
    config.write_text(config.read_text().replace(*change, 1))
    refused(folder, said)


def test_emotion2vec_without_the_prefix_of_its_plus_is_the_same(tmp_path):
    published = emotion2vec(tmp_path / "c", prefix="")
    waveform = voice()
    (given,) = load_model(str(published.folder)).logits(waveform[None], np.array([len(waveform)]))
    np.testing.assert_allclose(given, published.reference(waveform), atol=1e-5)


@pytest.mark.parametrize("entry", [{"mean": "loud"}, {"std": None}])
def test_odd_constants_are_named(tmp_path, entry):
    folder = changed(odyssey(tmp_path / "c").folder, **entry)
    refused(folder, f"{next(iter(entry))} in its config.json .* expected a number")


@pytest.mark.parametrize("masked", [True, False])
def test_what_only_the_page_of_a_checkpoint_says_is_known(tmp_path, masked):
    published = xmj2002(tmp_path / "c", masked=masked)
    model = load_model(str(published.folder))
    assert tuple(model.labels) == ("angry", "fear", "happy", "neutral", "sad", "surprise")
    assert model.contract.sources["labels"] == "its page"
    assert "hears the first 6 s of a clip" in model.contract.warnings[-1]
    for seconds in (1.5, 7.0):
        waveform = 0.3 * voice(seconds=seconds) + np.float32(0.05)
        (given,) = model.logits(waveform[None], np.array([len(waveform)]))
        np.testing.assert_allclose(given, published.reference(waveform), atol=1e-5)
        given = published_scores(open_checkpoint(published.folder, str(published.folder)), waveform)
        np.testing.assert_allclose(given, published.reference(waveform), atol=1e-5)


def test_names_go_before_numbers_in_its_config_and_those_of_its_page_before_both(tmp_path):
    numbers = {str(i): f"LABEL_{i}" for i in range(6)}
    folder = changed(xmj2002(tmp_path / "c").folder, id2label=numbers, label2id={})
    opened = open_checkpoint(folder, str(folder))
    assert (opened.labels[1], opened.sources["labels"]) == ("fear", "its page")
    changed(folder, label2id={name: i for i, name in enumerate("fedcba")})
    opened = open_checkpoint(folder, str(folder))
    assert (opened.labels, opened.sources["labels"]) == (tuple("fedcba"), "config.json")


def test_a_sum_of_layers_without_its_weights_is_refused(tmp_path):
    folder = checkpoint(tmp_path / "c", layers=1)
    changed(folder, use_weighted_layer_sum=True)
    refused(folder, "says use_weighted_layer_sum, but its weights lack layer_weights; download")


def test_a_whisper_hears_no_more_than_its_30_s(tmp_path):
    folder = checkpoint(tmp_path / "whisper", "whisper", layers=1)
    with pytest.raises(ConfigError, match="--max-seconds 60: the model takes 30 s at once; give"):
        load_model(str(folder), Overrides(max_seconds=60))


def test_a_missing_normalisation_is_asked_for_as_it_may_be_stated(tmp_path):
    folder = checkpoint(tmp_path / "c", layers=1)
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(ModelError, match=r"trained from, or state --normalize zscore or none$"):
        load_model(str(folder), Overrides(normalize="peak"))


def test_a_whisper_may_be_told_to_normalise_the_waveform(tmp_path):
    """As its extractor does for `do_normalize=True`, which no file of it can say."""
    import transformers

    folder = checkpoint(tmp_path / "whisper", "whisper", layers=1)
    waveform = 0.3 * voice() + np.float32(0.05)
    model = load_model(str(folder), Overrides(normalize="zscore"))
    (given,) = model.logits(waveform[None], np.array([len(waveform)]))
    extractor = transformers.AutoFeatureExtractor.from_pretrained(folder)
    inputs = extractor(waveform, sampling_rate=16_000, return_tensors="pt", do_normalize=True)
    with torch.no_grad():
        wanted = open_checkpoint(folder, "c").model(inputs["input_features"]).logits[0]
    np.testing.assert_allclose(given, wanted.numpy(), atol=1e-5)
    (usual,) = load_model(str(folder)).logits(waveform[None], np.array([len(waveform)]))
    assert np.abs(usual - given).max() > 1e-4


ODD = {
    "a rate that is none": (
        "preprocessor_config.json",
        {"sampling_rate": [1, 2]},
        "sample rate in",
    ),
    "a rate below zero": ("preprocessor_config.json", {"sampling_rate": -1}, "sample rate in"),
    "an unknown activation": ("config.json", {"hidden_act": "12"}, "cannot be built"),
    "a kernel of nothing": ("config.json", {"num_conv_pos_embeddings": 0}, "cannot be built|fails"),
    "a probability below zero": ("config.json", {"activation_dropout": -1}, "cannot be built"),
    "an odd switch": (
        "config.json",
        {"output_hidden_states": "x"},
        "it fails|cannot be built|json",
    ),
}


@pytest.mark.parametrize("case", ODD)
def test_an_entry_that_torch_stumbles_over_is_one_line(tmp_path, case):
    file, entry, said = ODD[case]
    path = ehcalabres(tmp_path / "c").folder / file
    path.write_text(json.dumps(json.loads(path.read_text()) | entry))
    refused(path.parent, said)
