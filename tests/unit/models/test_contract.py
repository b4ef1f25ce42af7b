import json

import pytest

from serval.errors import ConfigError, ModelError
from serval.labels import EMOTIONS
from serval.models.contract import Overrides
from serval.models.sources import declared_contract
from serval.tasks import DIMENSIONAL, MULTILABEL

HUB = {"id2label": {"1": "sad", "0": "happy"}, "sampling_rate": 8000}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.onnx"


def beside(path, name, content):
    (path.parent / name).write_text(json.dumps(content))


def test_the_published_default(path):
    declared = declared_contract(path, {}, Overrides())
    assert declared.labels == EMOTIONS
    assert (declared.sample_rate, declared.normalize, declared.max_seconds) == (16_000, "peak", 120)
    assert set(declared.sources.values()) == {"default"}


def test_each_part_comes_from_its_first_source(path):
    beside(path, "config.json", HUB)
    heard = {"sampling_rate": 16000, "do_normalize": True, "return_attention_mask": False}
    beside(path, "preprocessor_config.json", heard)
    declared = declared_contract(path, {"max_seconds": "30"}, Overrides(labels=("a", "b")))
    assert declared.labels == ("a", "b")
    assert declared.sources == {
        "labels": "command line",
        "sample_rate": "config.json",
        "normalize": "preprocessor_config.json",
        "max_seconds": "model metadata",
        "masks_padding": "preprocessor_config.json",
    }
    assert declared.masks_padding is False
    assert (declared.sample_rate, declared.normalize, declared.max_seconds) == (8000, "zscore", 30)


def test_a_file_in_the_folder_onnx_of_a_hub_model_is_told_by_the_files_above_it(path):
    beside(path, "config.json", HUB)
    beside(path, "preprocessor_config.json", {"do_normalize": True})
    below = path.parent / "onnx" / "model_quantized.onnx"
    declared = declared_contract(below, {}, Overrides())
    assert (declared.labels, declared.normalize) == (("happy", "sad"), "zscore")
    other = path.parent / "other" / "model.onnx"
    assert declared_contract(other, {}, Overrides()).labels == EMOTIONS
    below.parent.mkdir()
    beside(below, "config.json", {"id2label": {"0": "calm", "1": "angry"}})
    assert declared_contract(below, {}, Overrides()).labels == ("calm", "angry")


def test_id2label_is_read_in_the_order_of_its_ids(path):
    beside(path, "config.json", HUB)
    assert declared_contract(path, {}, Overrides()).labels == ("happy", "sad")


@pytest.mark.parametrize("text", ['["happy", "sad"]', '{"0": "happy", "1": "sad"}', "happy, sad"])
def test_labels_in_metadata_may_be_written_in_three_ways(path, text):
    assert declared_contract(path, {"labels": text}, Overrides()).labels == ("happy", "sad")


@pytest.mark.parametrize(("stated", "normalize"), [(True, "zscore"), (False, "none")])
def test_the_hubs_do_normalize(path, stated, normalize):
    beside(path, "preprocessor_config.json", {"do_normalize": stated})
    assert declared_contract(path, {}, Overrides()).normalize == normalize


def test_do_normalize_of_a_spectrogram_says_nothing_of_the_waveform(path):
    said = {"feature_extractor_type": "ASTFeatureExtractor", "do_normalize": True}
    beside(path, "preprocessor_config.json", said)
    declared = declared_contract(path, {}, Overrides())
    assert (declared.normalize, declared.sources["normalize"]) == ("peak", "default")


def test_the_sample_rate_may_be_stated(path):
    declared = declared_contract(path, {"sampling_rate": "16000"}, Overrides(sample_rate=8000))
    assert (declared.sample_rate, declared.sources["sample_rate"]) == (8000, "command line")


def test_no_longest_clip_is_infinite(path):
    with pytest.raises(ModelError, match="positive number of seconds"):
        declared_contract(path, {}, Overrides(max_seconds=float("inf")))


def test_the_user_overrides_everything(path):
    beside(path, "preprocessor_config.json", {"do_normalize": True})
    stated = Overrides(normalize="none", max_seconds=5)
    declared = declared_contract(path, {"normalize": "peak", "max_seconds": "30"}, stated)
    assert (declared.normalize, declared.max_seconds) == ("none", 5)


@pytest.mark.parametrize(
    ("text", "reason"), [("{", "not readable JSON"), ("[]", "one JSON object")]
)
def test_a_spoilt_hub_file_is_one_line(path, text, reason):
    (path.parent / "config.json").write_text(text)
    with pytest.raises(ModelError, match=reason):
        declared_contract(path, {}, Overrides())


STATED = {"labels": '["happy", "sad"]', "sampling_rate": "16000", "normalize": "zscore"}


def test_what_two_sources_state_differently_is_said_with_both_values(path):
    beside(path, "config.json", {"label2id": {"sad": 0, "happy": 1}})
    beside(path, "preprocessor_config.json", {"sampling_rate": 8000, "do_normalize": False})
    labels, rate, normalize = declared_contract(path, STATED, Overrides()).notes
    assert labels == (
        "Two sources differ on the model's labels: ('happy', 'sad') in its model metadata, which "
        "was taken, and ('sad', 'happy') in config.json; correct the wrong one."
    )
    assert "16000 in its model metadata, which was taken, and 8000 in preprocessor" in rate
    assert "'zscore' in its model metadata, which was taken, and 'none' in prep" in normalize


def test_what_agrees_or_is_stated_by_the_user_is_no_contradiction(path):
    beside(path, "config.json", {"id2label": {"0": "happy", "1": "sad"}})
    beside(path, "preprocessor_config.json", {"sampling_rate": 16000.0, "do_normalize": False})
    stated = Overrides(normalize="peak")
    assert declared_contract(path, STATED, stated).notes == ()


@pytest.mark.parametrize(
    "content",
    [
        {"id2label": {"0": "LABEL_0", "1": "LABEL_1"}},
        {"id2label": "junk"},
        {"feature_extractor_type": "ASTFeatureExtractor", "do_normalize": False},
    ],
)
def test_what_says_nothing_of_the_waveform_or_the_names_is_no_contradiction(path, content):
    beside(path, "config.json", content)
    assert declared_contract(path, STATED, Overrides()).notes == ()


def test_labels_of_which_only_label2id_is_there_are_read(path):
    beside(path, "config.json", {"label2id": {"sad": 1, "happy": 0}})
    declared = declared_contract(path, {}, Overrides())
    assert (declared.labels, declared.sources["labels"]) == (("happy", "sad"), "config.json")


@pytest.mark.parametrize(
    ("problem", "task"),
    [
        ("single_label_classification", "emotions"),
        ("multi_label_classification", "emotions, several at once"),
        ("regression", "dimensions"),
        (None, "emotions"),
    ],
)
def test_the_task_is_that_of_the_problem_type(path, problem, task):
    beside(path, "config.json", {"problem_type": problem})
    assert declared_contract(path, {}, Overrides()).task == task
    with pytest.raises(ModelError, match="problem_type is 'ranking', which cannot be used"):
        declared_contract(path, {"problem_type": "ranking"}, Overrides())


def test_an_entry_task_of_another_vocabulary_is_passed_over_and_said(path):
    beside(path, "config.json", {"problem_type": "multi_label_classification"})
    declared = declared_contract(path, {"task": "audio-classification", "scale": "?"}, Overrides())
    assert declared.asked is MULTILABEL
    (note,) = declared.notes
    assert note == (
        "The entry task in its model metadata, 'audio-classification', does not say what its "
        "outputs are, and was passed over."
    )


def test_names_of_dimensions_and_a_stated_scale_tell_the_task(path):
    named = declared_contract(path, {"labels": "Arousal,valence", "scale": "0..1"}, Overrides())
    assert (named.asked, named.scale) == (DIMENSIONAL, "0..1")
    stated = Overrides(labels=("pleasure", "activity"), scale="1..7")
    assert declared_contract(path, {}, stated).asked is DIMENSIONAL
    for metadata in ({}, {"labels": "arousal,valence", "task": "emotions"}):
        with pytest.raises(ConfigError, match=r"--model-scale '1\.\.7' is of models of dimensions"):
            declared_contract(path, metadata, Overrides(scale="1..7"))


def test_names_go_before_mere_numbers(path):
    numbers = {"id2label": {"0": "LABEL_0", "1": "LABEL_1"}}
    beside(path, "config.json", {**numbers, "label2id": {"sad": 1, "happy": 0}})
    for metadata in ({}, {"labels": "0,1"}):
        declared = declared_contract(path, metadata, Overrides())
        assert (declared.labels, declared.sources["labels"]) == (("happy", "sad"), "config.json")
    assert declared_contract(path, {}, Overrides(labels=("0", "1"))).labels == ("0", "1")
    beside(path, "config.json", numbers)
    assert declared_contract(path, {}, Overrides()).labels == ("LABEL_0", "LABEL_1")


def test_no_longer_clip_may_be_stated_than_the_architecture_takes(path):
    said = {"max_seconds": "30", "max_input_seconds": "30"}
    assert declared_contract(path, said, Overrides(max_seconds=10)).max_seconds == 10
    with pytest.raises(ConfigError, match="--max-seconds 60: the model takes 30 s at once; give"):
        declared_contract(path, said, Overrides(max_seconds=60))
