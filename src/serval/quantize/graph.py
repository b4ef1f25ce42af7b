"""An ONNX graph in memory: read, brought into one shape, and written again, also above 2 GB."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import helper, numpy_helper, version_converter

from serval.errors import ModelError
from serval.files import whole_files
from serval.models.graph import INLINE_LIMIT_BYTES, names_read, opset_of

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SMALLEST_OUTSIDE_BYTES = 1_024
QUANTIZED_OPS = frozenset(
    [
        "QuantizeLinear",
        "DequantizeLinear",
        "DynamicQuantizeLinear",
        "MatMulInteger",
        "ConvInteger",
        "QLinearMatMul",
        "QLinearConv",
        "QGemm",
        "MatMulNBits",
        "MatMulBnb4",
        "GatherBlockQuantized",
        "DynamicQuantizeMatMul",
        "MatMulIntegerToFloat",
        "QAttention",
        "DynamicQuantizeLSTM",
    ]
)
"""Operators that only a quantized graph has."""
ALIGNMENT = 4_096
FIRST_OPSET = 13
"""DequantizeLinear has an axis from here on."""
USUAL_OPSET = 17


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """Where to find things in a graph; stale as soon as the graph changes.

    Attributes:
        weights: Initializers by name.
        producer: The node that makes a tensor.
        consumers: The nodes that read a tensor, themselves or in a graph inside them.
    """

    weights: dict[str, onnx.TensorProto]
    producer: dict[str, onnx.NodeProto]
    consumers: dict[str, list[onnx.NodeProto]]

    def array(self, name: str) -> NDArray[Any]:
        """Return the initializer of that name."""
        return numpy_helper.to_array(self.weights[name])


def index_of(graph: onnx.ModelProto) -> Index:
    """Return the index of a graph as it is now."""
    consumers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
    producer: dict[str, onnx.NodeProto] = {}
    for node in graph.graph.node:
        for name in dict.fromkeys(names_read(node)):
            consumers[name].append(node)
        producer.update(dict.fromkeys(node.output, node))
    weights = {tensor.name: tensor for tensor in graph.graph.initializer}
    return Index(weights=weights, producer=producer, consumers=dict(consumers))


def read_graph(path: Path) -> onnx.ModelProto:
    """Return the graph in a file with all weights in memory, in the shape the recipes expect.

    An opset below 13 becomes 17, Constant nodes become initializers, sparse ones dense, constant
    transposes are carried out, a Gemm with a constant matrix becomes MatMul and Add, and every node
    has a name of its own.

    Raises:
        ModelError: The file is not ONNX, its weights are missing, it is quantized already, or of
            an old opset that cannot be converted.
    """
    try:
        graph = onnx.load(path)
    except (onnx.checker.ValidationError, OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0][:200]
        if "symbolic link" in str(error):
            reason = (
                "its weights are links, as in the hub's cache, which onnx does not follow; "
                "fetch real files: hf download ORG/NAME --local-dir FOLDER"
            )
        raise ModelError(f"{path} cannot be read as an ONNX graph: {reason}") from error
    _refuse_quantized(graph, path)
    _make_dense(graph)
    graph = _of_usual_opset(graph, path)
    _lift_constants(graph)
    _fold_transposes(graph)
    _split_gemms(graph)
    _name_nodes(graph)
    drop_unused(graph)
    return graph


def write_graph(graph: onnx.ModelProto, path: Path) -> Path:
    """Return `path` after writing the graph there whole or not at all.

    Weights of more than 1.9 GB go to `NAME.onnx.data` beside it.
    """
    large = sum(tensor.ByteSize() for tensor in graph.graph.initializer) > INLINE_LIMIT_BYTES
    with whole_files(path) as part:
        if large:
            beside = part.with_name(f"{path.name}.data")
            graph = _with_weights_in(beside, graph)
        onnx.save(graph, part)
    return path


def copied(graph: onnx.ModelProto, without: frozenset[str] = frozenset()) -> onnx.ModelProto:
    """Return a copy that may be changed freely, without the weights of those names."""
    twin = _shell(graph)
    for tensor in graph.graph.initializer:
        if tensor.name not in without:
            twin.graph.initializer.add().CopyFrom(tensor)
    return twin


def _shell(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy of everything but the weights, which are nearly all of it."""
    twin = onnx.ModelProto(ir_version=graph.ir_version, producer_name=graph.producer_name)
    twin.opset_import.extend(graph.opset_import)
    twin.metadata_props.extend(graph.metadata_props)
    twin.functions.extend(graph.functions)
    twin.graph.name = graph.graph.name
    twin.graph.node.extend(graph.graph.node)
    twin.graph.input.extend(graph.graph.input)
    twin.graph.output.extend(graph.graph.output)
    return twin


def _with_weights_in(beside: Path, graph: onnx.ModelProto) -> onnx.ModelProto:
    """Return a graph whose larger weights are in a file, never holding them twice in memory."""
    twin = _shell(graph)
    with beside.open("wb") as file:
        for tensor in graph.graph.initializer:
            stub = twin.graph.initializer.add()
            if tensor.ByteSize() < SMALLEST_OUTSIDE_BYTES:
                stub.CopyFrom(tensor)
                continue
            file.write(bytes(-file.tell() % ALIGNMENT))
            stub.name, stub.data_type = tensor.name, tensor.data_type
            stub.dims.extend(tensor.dims)
            stub.data_location = onnx.TensorProto.EXTERNAL
            start = file.tell()
            size = file.write(tensor.raw_data or numpy_helper.to_array(tensor).tobytes())
            said = {"location": beside.name, "offset": str(start), "length": str(size)}
            for key, value in said.items():
                stub.external_data.add(key=key, value=value)
    return twin


def made_name(of: str, what: str) -> str:
    """Return the name of something that a recipe adds to a graph.

    No exporter begins a name so, and `what` has no slash: two names are the same only if both
    parts are. A model may well have a node `fc` and a tensor `fc_scale` of its own.

    Examples:
        >>> made_name("fc", "scale")
        'serval/fc/scale'
    """
    return f"serval/{of}/{what}"


def add_tensor(graph: onnx.ModelProto, name: str, array: NDArray[Any]) -> str:
    """Return `name` after adding, or replacing, an initializer of that name."""
    tensor = numpy_helper.from_array(np.asarray(array, order="C"), name)
    for known in graph.graph.initializer:
        if known.name == name:
            known.CopyFrom(tensor)
            return name
    graph.graph.initializer.append(tensor)
    return name


def drop_unused(graph: onnx.ModelProto) -> None:
    """Remove initializers that nothing reads, and what the file says of tensors' types."""
    read = {name for node in graph.graph.node for name in names_read(node)}
    read |= {output.name for output in graph.graph.output}
    kept = [tensor for tensor in graph.graph.initializer if tensor.name in read]
    del graph.graph.initializer[:]
    graph.graph.initializer.extend(kept)
    names = {tensor.name for tensor in kept}
    inputs = [value for value in graph.graph.input if value.name not in names]
    del graph.graph.input[:]
    graph.graph.input.extend(inputs)
    del graph.graph.value_info[:]


def _refuse_quantized(graph: onnx.ModelProto, path: Path) -> None:
    census = Counter(node.op_type for node in graph.graph.node)
    found = [f"{n} {op}" for op, n in census.most_common() if op in QUANTIZED_OPS]
    if found:
        raise ModelError(
            f"{path} is quantized already ({', '.join(found[:3])}); give the FP32 file"
        )
    halves = Counter(tensor.data_type for tensor in graph.graph.initializer)
    if halves[onnx.TensorProto.FLOAT16] > halves[onnx.TensorProto.FLOAT]:
        raise ModelError(f"{path} has its weights in FP16; give the FP32 file")


def _of_usual_opset(graph: onnx.ModelProto, path: Path) -> onnx.ModelProto:
    opset = opset_of(graph, 1)
    if opset >= FIRST_OPSET:
        return graph
    try:
        converted = version_converter.convert_version(graph, USUAL_OPSET)
    except (RuntimeError, ValueError) as error:  # also what protobuf cannot hold: 2 GiB
        raise ModelError(
            f"{path} is of opset {opset}, quantizing needs {FIRST_OPSET}, and onnx cannot convert "
            f"it ({str(error).strip().splitlines()[0][:100]}); export it with opset {USUAL_OPSET}"
        ) from error
    del converted.metadata_props[:]
    converted.metadata_props.extend(graph.metadata_props)
    return converted


def replace_nodes(graph: onnx.ModelProto, nodes: list[onnx.NodeProto]) -> None:
    """Give the graph these nodes instead of its own."""
    del graph.graph.node[:]
    graph.graph.node.extend(nodes)


def _make_dense(graph: onnx.ModelProto) -> None:
    """Write out each sparse initializer: its few values, and zeros between them."""
    for sparse in graph.graph.sparse_initializer:
        values = numpy_helper.to_array(sparse.values)
        places = numpy_helper.to_array(sparse.indices)
        dense = np.zeros(list(sparse.dims), dtype=values.dtype)
        # One index into the flattened tensor, or one for each axis.
        dense[np.unravel_index(places, dense.shape) if places.ndim == 1 else tuple(places.T)] = (
            values
        )
        graph.graph.initializer.append(numpy_helper.from_array(dense, sparse.values.name))
    del graph.graph.sparse_initializer[:]


def _lift_constants(graph: onnx.ModelProto) -> None:
    kept = []
    for node in graph.graph.node:
        value = next((a for a in node.attribute if a.name == "value"), None)
        if node.op_type == "Constant" and value is not None:
            add = graph.graph.initializer.add()
            add.CopyFrom(value.t)
            add.name = node.output[0]
        else:
            kept.append(node)
    replace_nodes(graph, kept)


def _fold_transposes(graph: onnx.ModelProto) -> None:
    """Carry out each Transpose of a matrix of weights, as its `perm` says; by default reversed."""
    weights = index_of(graph).weights
    kept = []
    for node in graph.graph.node:
        matrix = weights.get(node.input[0]) if node.op_type == "Transpose" else None
        if matrix is None or len(matrix.dims) != 2:
            kept.append(node)
        else:
            perm = next((list(a.ints) for a in node.attribute if a.name == "perm"), None)
            turned = np.ascontiguousarray(numpy_helper.to_array(matrix).transpose(perm))
            graph.graph.initializer.append(numpy_helper.from_array(turned, node.output[0]))
    replace_nodes(graph, kept)


def _split_gemms(graph: onnx.ModelProto) -> None:
    """Turn each plain Gemm with constant weights into MatMul and Add: one kind of layer less."""
    weights = index_of(graph).weights
    nodes: list[onnx.NodeProto] = []
    for node in graph.graph.node:
        if _is_plain_gemm(node, weights):
            nodes.extend(_matmul_and_add(graph, node, weights[node.input[1]]))
        else:
            nodes.append(node)
    replace_nodes(graph, nodes)


def _is_plain_gemm(node: onnx.NodeProto, weights: dict[str, onnx.TensorProto]) -> bool:
    if node.op_type != "Gemm" or node.input[1] not in weights:
        return False
    said = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    plain = said.get("alpha", 1.0) == said.get("beta", 1.0) == 1.0
    return plain and not said.get("transA", 0)


def _matmul_and_add(
    graph: onnx.ModelProto, node: onnx.NodeProto, tensor: onnx.TensorProto
) -> list[onnx.NodeProto]:
    turned = any(a.name == "transB" and a.i for a in node.attribute)
    matrix, output = node.input[1], node.output[0]
    if turned:
        array = np.ascontiguousarray(numpy_helper.to_array(tensor).T)
        matrix = add_tensor(graph, made_name(matrix, "turned"), array)
    biased = len(node.input) > 2 and bool(node.input[2])
    product = made_name(output, "product") if biased else output
    name = node.name or output
    nodes = [helper.make_node("MatMul", [node.input[0], matrix], [product], name=f"{name}/MatMul")]
    if biased:
        nodes.append(
            helper.make_node("Add", [product, node.input[2]], [output], name=f"{name}/Add")
        )
    return nodes


def _name_nodes(graph: onnx.ModelProto) -> None:
    seen: Counter[str] = Counter()
    for node in graph.graph.node:
        name = node.name or f"{node.op_type}:{node.output[0]}"
        seen[name] += 1
        node.name = name if seen[name] == 1 else f"{name}#{seen[name]}"
