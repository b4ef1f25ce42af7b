"""Tiny random checkpoints of every family: export -> evaluate -> inspect -> quantize."""

import json
from functools import cache
from itertools import pairwise
from unittest.mock import patch

import numpy as np
import onnx
import pytest

pytest.importorskip("torch")

import torch
import transformers

from build import EMOTIONS, speech_set
from checkpoints import FAMILIES, checkpoint
from commandline import called
from serval.bench.subjects import open_reference
from serval.cli import COMMANDS
from serval.errors import ModelError
from serval.export import ExportOptions, export_checkpoint, flow
from serval.inspection import inspect_model
from serval.models.contract import Overrides
from serval.models.onnx import load_onnx
from serval.models.protocol import logits_alone

EACH_TIME = {"wav2vec2": 1, "whisper of 10 s": 2, "audio-spectrogram-transformer": 1}
"""Families that are exported each time and their layers: samples, a spectrogram with a decoder's
half left out, patches of a spectrogram. Each week every family has one layer and two."""


def exported_as(family, layers):
    """The first export of a process loads torch's exporter: those of each time share one."""
    each_time = EACH_TIME.get(family) == layers
    group = pytest.mark.xdist_group("export" if each_time else f"export of {family}")
    marks = (group,) if each_time else (group, pytest.mark.weekly)
    return pytest.param((family, layers), marks=marks, id=f"{family}-{layers}")


MASKABLE = [
    exported_as(family, layers) for family in FAMILIES if family != "sew" for layers in (1, 2)
]


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return str(speech_set(tmp_path_factory.mktemp("clips"), 8, seconds=1.3))


@pytest.fixture(scope="module")
def export_once(tmp_path_factory, clips):
    """Export a family with a mask, in whatever order its tests come."""

    @cache
    def made(family, layers):
        folder = tmp_path_factory.mktemp(family)
        options = ExportOptions(attention_mask=True, dataset=clips)
        source = checkpoint(folder / "checkpoint", family, layers)
        return export_checkpoint(str(source), folder / "model.onnx", options)

    return made


@pytest.fixture(params=MASKABLE)
def exported(request, export_once):
    """A checkpoint of each family, exported with a mask."""
    return export_once(*request.param)


def logits_of(model, *clips):
    lengths = np.array([len(clip) for clip in clips])
    batch = np.zeros((len(clips), lengths.max()), dtype=np.float32)
    for row, clip in zip(batch, clips, strict=True):
        row[: len(clip)] = clip
    return model.logits(batch, lengths)


def noise(n_samples, seed=0):
    rng = np.random.default_rng(seed)
    loudness = 0.1 + np.abs(np.sin(np.arange(n_samples) / 1_700))
    return (rng.normal(0, 0.1, n_samples) * loudness).astype(np.float32)


@pytest.mark.slow
def test_a_file_says_what_its_checkpoint_says(exported):
    assert exported.parity.max_abs_diff <= 1e-4
    assert exported.parity.same_argmax == len(exported.parity.durations_s) == 6
    assert min(exported.parity.durations_s) == 0.5
    assert max(exported.parity.durations_s) > 2.5


@pytest.mark.slow
def test_a_clip_in_a_padded_batch_is_as_alone(exported):
    assert exported.parity.padded_max_abs_diff <= 1e-4
    model = load_onnx(exported.path)
    clips = [noise(n, seed=n) for n in (8_001, 16_000, 23_457, 39_999)]
    alone = np.concatenate([logits_of(model, clip) for clip in clips])
    changed = np.abs(logits_of(model, *clips) - alone).max()
    assert changed <= 1e-4
    # The clips differ by far more than that, or the line above would prove nothing.
    assert min(np.abs(a - b).max() for a, b in pairwise(alone)) > 10 * changed


@pytest.mark.slow
def test_a_file_needs_nothing_beside_it(exported, serval, clips, tmp_path):
    arguments = ("-m", exported.path, "-d", clips, "-o", tmp_path / "out", "--no-plots", "--json")
    done = serval("evaluate", *arguments)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["metadata"]["failed_samples"] == 0
    assert "labels [model metadata], 16000 Hz [model metadata]" in done.stderr
    done = serval("inspect", exported.path, "--json")
    (seen,) = json.loads(done.stdout)["models"]
    assert seen["contract"]["labels"] == list(EMOTIONS)
    assert seen["contract"]["mask_name"] == "attention_mask"
    assert seen["work"]["shares"] == {"fp32": 1.0}
    # Wav2Vec2-BERT alone has its relative positions in an Einsum, and inspect says so.
    assert seen["work"]["uncounted"] in ([], ["Einsum"])


@pytest.mark.slow
@pytest.mark.skipif("quantize" not in COMMANDS, reason="this version has no quantize command")
def test_a_file_can_be_quantized(exported, serval, clips, tmp_path):
    small = tmp_path / "small.onnx"
    done = serval("quantize", exported.path, "-o", small, "--calibration", clips, "--clips", 1)
    assert done.returncode == 0, done.stderr
    seen = inspect_model(small)
    # In networks of one layer the tables (spectrogram, positions) outweigh it by far.
    assert seen.graph.weight_shares["int8"] > 0.02
    assert seen.work.shares["int8"] > 0


@pytest.mark.slow
def test_the_file_keeps_no_trace_of_this_machine(exported, request):
    _, layers = request.node.callspec.params["exported"]
    model = onnx.load(exported.path)
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)
    said = {entry.key: entry.value for entry in model.metadata_props}
    assert said == exported.metadata
    assert str(exported.path.parent) not in str(model.graph)
    assert said["source"] == "checkpoint"
    assert said["layers"] == f"{layers} of {layers}"


@pytest.mark.weekly
def test_a_family_that_mixes_padding_in_is_refused_a_mask(tmp_path, clips):
    source = str(checkpoint(tmp_path / "sew", "sew", layers=1))
    options = ExportOptions(attention_mask=True, dataset=clips)
    with pytest.raises(ModelError, match="export it without --attention-mask"):
        export_checkpoint(source, tmp_path / "out" / "model.onnx", options)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.fixture(scope="module")
def first_layer_alone(tmp_path_factory, clips):
    """A checkpoint of several emotions at once, its file of one layer without a mask and with its
    weights beside it, and all that was printed."""
    folder = tmp_path_factory.mktemp("unmasked")
    source = checkpoint(folder / "checkpoint")
    said = json.loads((source / "config.json").read_text())
    said["problem_type"] = "multi_label_classification"
    (source / "config.json").write_text(json.dumps(said))
    arguments = ("export", source, "-o", "model.onnx", "--layers", 1, "--dataset", clips)
    with patch.object(flow, "INLINE_LIMIT_BYTES", 10_000):
        done = called(arguments, folder, {})
    assert done.returncode == 0, done.stderr
    return source, folder / "model.onnx", done


@pytest.mark.slow
@pytest.mark.xdist_group("export")
def test_without_a_mask_the_file_refuses_padding(first_layer_alone):
    source, path, done = first_layer_alone
    assert "same label 6 of 6" in done.stdout
    assert "serval quantize model.onnx -o model.int8.onnx --calibration DATASET" in done.stdout
    assert "only the first 1 of 2 transformer layers are left" in done.stdout
    assert done.stderr == f"exporting {source} ...\n"
    model = load_onnx(path)
    with pytest.raises(ModelError, match="no attention mask"):
        logits_of(model, noise(8_000), noise(16_000))
    clip = noise(16_000)
    np.testing.assert_allclose(logits_of(model, clip)[0], first_layer(source, clip), atol=1e-5)


def first_layer(source, clip):
    """The logits of a checkpoint with one layer, built the other way: from its weights."""
    config = transformers.AutoConfig.from_pretrained(source, num_hidden_layers=1)
    model = transformers.AutoModelForAudioClassification.from_config(config)
    whole = transformers.AutoModelForAudioClassification.from_pretrained(source).state_dict()
    model.load_state_dict({name: whole[name] for name in model.state_dict()})
    extractor = transformers.AutoFeatureExtractor.from_pretrained(source)
    with torch.no_grad():
        inputs = extractor(clip, sampling_rate=16_000, return_tensors="pt")
        return model.eval()(**inputs).logits[0].numpy()


@pytest.mark.slow
@pytest.mark.xdist_group("export")
def test_the_file_of_several_emotions_at_once_says_so(first_layer_alone):
    _, path, _ = first_layer_alone
    assert load_onnx(path).contract.outputs == "sigmoid"


@pytest.mark.slow
@pytest.mark.xdist_group("export")
def test_large_weights_go_beside_the_file(first_layer_alone):
    _, path, _ = first_layer_alone
    beside = path.with_name("model.onnx.data")
    size_bytes = path.stat().st_size + beside.stat().st_size
    seen = inspect_model(path)
    assert (seen.graph.external, seen.graph.size_bytes) == (("model.onnx.data",), size_bytes)
    assert sorted(load_onnx(path).identity.external) == ["model.onnx.data"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "exported", [exported_as("wav2vec2", EACH_TIME["wav2vec2"])], indirect=True
)
def test_torch_as_a_reference_gives_the_logits_of_what_was_exported_from_it(exported):
    model, samples = load_onnx(exported.path), noise(16_000)
    folder = exported.path.parent / "checkpoint"
    other = open_reference(f"torch:{folder}", str(exported.path), Overrides(), 1)
    assert (other.labels, other.contract.normalize) == (model.labels, model.contract.normalize)
    np.testing.assert_allclose(
        logits_alone(other, samples), logits_alone(model, samples), atol=1e-4
    )
