"""What the numbers of a model file mean for its user, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from onnx import TensorProto

from serval.inspection.graph import at
from serval.inspection.work import CONVOLUTIONS, PRODUCTS
from serval.labels import EMOTIONS
from serval.models.graph import active_dropouts, node_name, random_nodes, read_skeleton, tensors_of
from serval.wording import percent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    import onnx

    from serval.inspection.graph import StoredGraph, Weight
    from serval.inspection.phone import Taken
    from serval.inspection.work import Work
    from serval.models.contract import Contract


NAMED = 4
"""Nodes that a sentence names."""

MOBILE_OPSETS = range(12, 16)
MOBILE_PACKAGE = "onnxruntime-mobile (the reduced package; its last release is 1.18)"
_MOBILE = """
    Abs Add And ArgMax ArgMin AveragePool Cast Ceil Clip Concat Constant ConstantOfShape Conv
    ConvTranspose Cos CumSum DepthToSpace DequantizeLinear Div DynamicQuantizeLinear Elu Equal Erf
    Exp Expand Flatten Floor Gather GatherND Gemm GlobalAveragePool Greater GreaterOrEqual
    HardSigmoid Identity If InstanceNormalization LRN LayerNormalization LeakyRelu Less LessOrEqual
    Log LogSoftmax Loop MatMul MatMulInteger Max MaxPool Mean Min Mul Neg NonMaxSuppression NonZero
    Not Or PRelu Pad Pow QLinearConv QLinearMatMul QuantizeLinear Range Reciprocal ReduceMax
    ReduceMean ReduceMin ReduceProd ReduceSum Relu Reshape Resize ReverseSequence Round Scan
    ScatterND Shape Sigmoid Sin Size Slice Softmax SpaceToDepth Split Sqrt Squeeze Sub Sum Tanh
    ThresholdedRelu Tile TopK Transpose Unique Unsqueeze Where
    com.microsoft:DynamicQuantizeMatMul com.microsoft:FusedConv com.microsoft:FusedGemm
    com.microsoft:FusedMatMul com.microsoft:Gelu com.microsoft:MatMulIntegerToFloat
    com.microsoft:QLinearAdd com.microsoft:QLinearAveragePool com.microsoft:QLinearConv
    com.microsoft:QLinearMul com.microsoft:QLinearSigmoid
"""
MOBILE_OPS = frozenset(_MOBILE.split())
"""Operators of the reduced package. Source: ONNX Runtime's list of its operators and types."""

FLOAT_OPS = frozenset(("MatMul", "FusedMatMul", "Gemm", "FusedGemm", "Conv", "FusedConv"))
PASSED = frozenset(("Transpose", "Reshape", "Cast", "Identity", "Unsqueeze", "Squeeze"))
NOTABLE = 0.01
"""Shares below this are not worth a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """One thing to know about a model file.

    Attributes:
        code: A short name that does not change.
        text: One sentence with the fact and, where there is one, the remedy.
    """

    code: str
    text: str


def contract_verdicts(contract: Contract) -> Iterator[Remark]:
    """Yield what the contract means for evaluation."""
    if contract.static_samples:
        seconds = contract.static_samples / contract.sample_rate
        yield Remark(
            code="fixed-length",
            text=f"the input has a fixed length of {seconds:g} s: longer clips are cut, shorter "
            "ones are filled with zeros, which the model hears",
        )
    if not contract.may_pad:
        yield Remark(
            code="no-mask",
            text="no attention mask: a clip must not be padded, so a batch holds clips of one "
            "length only",
        )
    if len(contract.labels) > len(EMOTIONS):
        yield Remark(
            code="many-outputs",
            text=f"{len(contract.labels)} outputs, more than the {len(EMOTIONS)} of the published "
            "label order: chance is lower, and no score compares with one on eight",
        )
    if contract.outputs == "sigmoid":
        yield Remark(
            code="sigmoid",
            text="one independent score for each label: they do not sum to 1, and the confidence "
            "of an answer is the score of its label",
        )
    yield from _unstated(contract)


def _unstated(contract: Contract) -> Iterator[Remark]:
    """Yield what a file does not say, so that a trial or the usual had to."""
    if contract.mask_marks == "padding":
        yield Remark(
            code="padding-mask",
            text="a one in the mask stands for padding, as a trial shows: other tools that feed "
            "ones for sound make the model deaf",
        )
    if contract.sources.get("labels") == "default":
        yield Remark(
            code="no-labels",
            text="the file does not name its labels: the published order is assumed; state "
            "--labels if that is not theirs",
        )


def random_verdicts(path: Path) -> Iterator[Remark]:
    """Yield which nodes of a file may answer another way each time it runs."""
    skeleton = read_skeleton(path)
    active = active_dropouts(skeleton)
    if active:
        yield Remark(
            code="training-mode",
            text=f"in training mode: {_named(active)}; answers are random: export it in "
            "evaluation mode (model.eval())",
        )
    suspects = [node for node in random_nodes(skeleton) if node not in active]
    if suspects:
        yield Remark(
            code="random",
            text=f"may be random: {_named(suspects)}; two runs on one input show whether it is",
        )


def _named(nodes: list[onnx.NodeProto]) -> str:
    more = f" and {len(nodes) - NAMED} more" if len(nodes) > NAMED else ""
    return ", ".join(node_name(node) for node in nodes[:NAMED]) + more


def graph_verdicts(graph: StoredGraph) -> Iterator[Remark]:
    """Yield what the stored graph means for other runtimes."""
    absent = [op for op in graph.ops if op not in MOBILE_OPS]
    if graph.opset not in MOBILE_OPSETS or absent:
        reasons = [f"opset {graph.opset}"] if graph.opset not in MOBILE_OPSETS else []
        reasons += absent[:4] + ([f"{len(absent) - 4} more operators"] if len(absent) > 4 else [])
        yield Remark(
            code="not-mobile",
            text=f"not for {MOBILE_PACKAGE}: it lacks {', '.join(reasons)}; on a phone use the "
            "full package, onnxruntime-android or onnxruntime-c",
        )
    for fault in web_faults(graph):
        yield Remark(code="not-web", text=f"not for a browser: it {fault}")
    if graph.external:
        yield Remark(
            code="external-weights",
            text=f"the weights are in {', '.join(graph.external)}: copy both files together",
        )


def coreml_verdicts(phones: Mapping[str, Taken], contract: Contract) -> Iterator[Remark]:
    """Yield what CoreML leaves to the CPU, each change between the two costing a copy."""
    taken = phones.get("CoreML")
    if taken is None or not taken.left:
        return
    named = [f"{op} {n}" for op, n in list(taken.left.items())[:NAMED]]
    named += [f"{len(taken.left) - NAMED} more kinds"] if len(taken.left) > NAMED else []
    longer = "; an input of no fixed length slows it" if contract.static_samples is None else ""
    yield Remark(
        code="not-coreml",
        text=f"CoreML leaves {taken.of - taken.n} of {taken.of} nodes to the CPU: "
        f"{', '.join(named)}{longer}",
    )


def work_verdicts(
    graph: StoredGraph, work: Work, dequantized: tuple[Weight, ...]
) -> Iterator[Remark]:
    """Yield what runs slowly or in another precision than the file suggests."""
    yield from _slow_products(work)
    stored = sum(weight.parameters for weight in dequantized) / max(graph.parameters, 1)
    if stored > NOTABLE:
        yield Remark(
            code="dequantized",
            text=f"{percent(stored, 0)} of the weights are stored in {dequantized[0].precision} "
            "but run in FP32: smaller on disk, not faster",
        )
    if work.flat_share < 1 - NOTABLE:
        yield Remark(
            code="not-xnnpack",
            text=f"XNNPACK takes {percent(work.flat_share, 0)} of the multiply-accumulates at most "
            "(2-D convolutions and products of two matrices); the rest runs on the CPU provider",
        )
    if work.uncounted:
        yield Remark(
            code="uncounted",
            text=f"{', '.join(work.uncounted)} multiplies too, and is not in the count",
        )


def _slow_products(work: Work) -> Iterator[Remark]:
    """Yield which integer operators are slower than their precision suggests."""
    if (share := work.op_shares.get("ConvInteger", 0.0)) > 0:
        yield Remark(
            code="slow-integer",
            text=f"{percent(share, 0)} of the multiply-accumulates are ConvInteger, which has "
            "no fast kernel: slower than FP32; quantize statically, or leave convolutions alone",
        )
    if work.signed_share > NOTABLE:
        yield Remark(
            code="s8s8",
            text=f"{percent(work.signed_share, 0)} of the multiply-accumulates are signed x signed "
            "8 bit, which is slower than FP32 on x86 without VNNI; use unsigned activations",
        )
    if (share := work.op_shares.get("MatMulNBits", 0.0)) > NOTABLE:
        yield Remark(
            code="blocks",
            text=f"{percent(share, 0)} of the multiply-accumulates are MatMulNBits, weights in "
            "blocks: small on disk, but on x86 without VNNI no faster than FP32, and slower in "
            "8 bits; for speed there quantize statically",
        )


def dequantized_weights(graph: StoredGraph, ran: Mapping[str, str]) -> tuple[Weight, ...]:
    """Return the weights that are stored as integers and multiplied as floats.

    Args:
        graph: The file.
        ran: Name of a node -> operator that ran in its place. For a node without a name the graph
            around it tells.
    """
    by_name = {weight.name: weight for weight in graph.weights}
    nodes = list(graph.model.graph.node)
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in nodes:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    made_by = {name: node for node in nodes for name in node.output}
    found = []
    for node in nodes:
        if node.op_type == "DequantizeLinear" and at(node.input, 0) in by_name:
            users = list(_users(node, readers))
            if any(_runs_in_float(user, made_by, ran) for user in users):
                found.append(by_name[node.input[0]])
    return tuple(found)


def _users(
    node: onnx.NodeProto, readers: Mapping[str, list[onnx.NodeProto]]
) -> Iterator[onnx.NodeProto]:
    """Yield the products and convolutions that a weight reaches without being computed with."""
    for name in node.output:
        for reader in readers.get(name, []):
            if reader.op_type in PRODUCTS or reader.op_type in CONVOLUTIONS:
                yield reader
            elif reader.op_type in PASSED:
                yield from _users(reader, readers)


def _runs_in_float(
    node: onnx.NodeProto, made_by: Mapping[str, onnx.NodeProto], ran: Mapping[str, str]
) -> bool:
    if ran and node.name:
        return ran.get(node.name) in FLOAT_OPS
    maker = made_by.get(at(node.input, 0))
    return maker is None or maker.op_type != "DequantizeLinear"


WEB_RUNTIME = "1.24.3"
"""Version of ONNX Runtime Web that `serval web` puts beside a model."""

NEWEST_OPSET = 25
NEVER = 10_000

LACKING: Mapping[str, int] = {
    "DeformConv": 19,
    "LpNormalization": 22,
    "TensorScatter": 24,
    **{
        f"com.microsoft:{op}": 1
        for op in (
            *("BranchwiseRMSNorm", "CausalConvWithState", "EngramGate", "GatedAdd"),
            *("GatedRMSNorm", "GatherPacked", "HyperConnectionPostMix", "HyperConnectionPreMix"),
            *("LinearAttention", "LinearAttentionGate", "MoEGroupRouter", "MRotaryEmbedding"),
            "ScaledSiLU",
        )
    },
}
"""Operators that ONNX Runtime 1.32 computes and that version does not, and from which opset on.

Source: `tools/web_operators.py`, which opens a graph of one node for each of them in both.
"""

LARGEST_MB = 1000.0
"""Of a file; WebAssembly has 4 GB, and the file is there three times while it is opened."""

MUCH_MB = 50.0
"""From here on a page is slow to open on a phone: half a minute at 15 Mbit/s."""

SIGNED = frozenset((TensorProto.INT8,))
HALF = frozenset((TensorProto.FLOAT16, TensorProto.BFLOAT16))


def web_faults(graph: StoredGraph) -> tuple[str, ...]:
    """Return why a file does not run, or does not run well, in a browser; nothing if it does.

    Each is the rest of a sentence that begins with the file, and ends with what to do.
    """
    return tuple(_faults(graph))


def mobile_faults(graph: StoredGraph) -> tuple[str, ...]:
    """Return why a file does not suit an app with the full package of ONNX Runtime Mobile.

    That has the operators of every other build, so only what belongs to the file counts.
    """
    if not graph.external:
        return ()
    names = ", ".join(graph.external)
    return (
        (
            f"has its weights in a second file ({names}); save it as one file: "
            "onnx.save(onnx.load(FILE), NEW_FILE)"
        ),
    )


def _faults(graph: StoredGraph) -> Iterator[str]:
    if graph.opset > NEWEST_OPSET:
        yield f"is of opset {graph.opset}, and browsers take up to {NEWEST_OPSET}; export it so"
    if absent := [op for op in graph.ops if graph.opset >= LACKING.get(op, NEVER)]:
        yield f"has operators that browsers lack: {', '.join(absent)}; export it without them"
    if any(tensor.data_type == TensorProto.BFLOAT16 for tensor in tensors_of(graph.model.graph)):
        yield "has weights in bfloat16, which browsers lack; export it in float32"
    if any(i.type.tensor_type.elem_type in HALF for i in graph.model.graph.input):
        yield "wants its waveform in 16 bits; export it with float32 at its input"
    yield from mobile_faults(graph)
    if graph.size_bytes > LARGEST_MB * 1e6:
        yield f"has {graph.size_bytes / 1e6:.0f} MB, over {LARGEST_MB:g} MB; quantize it first"
    if _convolves_signed(graph):
        yield (
            "has ConvInteger with signed weights, as quantize_dynamic makes them by default: "
            "browsers with ONNX Runtime Web before 1.24 lack it, and later ones gain nothing by it "
            "over the FP32 file; make one that runs, and faster: "
            "serval quantize FP32_FILE -o NEW_FILE --target web --calibration DATASET"
        )


def _convolves_signed(graph: StoredGraph) -> bool:
    kernels = {
        at(node.input, 1) for node in graph.model.graph.node if node.op_type == "ConvInteger"
    }  # fmt: skip
    return any(
        tensor.name in kernels and tensor.data_type in SIGNED
        for tensor in tensors_of(graph.model.graph)
    )


TARGETS: Mapping[str, Callable[[StoredGraph], tuple[str, ...]]] = {
    "server": lambda _graph: (),
    "mobile": mobile_faults,
    "web": web_faults,
}
"""Where a file is to run -> why it does not."""
