import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from onnxruntime.quantization import quantize_dynamic

from build import labels_metadata
from network import speech_network
from serval.errors import ModelError
from serval.models.onnx import load_onnx
from serval.quantize import graph as room
from serval.quantize.clips import logits_of
from serval.quantize.graph import read_graph, write_graph
from serval.quantize.layers import layers_of, tables_of


def test_reading_and_writing_changes_no_answer(network, waveforms, tmp_path):
    before = logits_of(load_onnx(network), waveforms, 1)
    again = load_onnx(write_graph(read_graph(network), tmp_path / "again.onnx"))
    np.testing.assert_allclose(logits_of(again, waveforms, 1), before, atol=1e-4)


def test_weights_above_the_limit_go_beside_the_file(network, waveforms, tmp_path, monkeypatch):
    before = logits_of(load_onnx(network), waveforms, 1)
    monkeypatch.setattr(room, "INLINE_LIMIT_BYTES", 10_000)
    folder = tmp_path / "large"
    path = write_graph(read_graph(network), folder / "net.onnx")
    assert {file.name for file in folder.iterdir()} == {"net.onnx", "net.onnx.data"}
    model = load_onnx(path)
    assert set(model.identity.external) == {"net.onnx.data"}
    np.testing.assert_allclose(logits_of(model, waveforms, 1), before, atol=1e-4)
    assert layers_of(read_graph(path), 8) == layers_of(read_graph(network), 8)


def test_a_failed_write_leaves_the_file_that_was_there(network, tmp_path, monkeypatch):
    def full_disk(_graph, path, **_how):
        path.write_text("half")
        raise OSError("no space left")

    target = tmp_path / "old.onnx"
    target.write_text("old")
    graph = read_graph(network)
    monkeypatch.setattr(onnx, "save", full_disk)
    with pytest.raises(OSError, match="no space left"):
        write_graph(graph, target)
    assert target.read_text() == "old"
    assert not list(tmp_path.glob(".old*"))


@pytest.mark.parametrize("opset", [11, 12])
def test_a_file_of_an_older_opset_is_brought_to_a_newer_one(tmp_path, waveforms, opset):
    path = old_network(tmp_path / "old.onnx", opset)
    graph = read_graph(path)
    assert [known.version for known in graph.opset_import if not known.domain] == [17]
    again = load_onnx(write_graph(graph, tmp_path / "again.onnx"))
    assert again.labels == load_onnx(path).labels
    before = logits_of(load_onnx(path), waveforms, 1)
    np.testing.assert_allclose(logits_of(again, waveforms, 1), before, atol=1e-5)


def test_an_opset_that_onnx_cannot_convert_is_one_line(tmp_path):
    path = old_network(tmp_path / "old.onnx", 11)
    model = onnx.load(path)
    model.graph.node[2].op_type = "SomebodysConv"
    onnx.save(model, path)
    with pytest.raises(ModelError, match=r"is of opset 11, quantizing needs 13.* opset 17"):
        read_graph(path)


def old_network(path, opset):
    """Save a classifier as exporters wrote it before axes became inputs."""
    rng = np.random.default_rng(0)
    weights = {
        "kernel": rng.normal(0, 0.1, (16, 1, 400)),
        "inner": rng.normal(0, 0.1, (16, 16, 3)),
        "head": rng.normal(0, 1, (16, 8)),
    }
    nodes = [
        helper.make_node("Unsqueeze", ["input_values"], ["wave"], axes=[1]),
        helper.make_node("Conv", ["wave", "kernel"], ["bands"], strides=[160]),
        helper.make_node("Conv", ["bands", "inner"], ["deeper"], pads=[1, 1]),
        helper.make_node("ReduceMean", ["deeper"], ["mean"], axes=[2], keepdims=0),
        helper.make_node("MatMul", ["mean", "head"], ["logits"]),
    ]
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "old",
            [helper.make_tensor_value_info("input_values", 1, ["batch", "samples"])],
            [helper.make_tensor_value_info("logits", 1, ["batch", 8])],
            [numpy_helper.from_array(v.astype(np.float32), k) for k, v in weights.items()],
        ),
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=6,
    )
    helper.set_model_props(model, labels_metadata())
    onnx.save(model, path)
    return path


def test_a_gemm_becomes_a_product_and_a_sum(network):
    graph = read_graph(network)
    assert "Gemm" not in {node.op_type for node in graph.graph.node}
    assert [layer.role for layer in layers_of(graph, 8)][-1] == "classifier"


def test_nameless_nodes_get_names_of_their_own(tmp_path):
    graph = read_graph(speech_network(tmp_path / "nameless.onnx", named=False))
    names = [node.name for node in graph.graph.node]
    assert all(names)
    assert len(set(names)) == len(names)


def test_constant_nodes_and_turned_weights_become_weights(tmp_path):
    matrix = np.arange(6, dtype=np.float32).reshape(3, 2)
    nodes = [
        helper.make_node("Constant", [], ["w"], value=numpy_helper.from_array(matrix)),
        helper.make_node("Transpose", ["w"], ["turned"], perm=[1, 0]),
        helper.make_node("MatMul", ["x", "turned"], ["y"]),
    ]
    info = [helper.make_tensor_value_info(n, 1, ["n", k]) for n, k in (("x", 2), ("y", 3))]
    graph = helper.make_graph(nodes, "g", info[:1], info[1:])
    opset = [helper.make_opsetid("", 20)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=10), tmp_path / "c.onnx")
    read = read_graph(tmp_path / "c.onnx")
    assert [node.op_type for node in read.graph.node] == ["MatMul"]
    assert layers_of(read, 3)[0].size == 6


@pytest.mark.parametrize("perm", [None, [0, 1], [1, 0]])
def test_weights_are_turned_as_the_graph_says(tmp_path, perm):
    matrix = np.arange(9, dtype=np.float32).reshape(3, 3)
    said = {} if perm is None else {"perm": perm}
    nodes = [
        helper.make_node("Transpose", ["w"], ["turned"], **said),
        helper.make_node("MatMul", ["x", "turned"], ["y"]),
    ]
    info = [helper.make_tensor_value_info(name, 1, ["n", 3]) for name in "xy"]
    weights = [numpy_helper.from_array(matrix, "w")]
    graph = helper.make_graph(nodes, "g", info[:1], info[1:], weights)
    opset = [helper.make_opsetid("", 20)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=10), tmp_path / "t.onnx")
    (tensor,) = read_graph(tmp_path / "t.onnx").graph.initializer
    np.testing.assert_array_equal(numpy_helper.to_array(tensor), matrix.transpose(perm))


@pytest.mark.parametrize("places", [[1, 5], [[0, 1], [1, 2]]])
def test_sparse_weights_are_written_out(tmp_path, places):
    values = numpy_helper.from_array(np.float32([4, 7]), "w")
    where = numpy_helper.from_array(np.array(places), "places")
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    info = [helper.make_tensor_value_info(n, 1, ["n", k]) for n, k in (("x", 2), ("y", 3))]
    graph = helper.make_graph(nodes, "g", info[:1], info[1:])
    graph.sparse_initializer.append(helper.make_sparse_tensor(values, where, [2, 3]))
    opset = [helper.make_opsetid("", 20)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=10), tmp_path / "s.onnx")
    read = read_graph(tmp_path / "s.onnx")
    (tensor,) = read.graph.initializer
    np.testing.assert_array_equal(numpy_helper.to_array(tensor), [[0, 4, 0], [0, 0, 7]])
    assert not read.graph.sparse_initializer


def test_constants_that_fp16_would_spoil_are_no_tables(network):
    """Whole positions above 2,048, a small part on a large one, and values that underflow."""
    graph, rng = read_graph(network), np.random.default_rng(0)
    layers = layers_of(graph, 8)
    tensor = next(t for t in graph.graph.initializer if t.name == "positions")
    shape, noise = (400, 32), rng.normal(size=(400, 32))

    def taken(values):
        values = np.broadcast_to(values, shape).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(values, "positions"))
        return "positions" in tables_of(graph, layers)

    counted = np.arange(400)[:, np.newaxis]
    assert [taken(counted), taken(counted + 3_001)] == [True, False]
    assert [taken(noise), taken(1e-8 * noise), taken(1_000 + 0.1 * noise)] == [True, False, False]


def test_roles_of_the_layers(network):
    graph = read_graph(network)
    layers = layers_of(graph, 8)
    assert [layer.role for layer in layers] == [
        "first convolution",
        "convolution",
        "grouped convolution",
        "linear",
        "linear",
        "linear",
        "classifier",
    ]
    assert tables_of(graph, layers) == ("positions",)


def test_a_quantized_file_is_refused(network, tmp_path):
    quantize_dynamic(network, tmp_path / "int8.onnx", op_types_to_quantize=["MatMul"])
    with pytest.raises(ModelError, match=r"quantized already \(.* MatMulInteger\); give the FP32"):
        read_graph(tmp_path / "int8.onnx")


@pytest.mark.parametrize(
    "op", ["DequantizeLinear", "QLinearMatMul", "MatMulBnb4", "DynamicQuantizeLSTM"]
)
def test_every_kind_of_quantized_file_is_refused(network, tmp_path, op):
    graph = onnx.load(network)
    graph.graph.node.append(helper.make_node(op, ["normed"], ["unused"]))
    onnx.save(graph, tmp_path / "made_elsewhere.onnx")
    with pytest.raises(ModelError, match=rf"quantized already \(1 {op}\); give the FP32 file"):
        read_graph(tmp_path / "made_elsewhere.onnx")


def test_a_file_in_fp16_is_refused_by_name(network, tmp_path):
    graph = onnx.load(network)
    for tensor in graph.graph.initializer:
        if tensor.data_type == 1:
            half = numpy_helper.to_array(tensor).astype(np.float16)
            tensor.CopyFrom(numpy_helper.from_array(half, tensor.name))
    onnx.save(graph, tmp_path / "half.onnx")
    with pytest.raises(ModelError, match="weights in FP16; give the FP32 file"):
        read_graph(tmp_path / "half.onnx")


def test_branches_keep_the_weights_that_they_read(network, waveforms, tmp_path):
    """An If whose branch takes its factor from the graph around it."""
    graph = onnx.load(network)
    last = next(node for node in graph.graph.node if "logits" in node.output)
    last.output[0] = "before"
    info = helper.make_tensor_value_info
    branches = {
        f"{name}_branch": helper.make_graph([node], name, [], [info(name, 1, None)])
        for name, node in {
            "then": helper.make_node("Mul", ["before", "factor"], ["then"]),
            "else": helper.make_node("Identity", ["before"], ["else"]),
        }.items()
    }
    graph.graph.node.append(helper.make_node("If", ["yes"], ["logits"], **branches))
    constants = {"factor": np.full(8, 2, dtype=np.float32), "yes": np.array(True)}
    graph.graph.initializer.extend(numpy_helper.from_array(v, k) for k, v in constants.items())
    onnx.save(graph, tmp_path / "if.onnx")
    again = load_onnx(write_graph(read_graph(tmp_path / "if.onnx"), tmp_path / "again.onnx"))
    before = logits_of(load_onnx(tmp_path / "if.onnx"), waveforms, 1)
    np.testing.assert_allclose(logits_of(again, waveforms, 1), before, atol=1e-4)


def test_weights_that_something_else_reads_are_no_layer(network, tmp_path):
    graph = onnx.load(network)
    graph.graph.node.append(helper.make_node("ReduceSum", ["gate"], ["total"]))
    graph.graph.output.append(helper.make_tensor_value_info("total", 1, None))
    onnx.save(graph, tmp_path / "tied.onnx")
    names = [layer.weight for layer in layers_of(read_graph(tmp_path / "tied.onnx"), 8)]
    assert "up" in names
    assert "gate" not in names
