"""One suite over every kind of model file that serval takes."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from build import EMOTIONS, classifier, labels_metadata, voice
from serval.audio import zscored
from serval.errors import AudioError, ModelError
from serval.models.contract import Overrides
from serval.models.onnx import load_onnx

KINDS = {
    "any length": {},
    "attention mask": {"mask": True},
    "fixed length": {"static": 16_000, "batch": 1},
    "softmax": {"softmax": True},
}


@pytest.fixture(params=KINDS)
def model(request, tmp_path):
    path = classifier(tmp_path / "m.onnx", metadata=labels_metadata(), **KINDS[request.param])
    return load_onnx(path)


def answer(model, samples):
    return model.logits(samples[np.newaxis], np.array([len(samples)]))


def test_logits_have_one_column_for_each_label(model):
    logits = answer(model, voice(seconds=1.3))
    assert logits.shape == (1, 8)
    assert logits.dtype == np.float32
    assert np.isfinite(logits).all()


def test_the_answer_is_the_same_from_many_threads(model):
    clips = [voice(seed, 0.4 + 0.1 * seed) for seed in range(8)]
    alone = [answer(model, clip) for clip in clips]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda clip: answer(model, clip), clips))
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


def test_loudness_does_not_matter_under_peak_normalisation(model):
    samples = voice()
    np.testing.assert_allclose(
        answer(model, samples), answer(model, 0.25 * samples), rtol=1e-4, atol=1e-5
    )


def test_facts_are_plain_json(model):
    facts = json.loads(json.dumps(model.facts))
    assert facts["contract"]["labels"] == list(EMOTIONS)
    assert len(facts["sha256"]) == 64
    assert facts["size_bytes"] == model.path.stat().st_size


def test_a_softmax_is_recognised_and_undone(tmp_path):
    plain = load_onnx(classifier(tmp_path / "a.onnx"))
    soft = load_onnx(classifier(tmp_path / "b.onnx", softmax=True))
    assert (plain.contract.outputs, soft.contract.outputs) == ("logits", "probabilities")
    a, b = answer(plain, voice()), answer(soft, voice())
    np.testing.assert_allclose(a - a.max(), b - b.max(), atol=1e-4)


@pytest.mark.parametrize("normalize", ["peak", "zscore"])
def test_a_fixed_length_gets_the_beginning_and_silence(tmp_path, normalize):
    stated = Overrides(normalize=normalize)
    fixed = load_onnx(classifier(tmp_path / "a.onnx", static=16_000, batch=1), stated)
    free = load_onnx(classifier(tmp_path / "b.onnx"), stated)
    plain = load_onnx(tmp_path / "b.onnx", Overrides(normalize="none"))
    beginning, short = 0.1 * voice(), voice(seconds=0.5)
    long = np.concatenate([beginning, 0.4 + voice(1)])  # what is not heard changes nothing
    np.testing.assert_allclose(answer(fixed, long), answer(free, beginning), atol=1e-5)
    normal = short / np.abs(short).max() if normalize == "peak" else zscored(short)
    filled = np.pad(normal, (0, 8_000))
    np.testing.assert_allclose(answer(fixed, short), answer(plain, filled), atol=1e-5)


def test_a_model_without_a_mask_is_never_padded(tmp_path):
    model = load_onnx(classifier(tmp_path / "a.onnx"))
    with pytest.raises(ModelError, match="no attention mask, so clips cannot be padded"):
        model.logits(np.zeros((2, 16_000), dtype=np.float32), np.array([16_000, 8_000]))


def test_a_model_trained_without_a_mask_hears_its_padding(tmp_path):
    """The hub's `return_attention_mask`: false means ones, and a mask that says nothing."""
    classifier(tmp_path / "m.onnx", mask=True, static=16_000, batch=1)
    marked = load_onnx(tmp_path / "m.onnx")
    (tmp_path / "preprocessor_config.json").write_text('{"return_attention_mask": false}')
    unmarked = load_onnx(tmp_path / "m.onnx")
    short = voice(seconds=0.5)[np.newaxis], np.array([8_000])
    sums = [
        m.backend.feeds(*m.prepared(*short))["attention_mask"].sum() for m in (marked, unmarked)
    ]
    assert sums == [8_000, 16_000]
    with pytest.raises(ModelError, match=r"without an attention mask \(preprocessor_config.json\)"):
        unmarked.logits(np.zeros((2, 16_000), dtype=np.float32), np.array([16_000, 8_000]))


def test_too_short_for_the_receptive_field(tmp_path):
    model = load_onnx(classifier(tmp_path / "a.onnx"))
    with pytest.raises(AudioError, match=r"cannot take 100 samples \(0\.006 s\)"):
        answer(model, voice(seconds=100 / 16_000))


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"k": 6}, "6 outputs but 8 labels .*state them with --labels"),
        ({"extra_input": "speaker_embedding"}, "unknown input 'speaker_embedding'"),
        ({"batch": 4}, "wants batches of 4"),
        ({"metadata": {"labels": "[1"}}, "model metadata: labels is '\\[1', which cannot be used"),
        ({"metadata": {"labels": '["a", "a"]'}}, "occurs twice: a"),
        ({"metadata": {"sampling_rate": "5"}}, "expected 1,000 to 192,000 Hz"),
        ({"metadata": {"normalize": "loud"}}, "expected one of peak"),
        ({"metadata": {"max_seconds": "-1"}}, "positive number of seconds"),
        ({"metadata": {"id2label": '{"0": "a", "2": "b"}'}}, "without a gap"),
        ({"metadata": {"labels": "3"}}, "at least 2 labels"),
    ],
)
def test_a_broken_contract_is_named_before_the_first_clip(tmp_path, arguments, reason):
    with pytest.raises(ModelError, match=reason):
        load_onnx(classifier(tmp_path / "a.onnx", **arguments))


def not_a_classifier(path, shape, kind=TensorProto.FLOAT, outputs=("y",)):
    nodes = [helper.make_node("Identity", ["x"], [name]) for name in outputs]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info(name, kind, shape) for name in outputs],
    )
    opset = [helper.make_opsetid("", 20)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=10), path)
    return path


def test_features_or_text_are_not_a_waveform(tmp_path):
    features = not_a_classifier(tmp_path / "a.onnx", ["batch", 80, "frames"])
    with pytest.raises(ModelError, match=r"no float input .* its inputs are 'x' tensor\(float\)"):
        load_onnx(features)
    tokens = not_a_classifier(tmp_path / "b.onnx", ["batch", "n"], TensorProto.INT64)
    with pytest.raises(ModelError, match="no float input"):
        load_onnx(tokens)


def test_two_possible_outputs_are_refused(tmp_path):
    path = not_a_classifier(tmp_path / "a.onnx", [1, 8], outputs=("y", "z"))
    with pytest.raises(ModelError, match=r"expected one float output .* 'y' .* 'z'"):
        load_onnx(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "is empty"), (b"garbage" * 99, "cannot be opened as an ONNX model")],
)
def test_a_spoilt_file_is_one_line(tmp_path, content, reason):
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=reason) as caught:
        load_onnx(path)
    assert "\n" not in str(caught.value)


def test_a_cut_file_is_one_line(tmp_path):
    path = classifier(tmp_path / "m.onnx")
    path.write_bytes(path.read_bytes()[:5_000])
    with pytest.raises(ModelError, match="cannot be opened"):
        load_onnx(path)


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(ModelError, match="no model file"):
        load_onnx(tmp_path / "gone.onnx")


def test_damaged_and_incomplete_files_say_what_to_do(tmp_path):
    path = classifier(tmp_path / "m.onnx")
    onnx.save(onnx.load(path), tmp_path / "parts.onnx", save_as_external_data=True,
              location="parts.bin", size_threshold=1024)  # fmt: skip
    (tmp_path / "parts.bin").unlink()
    with pytest.raises(ModelError, match=r"its weights in parts\.bin are not beside it; copy both"):
        load_onnx(tmp_path / "parts.onnx")
    path.write_bytes(path.read_bytes()[:5_000])
    with pytest.raises(ModelError, match=r"damaged, cut off or another kind .* download it again"):
        load_onnx(path)


def test_a_model_that_answers_nothing_usable_is_named(tmp_path):
    path = classifier(tmp_path / "m.onnx")
    graph = onnx.load(path)
    head = next(tensor for tensor in graph.graph.initializer if tensor.name == "head")
    head.CopyFrom(numpy_helper.from_array(np.full((12, 8), np.nan, dtype=np.float32), "head"))
    onnx.save(graph, path)
    with pytest.raises(ModelError, match=r"m\.onnx: tried on a second of noise, .* NaN"):
        load_onnx(path)


def test_external_weights_count(tmp_path):
    whole = classifier(tmp_path / "whole.onnx")
    graph = onnx.load(whole)
    path = tmp_path / "parts" / "m.onnx"
    path.parent.mkdir()
    onnx.save(graph, path, save_as_external_data=True, location="m.onnx_data", size_threshold=1024)
    (path.parent / "input_values").write_bytes(b"a name that the graph knows for something else")
    model = load_onnx(path)
    assert list(model.identity.external) == ["m.onnx_data"]
    assert model.size_bytes > whole.stat().st_size * 0.8
    np.testing.assert_array_equal(answer(model, voice()), answer(load_onnx(whole), voice()))


def test_nan_scores_are_an_audio_error(tmp_path):
    model = load_onnx(classifier(tmp_path / "m.onnx"), Overrides(normalize="none"))
    with pytest.raises(AudioError, match="NaN or infinite scores"):
        answer(model, np.full(16_000, 3e38, dtype=np.float32))


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("emo.onnx", "emo"),
        ("wav2vec2-ser/model.onnx", "wav2vec2-ser/model"),
        ("wav2vec2-ser/onnx/model_q4f16.onnx", "wav2vec2-ser/model_q4f16"),
    ],
)
def test_a_name_that_every_model_of_the_hub_has_comes_with_its_folder(tmp_path, place, name):
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    assert load_onnx(classifier(path)).facts["name"] == name
