import re
from importlib import resources

import numpy as np
import onnxruntime as ort
import pytest

from build import classifier, labels_metadata
from graphs import classifier_graph, node
from serval.inspection import inspect_model
from serval.inspection.phone import COREML, taken_by


def test_a_convolution_over_time_goes_to_coreml_and_not_to_xnnpack(tmp_path):
    taken = taken_by(classifier_graph(tmp_path / "plain.onnx"))
    # Unsqueeze, Conv, Relu, ReduceMean, Gemm, Identity
    assert (taken["CoreML"].n, taken["CoreML"].of, taken["CoreML"].left) == (6, 6, {})
    assert (taken["XNNPACK"].n, taken["XNNPACK"].of) == (1, 6)
    assert taken["XNNPACK"].left["Conv"] == 1
    assert "Gemm" not in taken["XNNPACK"].left


def test_a_convolution_in_two_dimensions_goes_to_xnnpack(tmp_path):
    flat = [
        node("Unsqueeze", "input_values ones", "image"),
        node("Conv", "image kernel", "filtered"),
        node("Squeeze", "filtered one", "wave"),
    ]
    constants = {"ones": [1, 2], "kernel": np.ones((1, 1, 1, 1), np.float32)}
    path = classifier_graph(tmp_path / "flat.onnx", before=flat, constants=constants)
    assert taken_by(path)["XNNPACK"].left["Conv"] == 1  # the one over time, of two
    assert taken_by(path)["XNNPACK"].n == 2


def test_integers_and_what_no_list_names_are_left_to_the_cpu(tmp_path):
    odd = [
        node("Shape", "scores", "shape"),
        node("Reshape", "scores shape", "same"),
        node("Selu", "same", "logits"),
    ]
    taken = taken_by(classifier_graph(tmp_path / "odd.onnx", after=odd))["CoreML"]
    assert (taken.n, taken.of, taken.left) == (7, 8, {"Selu": 1})


def test_what_depends_on_constants_alone_is_no_node(tmp_path):
    doubled = [node("Add", "bias bias", "twice"), node("Add", "scores twice", "logits")]
    assert taken_by(classifier_graph(tmp_path / "folded.onnx", after=doubled))["CoreML"].of == 6


@pytest.mark.skipif(not ort.__version__.startswith("1.32."), reason="the table is of 1.32")
def test_the_list_is_that_of_onnx_runtime():
    file = "tools/mobile_helpers/coreml_supported_mlprogram_ops.md"
    text = (resources.files("onnxruntime") / file).read_text("utf-8")
    listed = set(re.findall(r"^\|(?:ai\.onnx:)?((?:com\.microsoft:)?\w+)\|", text, re.MULTILINE))
    assert {name.replace("Argmax", "ArgMax") for name in listed - {"Operator"}} == COREML


def test_what_is_left_is_said_with_the_open_length(tmp_path):
    odd = [node("Selu", "scores", "logits")]
    seen = inspect_model(classifier_graph(tmp_path / "odd.onnx", after=odd))
    (told,) = [verdict.text for verdict in seen.verdicts if verdict.code == "not-coreml"]
    assert told == (
        "CoreML leaves 1 of 6 nodes to the CPU: Selu 1; an input of no fixed length slows it"
    )
    assert seen.document["phones"]["CoreML"] == {"n": 5, "of": 6, "left": {"Selu": 1}}
    whole = inspect_model(classifier(tmp_path / "whole.onnx", metadata=labels_metadata()))
    assert "not-coreml" not in {verdict.code for verdict in whole.verdicts}


def test_a_file_that_cannot_be_opened_runs_nowhere(tmp_path):
    path = classifier_graph(tmp_path / "own.onnx", after=[node("Mine", "scores", "logits")])
    seen = inspect_model(path)
    assert not seen.opens
    assert seen.document["opens"] is False
    assert inspect_model(classifier_graph(tmp_path / "plain.onnx")).opens
