"""Which way round a mask is: padding must not be heard, and sound must be."""

import numpy as np
import pytest
from onnx import TensorProto

from build import voice
from graphs import FLOAT, classifier_graph, masked, node, value
from serval.errors import ModelError
from serval.models.onnx import load_onnx

KINDS = {
    "bool": TensorProto.BOOL,
    "int64": TensorProto.INT64,
    "int32": TensorProto.INT32,
    "uint8": TensorProto.UINT8,
    "float": TensorProto.FLOAT,
}
NAMES = ("attention_mask", "padding_mask", "pad_mask", "src_key_padding_mask", "mask", "is_pad")


def answer(model, samples):
    return model.logits(samples[np.newaxis], np.array([len(samples)]))


@pytest.fixture
def plain(tmp_path):
    """The same weights without a mask."""
    return load_onnx(classifier_graph(tmp_path / "plain.onnx"))


@pytest.mark.parametrize("marks_padding", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_whatever_the_mask_is_called_the_trial_tells_which_way_round_it_is(
    tmp_path, plain, name, marks_padding
):
    path = masked(tmp_path / "m.onnx", name, TensorProto.BOOL, marks_padding=marks_padding)
    model = load_onnx(path)
    assert model.contract.mask_marks == ("padding" if marks_padding else "valid")
    np.testing.assert_array_equal(answer(model, voice()), answer(plain, voice()))


@pytest.mark.parametrize("marks_padding", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_masks_of_every_type_are_fed(tmp_path, plain, kind, marks_padding):
    path = masked(tmp_path / "m.onnx", "padding_mask", KINDS[kind], marks_padding=marks_padding)
    np.testing.assert_array_equal(answer(load_onnx(path), voice()), answer(plain, voice()))


@pytest.mark.parametrize("marks_padding", [True, False])
def test_a_clip_in_a_padded_batch_gets_the_mask_that_way_too(tmp_path, marks_padding):
    path = masked(tmp_path / "m.onnx", "some_mask", TensorProto.INT64, marks_padding=marks_padding)
    model = load_onnx(path)
    batch = np.ones((2, 9_600), dtype=np.float32)
    lengths = np.array([4_800, 9_600])
    feeds = model.backend.feeds(*model.prepared(batch, lengths))
    ones = feeds["some_mask"].sum(axis=1).tolist()
    assert ones == ([4_800, 0] if marks_padding else [4_800, 9_600])


@pytest.mark.parametrize("marks_padding", [True, False])
def test_a_model_that_lets_padding_through_is_told_by_what_it_hears_more_of(
    tmp_path, marks_padding
):
    path = masked(
        tmp_path / "m.onnx", "mask", TensorProto.INT64, marks_padding=marks_padding, leak=True
    )
    model = load_onnx(path)
    assert model.contract.mask_marks == ("padding" if marks_padding else "valid")
    assert np.ptp(answer(model, voice())) > 0.1


@pytest.mark.parametrize(("name", "marks"), [("attention_mask", "valid"), ("pad_mask", "padding")])
def test_a_mask_that_is_not_used_is_fed_as_its_name_is_meant(tmp_path, plain, name, marks):
    model = load_onnx(masked(tmp_path / "m.onnx", name, TensorProto.BOOL, used=False))
    assert model.contract.mask_marks == marks
    np.testing.assert_array_equal(answer(model, voice()), answer(plain, voice()))


def test_a_mask_of_four_axes_and_one_on_a_fixed_length_are_fed(tmp_path, plain):
    before = [
        node("Cast", "attention_mask", "as_float", to=FLOAT),
        node("Squeeze", "as_float", "row"),
        node("Mul", "input_values row", "heard"),
        node("Unsqueeze", "heard one", "wave"),
    ]
    shape = [1, 1, 1, 16_000]
    path = classifier_graph(
        tmp_path / "m.onnx",
        before=before,
        wave=("input_values", (1, 16_000)),
        inputs=[value("attention_mask", shape, TensorProto.INT64)],
    )
    np.testing.assert_array_equal(answer(load_onnx(path), voice()), answer(plain, voice()))


def test_a_mask_that_means_neither_is_refused(tmp_path):
    """Its answer moves with the mask, yet hears sound and padding alike either way."""
    before = [
        node("Cast", "mask", "as_float", to=FLOAT),
        node("ReduceMean", "as_float one", "share", keepdims=1),
        node("Mul", "input_values share", "quieter"),
        node("Add", "input_values quieter", "heard"),
        node("Unsqueeze", "heard one", "wave"),
    ]
    path = classifier_graph(
        tmp_path / "m.onnx",
        before=before,
        inputs=[value("mask", ["batch", "samples"], TensorProto.INT64)],
    )
    with pytest.raises(ModelError, match="cannot be told what a one in its mask 'mask' stands"):
        load_onnx(path)
