"""Which input is the waveform, which output the scores, and in which axes they come."""

import numpy as np
import pytest

from build import voice
from graphs import classifier_graph, node, value
from serval.errors import ModelError
from serval.inspection import inspect_model
from serval.models.contract import Overrides
from serval.models.onnx import load_onnx


def answer(model, samples):
    return model.logits(samples[np.newaxis], np.array([len(samples)]))


@pytest.fixture
def plain(tmp_path):
    return load_onnx(classifier_graph(tmp_path / "plain.onnx"))


SECOND = [node("Identity", "scores", "logits"), node("MatMul", "mean other", "second")]
WIDE = np.random.default_rng(1).normal(size=(12, 20)).astype(np.float32)


def two_outputs(path, first, second, *, columns=20, flip=False):
    """The scores under one name, another matrix under the other."""
    after = [node("Identity", "scores", first), node("MatMul", "mean other", second)]
    outputs = [value(first, ["batch", 8]), value(second, ["batch", columns])]
    constants = {"other": WIDE[:, :columns]}
    return classifier_graph(
        path, after=after, outputs=outputs[::-1] if flip else outputs, constants=constants
    )


@pytest.mark.parametrize("flip", [True, False])
@pytest.mark.parametrize(
    ("first", "second", "columns"),
    [
        ("logits", "gender_logits", 2),
        ("logits", "gender_logits", 8),
        ("Logits", "age_logits", 8),
        ("emotion_logits", "embedding", 20),
        ("emotion_logits", "gender_logits", 2),
        ("out", "embedding", 20),
    ],
)
def test_of_two_outputs_the_scores_are_taken(tmp_path, plain, first, second, columns, flip):
    path = two_outputs(tmp_path / "m.onnx", first, second, columns=columns, flip=flip)
    model = load_onnx(path)
    assert model.contract.output_name == first
    np.testing.assert_array_equal(answer(model, voice()), answer(plain, voice()))


def test_two_outputs_of_free_size_are_told_apart_by_a_trial(tmp_path, plain):
    after = [node("Identity", "scores", "a"), node("MatMul", "mean other", "b")]
    outputs = [value("b", ["batch", "n"]), value("a", ["batch", "k"])]
    constants = {"other": WIDE}
    path = classifier_graph(tmp_path / "m.onnx", after=after, outputs=outputs, constants=constants)
    model = load_onnx(path)
    assert model.contract.output_name == "a"
    np.testing.assert_array_equal(answer(model, voice()), answer(plain, voice()))


def test_outputs_that_could_both_be_meant_need_a_name(tmp_path, plain):
    path = two_outputs(tmp_path / "m.onnx", "arousal", "emotion", columns=8)
    with pytest.raises(ModelError, match=r"'arousal' .* 'emotion' .*--output-name NAME"):
        load_onnx(path)
    model = load_onnx(path, Overrides(output_name="arousal"))
    np.testing.assert_array_equal(answer(model, voice()), answer(plain, voice()))
    assert inspect_model(path).contract is None
    inspected = inspect_model(path, Overrides(output_name="arousal"))
    assert inspected.contract == model.contract
    with pytest.raises(ModelError, match=r"no float output 'gone', .*its outputs are 'arousal'"):
        load_onnx(path, Overrides(output_name="gone"))


def test_a_name_that_the_user_gives_wins_over_logits(tmp_path):
    path = two_outputs(tmp_path / "m.onnx", "logits", "other_scores", columns=8)
    chosen = load_onnx(path, Overrides(output_name="other_scores"))
    assert chosen.contract.output_name == "other_scores"


SHAPES = {
    "(B, 1, K)": ([node("Unsqueeze", "scores one", "logits")], ["batch", 1, 8]),
    "(1, K)": ([node("Identity", "scores", "logits")], [1, 8]),
    "(K,)": ([node("Squeeze", "scores", "logits")], [8]),
    "no shape": ([node("Identity", "scores", "logits")], None),
    "(B, K, 1, 1)": (
        [node("Unsqueeze", "scores time", "s"), node("Unsqueeze", "s time", "logits")],
        ["batch", 8, 1, 1],
    ),
}


@pytest.mark.parametrize("case", SHAPES)
def test_scores_in_other_axes_are_taken(tmp_path, plain, case):
    after, shape = SHAPES[case]
    path = classifier_graph(tmp_path / "m.onnx", after=after, outputs=[value("logits", shape)])
    assert np.array_equal(answer(load_onnx(path), voice()), answer(plain, voice()))


def test_scores_for_every_frame_are_refused(tmp_path):
    after = [node("Transpose", "energy", "frames", perm=[0, 2, 1]),
             node("MatMul", "frames head", "logits")]  # fmt: skip
    path = classifier_graph(
        tmp_path / "m.onnx", after=after, outputs=[value("logits", ["batch", "t", 8])]
    )
    with pytest.raises(ModelError, match=r"tensor of shape \[1, 98, 8\], not \(batch, labels\)"):
        load_onnx(path)


LAYOUTS = {
    "batch 1 samples": (("batch", 1, "samples"), [node("Identity", "x", "wave")]),
    "batch samples 1": (
        ("batch", "samples", 1),
        [node("Transpose", "x", "wave", perm=[0, 2, 1])],
    ),
    "samples": (
        ("samples",),
        [node("Unsqueeze", "x zero", "row"), node("Unsqueeze", "row one", "wave")],
    ),
}


@pytest.mark.parametrize("fixed", [True, False])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_waveform_in_other_axes_is_fed(tmp_path, plain, layout, fixed):
    shape, before = LAYOUTS[layout]
    shape = tuple({"samples": 16_000, "batch": 1}.get(a, a) for a in shape) if fixed else shape
    path = classifier_graph(
        tmp_path / "m.onnx", before=before, wave=("x", shape), constants={"zero": np.array([0])}
    )
    model = load_onnx(path)
    assert model.facts["contract"]["layout"] == layout
    assert model.contract.static_samples == (16_000 if fixed else None)
    np.testing.assert_array_equal(answer(model, voice()), answer(plain, voice()))


def test_named_channels_are_a_waveform_and_mel_bands_are_not(tmp_path):
    before = [node("Identity", "x", "wave")]
    path = classifier_graph(
        tmp_path / "m.onnx", before=before, wave=("x", ("batch", "channels", "samples"))
    )
    assert load_onnx(path).contract.layout == "batch 1 samples"
    classifier_graph(path, before=before, wave=("x", ("batch", 80, "frames")))
    with pytest.raises(ModelError, match=r"no float input .* its inputs are 'x'"):
        load_onnx(path)


@pytest.mark.parametrize("shape", [(1, "samples"), ("batch", "samples")])
def test_a_batch_is_answered_row_by_row_where_the_graph_takes_one(tmp_path, plain, shape):
    path = classifier_graph(tmp_path / "m.onnx", wave=("input_values", shape))
    batch = np.stack([voice(1), voice(2)])
    lengths = np.array([16_000, 16_000])
    answers = load_onnx(path).logits(batch, lengths)
    np.testing.assert_allclose(answers, plain.logits(batch, lengths), atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 10**9), (1, 1, 10**12)])
def test_a_fixed_input_of_hours_is_refused_before_it_is_filled(tmp_path, shape):
    before = [node("Identity", "x", "wave")] if len(shape) == 3 else ()
    path = classifier_graph(tmp_path / "m.onnx", before=before, wave=("x" if before else
                            "input_values", shape))  # fmt: skip
    with pytest.raises(ModelError, match=r"fixed to 10+ samples .* free number of samples"):
        load_onnx(path)


def test_scores_of_frames_are_refused_with_what_to_do(tmp_path):
    after = [
        node("Transpose", "bands", "frames", perm=[0, 2, 1]),
        node("MatMul", "frames head", "y"),
    ]
    outputs = [value("y", ["batch", "frames", 8])]
    path = classifier_graph(tmp_path / "m.onnx", after=after, outputs=outputs)
    with pytest.raises(ModelError, match="scores for each frame are none for a clip: export"):
        load_onnx(path)
