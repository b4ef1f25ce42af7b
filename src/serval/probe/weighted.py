"""A weighted sum of levels with a logistic head on it: weights and head learned together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["WeightedSum", "weighted_sum"]

STEPS = 1000
TOLERANCE = 1e-10
"""Of the loss, as a share of it, and of its gradient: below that the search ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedSum:
    """A logistic head on a weighted sum of levels.

    Attributes:
        shares: `(L,)` weights of the levels, positive, 1 together.
        weight: `(F, K)` of the sum.
        bias: `(K,)`.
    """

    shares: Floats
    weight: Floats
    bias: Floats

    @property
    def linear(self) -> Floats:
        """The same head as one layer of all levels beside each other, `(L * F, K)`."""
        return np.concatenate([share * self.weight for share in self.shares])


@dataclass(frozen=True, slots=True)
class _Loss:
    """What is minimised, over the shares before their softmax, the weights and the biases.

    For given shares this is the loss of scikit-learn's `LogisticRegression`, also of two labels:
    its one vector v, with the penalty |v|^2 / 2, is the difference of the two here, which are v / 2
    and -v / 2.

    Attributes:
        levels: `(N, L, F)` standardised features.
        targets: `(N, K)`, 1 at the label of each clip.
        counts: `(N,)` what each clip counts, 1 together.
        penalty: Of the squared length of the weights.
    """

    levels: Floats
    targets: Floats
    counts: Floats
    penalty: float

    @property
    def sizes(self) -> tuple[int, int, int]:
        """L, F and K."""
        return self.levels.shape[1], self.levels.shape[2], self.targets.shape[1]

    def start(self) -> Floats:
        """Return equal shares and a head of zeros."""
        n_levels, width, k = self.sizes
        return np.zeros(n_levels + width * k + k)

    def parts(self, point: Floats) -> WeightedSum:
        """Return what a point of the search says."""
        n_levels, width, k = self.sizes
        return WeightedSum(
            shares=softmax(point[:n_levels]),
            weight=point[n_levels:-k].reshape(width, k),
            bias=point[-k:],
        )

    def __call__(self, point: Floats) -> tuple[float, Floats]:
        """Return the loss at a point, and its gradient there."""
        n_levels, width, k = self.sizes
        own, rows = self.parts(point), self.levels.reshape(-1, width)
        scores = (rows @ own.weight).reshape(-1, n_levels, k)
        logs = log_softmax(np.einsum("l,nlk->nk", own.shares, scores) + own.bias, axis=1)
        loss = -float(self.counts @ (self.targets * logs).sum(axis=1))
        slope = self.counts[:, np.newaxis] * (np.exp(logs) - self.targets)
        of_shares = np.einsum("nlk,nk->l", scores, slope)
        spread = (own.shares[:, np.newaxis] * slope[:, np.newaxis]).reshape(-1, k)
        of_weight = rows.T @ spread + 2 * self.penalty * own.weight
        gradient = [
            own.shares * (of_shares - own.shares @ of_shares), of_weight.ravel(), slope.sum(axis=0)
        ]  # fmt: skip
        return loss + self.penalty * float((own.weight**2).sum()), np.concatenate(gradient)


def weighted_sum(
    levels: Floats, targets: NDArray[Any], c: float, *, k: int, balanced: bool
) -> WeightedSum:
    """Return the weights of levels and the logistic head on their sum, learned together.

    With x_nl the features of clip n at level l, w = softmax(a), s_n what the clip counts, and C
    the strength, these minimise over a, W and b

        C * sum_n s_n * -log softmax(W' (sum_l w_l x_nl) + b)[y_n] + |W|^2 / 2

    from equal weights on; of two labels the penalty is |W|^2, see `_Loss`.

    Args:
        levels: `(N, L, F)` standardised features.
        targets: `(N,)` ids below k, each of which some clip has.
        c: The strength.
        k: Labels.
        balanced: Whether each label weighs alike: s_n = N / (K * clips of its label), else 1.

    Source: S. Yang et al., "SUPERB: Speech processing Universal PERformance Benchmark",
        Interspeech 2021, section 3: frozen levels, a learned weighted sum, a small head.
    """
    of_label = np.bincount(targets, minlength=k)
    counts = (len(targets) / (k * of_label))[targets] if balanced else np.ones(len(targets))
    total = counts.sum()
    loss = _Loss(
        levels=levels,
        targets=np.eye(k)[targets],
        counts=counts / total,
        penalty=(1.0 if k == 2 else 0.5) / (c * total),
    )
    found = minimize(
        loss, loss.start(), jac=True, method="L-BFGS-B", tol=TOLERANCE, options={"maxiter": STEPS}
    )
    return loss.parts(found.x)
