"""What the graph in an .onnx file shows without a session, and without reading its weights."""

from __future__ import annotations

import mmap
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

from google.protobuf.message import Message

from serval.errors import ModelError
from serval.wording import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import onnx

LONGEST_FIELD = 4096
"""Bytes of a field that is kept: weights are longer, names and numbers are not."""

DEEPEST = 64
"""Graphs within graphs; protobuf itself reads no more than 100 messages within messages."""

MODEL, GRAPH, NODE, ATTRIBUTE, TENSOR, FUNCTION = range(6)
WITHIN = {
    MODEL: {7: GRAPH, 25: FUNCTION},
    GRAPH: {1: NODE, 5: TENSOR},
    NODE: {5: ATTRIBUTE},
    ATTRIBUTE: {5: TENSOR, 6: GRAPH, 10: TENSOR, 11: GRAPH},
    TENSOR: {},
    FUNCTION: {7: NODE},
}
"""Number of a field -> what it holds, for each message of ONNX that can hold weights."""

RANDOM = frozenset(
    ("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform",
     "RandomUniformLike")
)  # fmt: skip
ACTIVATIONS = {
    "HardSigmoid": "sigmoid",
    "LogSoftmax": "log-softmax",
    "QLinearSigmoid": "sigmoid",
    "QLinearSoftmax": "softmax",
    "Sigmoid": "sigmoid",
    "Softmax": "softmax",
}
LINEAR = frozenset(
    ("DynamicQuantizeMatMul", "FusedMatMul", "Gemm", "MatMul", "MatMulInteger",
     "MatMulIntegerToFloat", "MatMulNBits", "QGemm", "QLinearMatMul")
)  # fmt: skip
SCALED = frozenset(("Add", "Cast", "Mul"))
"""Operators that follow the product of a layer: its bias, and in integers its scales."""
PASSED = frozenset(
    ("Cast", "Clip", "Concat", "DequantizeLinear", "Dropout", "Flatten", "Gather", "Identity",
     "QuantizeLinear", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze")
)  # fmt: skip
"""Operators that give back the numbers that they are given, in another form."""

Skeleton = bytes
"""An .onnx file without its long fields, as it would be stored; empty for a damaged file."""

STANDARD = frozenset(("", "ai.onnx"))
"""How a file may call the domain of ONNX's own operators."""

INLINE_LIMIT_BYTES = 1_900_000_000
"""Weights of more than this go beside a file: protobuf holds 2 GiB."""


def read_skeleton(path: Path) -> Skeleton:
    """Return the file without its weights: some kB of a model of gigabytes."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
        try:
            return _without_long_fields(whole, (0, len(whole)), MODEL, 0)
        except (ValueError, IndexError):
            return b""


def external_names(skeleton: Skeleton, path: Path) -> list[str]:
    """Return the names of the files beside the model that hold weights of its graph, sorted.

    Raises:
        ModelError: One of them would not lie beside the model, or is no regular file.
    """
    if b"location" not in skeleton:
        return []
    model = parsed(skeleton)
    tensors = tensors_of(model.graph) if model else ()
    names = sorted({e.value for t in tensors for e in t.external_data if e.key == "location"})
    for name in names:
        if not _is_beside(name):
            raise ModelError(
                f"{path} says that its weights are in '{printable(name)[:100]}', outside of its "
                "own folder; put the two files beside each other and save the model again"
            )
        beside = path.parent / name
        if beside.exists() and not beside.is_file():
            raise ModelError(
                f"{path} says that its weights are in '{printable(name)[:100]}', which is no "
                "regular file; copy both files again"
            )
    return names


def random_nodes(skeleton: Skeleton) -> list[onnx.NodeProto]:
    """Return the nodes whose answer may change from run to run, those of inner graphs included."""
    kinds = (b"Dropout", b"Random", b"Bernoulli", b"Multinomial")
    model = parsed(skeleton) if any(kind in skeleton for kind in kinds) else None
    return [node for node in _all_nodes(model) if _may_be_random(node)] if model else []


def active_dropouts(skeleton: Skeleton) -> list[onnx.NodeProto]:
    """Return the Dropout nodes of the main graph that are in training mode whatever goes in."""
    model = parsed(skeleton) if b"Dropout" in skeleton else None
    if model is None:
        return []
    constants = _constants(model.graph)
    return [n for n in model.graph.node if n.op_type == "Dropout" and _is_active(n, constants)]


def activation_of(skeleton: Skeleton, output: str) -> str | None:
    """Return what makes an output: an activation, or `linear`, or `None` for something else.

    Activations are `softmax`, `log-softmax` and `sigmoid`.
    """
    model = parsed(skeleton)
    if model is None:
        return None
    functions = {(f.domain, f.name): f for f in model.functions}
    return _activation(list(model.graph.node), output, functions, 0)


def node_name(node: onnx.NodeProto) -> str:
    """Return a node as people find it: operator, and its own name or that of its output."""
    own = f"'{node.name}'" if node.name else f"that makes '{next(iter(node.output), '')}'"
    return printable(f"{node.op_type} {own}")


def stored_nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Yield every node of a graph and of the graphs inside it."""
    return _within(graph.node)


def opset_of(model: onnx.ModelProto, default: int) -> int:
    """Return the version of ONNX's own operators that a model uses, or the default."""
    usual = (known.version for known in model.opset_import if known.domain in STANDARD)
    return max(usual, default=default)


def operator_name(node: onnx.NodeProto) -> str:
    """Return the operator of a node, with its domain where that is not ONNX's own."""
    return node.op_type if node.domain in STANDARD else f"{node.domain}:{node.op_type}"


def names_read(node: onnx.NodeProto) -> Iterator[str]:
    """Yield the tensors that a node reads, and those that the branches of an If or Loop read."""
    yield from node.input
    for inner in _graphs_in(node):
        for child in inner.node:
            yield from names_read(child)
        yield from (output.name for output in inner.output)


def _graphs_in(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    for attribute in node.attribute:
        yield from (attribute.g, *attribute.graphs)


def tensors_of(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """Yield the constant tensors of a graph and of the graphs inside it."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Constant" and attribute.name == "value":
                yield attribute.t
        for inner in _graphs_in(node):
            yield from tensors_of(inner)


def parsed(skeleton: Skeleton) -> onnx.ModelProto | None:
    """Return the graph of a skeleton, or `None` where it cannot be read."""
    import onnx  # only for models that need it: it takes a while to load
    from google.protobuf.message import DecodeError

    try:
        model = onnx.ModelProto.FromString(skeleton) if skeleton else None
    except (DecodeError, UnicodeDecodeError):
        return None
    if model is not None:
        refuse_odd_names(model)
    return model


def refuse_odd_names(message: Message) -> None:
    """Refuse a name in the graph that is not UTF-8: protobuf gives it as bytes, or not at all."""
    for field, value in message.ListFields():
        if field.type not in (field.TYPE_MESSAGE, field.TYPE_STRING):
            continue
        for part in (value,) if isinstance(value, str | bytes | Message) else value:
            if isinstance(part, bytes):
                raise ModelError(
                    "the model file holds a name that is not UTF-8; export or download it again"
                )
            if not isinstance(part, str):
                refuse_odd_names(part)


def _without_long_fields(
    whole: mmap.mmap, span: tuple[int, int], message: int, depth: int
) -> bytes:
    """Return a message of protobuf's wire format with each field that is too long left out."""
    if depth > DEEPEST:
        raise ValueError("graphs within graphs without an end")
    parts: list[bytes] = []
    at, end = span
    while at < end:
        start = at
        key, at = _varint(whole, at)
        if key & 7 != 2:
            at = _after_number(whole, at, key & 7)
            parts.append(whole[start:at])
            continue
        size, content = _varint(whole, at)
        at = content + size
        if at > end:
            raise ValueError("a field is longer than what holds it")
        if size <= LONGEST_FIELD:
            parts.append(whole[start:at])
        elif (inner := WITHIN[message].get(key >> 3)) is not None:
            kept = _without_long_fields(whole, (content, at), inner, depth + 1)
            parts += (_as_varint(key), _as_varint(len(kept)), kept)
    return b"".join(parts)


def _varint(whole: mmap.mmap, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = whole[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number without an end")


def _as_varint(value: int) -> bytes:
    parts = []
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def _after_number(whole: mmap.mmap, at: int, kind: int) -> int:
    if kind == 0:
        return _varint(whole, at)[1]
    if kind not in {1, 5}:
        raise ValueError("not a protobuf of ONNX")
    return at + (8 if kind == 1 else 4)


def _is_beside(name: str) -> bool:
    """Tell whether a name stays in the folder, by the rules of every system."""
    kinds = (PurePosixPath(name), PureWindowsPath(name))
    stays = all(not kind.anchor and ".." not in kind.parts for kind in kinds)
    return bool(name) and stays and "\0" not in name


def _all_nodes(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    yield from stored_nodes(model.graph)
    for function in model.functions:
        yield from _within(function.node)


def _within(nodes: object) -> Iterator[onnx.NodeProto]:
    for node in nodes:  # type: ignore[attr-defined]  # protobuf's own list
        yield node
        for inner in _graphs_in(node):
            yield from _within(inner.node)


def _may_be_random(node: onnx.NodeProto) -> bool:
    # Without a third input a Dropout is out of training mode; ONNX Runtime has further kinds of it.
    return node.op_type in RANDOM or ("Dropout" in node.op_type and len(node.input) > 2)


def _is_active(node: onnx.NodeProto, constants: dict[str, float]) -> bool:
    inputs = [*node.input, "", ""][:3]
    ratio = constants.get(inputs[1], 0.5 if not inputs[1] else 0.0)
    return bool(constants.get(inputs[2], 0.0)) and ratio > 0


def _constants(graph: onnx.GraphProto) -> dict[str, float]:
    """Return the single numbers that the graph stores, by name."""
    from onnx import numpy_helper

    stored = {tensor.name: tensor for tensor in graph.initializer}
    stored |= {
        node.output[0]: attribute.t
        for node in graph.node
        if node.op_type == "Constant"
        for attribute in node.attribute
        if attribute.name == "value"
    }
    small = {name: tensor for name, tensor in stored.items() if list(tensor.dims) in ([], [1])}
    return {
        name: float(numpy_helper.to_array(tensor).reshape(-1)[0])
        for name, tensor in small.items()
        if not tensor.external_data and tensor.data_type in {1, 9, 10, 11}
    }


def _activation(
    nodes: list[onnx.NodeProto],
    output: str,
    functions: dict[tuple[str, str], onnx.FunctionProto],
    depth: int,
) -> str | None:
    """Follow an output back through operators that leave the numbers as they are."""
    made_by = {name: node for node in nodes for name in node.output if name}
    while (node := made_by.pop(output, None)) is not None:
        if node.op_type in ACTIVATIONS:
            return ACTIVATIONS[node.op_type]
        function = functions.get((node.domain, node.op_type))
        if function is not None and depth < DEEPEST:
            inner = function.output[list(node.output).index(output)]
            return _activation(list(function.node), inner, functions, depth + 1)
        if _is_written_out_sigmoid(node, made_by):
            return "sigmoid"
        if _is_linear(node, made_by):
            return "linear"
        if node.op_type not in PASSED or not node.input:
            return None
        output = node.input[0]
    return None


def _is_linear(node: onnx.NodeProto, made_by: dict[str, onnx.NodeProto], most: int = 4) -> bool:
    """Tell whether a node ends a linear layer, which bounds nothing."""
    if node.op_type in LINEAR:
        return True
    below = [made_by[name] for name in node.input if name in made_by]
    followed = bool(most) and node.op_type in SCALED
    return followed and any(_is_linear(one, made_by, most - 1) for one in below)


def _is_written_out_sigmoid(node: onnx.NodeProto, made_by: dict[str, onnx.NodeProto]) -> bool:
    """Tell whether a node is `1 / (1 + exp(-x))`."""
    below = {"Div": 1, "Reciprocal": 0}.get(node.op_type)
    total = made_by.get(node.input[below]) if below is not None else None
    if total is None or total.op_type != "Add":
        return False
    return any(name in made_by and made_by[name].op_type == "Exp" for name in total.input)
