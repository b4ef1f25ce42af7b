"""Which inner tensors of an ONNX graph are hidden states: told by its residual connections.

A transformer block adds what its attention makes to what went into it. What goes into the first
such addition is level 0, what goes into the next is the output of the first block, and so on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from serval.errors import ModelError
from serval.wording import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import onnx

ALL, LAST, POOLED, WEIGHTED = "all", "last", "pooled", "weighted"
ATTENTION = frozenset(("Softmax", "Attention", "MultiHeadAttention", "GroupQueryAttention"))
LINEAR = frozenset(("Gemm", "MatMul"))
NORMS = frozenset(("LayerNormalization", "SkipLayerNormalization", "RMSNormalization"))
SHOWN = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A hidden level.

    Attributes:
        name: As people call it: `3`, `pooled`, or the name of the tensor.
        tensor: In the graph.
    """

    name: str
    tensor: str


@dataclass(slots=True)
class _Flow:
    """What depends on the waveform, and on what else; shapes do not count.

    Attributes:
        nodes: Of the main graph, in the order in which they run.
        before: Tensor -> the numbers of all nodes that it depends on, as bits.
        maker: Tensor -> the number of the node that makes it.
    """

    nodes: Sequence[onnx.NodeProto]
    before: dict[str, int] = field(default_factory=dict)
    maker: dict[str, int] = field(default_factory=dict)

    def add(self, number: int, node: onnx.NodeProto) -> None:
        """Note what a node makes, if any of it depends on the waveform."""
        parents = [self.before[name] for name in node.input if name in self.before]
        if not parents or node.op_type == "Shape":
            return
        union = 1 << number
        for parent in parents:
            union |= parent
        self.before |= dict.fromkeys(node.output, union)
        self.maker |= dict.fromkeys(node.output, number)

    def kind(self, tensor: str) -> str:
        """Return the operator that makes a tensor."""
        return self.nodes[self.maker[tensor]].op_type if tensor in self.maker else ""

    def depends(self, tensor: str, on: str) -> bool:
        """Tell whether a tensor depends on another."""
        return on in self.maker and bool(self.before[tensor] >> self.maker[on] & 1)

    def kinds_between(self, start: str, end: str) -> set[str]:
        """Return the operators from one tensor to another."""
        between = self.before[end] & ~self.before[start]
        return {node.op_type for i, node in enumerate(self.nodes) if between >> i & 1}


@dataclass(frozen=True, slots=True)
class _Residual:
    """An addition of a tensor and of what was made of it."""

    skip: str
    branch: str
    output: str


def wanted_levels(graph: onnx.GraphProto, waveform: str, asked: str) -> tuple[Wanted, ...]:
    """Return the levels that are asked for.

    Args:
        graph: Of the encoder.
        waveform: The name of its input.
        asked: `all`, `weighted` (all but `pooled`), `last`, `pooled`, a number, or the name of a
            tensor.
    """
    flow = _flow_of(graph, waveform)
    levels = dict(_named_levels(graph, flow))
    numbered = {name: tensor for name, tensor in levels.items() if name != POOLED}
    if asked == WEIGHTED and len(numbered) > 1:
        return tuple(Wanted(name=name, tensor=tensor) for name, tensor in numbered.items())
    if asked == ALL and levels:
        return tuple(Wanted(name=name, tensor=tensor) for name, tensor in levels.items())
    if asked == LAST and numbered:
        asked = [*numbered][-1]
    if asked in levels:
        return (Wanted(name=asked, tensor=levels[asked]),)
    if asked in flow.maker:
        return (Wanted(name=asked, tensor=asked),)
    raise ModelError(_no_layer(asked, levels, flow))


def _named_outputs(graph: onnx.GraphProto) -> list[str]:
    """Return the outputs of a graph that are hidden states by their name, in order."""
    names = [output.name for output in graph.output]
    return [name for name in names if "hidden_state" in name.lower()]


def _flow_of(graph: onnx.GraphProto, waveform: str) -> _Flow:
    flow = _Flow(list(graph.node))
    flow.before[waveform] = 0
    for number, node in enumerate(flow.nodes):
        flow.add(number, node)
    return flow


def _named_levels(graph: onnx.GraphProto, flow: _Flow) -> Iterable[tuple[str, str]]:
    outputs = _named_outputs(graph)
    tensors = outputs if len(outputs) > 1 else _levels(flow) or outputs
    yield from ((str(number), tensor) for number, tensor in enumerate(tensors))
    pooled = _before_head(graph, flow)
    if pooled is not None:
        yield POOLED, pooled


def _levels(flow: _Flow) -> list[str]:
    """Return what goes into each block, and what comes out of the last one."""
    residuals = list(_residuals(flow))
    attended = [one for one in residuals if ATTENTION & flow.kinds_between(one.skip, one.branch)]
    if not attended:
        return []
    return [*(one.skip for one in attended), _end(attended[-1], residuals, flow)]


def _residuals(flow: _Flow) -> Iterable[_Residual]:
    for node in flow.nodes:
        if node.op_type != "Add" or not all(name in flow.before for name in node.input):
            continue
        for skip, branch in (node.input, (node.input[1], node.input[0])):
            if flow.depends(branch, skip):
                yield _Residual(skip, branch, node.output[0])


def _end(last: _Residual, residuals: Sequence[_Residual], flow: _Flow) -> str:
    """Return what comes out of the block whose attention is added last."""
    at, normed = last.output, flow.kind(last.skip) in NORMS
    while True:
        ahead = _normed(at, flow)
        follows = [one for one in residuals if one.skip in {at, *ahead}]
        if not follows:
            break
        normed = follows[0].skip != at
        at = follows[0].output
    return ahead[0] if normed and ahead else at


def _normed(tensor: str, flow: _Flow) -> list[str]:
    """Return the layer norms of a tensor."""
    return [
        node.output[0] for node in flow.nodes if node.op_type in NORMS and node.input[0] == tensor
    ]


def _before_head(graph: onnx.GraphProto, flow: _Flow) -> str | None:
    """Return what goes into the last linear layer before the first output, if it is so made."""
    at = next((output.name for output in graph.output if output.name in flow.maker), "")
    while at in flow.maker:
        node = flow.nodes[flow.maker[at]]
        own = [name for name in node.input if name in flow.before]
        if node.op_type in LINEAR:
            return own[0] if len(own) == 1 else None
        if len(own) != 1:
            return None
        at = own[0]
    return None


def _no_layer(asked: str, levels: Mapping[str, str], flow: _Flow) -> str:
    if levels:
        known = ", ".join(f"{name} ({printable(tensor)[:40]})" for name, tensor in levels.items())
        return f"the encoder has no --layer {printable(asked)[:60]}; it has: {known}"
    tensors = [printable(name)[:40] for name in reversed(flow.maker)][:SHOWN]
    return (
        f"no transformer block was found for --layer {printable(asked)[:60]}; name a tensor: "
        f"{', '.join(tensors)}, ..."
    )
