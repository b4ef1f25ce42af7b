"""What is done to a waveform before a network sees it, as layers, so that a raw one goes in.

Each takes `(B, T)` samples and a mask, which only spectrograms heed: nothing may be padded before
the others. Framing, offset removal, pre-emphasis, window and Fourier transform are linear in the
samples of a frame, so each spectrogram is one convolution, a square, a mel matrix and a logarithm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from transformers.audio_utils import window_function

from serval.checkpoints.network import within

if TYPE_CHECKING:
    from numpy.typing import NDArray

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


FRAME, HOP, KALDI_FFT = 400, 160, 512
KALDI_FLOOR = 1.192092955078125e-07
PREEMPHASIS = 0.97


def fourier_kernel(window: NDArray[np.float64], n_fft: int, frame: NDArray[np.float64]) -> Tensor:
    """Return `(2 * bins, 1, frame) float32`: a convolution that gives real and imaginary parts.

    Args:
        window: `(frame,)` weights.
        n_fft: Length of the transform, at least that of the frame.
        frame: `(frame, frame)` matrix that is applied to each frame before the window.
    """
    bins, samples = np.arange(n_fft // 2 + 1), np.arange(len(window))
    angle = -2 * np.pi * np.outer(bins, samples) / n_fft
    parts = np.concatenate([np.cos(angle), np.sin(angle)])
    return torch.from_numpy((parts * window) @ frame).float()[:, None]


class LogMel(nn.Module):
    """Waveforms `(B, T)` -> mel energies `(B, mels, F)`."""

    def __init__(self, kernel: Tensor, mel_filters: NDArray[np.float64], hop: int) -> None:
        super().__init__()
        self.register_buffer("kernel", kernel)
        self.register_buffer("mel", torch.from_numpy(mel_filters.T.copy()).float())
        self.hop = hop

    def energies(self, samples: Tensor) -> Tensor:
        """Return the energy in each mel band and frame."""
        parts = nn.functional.conv1d(samples[:, None], self.kernel, stride=self.hop)
        real, imaginary = parts.chunk(2, dim=1)
        return torch.matmul(self.mel, real.square() + imaginary.square())


class WhisperFeatures(LogMel):
    """Whisper's log-mel spectrogram of exactly 30 s: cut, or filled with zeros.

    Source: `WhisperFeatureExtractor` of transformers, which it equals.
    """

    def __init__(self, extractor: Any) -> None:  # noqa: ANN401 - the extractors of transformers are untyped
        window = window_function(extractor.n_fft, "hann")
        kernel = fourier_kernel(window, extractor.n_fft, np.eye(extractor.n_fft))
        super().__init__(kernel, extractor.mel_filters, extractor.hop_length)
        self.n_samples, self.edge = extractor.n_samples, extractor.n_fft // 2

    def forward(self, samples: Tensor, mask: Tensor | None = None) -> dict[str, Tensor]:
        """Return the model's inputs: `(B, mels, 3000)`."""
        if mask is not None:
            samples = samples * mask.to(samples.dtype)
        silence = samples.new_zeros((samples.shape[0], self.n_samples))
        whole = torch.cat([samples, silence], dim=1)[:, : self.n_samples]
        framed = nn.functional.pad(whole[:, None], (self.edge, self.edge), mode="reflect")[:, 0]
        log = self.energies(framed)[..., :-1].clamp(min=1e-10).log10()
        log = torch.maximum(log, log.amax(dim=(1, 2), keepdim=True) - 8.0)
        return {"input_features": (log + 4.0) / 4.0}


class KaldiFrames(LogMel):
    """Log-mel energies as Kaldi takes them: 25 ms frames every 10 ms, none over the end.

    Source: `transformers.audio_utils.spectrogram` with Kaldi's settings, which it equals.
    """

    def __init__(self, extractor: Any, window: str, scale: float) -> None:  # noqa: ANN401 - the extractors of transformers are untyped
        centred = np.eye(FRAME) - 1 / FRAME
        emphasised = np.eye(FRAME) - PREEMPHASIS * np.eye(FRAME, k=-1)
        emphasised[0, 0] = 1 - PREEMPHASIS
        weights = window_function(FRAME, window, periodic=False)
        kernel = fourier_kernel(weights, KALDI_FFT, scale * emphasised @ centred)
        super().__init__(kernel, extractor.mel_filters, HOP)

    def frames(self, samples: Tensor) -> Tensor:
        """Return `(B, F, mels)` log energies."""
        return self.energies(samples).clamp(min=KALDI_FLOOR).log().transpose(1, 2)

    def n_frames(self, mask: Tensor) -> Tensor:
        """Return `(B,)` frames that lie within the valid samples."""
        return (mask.sum(-1) - FRAME) // HOP + 1


class PatchFeatures(KaldiFrames):
    """The spectrogram of fixed length of the Audio Spectrogram Transformer.

    Source: `ASTFeatureExtractor` of transformers without torchaudio, which it equals.
    """

    def __init__(self, extractor: Any) -> None:  # noqa: ANN401 - the extractors of transformers are untyped
        super().__init__(extractor, "hann", 1.0)
        self.length, self.mels = extractor.max_length, extractor.num_mel_bins
        self.mean = extractor.mean if extractor.do_normalize else 0.0
        self.scale = 2 * extractor.std if extractor.do_normalize else 1.0

    def forward(self, samples: Tensor, mask: Tensor | None = None) -> dict[str, Tensor]:
        """Return the model's inputs: `(B, length, mels)`."""
        frames = self.frames(samples)
        if mask is not None:
            valid = within(frames.shape[1], self.n_frames(mask))
            frames = frames * valid[..., None].to(frames.dtype)
        silence = frames.new_zeros((frames.shape[0], self.length, self.mels))
        whole = torch.cat([frames, silence], dim=1)[:, : self.length]
        return {"input_values": (whole - self.mean) / self.scale}


class StackedFeatures(KaldiFrames):
    """The normalised spectrogram of Wav2Vec2-BERT, two frames in one.

    Source: `SeamlessM4TFeatureExtractor` of transformers, which it equals.
    """

    def __init__(self, extractor: Any) -> None:  # noqa: ANN401 - the extractors of transformers are untyped
        super().__init__(extractor, "povey", 2.0**15)
        self.stride = extractor.stride

    def forward(self, samples: Tensor, mask: Tensor | None = None) -> dict[str, Tensor]:
        """Return the model's inputs: `(B, F / 2, 2 * mels)` and their mask."""
        frames = self.frames(samples)
        ones = torch.ones_like(samples, dtype=torch.int64) if mask is None else mask
        n_frames = self.n_frames(ones)
        valid = within(frames.shape[1], n_frames)[..., None].to(frames.dtype)
        count = n_frames[:, None, None].to(frames.dtype)
        centred = frames - (frames * valid).sum(1, keepdim=True) / count
        variance = (centred.square() * valid).sum(1, keepdim=True) / (count - 1)
        level = centred * torch.rsqrt(variance + ZSCORE_EPSILON) * valid
        pairs = frames.shape[1] // self.stride
        stacked = level[:, : pairs * self.stride].reshape(
            frames.shape[0], pairs, self.stride * frames.shape[2]
        )
        return {
            "input_features": stacked,
            "attention_mask": within(pairs, n_frames // self.stride).to(torch.int64),
        }
