"""What other toolkits do to a waveform before their network sees it, as layers.

Each takes `(B, T)` samples and a mask, which none of them heeds: nothing may be padded before them.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

EPSILON = 1e-5
ZSCORE_EPSILON = 1e-7

Over = Literal["clip", "filling", "nothing"]


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
    """The first seconds of a clip, with zeros behind where it is shorter, z-scored.

    Args:
        n_samples: Of what comes out.
        over: What mean and variance are of: the `clip`, the clip with its `filling`, or nothing.

    Source: `Wav2Vec2FeatureExtractor` of transformers with `padding="max_length"`, which it equals.
    """

    def __init__(self, n_samples: int, over: Over) -> None:
        super().__init__()
        self.n_samples, self.over = n_samples, over

    def forward(self, samples: Tensor, mask: Tensor | None = None) -> dict[str, Tensor]:  # noqa: ARG002 - as all front ends
        """Return the model's inputs: `(B, n_samples)`."""
        cut = samples[:, : self.n_samples]
        if self.over == "clip":
            cut = normed(cut, ZSCORE_EPSILON)
        silence = samples.new_zeros((samples.shape[0], self.n_samples))
        whole = torch.cat([cut, silence], dim=1)[:, : self.n_samples]
        return {"input_values": normed(whole, ZSCORE_EPSILON) if self.over == "filling" else whole}
