"""Small heads on frozen features, by scikit-learn; how strong they are is told by inner folds."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from serval.errors import ConfigError, MissingExtraError
from serval.probe.graph import Linear
from serval.scores.metrics import confusion_matrix, uar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from serval.labels import LabelSet

    Floats = NDArray[np.float64]
    Features = NDArray[np.float32]
    Targets = NDArray[Any]


try:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.model_selection import GroupKFold
    from sklearn.neighbors import KNeighborsClassifier
except ImportError as error:
    raise MissingExtraError(
        "serval probe needs scikit-learn: pip install 'serval-ser[probe]'"
    ) from error

INNER_FOLDS = 3
ABSENT = -30.0
"""The logit of a label that no clip of a train part has, beside those of the others around 0."""

LEAST_SHARE = 1e-3
"""Of the neighbours: what a label without any of them counts as."""


@dataclass(frozen=True, slots=True)
class Standardised:
    """A head behind a standardisation that the same clips gave.

    Attributes:
        mean: `(F,)`.
        scale: `(F,)`, 1 where a feature never changes.
        scores: `(N, F)` standardised features -> `(N, K)`.
        linear: Its weight `(F, K)` and bias `(K,)`, or `None`.
        shares: Of a weighted sum of levels, the weight of each.
    """

    mean: Floats
    scale: Floats
    scores: Callable[[Floats], Floats]
    linear: tuple[Floats, Floats] | None = None
    shares: tuple[float, ...] = ()

    def logits(self, features: Features) -> Features:
        """Return `(N, K) float32` of `(N, F)` features."""
        return self.scores((features - self.mean) / self.scale).astype(np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trainer:
    """How heads of one kind are trained.

    Attributes:
        kind: One of `KINDS`.
        labels: K labels, or dimensions.
        balanced: Whether each label weighs alike, however many clips it has.
        levels: How many of equal width stand beside each other in the features, to be summed.
    """

    kind: str
    labels: LabelSet
    balanced: bool = True
    levels: int = 1

    def fit(
        self, features: Features, targets: Targets, speakers: Sequence[str]
    ) -> tuple[Standardised, float]:
        """Return a head trained on clips, and the strength that inner folds chose for it.

        Args:
            features: `(N, F)`, of several levels `(N, L * F)`.
            targets: `(N,)` label ids, or `(N, K)` values.
            speakers: Whom the inner folds keep apart.

        Raises:
            ConfigError: The clips have one label only.
        """
        if self.kind != "ridge" and len(np.unique(targets)) < 2:
            raise ConfigError(
                "a train part has clips of one label only; use other folds or more clips"
            )
        strength = self._chosen(features, targets, np.asarray(speakers))
        return self._head(features, targets, strength), strength

    def _head(self, features: Features, targets: Targets, strength: float) -> Standardised:
        values = features.astype(np.float64)
        mean, scale = values.mean(axis=0), values.std(axis=0)
        scale[scale < 1e-12] = 1.0
        x, k = (values - mean) / scale, len(self.labels)
        if self.levels > 1:
            by_level = x.reshape(len(x), self.levels, -1)
            linear, shares = _summed(by_level, targets, strength, k=k, balanced=self.balanced)
            return Standardised(mean, scale, *_as_linear(*linear), shares)
        fit = partial(KINDS[self.kind].fit, k=k, balanced=self.balanced)
        return Standardised(mean, scale, *fit(x, targets, strength))

    def _chosen(self, features: Features, targets: Targets, speakers: NDArray[Any]) -> float:
        """Return the strength with the best mean score over inner folds, of equals the weakest."""
        strengths = KINDS[self.kind].strengths
        n = min(INNER_FOLDS, len(np.unique(speakers)))
        if n < 2:
            return strengths[len(strengths) // 2]
        parts = list(GroupKFold(n).split(features, groups=speakers))
        scores = [
            [self._score(features, targets, part, strength) for part in parts]
            for strength in strengths
        ]
        return strengths[int(np.argmax(np.mean(scores, axis=1)))]

    def _score(
        self, features: Features, targets: Targets, part: tuple[Any, Any], strength: float
    ) -> float:
        train, test = part
        if self.kind != "ridge" and len(np.unique(targets[train])) < 2:
            return 0.0
        found = self._head(features[train], targets[train], strength).logits(features[test])
        if self.kind == "ridge":
            return -float(np.mean((found - targets[test]) ** 2))
        return float(uar(confusion_matrix(targets[test], found.argmax(axis=1), self.labels)))


def linear_of(head: Standardised) -> Linear:
    """Return a head as one linear layer of raw features, its standardisation folded in."""
    if head.linear is None:
        raise ConfigError("--head knn keeps its clips and is no layer; --save logistic or ridge")
    weight, bias = head.linear
    folded = weight / head.scale[:, np.newaxis]
    return Linear(
        weight=folded.astype(np.float32), bias=(bias - head.mean @ folded).astype(np.float32)
    )


def _logistic(x: Floats, y: Targets, c: float, *, k: int, balanced: bool) -> Any:  # noqa: ANN401 - scores, and the linear layer
    model = LogisticRegression(C=c, max_iter=2000, class_weight="balanced" if balanced else None)
    narrow, turn = _turned(x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # 2,000 steps are enough for a choice
        model.fit(narrow, y)
    coefficients = model.coef_ @ turn
    weight, bias = np.zeros((x.shape[1], k)), np.full(k, ABSENT)
    if len(model.classes_) == 2:
        first, second = model.classes_
        bias[first], bias[second] = 0.0, model.intercept_[0]
        weight[:, second] = coefficients[0]
    else:
        weight[:, model.classes_], bias[model.classes_] = coefficients.T, model.intercept_
    return _as_linear(weight, bias)


def _summed(x: Floats, y: Targets, c: float, *, k: int, balanced: bool) -> Any:  # noqa: ANN401 - the linear layer, and the shares
    present, ids = np.unique(y, return_inverse=True)
    found = weighted_sum(x, ids, c, k=len(present), balanced=balanced)
    weight, bias = np.zeros((x.shape[1] * x.shape[2], k)), np.full(k, ABSENT)
    weight[:, present], bias[present] = found.linear, found.bias
    return (weight, bias), tuple(found.shares.tolist())


def _turned(x: Floats) -> tuple[Floats, Any]:
    """Return features as few as the clips, and the rotation from them back to all.

    A penalty on the length of the weights is the same after a rotation, and has them lie in the
    space of the clips: a head on more features than clips is found there many times sooner.
    """
    if x.shape[1] <= x.shape[0]:
        return x, np.eye(x.shape[1])
    left, sizes, turn = np.linalg.svd(x, full_matrices=False)
    return left * sizes, turn


def _ridge(x: Floats, y: Targets, alpha: float, *, k: int, balanced: bool) -> Any:  # noqa: ANN401, ARG001 - scores, and the linear layer
    model = Ridge(alpha=alpha).fit(x, y)
    return _as_linear(model.coef_.reshape(k, -1).T, np.reshape(model.intercept_, k))


def _as_linear(weight: Floats, bias: Floats) -> tuple[Callable[[Floats], Floats], Any]:
    return (lambda x: x @ weight + bias), (weight, bias)


def _knn(x: Floats, y: Targets, n: float, *, k: int, balanced: bool) -> Any:  # noqa: ANN401, ARG001 - scores, and the linear layer
    model = KNeighborsClassifier(n_neighbors=min(int(n), len(x))).fit(x, y)

    def scores(x: Floats) -> Floats:
        shares = np.zeros((len(x), k))
        shares[:, model.classes_] = model.predict_proba(x)
        return np.log(np.maximum(shares, LEAST_SHARE))

    return scores, None


@dataclass(frozen=True, slots=True)
class HeadKind:
    """A kind of head.

    Attributes:
        fit: `(features, targets, strength)` -> its scores, and its linear layer if it is one.
        strengths: That inner folds choose from, the weakest first.
    """

    fit: Callable[..., Any]
    strengths: tuple[float, ...]


KINDS = {
    "logistic": HeadKind(_logistic, (0.0003, 0.003, 0.03, 0.3)),
    "ridge": HeadKind(_ridge, (10_000.0, 1_000.0, 100.0, 10.0)),
    "knn": HeadKind(_knn, (15.0, 5.0, 1.0)),
}


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
