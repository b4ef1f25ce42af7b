"""The classifier as one module from raw waveforms to scores, for torch and for a graph alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from serval.checkpoints.padding import Frames, make_mask_aware

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serval.checkpoints.checkpoint import Checkpoint

__all__ = ["SpectrogramClassifier", "WaveformClassifier", "network_of", "published_scores"]


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
