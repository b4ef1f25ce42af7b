"""The network of serval-tiny in torch: Whisper's encoder, statistics of its levels, one layer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import WhisperFeatureExtractor, WhisperModel

from serval.checkpoints.front_ends import WhisperFeatures
from serval.checkpoints.opened import quiet
from serval.export.flow import onnx_program, save_program
from serval.labels import EMOTIONS

if TYPE_CHECKING:
    from pathlib import Path

RATE, EDGE, HOP = 16_000, 200, 160
BINS, BANDS = 201, 80
LAYERS, HEADS, SIZE, CLASSES = 4, 6, 384, len(EMOTIONS)
LEAST_VARIANCE = 1e-8
METADATA = {"name": "serval-tiny", "labels": json.dumps(EMOTIONS), "sampling_rate": str(RATE),
            "normalize": "peak", "max_seconds": "30", "license": "CC-BY-NC-SA-4.0"}  # fmt: skip


class Tiny(nn.Module):
    """Log-mel spectrogram, four layers of Whisper's encoder, statistics of five levels.

    Args:
        weights: As `weights_of` returns them.
        halved_before: The layer before which each two frames become one, 20 ms each below and 40 ms
            from there on; `None` for none, as Whisper has it.
    """

    def __init__(self, weights: dict[str, Tensor], halved_before: int | None) -> None:
        super().__init__()
        self.halved_before = halved_before
        self.weights = nn.ParameterDict(
            {name: nn.Parameter(w.clone(), requires_grad=False) for name, w in weights.items()}
        )

    def forward(self, samples: Tensor) -> Tensor:
        """Return `(B, 8)` logits of `(B, T)` samples."""
        return self.linear("head", pooled(self.levels(self.log_mel(samples))))

    def levels(self, log_mel: Tensor) -> list[Tensor]:
        """Return five times `(B, F, 384)`: what goes into the first layer, and what each makes."""
        hidden = functional.gelu(self.conv("conv1", log_mel, 1))
        hidden = functional.gelu(self.conv("conv2", hidden, 2)).transpose(1, 2)
        return self.layers(hidden + self.weights["positions"][: hidden.shape[1]])

    def layers(self, hidden: Tensor) -> list[Tensor]:
        """Return what goes into the first layer, and what each makes of it."""
        levels = [hidden]
        for layer in range(LAYERS):
            below = halved(levels[-1]) if layer == self.halved_before else levels[-1]
            levels.append(self.block(f"block_{layer}", below))
        return levels

    def log_mel(self, samples: Tensor) -> Tensor:
        """Return `(B, 80, F)`, scaled as Whisper does."""
        padded = functional.pad(samples[:, None], (EDGE, EDGE), mode="reflect")
        spectrum = functional.conv1d(padded, self.weights["kernels"], stride=HOP)[..., :-1].square()
        energy = self.weights["mel_filters"] @ (spectrum[:, :BINS] + spectrum[:, BINS:])
        log = energy.clamp(min=1e-10).log10()
        log = torch.maximum(log, log.amax(dim=(1, 2), keepdim=True) - 8.0)
        return (log + 4.0) / 4.0

    def block(self, name: str, hidden: Tensor) -> Tensor:
        """Return `(B, F, 384)` after one transformer layer."""
        batch, frames, size = hidden.shape
        qkv = self.linear(f"{name}_qkv", self.norm(f"{name}_norm1", hidden))
        query, key, value = qkv.reshape(batch, frames, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        mixed = mixed.transpose(1, 2).reshape(batch, frames, size)
        hidden = hidden + self.linear(f"{name}_out", mixed)
        inner = functional.gelu(self.linear(f"{name}_fc1", self.norm(f"{name}_norm2", hidden)))
        return hidden + self.linear(f"{name}_fc2", inner)

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


def weights_of(checkpoint: str) -> dict[str, Tensor]:
    """Return Whisper's encoder by the names that `Tiny` has for it, below a head of zeros.

    Args:
        checkpoint: `openai/whisper-tiny.en` on the hub, or a folder with its files.

    Raises:
        SystemExit: There is none, or it is another model.
    """
    try:
        with quiet():
            encoder = WhisperModel.from_pretrained(checkpoint, dtype=torch.float32).encoder
    except (OSError, ValueError) as error:
        raise SystemExit(f"cannot open {checkpoint} as a checkpoint of Whisper: give "
                         "openai/whisper-tiny.en or a folder with its files "
                         f"({str(error).splitlines()[0]})") from error  # fmt: skip
    found = (len(encoder.layers), encoder.config.d_model, encoder.config.num_mel_bins)
    if found != (LAYERS, SIZE, BANDS):
        raise SystemExit(f"{checkpoint} has (layers, width, mel bands) {found}, and not "
                         f"{(LAYERS, SIZE, BANDS)}: give openai/whisper-tiny.en")  # fmt: skip
    weights = {f"block_{i}_{name}": tensor for i, layer in enumerate(encoder.layers)
               for name, tensor in _block(layer).items()}  # fmt: skip
    for name in ("conv1", "conv2"):
        weights |= _of(name, encoder.get_submodule(name))
    weights["positions"] = encoder.embed_positions.weight
    head = {"head_weight": torch.zeros(CLASSES, 2 * (LAYERS + 1) * SIZE),
            "head_bias": torch.zeros(CLASSES)}  # fmt: skip
    found = weights | _spectrogram() | head
    return {name: tensor.detach().contiguous() for name, tensor in found.items()}


def _block(layer: nn.Module) -> dict[str, Tensor]:
    """Return the weights of a layer; query, key (without bias) and value are one product."""
    attention = layer.self_attn
    query, key, value = attention.q_proj, attention.k_proj, attention.v_proj
    return {
        "qkv_weight": torch.cat([query.weight, key.weight, value.weight]),
        "qkv_bias": torch.cat([query.bias, torch.zeros_like(query.bias), value.bias]),
        **_of("out", attention.out_proj),
        **_of("norm1", layer.self_attn_layer_norm),
        **_of("norm2", layer.final_layer_norm),
        **_of("fc1", layer.fc1),
        **_of("fc2", layer.fc2),
    }


def _of(name: str, module: nn.Module) -> dict[str, Tensor]:
    return {f"{name}_weight": module.weight, f"{name}_bias": module.bias}


def _spectrogram() -> dict[str, Tensor]:
    """Return the convolution and the mel filters of Whisper's spectrogram."""
    found = WhisperFeatures(WhisperFeatureExtractor(feature_size=BANDS))
    return {"kernels": found.kernel, "mel_filters": found.mel}


def write_onnx(network: Tiny, output: Path) -> None:
    """Write the network as ONNX, with the metadata that say what it takes and gives."""
    with quiet():
        program = onnx_program(network.eval(), masked=False, sample_rate=RATE)
        save_program(program.model, output, METADATA)
