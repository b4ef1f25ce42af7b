"""A small network built like a speech transformer, with every kind of layer quantization meets."""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from build import labels_metadata

WIDTH, INNER, CLASSES = 32, 64, 8


def speech_network(path, *, seed=0, metadata=None, outlier=40.0, named=True):
    """Save an .onnx classifier: three convolutions, a position table, one feed-forward block.

    One channel of the normalisation is `outlier` times as loud as the others, as in real models.
    """
    model = helper.make_model(
        helper.make_graph(
            _nodes(named=named),
            "speech",
            [helper.make_tensor_value_info("input_values", 1, ["batch", "samples"])],
            [helper.make_tensor_value_info("logits", 1, ["batch", CLASSES])],
            [numpy_helper.from_array(v, k) for k, v in _weights(seed, outlier).items()],
        ),
        opset_imports=[helper.make_opsetid("", 20)],
        ir_version=10,
    )
    helper.set_model_props(model, labels_metadata() if metadata is None else metadata)
    onnx.save(model, path)
    return path


def _weights(seed, outlier):
    rng = np.random.default_rng(seed)
    loud = np.ones(WIDTH)
    loud[3] = outlier
    return {
        name: np.asarray(value, dtype=np.float32)
        for name, value in {
            "kernel": rng.normal(0, 0.1, (16, 1, 400)),
            "strided": rng.normal(0, 0.3, (WIDTH, 16, 3)),
            "strided_bias": rng.normal(0, 0.1, WIDTH),
            "grouped": rng.normal(0, 0.2, (WIDTH, WIDTH // 4, 8)),
            "positions": rng.normal(0, 0.1, (400, WIDTH)),
            "gamma": loud,
            "beta": rng.normal(0, 0.1, WIDTH),
            "up": rng.normal(0, 0.2, (WIDTH, INNER)) / loud[:, np.newaxis],
            "up_bias": rng.normal(0, 0.1, INNER),
            "down": rng.normal(0, 0.2, (INNER, WIDTH)),
            "down_bias": rng.normal(0, 0.1, WIDTH),
            "gate": rng.normal(0, 0.2, (WIDTH, WIDTH)),
            "head": rng.normal(0, 6, (CLASSES, WIDTH)),
            "head_bias": rng.normal(0, 0.1, CLASSES),
            "half": 0.5,
        }.items()
    } | {
        "one": np.array([1]),
        "zero": np.array([0]),
        "two": np.array([2]),
        "last": np.array([1]),
    }


def _nodes(*, named):
    rows = [
        ("Unsqueeze", ["input_values", "one"], "wave", {}),
        ("Conv", ["wave", "kernel"], "bands", {"strides": [160]}),
        ("Relu", ["bands"], "energy", {}),
        ("Conv", ["energy", "strided", "strided_bias"], "short", {"strides": [2], "pads": [1, 1]}),
        ("Conv", ["short", "grouped"], "around", {"group": 4, "pads": [4, 3]}),
        ("Add", ["short", "around"], "placed", {}),
        ("Transpose", ["placed"], "frames", {"perm": [0, 2, 1]}),
        ("Shape", ["frames"], "shape", {}),
        ("Slice", ["shape", "one", "two"], "length", {}),
        ("Slice", ["positions", "zero", "length", "zero"], "where", {}),
        ("Add", ["frames", "where"], "x", {}),
        ("LayerNormalization", ["x", "gamma", "beta"], "normed", {"axis": -1}),
        ("MatMul", ["normed", "up"], "wide", {}),
        ("Add", ["wide", "up_bias"], "biased", {}),
        ("Tanh", ["biased"], "bent", {}),
        ("Mul", ["bent", "half"], "active", {}),
        ("MatMul", ["active", "down"], "narrow", {}),
        ("Add", ["down_bias", "narrow"], "residual", {}),
        ("Add", ["x", "residual"], "y", {}),
        ("MatMul", ["y", "gate"], "gated", {}),
        ("Add", ["y", "gated"], "z", {}),
        ("ReduceMean", ["z", "last"], "mean", {"keepdims": 0}),
        ("Gemm", ["mean", "head", "head_bias"], "logits", {"transB": 1}),
    ]
    return [
        helper.make_node(op, inputs, [out], name=f"/{out}" if named else "", **attributes)
        for op, inputs, out, attributes in rows
    ]
