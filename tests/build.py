"""Real files for tests: speech-like audio in real formats, real ONNX classifiers, manifests."""

import csv
import io
import json
from functools import cache

import numpy as np
import onnx
import soundfile
from onnx import TensorProto, helper, numpy_helper

EMOTIONS = ("angry", "calm", "disgust", "fearful", "happy", "neutral", "sad", "surprised")


def voice(seed=0, seconds=1.0, rate=16_000):
    """A vowel-like sound with a moving pitch: `(T,) float32` in [-0.5, 0.5]."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate)) / rate
    pitch = rng.uniform(90, 260) * (1 + 0.1 * np.sin(2 * np.pi * rng.uniform(2, 5) * t))
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    tones = sum(rng.uniform(0.2, 1) / k * np.sin(k * phase) for k in range(1, 12))
    tones += rng.normal(0, 0.02, len(t))
    return (0.5 * tones / max(np.abs(tones).max(initial=0), 1e-9)).astype(np.float32)


def encoded(samples, rate=16_000, form="WAV", subtype=None):
    """The samples as the bytes of a file in that format."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=form, subtype=subtype)
    return buffer.getvalue()


@cache
def spoken(seed, seconds):
    """The bytes of a WAV file of a voice, made once."""
    return encoded(voice(seed, seconds))


def classifier(
    path,
    *,
    k=8,
    seed=0,
    metadata=None,
    mask=False,
    static=None,
    softmax=False,
    batch="batch",
    extra_input=None,
    output="logits",
    bands=12,
):
    """A small convolutional classifier that takes raw audio; saved as a real .onnx file.

    With 2,000 bands a second of audio takes some milliseconds of one core.
    """
    rng = np.random.default_rng(seed)
    weights = {
        "conv": rng.normal(0, 0.1, (bands, 1, 400)).astype(np.float32),
        "head": rng.normal(0, 3, (bands, k)).astype(np.float32),
        "bias": rng.normal(0, 0.5, k).astype(np.float32),
        "axis": np.array([1], dtype=np.int64),
        "time": np.array([2], dtype=np.int64),
    }
    source = "masked" if mask else "input_values"
    nodes = [
        helper.make_node("Unsqueeze", [source, "axis"], ["wave"]),
        helper.make_node("Conv", ["wave", "conv"], ["bands"], strides=[160]),
        helper.make_node("Relu", ["bands"], ["energy"]),
        helper.make_node("ReduceMean", ["energy", "time"], ["mean"], keepdims=0),
        helper.make_node("Gemm", ["mean", "head", "bias"], ["scores" if softmax else output]),
    ]
    if softmax:
        nodes.append(helper.make_node("Softmax", ["scores"], [output], axis=1))
    inputs = [helper.make_tensor_value_info("input_values", 1, [batch, static or "samples"])]
    if mask:
        nodes[:0] = [
            helper.make_node("Cast", ["attention_mask"], ["mask_f"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["input_values", "mask_f"], ["masked"]),
        ]
        inputs.append(
            helper.make_tensor_value_info("attention_mask", TensorProto.INT64, [batch, "samples"])
        )
    if extra_input:
        inputs.append(helper.make_tensor_value_info(extra_input, 1, [1]))
        nodes.append(helper.make_node("Identity", [extra_input], ["ignored"]))
    outputs = [helper.make_tensor_value_info(output, 1, [batch, k])]
    initializers = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "classifier", inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    helper.set_model_props(model, metadata or {})
    onnx.save(model, path)
    return path


def encoder(path, *, seed=0, bands=12, metadata=None):
    """The classifier with its frames as outputs, and what a further layer makes of them."""
    model = onnx.load(classifier(path, seed=seed, bands=bands, metadata=metadata))
    layer = np.random.default_rng(seed).normal(0, 1, (bands, bands)).astype(np.float32)
    model.graph.initializer.append(numpy_helper.from_array(layer, "layer"))
    model.graph.node.extend(
        [
            helper.make_node("Transpose", ["energy"], ["hidden_state_0"], perm=[0, 2, 1]),
            helper.make_node("MatMul", ["hidden_state_0", "layer"], ["further"]),
            helper.make_node("Tanh", ["further"], ["hidden_state_1"]),
        ]
    )
    model.graph.output.extend(
        helper.make_tensor_value_info(f"hidden_state_{i}", 1, ["batch", "frames", bands])
        for i in range(2)
    )
    onnx.save(model, path)
    return path


def speech_set(folder, n=12, *, labels=EMOTIONS, seconds=0.6, name="set.csv", speakers=3):
    """A manifest beside WAV files: path, label, speaker, gender."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for i in range(n):
        path = folder / f"clip{i:04d}.wav"
        path.write_bytes(spoken(i, seconds + 0.05 * (i % 5)))
        rows.append(
            {
                "path": path.name,
                "label": labels[i % len(labels)],
                "speaker": f"s{i % speakers}",
                "gender": "FM"[i % 2],
            }
        )
    write_manifest(folder / name, rows)
    return folder / name


def write_manifest(path, rows):
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def labels_metadata(labels=EMOTIONS, **other):
    return {"labels": json.dumps(list(labels)), "sampling_rate": "16000"} | other
