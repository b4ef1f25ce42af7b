"""What is said about real ONNX files, quantized by ONNX Runtime's own tools."""

import json
from math import prod

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

from build import EMOTIONS, classifier, labels_metadata, voice
from serval.commands.inspect import inspect_command
from serval.errors import ModelError
from serval.inspection import inspect_model, size_comparison
from serval.models.onnx import load_onnx
from serval.models.profile import ran_nodes

SIZE = 64


def network(path, *, k=8, metadata=True, weights=None):
    """Frames of 160 samples -> product -> product -> mean over time: saved as a real file."""
    rng = np.random.default_rng(0)
    stored = {
        "shape": np.array([0, -1, 160], dtype=np.int64),
        "w1": rng.normal(0, 0.1, (160, SIZE)).astype(np.float32),
        "w2": rng.normal(0, 0.5, (SIZE, k)).astype(np.float32),
        "axis": np.array([1], dtype=np.int64),
    } | (weights or {})
    nodes = [
        helper.make_node("Reshape", ["input_values", "shape"], ["frames"], name="cut"),
        helper.make_node("MatMul", ["frames", "w1"], ["hidden"], name="first"),
        helper.make_node("Relu", ["hidden"], ["active"], name="relu"),
        helper.make_node("MatMul", ["active", "w2"], ["scores"], name="second"),
        helper.make_node("ReduceMean", ["scores", "axis"], ["logits"], name="mean", keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("input_values", 1, ["batch", "samples"])],
        [helper.make_tensor_value_info("logits", 1, ["batch", k])],
        [numpy_helper.from_array(value, name) for name, value in stored.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    helper.set_model_props(model, labels_metadata() if metadata else {})
    onnx.save(model, path)
    return path


class Clips(CalibrationDataReader):
    def __init__(self):
        self.clips = iter([voice(seed)[None] for seed in range(4)])

    def get_next(self):
        clip = next(self.clips, None)
        return None if clip is None else {"input_values": clip}


def static(source, path, **types):
    quantize_static(source, path, Clips(), op_types_to_quantize=["MatMul"], **types)
    return path


def codes(path):
    return {verdict.code for verdict in inspect_model(path).verdicts}


def text_of(path, code):
    return next(v.text for v in inspect_model(path).verdicts if v.code == code)


def test_parameters_bytes_and_work_are_counted(tmp_path):
    path = network(tmp_path / "m.onnx")
    seen = inspect_model(path)
    assert seen.graph.parameters == 160 * SIZE + SIZE * 8
    assert seen.graph.size_bytes == path.stat().st_size
    # 100 frames for each second, each through both products.
    assert seen.work.gmac_per_s == pytest.approx(100 * (160 * SIZE + SIZE * 8) / 1e9)
    assert seen.work.shares == {"fp32": 1.0}
    assert seen.graph.weight_shares == {"fp32": 1.0}


def test_convolutions_are_counted(tmp_path):
    seen = inspect_model(classifier(tmp_path / "m.onnx", metadata=labels_metadata()))
    frames = (4 * 16_000 - 400) // 160 + 1
    assert seen.work.macs == frames * 12 * 400 + 12 * 8


def test_the_document_is_plain_json(tmp_path):
    document = json.loads(json.dumps(inspect_model(network(tmp_path / "m.onnx")).document))
    assert document["ops"] == {"MatMul": 2, "Reshape": 1, "Relu": 1, "ReduceMean": 1}
    assert document["contract"]["sample_rate"] == 16_000
    assert document["work"]["gmac_per_s"] > 0


def test_a_statically_quantized_file_runs_in_integers(tmp_path):
    path = static(
        network(tmp_path / "m.onnx"), tmp_path / "q.onnx", activation_type=QuantType.QUInt8
    )
    seen = inspect_model(path)
    assert seen.graph.parameters == 160 * SIZE + SIZE * 8
    assert seen.graph.weight_shares == {"int8": 1.0}
    assert seen.work.shares == {"int8": 1.0}
    assert not codes(path) & {"dequantized", "s8s8", "slow-integer"}


def test_signed_by_signed_is_named(tmp_path):
    path = static(
        network(tmp_path / "m.onnx"),
        tmp_path / "q.onnx",
        activation_type=QuantType.QInt8,
        quant_format=QuantFormat.QOperator,
    )
    assert "100 % of the multiply-accumulates are signed x signed" in text_of(path, "s8s8")


def test_integer_convolutions_without_a_fast_kernel_are_named(tmp_path):
    from onnxruntime.quantization import quantize_dynamic

    source = classifier(tmp_path / "m.onnx", metadata=labels_metadata())
    quantize_dynamic(source, tmp_path / "q.onnx", weight_type=QuantType.QUInt8)
    assert "ConvInteger, which has no fast kernel" in text_of(tmp_path / "q.onnx", "slow-integer")


def test_weights_that_are_only_stored_in_integers_are_named(tmp_path):
    path = classifier(tmp_path / "m.onnx", metadata=labels_metadata())
    model = onnx.load(path)
    dequantize_at_load(model.graph, "conv")
    onnx.save(model, path)
    seen = inspect_model(path)
    assert seen.graph.weight_shares["int8"] == pytest.approx(4800 / 4904)
    assert seen.work.shares == {"fp32": 1.0}
    assert "98 % of the weights are stored in int8 but run in FP32" in text_of(path, "dequantized")


def test_dynamic_scales_are_no_parameters(tmp_path):
    """In narrow networks they would pass for a per cent or two of another network."""
    from onnxruntime.quantization import quantize_dynamic

    source = network(tmp_path / "m.onnx")
    quantize_dynamic(source, tmp_path / "q.onnx", per_channel=True)
    before, after = inspect_model(source), inspect_model(tmp_path / "q.onnx")
    assert "MatMulInteger" in after.graph.ops
    assert after.graph.parameters == before.graph.parameters


def test_a_share_of_nothing_is_not_worth_a_sentence(tmp_path):
    path = network(tmp_path / "m.onnx")
    model = onnx.load(path)
    small = np.eye(8, dtype=np.float32)
    model.graph.initializer.append(numpy_helper.from_array(small, "small"))
    last = model.graph.node[-1]
    last.output[0] = "before"
    model.graph.node.append(helper.make_node("MatMul", ["before", "small"], ["logits"], name="l"))
    dequantize_at_load(model.graph, "small")
    onnx.save(model, path)
    assert 0.01 * inspect_model(path).graph.parameters > 64
    assert "dequantized" not in codes(path)


def dequantize_at_load(graph, name):
    """Store the weight in 8 bit with its DequantizeLinear in front of whoever reads it."""
    weight = next(w for w in graph.initializer if w.name == name)
    values = numpy_helper.to_array(weight)
    scale = np.float32(np.abs(values).max() / 127)
    graph.initializer.remove(weight)
    graph.initializer.extend(
        [
            numpy_helper.from_array(np.round(values / scale).astype(np.int8), f"{name}_q"),
            numpy_helper.from_array(scale, f"{name}_scale"),
        ]
    )
    node = helper.make_node(
        "DequantizeLinear", [f"{name}_q", f"{name}_scale"], [name], name=f"{name}_dequantized"
    )
    graph.node.insert(0, node)


def test_four_bit_weights_are_counted_unpacked(tmp_path):
    model = onnx.load(network(tmp_path / "m.onnx"))
    quantizer = MatMulNBitsQuantizer(model, block_size=32, is_symmetric=True)
    quantizer.process()
    quantizer.model.save_model_to_file(str(tmp_path / "q.onnx"))
    seen = inspect_model(tmp_path / "q.onnx")
    assert seen.graph.parameters == 160 * SIZE + SIZE * 8
    assert seen.graph.weight_shares == {"int4": 1.0}
    assert seen.work.shares == {"int4 weights": 1.0}
    assert "not-mobile" in codes(tmp_path / "q.onnx")
    said = text_of(tmp_path / "q.onnx", "blocks")
    assert said.startswith("100 % of the multiply-accumulates are MatMulNBits")


def test_the_contract_has_its_verdicts(tmp_path):
    fixed = classifier(tmp_path / "fixed.onnx", static=16_000, batch=1)
    assert codes(fixed) >= {"fixed-length", "no-mask", "no-labels", "not-xnnpack", "not-mobile"}
    assert "fixed length of 1 s" in text_of(fixed, "fixed-length")
    masked = classifier(tmp_path / "mask.onnx", mask=True, metadata=labels_metadata())
    assert not codes(masked) & {"fixed-length", "no-mask", "no-labels"}


def test_names_that_are_not_those_of_the_outputs_are_no_labels(tmp_path):
    path = classifier(tmp_path / "m.onnx", k=4, metadata=labels_metadata(EMOTIONS[:5]))
    assert "4 outputs but 5 labels (angry, calm" in text_of(path, "labels")
    done = CliRunner().invoke(inspect_command, [str(path)])
    assert done.output.startswith("m.onnx gives 4 outputs without names in audio of 16 kHz: ")


def test_dimensions_are_not_called_labels(tmp_path):
    named = labels_metadata(["arousal", "valence", "dominance"], normalize="none")
    path = classifier(tmp_path / "m.onnx", k=3, metadata=named)
    done = CliRunner().invoke(inspect_command, [str(path)])
    assert done.output.startswith("m.onnx gives 3 dimensions in audio of 16 kHz: ")
    assert "labels" not in codes(path)


def test_more_than_eight_outputs_are_named_even_without_labels(tmp_path):
    path = classifier(tmp_path / "m.onnx", k=12)
    assert inspect_model(path).work is not None
    assert text_of(path, "many-outputs").startswith("12 outputs")


def test_external_weights_are_counted_and_missed(tmp_path):
    inline = network(tmp_path / "inline.onnx")
    model = onnx.load(inline)
    path = tmp_path / "m.onnx"
    onnx.save(model, path, save_as_external_data=True, location="m.data", size_threshold=0)
    seen = inspect_model(path)
    assert seen.graph.external == ("m.data",)
    both = path.stat().st_size + (tmp_path / "m.data").stat().st_size
    assert seen.graph.size_bytes == both
    assert seen.graph.parameters == inspect_model(inline).graph.parameters
    (tmp_path / "m.data").unlink()
    with pytest.raises(ModelError, match=r"weights in m\.data, which is not beside it"):
        inspect_model(path)


def test_a_model_that_takes_no_waveform_still_has_a_census(tmp_path):
    image = helper.make_tensor_value_info("image", 1, [1, 3, 8, 8])
    out = helper.make_tensor_value_info("out", 1, [1, 3, 8, 8])
    graph = helper.make_graph([helper.make_node("Relu", ["image"], ["out"])], "g", [image], [out])
    path = tmp_path / "image.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)]), path)
    seen = inspect_model(path)
    assert (seen.work, seen.contract) == (None, None)
    assert seen.graph.ops == {"Relu": 1}
    (verdict,) = seen.verdicts
    assert "not a raw-waveform classifier" in verdict.text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", r"empty \(0 bytes\)"),
        (b"\xff\xfe not an onnx file" * 9, "not an ONNX file, or is damaged"),
        (onnx.ModelProto(ir_version=10).SerializeToString(), "holds no ONNX graph"),
    ],
)
def test_a_broken_file_is_one_clear_line(tmp_path, content, said):
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=said) as raised:
        inspect_model(path)
    assert "\n" not in str(raised.value)


def test_half_a_file_is_damaged(tmp_path):
    path = network(tmp_path / "m.onnx")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ModelError, match="damaged"):
        inspect_model(path)


def test_two_files_of_one_network_are_compared(tmp_path):
    whole = network(tmp_path / "m.onnx")
    small = static(whole, tmp_path / "q.onnx", activation_type=QuantType.QUInt8)
    comparison = size_comparison(inspect_model(whole), inspect_model(small))
    assert comparison.parameter_ratio == 1
    assert comparison.text.endswith("with the same number of parameters")


def test_a_file_is_as_large_as_itself(tmp_path):
    one = inspect_model(network(tmp_path / "m.onnx"))
    said = "m.onnx is as large as m.onnx, with the same number of parameters"
    assert size_comparison(one, one).text == said


def test_numbers_stand_for_the_labels_of_the_output_that_is_chosen(tmp_path):
    """The first output is another one, of 64 values, and nobody stated any labels."""
    path = network(tmp_path / "m.onnx", k=5, metadata=False)
    model = onnx.load(path)
    model.graph.output.insert(0, helper.make_tensor_value_info("hidden", 1, ["b", "n", SIZE]))
    onnx.save(model, path)
    found = inspect_model(path)
    assert len(found.contract.labels) == 5
    (refusal,) = [remark.text for remark in found.verdicts if remark.code == "labels"]
    assert "5 outputs but 8 labels" in refusal


def test_another_network_is_no_reduction_by_quantization(tmp_path):
    whole = network(tmp_path / "m.onnx")
    rng = np.random.default_rng(1)
    narrow = {
        "w1": rng.normal(0, 0.1, (160, SIZE // 2)).astype(np.float32),
        "w2": rng.normal(0, 0.5, (SIZE // 2, 8)).astype(np.float32),
    }
    small = network(tmp_path / "s.onnx", weights=narrow)
    comparison = size_comparison(inspect_model(whole), inspect_model(small))
    assert "not a reduction by quantization: it has 50.0 % of the parameters" in comparison.text


def test_the_operators_that_ran_show_their_shapes(tmp_path):
    model = load_onnx(network(tmp_path / "m.onnx"))
    products = [node for node in ran_nodes(model, 1.0) if node.op == "MatMul"]
    assert [prod(node.outputs[0].shape) for node in products] == [100 * SIZE, 100 * 8]
    assert products[0].inputs[1].type == "float"
    assert products[0].inputs[1].shape == (160, SIZE)


@pytest.mark.parametrize(
    ("op", "inputs"),
    [
        ("MatMulNBits", ["x", "w"]),
        ("MatMulNBits", ["x"]),
        ("DequantizeLinear", []),
        ("DynamicQuantizeLinear", ["x"]),
        ("ConvInteger", ["x"]),
    ],
)
def test_operators_without_their_inputs_or_sizes_are_no_crash(tmp_path, op, inputs):
    domain = "com.microsoft" if op == "MatMulNBits" else ""
    graph = helper.make_graph(
        [helper.make_node(op, inputs, ["y"], domain=domain)],
        "damaged",
        [helper.make_tensor_value_info("x", 1, [1, "samples"])],
        [helper.make_tensor_value_info("y", 1, [1, 4])],
        [numpy_helper.from_array(np.ones((4, 1, 4), np.uint8), "w")],
    )
    sets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=sets), tmp_path / "m.onnx")
    found = inspect_model(tmp_path / "m.onnx")
    assert next(verdict.code for verdict in found.verdicts) == "not-a-classifier"
