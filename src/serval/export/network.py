"""The classifier as one module from raw waveforms to logits, and its ONNX graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from serval.errors import ModelError
from serval.export.padding import Frames, make_mask_aware
from serval.export.spectrogram import PatchFeatures, StackedFeatures, WhisperFeatures

if TYPE_CHECKING:
    from serval.export.checkpoint import Checkpoint

__all__ = [
    "FRONT_ENDS",
    "SpectrogramClassifier",
    "WaveformClassifier",
    "network_of",
    "onnx_program",
]

OPSET = 20
FRONT_ENDS = {
    "whisper": WhisperFeatures,
    "audio-spectrogram-transformer": PatchFeatures,
    "wav2vec2-bert": StackedFeatures,
}
"""Families that see a spectrogram; all others take the waveform itself."""


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
    """A classifier that sees a spectrogram, with the layers that make it in front."""

    def __init__(self, model: Any, front_end: nn.Module) -> None:  # noqa: ANN401 - transformers' own class for each family
        super().__init__()
        self.model = model
        self.front_end = front_end

    def forward(self, input_values: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Return `(B, K)` logits of `(B, T)` samples and their `(B, T) int64` mask."""
        return self.model(**self.front_end(input_values, attention_mask)).logits


def network_of(checkpoint: Checkpoint, *, masked: bool) -> nn.Module:
    """Return the module to export, in evaluation mode, its weight norms folded into weights."""
    _fold_weight_norms(checkpoint.model)
    front_end = FRONT_ENDS.get(checkpoint.family)
    if front_end is not None:
        return SpectrogramClassifier(checkpoint.model, front_end(checkpoint.extractor)).eval()
    return WaveformClassifier(checkpoint.model, masked=masked).eval()


def onnx_program(network: nn.Module, *, masked: bool, sample_rate: int) -> Any:  # noqa: ANN401 - an ONNXProgram
    """Return the ONNX program of a network, with batch and length left open.

    Raises:
        ModelError: torch cannot turn the network into a graph.
    """
    # Odd and coprime sizes, so that the exporter cannot take one for a constant of the model.
    samples = torch.randn(2, sample_rate + 123) * 0.1
    mask = torch.ones(samples.shape, dtype=torch.int64)
    dims = {0: "batch", 1: "samples"}
    names = ["input_values", "attention_mask"] if masked else ["input_values"]
    try:
        with torch.no_grad():
            return torch.onnx.export(
                network,
                (samples, mask) if masked else (samples,),
                input_names=names,
                output_names=["logits"],
                opset_version=OPSET,
                dynamo=True,
                dynamic_shapes=tuple(dims for _ in names),
                verbose=False,
            )
    except (RuntimeError, ValueError, TypeError) as error:
        # The exporter's own message is a page of advice; what went wrong is its cause.
        cause = error.__cause__ or error
        first = " ".join(str(cause).split())[:300]
        raise ModelError(
            f"torch cannot turn this checkpoint into a graph: {type(cause).__name__}: {first}"
        ) from error


def _fold_weight_norms(model: nn.Module) -> None:
    for module in model.modules():
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight")
