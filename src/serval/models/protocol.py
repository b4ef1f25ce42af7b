"""The one narrow seam: what serval asks of anything that classifies speech."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from serval.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serval.labels import LabelSet
    from serval.models.contract import Contract

Logits = NDArray[np.float32]
"""`(B, K) float32`, one column for each label."""


class Model(Protocol):
    """Waveforms in, logits out. Must be safe to call from several threads at once."""

    @property
    def contract(self) -> Contract:
        """What it expects and what it gives."""
        ...

    @property
    def labels(self) -> LabelSet:
        """The K labels, in the order of the logits."""
        ...

    @property
    def sample_rate(self) -> int:
        """The sample rate in Hz that `logits` expects."""
        ...

    @property
    def max_seconds(self) -> float:
        """The longest clip in seconds that the model takes."""
        ...

    @property
    def facts(self) -> Mapping[str, Any]:
        """What a run must know of the model, in plain JSON types.

        `name` and `sha256` always; of a file also its path, size, external weights and contract,
        `warnings` if there are any, `trained_on` if the file says so, `runtime` where that is not
        ONNX Runtime on the CPU, and `window` where clips are cut.
        """
        ...

    def logits(self, samples: NDArray[np.float32], lengths: NDArray[np.int64]) -> Logits:
        """Return `(B, K) float32` for `(B, T) float32` samples with `(B,)` valid lengths.

        The samples are as decoded: mono, at `sample_rate`, not normalised.
        """
        ...


def logits_alone(model: Model, samples: NDArray[np.float32]) -> Logits:
    """Return `(K,) float32` logits of one clip, `(T,) float32` as decoded."""
    return np.asarray(model.logits(samples[np.newaxis], np.array([len(samples)]))[0])


def heard_s(model: Model, seconds: float) -> float:
    """Return how much a model takes and hears of a clip of that length, in seconds."""
    fixed = model.contract.static_samples
    most = fixed / model.sample_rate if fixed else seconds
    return min(seconds, model.max_seconds, most)


def finite(scores: Logits) -> Logits:
    """Return the scores of a model.

    Raises:
        AudioError: One is NaN or infinite.
    """
    if not np.isfinite(scores).all():
        raise AudioError("the model answered with NaN or infinite scores")
    return scores


def white_noise(n: int, seed: int = 0, level: float = 0.1) -> NDArray[np.float32]:
    """Return `(1, n) float32` white noise of that standard deviation, the same for one seed."""
    return np.random.default_rng(seed).normal(0, level, (1, n)).astype(np.float32)


class Backend(Protocol):
    """One way to run a model: a file of its own, named in `serval.models.load.RUNTIMES`."""

    def scores(self, samples: NDArray[np.float32], lengths: NDArray[np.int64]) -> Logits:
        """Return `(B, K) float32`, whatever the model gives, of normalised `(B, T) float32`.

        Rows are valid up to their `(B,)` lengths, and zero behind. Must be safe to call from
        several threads at once.

        Raises:
            AudioError: It cannot take samples of this length.
        """
        ...
