"""What is refused before anything is exported."""

import json

import pytest

pytest.importorskip("torch")

from safetensors.torch import load_file, save_file

from checkpoints import checkpoint
from serval.errors import ConfigError, ModelError
from serval.export.flow import exported, metadata_of, open_checkpoint
from serval.export.options import ExportOptions


def changed(folder, **entries):
    """The folder after entries of its config.json were changed."""
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))
    return folder


def refused(folder, said, **options):
    with pytest.raises(ModelError, match=said) as raised:
        open_checkpoint(str(folder), ExportOptions(**options))
    assert "\n" not in str(raised.value)


def test_a_folder_without_a_config_is_no_checkpoint(tmp_path):
    refused(tmp_path, r"not a folder with a config\.json")


def test_another_kind_of_model_is_named(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    refused(tmp_path, "of type 'bert', which transformers .* has no audio classifier for")


def test_an_unknown_kind_of_model_is_named(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "no-such-thing"}')
    refused(tmp_path, "no-such-thing")


def test_a_regression_says_so_in_the_file(tmp_path):
    folder = changed(checkpoint(tmp_path / "c"), problem_type="regression")
    opened = open_checkpoint(str(folder), ExportOptions())
    assert metadata_of(opened)["task"] == "dimensions"


def test_missing_weights_are_never_random(tmp_path):
    folder = checkpoint(tmp_path / "c")
    weights = load_file(folder / "model.safetensors")
    weights["classifier.dense.weight"] = weights.pop("classifier.weight")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    refused(
        folder, r"lacks trained weights for classifier\.weight.*not used: classifier\.dense\.weight"
    )


def test_weights_that_are_not_there_are_one_line(tmp_path):
    folder = checkpoint(tmp_path / "c")
    (folder / "model.safetensors").unlink()
    refused(folder, "checkpoint .* model.safetensors")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model.safetensors", b""),
        ("model.safetensors", b"version https://git-lfs.github.com/spec/v1\noid sha256:01\n"),
        ("model.safetensors", None),
        ("pytorch_model.bin", b"junk" * 40),
    ],
    ids=["empty", "pointer", "cut off", "junk"],
)
def test_damaged_weights_are_one_line(tmp_path, name, content):
    folder = checkpoint(tmp_path / "c")
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").unlink()
    (folder / name).write_bytes(whole[: len(whole) // 2] if content is None else content)
    refused(folder, r"its weights cannot be read .*git-lfs: download it again")


@pytest.mark.parametrize("content", ["{", '{"feature_extractor_type": "ViTFeatureExtractor"}'])
def test_a_preprocessor_of_another_kind_is_one_line(tmp_path, content):
    folder = checkpoint(tmp_path / "c")
    (folder / "preprocessor_config.json").write_text(content)
    refused(folder, r"preprocessor_config\.json is not (that of a feature extractor|readable JSON)")


@pytest.mark.parametrize("card", [b"---\nlicense: [mit\n---\n", b"\xff\xfe not text"])
def test_a_card_that_cannot_be_read_states_no_licence(tmp_path, card):
    folder = checkpoint(tmp_path / "c")
    (folder / "README.md").write_bytes(card)
    assert "license" not in metadata_of(open_checkpoint(str(folder), ExportOptions()))


def test_a_folder_has_no_revisions(tmp_path):
    folder = checkpoint(tmp_path / "c")
    with pytest.raises(ConfigError, match="which has one state only"):
        open_checkpoint(str(folder), ExportOptions(revision="v2"))


def test_the_normalisation_is_never_guessed(tmp_path):
    folder = checkpoint(tmp_path / "c")
    (folder / "preprocessor_config.json").unlink()
    refused(folder, "its normalisation is not known")
    opened = open_checkpoint(str(folder), ExportOptions(normalize="zscore"))
    assert metadata_of(opened)["normalize"] == "zscore"


def test_a_stated_normalisation_must_not_contradict(tmp_path):
    folder = checkpoint(tmp_path / "c")
    with pytest.raises(ConfigError, match="states its own normalisation"):
        open_checkpoint(str(folder), ExportOptions(normalize="none"))


@pytest.mark.parametrize("layers", [0, 3])
def test_layers_that_are_not_there_are_refused(tmp_path, layers):
    folder = checkpoint(tmp_path / "c")
    with pytest.raises(ConfigError, match=f"--layers {layers}: .* has 2; give 1 to 2"):
        open_checkpoint(str(folder), ExportOptions(layers=layers))


@pytest.mark.parametrize(
    "family", ["wavlm", "whisper", "wav2vec2-large", "audio-spectrogram-transformer"]
)
def test_layers_are_cut_in_every_kind_of_stack(tmp_path, family):
    folder = checkpoint(tmp_path / "c", family)
    opened = open_checkpoint(str(folder), ExportOptions(layers=1))
    assert metadata_of(opened)["layers"] == "1 of 2"
    weights = getattr(opened.model, "layer_weights", None)
    assert weights is None or len(weights) == 2


def test_the_licence_comes_from_the_card(tmp_path):
    folder = checkpoint(tmp_path / "c")
    (folder / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n# A card\n")
    opened = open_checkpoint(str(folder), ExportOptions())
    assert metadata_of(opened)["license"] == "cc-by-nc-4.0"


@pytest.mark.parametrize(
    ("family", "seconds"),
    [
        ("whisper", "30"),
        ("audio-spectrogram-transformer", "2.575"),
        ("wav2vec2-conformer", "25"),
        ("hubert", None),
    ],
)
def test_the_longest_clip_is_stated_where_there_is_one(tmp_path, family, seconds):
    opened = open_checkpoint(str(checkpoint(tmp_path / "c", family)), ExportOptions())
    assert metadata_of(opened).get("max_seconds") == seconds


def test_the_output_must_be_called_onnx(tmp_path):
    with pytest.raises(ConfigError, match=r"must end in \.onnx"):
        exported(str(tmp_path), tmp_path / "model.bin", ExportOptions())
