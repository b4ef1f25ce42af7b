"""Each published head gives the scores that its own description gives, or it is refused."""

import json
import re

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from safetensors.torch import load_file, save_file

from build import EMOTIONS, voice
from published import LAYOUTS, audeering, ehcalabres, speech_classification
from serval.checkpoints import open_checkpoint
from serval.checkpoints.network import published_scores
from serval.errors import ModelError
from serval.models.load import load_model


def changed(folder, **entries):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))
    return folder


def with_weights(folder, change):
    """The folder after `change` was done to the tensors of its weight file."""
    newer = folder / "model.safetensors"
    if newer.is_file():
        save_file(change(load_file(newer)), newer, metadata={"format": "pt"})
    else:
        older = folder / "pytorch_model.bin"
        torch.save(change(torch.load(older, weights_only=True)), older)
    return folder


def refused(folder, said):
    with pytest.raises(ModelError, match=said) as raised:
        load_model(str(folder))
    assert str(raised.value).isprintable()
    assert "\n" not in str(raised.value)


def is_head(name):
    return name.startswith(("classifier", "projector", "lm_head", "layer_weights"))


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
    refused(folder, r"lacks trained weights for .*, which would be random: it holds an encoder al")


def test_a_head_of_other_names_is_never_random(published, tmp_path):
    folder = copied(published.folder, tmp_path)
    with_weights(
        folder, lambda tensors: {f"own.{k}" if is_head(k) else k: v for k, v in tensors.items()}
    )
    refused(folder, r"lacks trained weights for .* not used: own\.")


def test_a_head_that_lost_a_layer_is_never_random(published, tmp_path):
    folder = copied(published.folder, tmp_path)
    lost = {"classifier.dense.weight", "projector.weight", "lm_head.weight"}
    with_weights(folder, lambda tensors: {k: v for k, v in tensors.items() if k not in lost})
    refused(folder, r"lacks trained weights for .* not used: ")


def test_a_file_that_is_cut_off_is_one_line(published, tmp_path):
    folder = copied(published.folder, tmp_path)
    (file,) = (*folder.glob("*.safetensors"), *folder.glob("*.bin"))
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    refused(folder, "weights cannot be read .* download it again")


def copied(folder, place):
    copy = place / "model"
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


def test_an_unknown_pooling_is_named(tmp_path):
    folder = changed(speech_classification(tmp_path / "c").folder, pooling_mode="attention")
    refused(folder, "pooling_mode in its config.json is 'attention'; known: mean, sum, max")


def test_dimensions_are_opened_but_not_scored(tmp_path):
    published = audeering(tmp_path / "c")
    refused(published.folder, "its outputs are dimensions, such as arousal and valence")
    opened = open_checkpoint(published.folder, "c")
    assert (opened.task, opened.labels) == ("dimensions", ("arousal", "dominance", "valence"))
    waveform = voice()
    given = published_scores(opened, waveform)
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
    from published import superb

    assert tuple(load_model(str(superb(tmp_path / "c").folder)).labels) == (
        "neu",
        "hap",
        "ang",
        "sad",
    )


def test_config_entries_as_text_are_numbers(tmp_path):
    folder = changed(ehcalabres(tmp_path / "c").folder, num_hidden_layers="2", layerdrop="0.1")
    assert tuple(load_model(str(folder)).labels) == EMOTIONS
