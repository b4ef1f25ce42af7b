"""What quantization did to a model's answers, as one small record."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.metrics import confusion_matrix
from serval.probabilities import probabilities_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serval.models.protocol import Logits
    from serval.quantize.clips import Clips

__all__ = ["Fidelity", "fidelity"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fidelity:
    """How true a candidate is to the FP32 model on N clips.

    Attributes:
        clips: N.
        agreement: Share of clips with the same top emotion, in [0, 1].
        logit_error: Root mean square difference of the logits.
        divergence: Mean Kullback-Leibler divergence from the FP32 probabilities, in nats.
        right: Clips named correctly, or `None` where the truth was not asked for.
        reference_right: The same of FP32.
    """

    clips: int
    agreement: float
    logit_error: float
    divergence: float
    right: int | None = None
    reference_right: int | None = None

    @property
    def accuracy(self) -> float:
        """Share of clips named correctly, in [0, 1]; NaN where the truth was not asked for."""
        return float("nan") if self.right is None else self.right / self.clips

    @property
    def drop(self) -> float:
        """Points of accuracy lost against FP32; negative if some were won."""
        if self.right is None or self.reference_right is None:
            return float("nan")
        return 100 * (self.reference_right - self.right) / self.clips

    @property
    def document(self) -> dict[str, Any]:
        """Everything as plain JSON types; `None` where the truth was not asked for."""
        known = self.right is not None
        return asdict(self) | {
            "accuracy": self.accuracy if known else None,
            "drop": self.drop if known else None,
        }


def fidelity(logits: Logits, clips: Clips) -> Fidelity:
    """Return how true `(N, K) float32` logits are to those of FP32."""
    top, reference_top = logits.argmax(axis=1), clips.reference.argmax(axis=1)
    return Fidelity(
        clips=len(logits),
        agreement=float((top == reference_top).mean()),
        logit_error=float(np.sqrt(np.square(logits - clips.reference).mean())),
        divergence=float(_divergences(clips.reference, logits, clips.outputs).mean()),
        right=_right(top, clips),
        reference_right=_right(reference_top, clips),
    )


def _right(predicted: NDArray[np.int64], clips: Clips) -> int | None:
    """Return how many clips are named correctly; `None` where the truth was not asked for."""
    if clips.truth is None:
        return None
    return int(np.trace(confusion_matrix(clips.truth, predicted, clips.labels)))


def _divergences(reference: Logits, logits: Logits, outputs: str) -> NDArray[np.float64]:
    """Return `(N,)` Kullback-Leibler divergences in nats.

    Where each label has a score of its own, that is a divergence a label, and their sum a clip.
    """
    p, q = (probabilities_of(some, outputs) for some in (reference, logits))
    parts = _shares(p, q)
    return np.asarray(
        (parts + _shares(1 - p, 1 - q) if outputs == "sigmoid" else parts).sum(axis=1)
    )


def _shares(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    tiny = np.finfo(np.float64).tiny
    return np.asarray(p * (np.log(np.maximum(p, tiny)) - np.log(np.maximum(q, tiny))))
