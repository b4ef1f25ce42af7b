"""Means over time written as products."""

from collections import Counter

import numpy as np
import onnxruntime as ort
import pytest
from onnx import helper, numpy_helper

from serval.quantize.graph import means_as_products


def network(axes, shape, *, opset=17, keepdims=1):
    """Return a graph with one mean, of a tensor whose axes only its operators tell."""
    said = {"axes": axes} if opset < 18 else {}
    inputs = ["y", "axes"] if opset >= 18 else ["y"]
    nodes = [
        helper.make_node("Exp", ["x"], ["y"]),
        helper.make_node("ReduceMean", inputs, ["z"], keepdims=keepdims, **said),
    ]
    constants = [numpy_helper.from_array(np.array(axes), "axes")] if opset >= 18 else []
    graph = helper.make_graph(
        nodes,
        "mean",
        [helper.make_tensor_value_info("x", 1, shape)],
        [helper.make_tensor_value_info("z", 1, None)],
        constants,
    )
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def outputs(graph, x):
    options = ort.SessionOptions()
    options.log_severity_level = 3
    [z] = ort.InferenceSession(graph.SerializeToString(), options).run(None, {"x": x})
    return z


@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize("opset", [17, 18])
@pytest.mark.parametrize(
    ("axes", "shape"), [([1], (2, 7, 3)), ([-2], (2, 7, 3)), ([2], (2, 1, 7, 3)), ([0], (7, 3))]
)
def test_a_mean_over_time_is_the_same_as_a_product(axes, shape, opset, keepdims):
    graph = network(axes, [f"n{i}" for i in range(len(shape))], opset=opset, keepdims=keepdims)
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    before = outputs(graph, x)
    assert means_as_products(graph) == 1
    kinds = Counter(node.op_type for node in graph.graph.node)
    assert (kinds["ReduceMean"], kinds["MatMul"]) == (0, 1)
    after = outputs(graph, x)
    assert after.shape == before.shape
    np.testing.assert_allclose(after, before, rtol=1e-5)


@pytest.mark.parametrize(
    ("axes", "shape", "opset"),
    [([2], "nct", 17), ([1, 2], "nct", 17), ([1], "nc", 17), ([1], None, 17), ([1], "ntc", 14)],
)
def test_other_means_are_left_alone(axes, shape, opset):
    graph = network(axes, shape and list(shape), opset=opset)
    before = graph.SerializeToString()
    assert means_as_products(graph) == 0
    assert graph.SerializeToString() == before
