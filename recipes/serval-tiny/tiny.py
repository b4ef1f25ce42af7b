"""The network of serval-tiny in torch: Whisper's encoder, statistics of its levels, one layer."""

from __future__ import annotations

import onnx
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn
from torch.nn import functional

LAYERS, HEADS, EDGE, HOP = 4, 6, 200, 160
BINS = 201
HALVED_BEFORE = 1
"""Before which layer each two frames become one: 20 ms each below, 40 ms from there on."""

LEAST_VARIANCE = 1e-8
HALVED = "net.halved"
STATISTICS = ("ReduceMean", "Sub")
"""What a level's statistics are made of: they are of all its frames."""


class Tiny(nn.Module):
    """Log-mel spectrogram, four layers of Whisper's encoder, statistics of five levels.

    Args:
        weights: As `weights_of` returns them.
        halved_before: The layer before which each two frames become one; `None` for none, as
            Whisper has it.
    """

    def __init__(
        self, weights: dict[str, Tensor], halved_before: int | None = HALVED_BEFORE
    ) -> None:
        super().__init__()
        self.halved_before = halved_before
        self.weights = nn.ParameterDict(
            {parameter_name(name): nn.Parameter(w, requires_grad=False)
             for name, w in weights.items()}
        )  # fmt: skip

    def forward(self, samples: Tensor) -> Tensor:
        """Return `(B, 8)` logits of `(B, T)` samples."""
        return self.linear("head", pooled(self.levels(self.log_mel(samples))))

    def levels(self, log_mel: Tensor) -> list[Tensor]:
        """Return five times `(B, F, 384)`: what goes into the first layer, and what each makes."""
        hidden = functional.gelu(self.conv("net_c1", log_mel, 1))
        hidden = functional.gelu(self.conv("net_c2", hidden, 2)).transpose(1, 2)
        return self.layers(hidden + self.weights["net_pos"][: hidden.shape[1]])

    def layers(self, hidden: Tensor) -> list[Tensor]:
        """Return what goes into the first layer, and what each makes of it."""
        levels = [hidden]
        for layer in range(LAYERS):
            below = halved(levels[-1]) if layer == self.halved_before else levels[-1]
            levels.append(self.block(f"net_b_{layer}", below))
        return levels

    def log_mel(self, samples: Tensor) -> Tensor:
        """Return `(B, 80, F)`, scaled as Whisper does."""
        padded = functional.pad(samples[:, None], (EDGE, EDGE), mode="reflect")
        spectrum = functional.conv1d(padded, self.weights["ker"], stride=HOP)[..., :-1].square()
        energy = self.weights["fb"] @ (spectrum[:, :BINS] + spectrum[:, BINS:])
        log = energy.clamp(min=1e-10).log10()
        log = torch.maximum(log, log.amax(dim=(1, 2), keepdim=True) - 8.0)
        return (log + 4.0) / 4.0

    def block(self, name: str, hidden: Tensor) -> Tensor:
        """Return `(B, F, 384)` after one transformer layer."""
        batch, frames, size = hidden.shape
        qkv = self.linear(f"{name}_qkv", self.norm(f"{name}_l1", hidden))
        query, key, value = qkv.reshape(batch, frames, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        mixed = mixed.transpose(1, 2).reshape(batch, frames, size)
        hidden = hidden + self.linear(f"{name}_o", mixed)
        inner = functional.gelu(self.linear(f"{name}_f1", self.norm(f"{name}_l2", hidden)))
        return hidden + self.linear(f"{name}_f2", inner)

    def conv(self, name: str, hidden: Tensor, stride: int) -> Tensor:
        """Return a convolution over three frames."""
        weight, bias = self.weights[f"{name}_weight"], self.weights[f"{name}_bias"]
        return functional.conv1d(hidden, weight, bias, stride=stride, padding=1)

    def linear(self, name: str, hidden: Tensor) -> Tensor:
        """Return a linear layer."""
        return functional.linear(
            hidden, self.weights[f"{name}_weight"], self.weights[f"{name}_bias"]
        )

    def norm(self, name: str, hidden: Tensor) -> Tensor:
        """Return a layer norm."""
        weight, bias = self.weights[f"{name}_weight"], self.weights[f"{name}_bias"]
        return functional.layer_norm(hidden, hidden.shape[-1:], weight, bias)


def pooled(levels: list[Tensor]) -> Tensor:
    """Return `(B, 768 per level)` mean and standard deviation over time, level by level."""
    return torch.cat([part for level in levels for part in statistics(level)], dim=-1)


def halved(frames: Tensor) -> Tensor:
    """Return `(B, ceil(F / 2), H)`: the mean of each two neighbours, and a last one without."""
    kept = functional.avg_pool1d(frames.transpose(1, 2), 2, ceil_mode=True, count_include_pad=False)
    return kept.transpose(1, 2)


def statistics(frames: Tensor) -> tuple[Tensor, Tensor]:
    """Return `(B, H)` mean and standard deviation over time."""
    return frames.mean(dim=1), frames.var(dim=1, correction=0).clamp(min=LEAST_VARIANCE).sqrt()


def parameter_name(name: str) -> str:
    """Return the name of a weight without dots, which torch does not take."""
    return name.replace(".", "_")


def weights_of(path: str) -> dict[str, Tensor]:
    """Return the weights by name; those of linear layers, which the graph names by number, too."""
    graph = onnx.load(path).graph
    tensors = {t.name: torch.from_numpy(numpy_helper.to_array(t).copy()) for t in graph.initializer}
    for name, product in products(graph):
        tensors[name] = tensors.pop(product).T.contiguous()
    return {name: tensor for name, tensor in tensors.items() if not name.startswith("onnx::")}


def products(graph: onnx.GraphProto) -> list[tuple[str, str]]:
    """Return the names of linear layers' weights, each with the one that the graph has for it."""
    own = [name for node in graph.node if node.op_type == "MatMul"
           for name in node.input if name.startswith("onnx::MatMul")]  # fmt: skip
    names = [f"net.b.{i}.{part}.weight" for i in range(LAYERS) for part in ("qkv", "o", "f1", "f2")]
    return list(zip(names, own, strict=True))


def write_onnx(source: str, output: str, weights: dict[str, Tensor]) -> None:
    """Write the graph of `source`, halved, with other weights, named as `weights_of` names them."""
    model = onnx.load(source)
    halve(model.graph)
    graph_name = dict(products(model.graph))
    named = {graph_name.get(name, name): (w.T if name in graph_name else w)
             for name, w in weights.items()}  # fmt: skip
    for tensor in model.graph.initializer:
        if tensor.name in named:
            values = named[tensor.name].detach().contiguous().numpy()
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    onnx.save(model, output)


def is_halved(graph: onnx.GraphProto) -> bool:
    """Return whether a graph of serval-tiny makes two frames one."""
    return any(HALVED in node.output for node in graph.node)


def halve(graph: onnx.GraphProto) -> None:
    """Make each two frames one before layer `HALVED_BEFORE`, in a graph that does not yet."""
    if is_halved(graph):
        return
    scale = f"net.b.{HALVED_BEFORE}.l1.weight"
    level = next(node.input[0] for node in graph.node if scale in node.input)
    made = next(i for i, node in enumerate(graph.node) if level in node.output)
    for node in graph.node:
        if node.op_type not in STATISTICS:
            node.input[:] = [HALVED if name == level else name for name in node.input]
    pool = {"kernel_shape": [2], "strides": [2], "ceil_mode": 1, "count_include_pad": 0}
    nodes = [
        helper.make_node("Transpose", [level], [f"{HALVED}.rows"], perm=[0, 2, 1]),
        helper.make_node("AveragePool", [f"{HALVED}.rows"], [f"{HALVED}.mean"], **pool),
        helper.make_node("Transpose", [f"{HALVED}.mean"], [HALVED], perm=[0, 2, 1]),
    ]
    for place, node in enumerate(nodes, made + 1):
        graph.node.insert(place, node)
