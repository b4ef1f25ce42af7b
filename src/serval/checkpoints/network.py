"""One module from raw waveforms to scores or hidden levels, for torch and for a graph alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from serval.checkpoints.checkpoint import Checkpoint


class WaveformClassifier(nn.Module):
    """A classifier that takes the waveform itself."""

    def __init__(self, model: Any, *, masked: bool) -> None:  # noqa: ANN401 - transformers' own class for each family
        super().__init__()
        self.model = model
        self.frames = Frames()
        if masked:
            make_mask_aware(model, self.frames)

    def forward(self, input_values: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Return `(B, K)` logits of `(B, T)` samples and their `(B, T) int64` mask."""
        if attention_mask is None:
            return self.model(input_values).logits
        samples = attention_mask.sum(-1)
        self.frames.samples = samples
        # Some families call this private, some public; all have it, and it is pure arithmetic.
        self.frames.frames = self.model._get_feat_extract_output_lengths(samples)  # noqa: SLF001 - no public name
        return self.model(input_values, attention_mask=attention_mask).logits


class SpectrogramClassifier(nn.Module):
    """A classifier with layers in front that make what it sees out of a waveform."""

    def __init__(self, model: Any, front_end: nn.Module) -> None:  # noqa: ANN401 - transformers' own class for each family
        super().__init__()
        self.model = model
        self.front_end = front_end

    def forward(self, input_values: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Return `(B, K)` logits of `(B, T)` samples and their `(B, T) int64` mask."""
        return self.model(**self.front_end(input_values, attention_mask)).logits


class IndependentScores(nn.Module):
    """A classifier whose labels do not exclude each other: one score in [0, 1] for each."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, input_values: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Return `(B, K)` scores of `(B, T)` samples and their `(B, T) int64` mask."""
        return torch.sigmoid(self.network(input_values, attention_mask))


def network_of(checkpoint: Checkpoint, *, masked: bool = False) -> nn.Module:
    """Return the module from normalised `(B, T)` samples to `(B, K)` scores, in evaluation mode."""
    network: nn.Module
    if checkpoint.front_end is not None:
        network = SpectrogramClassifier(checkpoint.model, checkpoint.front_end)
    else:
        network = WaveformClassifier(checkpoint.model, masked=masked)
    if checkpoint.task.outputs == "sigmoid":
        network = IndependentScores(network)
    return network.eval()


WHISPER_FRAME = 320
"""Samples of one frame of Whisper's encoder, at its 16 kHz."""


class HiddenStates(nn.Module):
    """An encoder whose answers are its levels, frame by frame.

    Whisper hears each clip filled with silence up to 30 s; its frames are those of the clip.
    """

    def __init__(self, checkpoint: Checkpoint, levels: Iterable[int]) -> None:
        super().__init__()
        self.encoder: Any = checkpoint.model
        self.front_end = checkpoint.front_end
        self.fills_up = checkpoint.family == "whisper"
        self.levels = tuple(levels)

    def forward(self, input_values: Tensor) -> tuple[Tensor, ...]:
        """Return `(B, frames, F)` of each level, of `(B, T)` samples."""
        inputs = {"input_values": input_values}
        if self.front_end is not None:
            inputs = self.front_end(input_values, None)
        states = self.encoder(**inputs, output_hidden_states=True).hidden_states
        chosen = tuple(states[level] for level in self.levels)
        if not self.fills_up:
            return chosen
        heard = torch.arange((input_values.shape[1] + WHISPER_FRAME - 1) // WHISPER_FRAME)
        return tuple(state.index_select(1, heard) for state in chosen)


class HiddenLevels(nn.Module):
    """An encoder whose answer is what its levels are over time."""

    def __init__(self, states: HiddenStates, *, deviation: bool) -> None:
        super().__init__()
        self.states = states
        self.deviation = deviation

    def forward(self, input_values: Tensor) -> Tensor:
        """Return `(B, F)` of `(B, T)` samples: of each level the mean, then the deviation."""
        parts = []
        for state in self.states(input_values):
            parts.append(state.mean(dim=1))
            if self.deviation:
                parts.append(state.std(dim=1, correction=0))
        return torch.cat(parts, dim=1)


def published_scores(checkpoint: Checkpoint, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return `(K,) float32` of a `(T,)` waveform: feature extractor and model as published."""
    with torch.no_grad():
        inputs = _inputs(checkpoint, waveform)
        scores = checkpoint.model(**inputs).logits[0].float()
    if checkpoint.task.outputs == "sigmoid":
        scores = torch.sigmoid(scores)
    return np.asarray(scores.numpy())


def _inputs(checkpoint: Checkpoint, waveform: NDArray[np.float32]) -> Any:  # noqa: ANN401 - what an extractor gives
    if checkpoint.extractor is not None:
        return checkpoint.extractor(
            waveform, sampling_rate=checkpoint.sample_rate, return_tensors="pt"
        )
    samples = torch.from_numpy(waveform)[None]
    return checkpoint.front_end(samples) if checkpoint.front_end else {"input_values": samples}


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
