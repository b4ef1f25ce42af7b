"""Whether torch gives what ONNX Runtime gives, on real weights and real clips.

Builds the network of serval-tiny in torch from the weights of its FP32 ONNX file, opens it as any
torch module is opened, and compares the answers of both, clip by clip.

    python benchmarks/tiny_in_torch.py MODEL.onnx DATASET --clips 400

Needs the extra: pip install 'serval-ser[torch]'
"""

from __future__ import annotations

import argparse
import time
from itertools import islice

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn import functional

from serval.audio import decode, encoded_bytes
from serval.datasets import DatasetOptions, load_dataset
from serval.models.callable import model_of_object
from serval.models.contract import Overrides
from serval.models.load import load_model

LAYERS, HEADS, EDGE, HOP = 4, 6, 200, 160
BINS = 201


class Tiny(nn.Module):
    """Log-mel spectrogram, four layers of Whisper's encoder, statistics of five levels."""

    def __init__(self, weights: dict[str, Tensor]) -> None:
        super().__init__()
        self.weights = nn.ParameterDict(
            {name.replace(".", "_"): nn.Parameter(w, False) for name, w in weights.items()}  # noqa: FBT003
        )

    def forward(self, samples: Tensor) -> Tensor:
        """Return `(B, 8)` logits of `(B, T)` samples."""
        hidden = self.log_mel(samples)
        hidden = functional.gelu(self.conv("net_c1", hidden, 1))
        hidden = functional.gelu(self.conv("net_c2", hidden, 2)).transpose(1, 2)
        hidden = hidden + self.weights["net_pos"][: hidden.shape[1]]
        levels = [hidden]
        for layer in range(LAYERS):
            levels.append(self.block(f"net_b_{layer}", levels[-1]))
        parts = [part for level in levels for part in statistics(level)]
        return self.linear("head", torch.cat(parts, dim=-1))

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


def statistics(frames: Tensor) -> tuple[Tensor, Tensor]:
    """Return `(B, H)` mean and standard deviation over time."""
    return frames.mean(dim=1), frames.var(dim=1, correction=0).clamp(min=1e-8).sqrt()


def weights_of(path: str) -> dict[str, Tensor]:
    """Return the weights by name; those of linear layers, which the graph names by number, too."""
    graph = onnx.load(path).graph
    tensors = {t.name: torch.from_numpy(numpy_helper.to_array(t).copy()) for t in graph.initializer}
    products = iter(name for node in graph.node if node.op_type == "MatMul"
                    for name in node.input if name.startswith("onnx::MatMul"))  # fmt: skip
    for layer in range(LAYERS):
        for part in ("qkv", "o", "f1", "f2"):
            tensors[f"net.b.{layer}.{part}.weight"] = tensors.pop(next(products)).T.contiguous()
    return {name: tensor for name, tensor in tensors.items() if not name.startswith("onnx::")}


def main() -> None:
    """Print how far the answers of both agree, and how long each took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("dataset")
    parser.add_argument("--clips", type=int, default=400)
    flags = parser.parse_args()
    file = load_model(flags.model)
    stated = Overrides(
        labels=tuple(file.labels), sample_rate=file.sample_rate, normalize=file.contract.normalize
    )
    module = model_of_object(Tiny(weights_of(flags.model)), stated)
    torch.set_num_threads(1)
    dataset = load_dataset(flags.dataset, options=DatasetOptions(limit=flags.clips))
    answers: dict[str, list[np.ndarray]] = {"onnx": [], "torch": []}
    seconds = dict.fromkeys(answers, 0.0)
    for clip in islice(dataset.clips(0, flags.clips), flags.clips):
        samples = decode(encoded_bytes(clip.audio), file.sample_rate).samples
        for name, model in (("onnx", file), ("torch", module)):
            start = time.perf_counter()
            answers[name].append(model.logits(samples[None], np.array([len(samples)]))[0])
            seconds[name] += time.perf_counter() - start
    both = [np.stack(answers[name]) for name in answers]
    same = int((both[0].argmax(axis=1) == both[1].argmax(axis=1)).sum())
    print(f"{len(both[0])} clips: same label on {same}, logits differ by at most "
          f"{np.abs(both[0] - both[1]).max():.1e}; "
          f"torch took {seconds['torch'] / seconds['onnx']:.2f} times as long")  # fmt: skip


if __name__ == "__main__":
    main()
