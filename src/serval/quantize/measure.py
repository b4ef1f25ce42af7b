"""What quantization did to a model's answers, as one small record."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.probabilities import probabilities_of
from serval.scores.clusters import clustering_of
from serval.scores.stats import Difference, Verdict, mcnemar_exact, verdict
from serval.scores.uncertainty import uncertainty_of_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from serval.models.protocol import Logits
    from serval.quantize.clips import Clips

__all__ = ["Fidelity", "accuracy_change", "fidelity"]


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
        change: Accuracy minus that of FP32 on the same clips, with its interval, clustered by
            speaker where known; `None` where the truth was not asked for.
        p_swapped: Exact McNemar's p-value that both are right equally often.
    """

    clips: int
    agreement: float
    logit_error: float
    divergence: float
    right: int | None = None
    reference_right: int | None = None
    change: Difference | None = None
    p_swapped: float = 1.0

    def verdict(self, max_drop: float) -> Verdict:
        """Return whether a loss of more than `max_drop` points is ruled out, as a gate decides."""
        if self.change is None:
            return "cannot tell"
        return verdict(self.change, max_drop / 100, self.p_swapped)

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
            "p_swapped": self.p_swapped if known else None,
        }


def fidelity(logits: Logits, clips: Clips) -> Fidelity:
    """Return how true `(N, K) float32` logits are to those of FP32."""
    top, reference_top = logits.argmax(axis=1), clips.reference.argmax(axis=1)
    known = clips.truth is not None
    right, reference_right = top == clips.truth, reference_top == clips.truth
    broken, fixed = int((reference_right & ~right).sum()), int((right & ~reference_right).sum())
    return Fidelity(
        clips=len(logits),
        agreement=float((top == reference_top).mean()),
        logit_error=float(np.sqrt(np.square(logits - clips.reference).mean())),
        divergence=float(_divergences(clips.reference, logits, clips.outputs).mean()),
        right=int(right.sum()) if known else None,
        reference_right=int(reference_right.sum()) if known else None,
        change=accuracy_change(right, reference_right, clips.speakers) if known else None,
        p_swapped=mcnemar_exact(broken, fixed) if known else 1.0,
    )


def accuracy_change(
    right: NDArray[np.bool_], reference_right: NDArray[np.bool_], speakers: Sequence[str | None]
) -> Difference:
    """Return the accuracy of the first minus that of the second, on the same clips."""
    gain = right.astype(np.float64) - reference_right
    clustering = clustering_of(speakers or [None] * len(gain))
    return uncertainty_of_mean(gain, clustering).difference(float(gain.mean()), 1 / len(gain))


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
