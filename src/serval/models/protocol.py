"""The one narrow seam: what serval asks of anything that classifies speech."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serval.labels import LabelSet

__all__ = ["Logits", "Model"]

Logits = NDArray[np.float32]
"""`(B, K) float32`, one column for each label."""


class Model(Protocol):
    """Waveforms in, logits out. Must be safe to call from several threads at once."""

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
        """What a run must know of the model, in plain JSON types: name, sha256, contract."""
        ...

    def logits(self, samples: NDArray[np.float32], lengths: NDArray[np.int64]) -> Logits:
        """Return `(B, K) float32` for `(B, T) float32` samples with `(B,)` valid lengths.

        The samples are as decoded: normalisation is the model's own business.
        """
        ...
