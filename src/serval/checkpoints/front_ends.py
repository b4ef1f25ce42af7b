"""What other toolkits do to a waveform before their network sees it, as layers.

Each takes `(B, T)` samples and a mask, which none of them heeds: nothing may be padded before them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["CutAndFilled", "Shifted", "WholeClip", "normed"]

EPSILON = 1e-5
ZSCORE_EPSILON = 1e-7


def normed(values: Tensor, epsilon: float = EPSILON) -> Tensor:
    """Return the values of each clip with mean 0 and variance 1 over all of its axes together.

    Source: `torch.nn.functional.layer_norm(values, values.shape[1:])`, which it equals.
    """
    axes = tuple(range(1, values.dim()))
    centred = values - values.mean(dim=axes, keepdim=True)
    return centred * (centred.square().mean(dim=axes, keepdim=True) + epsilon).rsqrt()


class WholeClip(nn.Module):
    """A layer norm over all samples of a clip, as SpeechBrain and FunASR have it."""

    def forward(self, samples: Tensor, mask: Tensor | None = None) -> dict[str, Tensor]:  # noqa: ARG002 - as all front ends
        """Return the model's inputs: `(B, T)`."""
        return {"input_values": normed(samples)}


class Shifted(nn.Module):
    """Samples less a mean, by a standard deviation: those of the training set."""

    def __init__(self, mean: float, std: float) -> None:
        super().__init__()
        self.mean, self.std = mean, std

    def forward(self, samples: Tensor, mask: Tensor | None = None) -> dict[str, Tensor]:  # noqa: ARG002 - as all front ends
        """Return the model's inputs: `(B, T)`."""
        return {"input_values": (samples - self.mean) / self.std}


class CutAndFilled(nn.Module):
    """The first seconds of a clip, z-scored, with zeros behind where it is shorter."""

    def __init__(self, n_samples: int) -> None:
        super().__init__()
        self.n_samples = n_samples

    def forward(self, samples: Tensor, mask: Tensor | None = None) -> dict[str, Tensor]:  # noqa: ARG002 - as all front ends
        """Return the model's inputs: `(B, n_samples)`."""
        scored = normed(samples[:, : self.n_samples], ZSCORE_EPSILON)
        silence = samples.new_zeros((samples.shape[0], self.n_samples))
        return {"input_values": torch.cat([scored, silence], dim=1)[:, : self.n_samples]}
