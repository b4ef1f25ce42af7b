"""Small ONNX graphs with whatever inputs, ends and nodes in between a test asks for."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from build import EMOTIONS, labels_metadata

FLOAT = TensorProto.FLOAT


def node(kind, inputs, outputs, **attributes):
    """A node; inputs and outputs as words."""
    return helper.make_node(kind, inputs.split(), outputs.split(), **attributes)


def value(name, shape, kind=FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def classifier_graph(
    path,
    *,
    before=(),
    after=(),
    inputs=(),
    wave=("input_values", ("batch", "samples")),
    outputs=None,
    k=8,
    labels=EMOTIONS,
    constants=(),
    functions=(),
    domains=(),
    metadata=None,
    opset=20,
    ir=10,
    seed=0,
):
    """A classifier: `before` makes `wave` (B, 1, T) of the inputs, `after` the outputs of `scores`.

    Args:
        constants: Name -> number or array.
        metadata: Entries beside the labels.
    """
    rng = np.random.default_rng(seed)
    stored = {
        "conv": rng.normal(0, 0.1, (12, 1, 400)).astype(np.float32),
        "head": rng.normal(0, 3, (12, k)).astype(np.float32),
        "bias": rng.normal(0, 0.5, k).astype(np.float32),
        "one": np.array([1]),
        "time": np.array([2]),
        **{name: np.asarray(number) for name, number in dict(constants).items()},
    }
    nodes = [
        *(before or [node("Unsqueeze", f"{wave[0]} one", "wave")]),
        node("Conv", "wave conv", "bands", strides=[160]),
        node("Relu", "bands", "energy"),
        node("ReduceMean", "energy time", "mean", keepdims=0),
        node("Gemm", "mean head bias", "scores"),
        *(after or [node("Identity", "scores", "logits")]),
    ]
    graph = helper.make_graph(
        nodes,
        "classifier",
        [value(*wave), *inputs],
        outputs or [value("logits", ["batch", k])],
        [numpy_helper.from_array(number, name) for name, number in stored.items()],
    )
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)]
    model = helper.make_model(
        graph, opset_imports=imports, ir_version=ir, functions=list(functions)
    )
    stated = labels_metadata(labels, normalize="none") if labels else {}
    helper.set_model_props(model, stated | (metadata or {}))
    onnx.save(model, path)
    return path


def masked(path, name, kind, *, marks_padding=False, seed=0, leak=False, used=True):
    """A classifier whose mask multiplies its waveform, of any name, type and polarity.

    Args:
        leak: Whether the waveform is divided by its deviation over sound and padding alike.
        used: Whether the mask is used at all.
    """
    before = [node("Cast", name, "as_float", to=FLOAT)]
    before += [node("Sub", "ones as_float", "kept") if marks_padding
               else node("Identity", "as_float", "kept")]  # fmt: skip
    source = "input_values"
    if leak:
        before += [
            node("Mul", "input_values input_values", "squared"),
            node("ReduceMean", "squared one", "power", keepdims=1),
            node("Sqrt", "power", "level"),
            node("Div", "input_values level", "levelled"),
        ]
        source = "levelled"
    before += [
        node("Mul", f"{source} kept" if used else f"{source} ones", "heard"),
        node("Unsqueeze", "heard one", "wave"),
    ]
    return classifier_graph(
        path,
        before=before,
        inputs=[value(name, ["batch", "samples"], kind)],
        constants={"ones": np.float32(1)},
        seed=seed,
    )
