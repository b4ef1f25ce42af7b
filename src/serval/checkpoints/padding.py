"""Layers that answer for a padded clip what they would answer for the clip alone.

transformers masks attention and pooling, but not what comes before and between: a group norm takes
its statistics over the padding too, and a second convolution sees what a first one put there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["Frames", "MaskedGroupNorm", "MaskedInput", "make_mask_aware", "within"]


@dataclass(slots=True)
class Frames:
    """How many frames of each clip are valid, for the layers of the call that is running.

    Attributes:
        samples: `(B,) int64` valid samples.
        frames: `(B,) int64` valid frames after the convolutional feature encoder.
    """

    samples: Tensor | None = None
    frames: Tensor | None = None


def within(length: int, valid: Tensor) -> Tensor:
    """Return `(B, length) bool` that is true in the first `valid` places of each row."""
    return torch.arange(length, device=valid.device)[None, :] < valid[:, None]


class MaskedGroupNorm(nn.Module):
    """Group norm with one group for each channel, over the valid frames of the first convolution.

    Source: `torch.nn.GroupNorm` with `num_groups == num_channels`, which it equals on a clip alone.
    """

    def __init__(self, norm: nn.GroupNorm, conv: nn.Conv1d, frames: Frames) -> None:
        super().__init__()
        self.norm = norm
        self.kernel, self.stride = conv.kernel_size[0], conv.stride[0]
        self.frames = frames

    def forward(self, hidden: Tensor) -> Tensor:
        """Return `(B, C, F)` normalised over F, as if only the valid frames were there."""
        valid = (self.frames.samples - self.kernel) // self.stride + 1
        mask = within(hidden.shape[-1], valid)[:, None].to(hidden.dtype)
        count = valid[:, None, None].to(hidden.dtype)
        mean = (hidden * mask).sum(-1, keepdim=True) / count
        centred = hidden - mean
        variance = (centred.square() * mask).sum(-1, keepdim=True) / count
        scaled = centred * torch.rsqrt(variance + self.norm.eps)
        return scaled * self.norm.weight[:, None] + self.norm.bias[:, None]


class MaskedInput(nn.Module):
    """A convolution over frames that sees zeros behind the last valid frame, as it pads itself."""

    def __init__(self, conv: nn.Module, frames: Frames) -> None:
        super().__init__()
        self.conv = conv
        self.frames = frames

    def forward(self, hidden: Tensor) -> Tensor:
        """Return the convolution of `(B, C, F)`."""
        mask = within(hidden.shape[-1], self.frames.frames)[:, None].to(hidden.dtype)
        return self.conv(hidden * mask)


def make_mask_aware(model: Any, frames: Frames) -> None:  # noqa: ANN401 - transformers' own class for each family
    """Replace the layers of `model` that mix valid frames with padding."""
    for module in list(model.modules()):
        kind = type(module).__name__
        if kind.endswith("GroupNormConvLayer"):
            module.layer_norm = MaskedGroupNorm(module.layer_norm, module.conv, frames)
        elif kind == "Data2VecAudioPositionalConvLayer":
            module.conv = MaskedInput(module.conv, frames)
        elif kind == "Wav2Vec2ConformerConvolutionModule":
            module.depthwise_conv = MaskedInput(module.depthwise_conv, frames)
