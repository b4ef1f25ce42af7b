"""Which changes of a static file's graph, or of its session, make it faster on this machine.

Each is made in the graph as ONNX Runtime rewrites it, opened again, and timed in turn with that
graph left alone: one thread, all in every round, by the processor time of this process. Some
changes have no right scales, because the speed does not depend on them: `answers` is then "-".

    python benchmarks/fusions.py STATIC.onnx [--only NAME ...] [--rounds 15] [--seconds 3.7]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper

from serval.bench.bench import disclosure, load_average
from serval.bench.rounds import Effort, interleaved, ratio_of
from serval.bench.subjects import noise
from serval.models.onnx import OnnxModel, load_onnx, open_session
from serval.models.profile import ran_nodes
from serval.models.protocol import logits_alone
from serval.quantize.graph import (
    Index,
    add_tensor,
    copied,
    drop_unused,
    index_of,
    replace_nodes,
    write_graph,
)
from serval.quantize.pooling import means_as_products

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

MICROSOFT = "com.microsoft"
PRODUCT = "MatMulIntegerToFloat"
"""What ONNX Runtime makes of a linear layer: A, B, scales of both, zero points of both, bias."""
BIAS = 6
SPEED_ONLY = "-"
OWN = "as it is"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A graph that is being changed: what takes the place of a node, by its first output."""

    graph: onnx.ModelProto
    index: Index
    heads: int
    places: dict[str, list[onnx.NodeProto]] = field(default_factory=dict)

    def nodes(self, *kinds: str) -> Iterator[onnx.NodeProto]:
        """Yield the nodes of some operators."""
        return (node for node in self.graph.graph.node if node.op_type in kinds)

    def made_by(self, tensor: str) -> onnx.NodeProto:
        """Return the node that makes a tensor; an empty one for inputs and constants."""
        return self.index.producer.get(tensor, onnx.NodeProto())

    def readers(self, tensor: str) -> list[onnx.NodeProto]:
        """Return the nodes that read a tensor."""
        return self.index.consumers.get(tensor, [])

    def constant(self, name: str, values: object) -> str:
        """Return the name of a constant that was added."""
        return add_tensor(self.graph, f"fusions/{name}", np.asarray(values))

    def put(self, node: onnx.NodeProto, *instead: onnx.NodeProto) -> None:
        """Put nodes in the place of one."""
        self.places[node.output[0]] = list(instead)

    def finished(self) -> int:
        """Return how many nodes were replaced, with the graph changed."""
        nodes = list(self.graph.graph.node)
        replace_nodes(
            self.graph, [n for old in nodes for n in self.places.get(old.output[0], [old])]
        )
        _drop_unread(self.graph)
        drop_unused(self.graph)
        return len(self.places)


def _drop_unread(graph: onnx.ModelProto) -> None:
    """Remove nodes that nothing reads, as those before a part that was replaced."""
    wanted = {output.name for output in graph.graph.output}
    kept = []
    for node in reversed(graph.graph.node):
        if wanted & set(node.output):
            kept.append(node)
            wanted |= set(node.input)
    replace_nodes(graph, kept[::-1])


def _bias_with_gelu(edit: Edit) -> None:
    for node in edit.nodes("Gelu"):
        before = edit.made_by(node.input[0])
        if before.op_type == PRODUCT and len(before.input) > BIAS:
            inputs = [node.input[0], before.input.pop(BIAS)]
            edit.put(node, _microsoft("BiasGelu", inputs, node.output))


def _gelu_by_tanh(edit: Edit) -> None:
    for node in edit.nodes("Gelu"):
        edit.put(node, _microsoft("FastGelu", node.input, node.output))


def _sum_with_normalisation(edit: Edit) -> None:
    for node in edit.nodes("LayerNormalization"):
        add = edit.made_by(node.input[0])
        if add.op_type != "Add" or any(name in edit.index.weights for name in add.input):
            continue
        inputs = [*add.input, *node.input[1:]]
        outputs = [node.output[0], "", "", add.output[0]]
        said = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        epsilon = said.get("epsilon", 1e-5)
        edit.put(add, _microsoft("SkipLayerNormalization", inputs, outputs, epsilon=epsilon))
        edit.put(node)


def _query_key_value(edit: Edit) -> None:
    groups = defaultdict(list)
    for node in edit.nodes(PRODUCT):
        if node.input[1] in edit.index.weights and len(node.input) > BIAS:
            groups[node.input[0], node.input[4]].append(node)
    for same in groups.values():
        if len(same) > 1:
            _joined(edit, same)


def _joined(edit: Edit, layers: list[onnx.NodeProto]) -> None:
    """Put one product in the place of those that read the same tensor, and a Split behind."""
    first, name = layers[0], layers[0].output[0]
    columns = [edit.index.array(node.input[3]).size for node in layers]
    joined = {
        place: edit.constant(
            f"{name}/{place}",
            np.concatenate([edit.index.array(node.input[place]) for node in layers], axis=-1),
        )
        for place in (1, 3, BIAS)
    }
    whole = f"fusions/{name}/joined"
    product = onnx.NodeProto()
    product.CopyFrom(first)
    for place, constant in joined.items():
        product.input[place] = constant
    if product.input[5]:
        product.input[5] = edit.constant(f"{name}/zeros", np.zeros(sum(columns), np.int8))
    product.output[0] = whole
    sizes = edit.constant(f"{name}/sizes", np.array(columns))
    outputs = [node.output[0] for node in layers]
    edit.put(first, product, helper.make_node("Split", [whole, sizes], outputs, axis=-1))
    for node in layers[1:]:
        edit.put(node)


def _is_smoothing(node: onnx.NodeProto) -> bool:
    return node.op_type == "Mul" and node.name.endswith(("/smoothed", "/smoothed_channels"))


def _smoothing_left_out(edit: Edit) -> None:
    for node in edit.nodes("Mul"):
        if _is_smoothing(node):
            for reader in edit.readers(node.output[0]):
                reader.input[0] = node.input[0]
            edit.put(node)


def _smoothing_in_rounding(edit: Edit) -> None:
    for node in edit.nodes("QuantizeLinear"):
        before = edit.made_by(node.input[0])
        if not _is_smoothing(before):
            continue
        factors = edit.index.array(before.input[1]).ravel()
        axis = 1 if before.name.endswith("channels") else -1
        _round_by_channel(edit, node, (before.input[0], node), factors, axis)


def _division_in_rounding(edit: Edit) -> None:
    for node in edit.nodes("Div"):
        before = edit.made_by(node.input[0])
        if before.op_type != "DequantizeLinear" or node.input[1] not in edit.index.weights:
            continue
        shares = edit.index.array(node.input[1]).ravel()
        _round_by_channel(edit, node, (before.input[0], before), shares, 1)


def _round_by_channel(
    edit: Edit,
    node: onnx.NodeProto,
    of: tuple[str, onnx.NodeProto],
    factors: NDArray[np.float32],
    axis: int,
) -> None:
    """Put what rounds, or undoes it, in the place of a node: its scale by a factor a channel."""
    source, rounding = of
    step, zero = (edit.index.array(name) for name in rounding.input[1:3])
    named = node.output[0]
    inputs = [
        source,
        edit.constant(f"{named}/steps", (step / factors).astype(np.float32)),
        edit.constant(f"{named}/zeros", np.full(len(factors), zero, zero.dtype)),
    ]
    edit.put(node, helper.make_node(rounding.op_type, inputs, node.output, axis=axis))


def _inner_products(edit: Edit) -> Iterator[onnx.NodeProto]:
    """Yield the products of two computed factors, the two of each attention."""
    for node in edit.nodes("MatMul", "FusedMatMul"):
        if not any(name in edit.index.weights for name in node.input):
            yield node


def _attention_in_integers(edit: Edit) -> None:
    for node in list(_inner_products(edit)):
        said = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        step = edit.constant("step", np.float32(1 / 16))
        scaled = edit.constant("scaled_step", np.float32(said.get("alpha", 1.0) / 16))
        middle = edit.constant("middle", np.uint8(128))
        left, right = (f"{node.output[0]}/{side}" for side in ("left", "right"))
        nodes = [
            helper.make_node("QuantizeLinear", [source, step, middle], [target])
            for source, target in zip(node.input, (left, right), strict=True)
        ]
        if said.get("transB"):
            nodes.append(
                helper.make_node("Transpose", [right], [f"{right}/turned"], perm=[0, 1, 3, 2])
            )
            right = f"{right}/turned"
        inputs = [left, right, scaled, step, middle, middle]
        edit.put(node, *nodes, _microsoft(PRODUCT, inputs, node.output))


def _one_attention(edit: Edit) -> None:
    for softmax in list(edit.nodes("Softmax")):
        scores, bias = edit.made_by(softmax.input[0]), ""
        if scores.op_type == "Add":
            scores, bias = edit.made_by(scores.input[0]), scores.input[1]
        [values] = edit.readers(softmax.output[0])
        [turned] = edit.readers(values.output[0])
        [end] = edit.readers(turned.output[0])
        said = {a.name: helper.get_attribute_value(a) for a in scores.attribute}
        nodes: list[onnx.NodeProto] = []
        factors = [
            _before_heads(edit, tensor, nodes) for tensor in (*scores.input, values.input[1])
        ]
        attention = _microsoft(
            "MultiHeadAttention",
            [*factors, *(["", "", bias] if bias else [])],
            end.output,
            num_heads=edit.heads,
            scale=said.get("alpha", 1.0),
        )
        edit.put(end, *nodes, attention)


def _before_heads(edit: Edit, tensor: str, nodes: list[onnx.NodeProto]) -> str:
    """Return the (1, T, C) tensor that a factor of an attention comes from; may add a Split."""
    part = None
    while (node := edit.made_by(tensor)).op_type in {"Transpose", "Squeeze", "Reshape", "Split"}:
        if node.op_type == "Split":
            part = list(node.output).index(tensor)
        tensor = node.input[0]
    if part is None:
        return tensor
    parts = [f"fusions/{tensor}/{i}" for i in range(3)]
    if not any(known.output[0] == parts[0] for known in nodes):
        columns = edit.index.array(edit.made_by(tensor).input[3]).size
        sizes = edit.constant(f"{tensor}/sizes", np.full(3, columns // 3))
        nodes.append(helper.make_node("Split", [tensor, sizes], parts, axis=-1))
    return parts[part]


def _means_as_products(edit: Edit) -> None:
    means = [node.output[0] for node in edit.nodes("ReduceMean")]
    means_as_products(edit.graph)
    left = {node.output[0] for node in edit.nodes("ReduceMean")}
    kept = {node.output[0]: node for node in edit.graph.graph.node}
    edit.places.update({name: [kept[name]] for name in means if name not in left})


def _microsoft(operator: str, inputs: object, outputs: object, **said: object) -> onnx.NodeProto:
    node = helper.make_node(operator, list(inputs), list(outputs), domain=MICROSOFT, **said)
    node.name = f"fusions/{next(filter(None, node.output))}"
    return node


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change: of the graph, before or after it is rewritten, or an entry of the session."""

    graph: Callable[[Edit], None] | None = None
    entry: tuple[str, str] | None = None
    before: bool = False
    speed_only: bool = False


CHANGES = {
    "bias in GELU, not in the product before": Change(graph=_bias_with_gelu),
    "GELU by tanh": Change(graph=_gelu_by_tanh),
    "sum and layer normalisation as one": Change(graph=_sum_with_normalisation),
    "query, key and value as one product": Change(graph=_query_key_value),
    "smoothing's multiplications left out": Change(graph=_smoothing_left_out, speed_only=True),
    "smoothing in the scales of rounding": Change(graph=_smoothing_in_rounding),
    "equalization in the scales of rounding back": Change(graph=_division_in_rounding),
    "attention products in integers": Change(graph=_attention_in_integers, speed_only=True),
    "attention as one operator": Change(graph=_one_attention),
    "means over time as products": Change(graph=_means_as_products, before=True),
    "denormals as zero": Change(entry=("session.set_denormal_as_zero", "1")),
    "x64quantprecision": Change(entry=("session.x64quantprecision", "1")),
    "qdqisint8allowed": Change(entry=("session.qdqisint8allowed", "1")),
    "constants not folded through rounding": Change(
        entry=("session.disable_qdq_constant_folding", "1")
    ),
}


def opened(model: OnnxModel, path: Path, entry: tuple[str, str] | None = None) -> OnnxModel:
    """Return the model with another file in its session."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    if entry:
        options.add_session_config_entry(*entry)
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return replace(model, backend=replace(model.backend, session=session))


def candidates(
    model: OnnxModel, seconds: float, folder: Path, only: list[str]
) -> Iterator[tuple[str, int, OnnxModel]]:
    """Yield the name of each change, how many nodes it replaced, and the model with it."""
    base = folder / "rewritten.onnx"
    open_session(model.path, rewritten=base)
    yield OWN, 0, opened(model, base)
    yield "the file before it was rewritten", 0, opened(model, model.path)
    graph = onnx.load(base)
    softmaxes = [node for node in ran_nodes(model, seconds) if node.op == "Softmax"]
    heads = softmaxes[0].inputs[0].shape[1] if softmaxes else 0
    for name in only:
        change, path, places = CHANGES[name], base, 0
        if change.graph:
            twin = onnx.load(model.path) if change.before else copied(graph)
            edit = Edit(graph=twin, index=index_of(twin), heads=heads)
            change.graph(edit)
            places = edit.finished()
            path = write_graph(twin, folder / "changed.onnx")
        if change.entry or places:
            try:
                yield name, places, opened(model, path, change.entry)
            except Exception as error:  # noqa: BLE001 - whatever ONNX Runtime says is the result
                print(f"{name}: does not open: {str(error)[:200]}")


def main() -> None:
    """Print one line for each change."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--only", nargs="+", default=list(CHANGES), choices=list(CHANGES))
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=3.7)
    given = parser.parse_args()
    model = load_onnx(given.model)
    clip = noise(given.seconds, model.sample_rate)
    with tempfile.TemporaryDirectory() as folder:
        made = list(candidates(model, given.seconds, Path(folder), given.only))
    works = {name: partial(logits_alone, one, clip) for name, _, one in made}
    effort = Effort(warm_up=2, fewest=given.rounds, most=given.rounds)
    times = interleaved(works, effort, time.process_time)
    logits = {name: one.logits(clip[np.newaxis], np.array([len(clip)])) for name, _, one in made}
    for name, places, _ in made:
        ratio = ratio_of(name, OWN, times)
        moved = np.abs(logits[name] - logits[OWN]).max()
        speed_only = name in CHANGES and CHANGES[name].speed_only
        print(
            f"{name:45} {places:4} places  {1000 * times[name].min():8.2f} ms  "
            f"{ratio.median:.3f}x ({ratio.low:.3f}-{ratio.high:.3f})  "
            f"{'told apart' if ratio.told_apart else 'not told apart':14}  "
            f"answers {SPEED_ONLY if speed_only else f'{moved:.1e}'}"
        )
    told = disclosure({}, ())
    print(f"{told['processor']}, {' '.join(told['instruction_sets'])}; load {load_average()}")


if __name__ == "__main__":
    main()
