"""Whether a model file runs in a browser or in an app, told from what it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnx import TensorProto

from serval.models.graph import tensors_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from serval.inspection.graph import StoredGraph

__all__ = ["MUCH_MB", "TARGETS", "WEB_RUNTIME", "web_faults"]

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
        node.input[1] for node in graph.model.graph.node if node.op_type == "ConvInteger"
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
