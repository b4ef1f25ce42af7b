"""The score by which a made file is judged against the FP32 model, on clips in memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.multilabel import THRESHOLD
from serval.probabilities import probabilities_of
from serval.scores.clusters import Clustering
from serval.scores.dimensions import MEAN, paired_dimension_scores
from serval.scores.multilabel import MULTILABEL_METRICS, SetAnswers, paired_scores
from serval.scores.paired import PairOptions
from serval.scores.stats import Difference, Verdict, mcnemar_exact, verdict
from serval.scores.uncertainty import uncertainty_of_mean
from serval.tasks import CATEGORICAL, DIMENSIONAL, MULTILABEL
from serval.wording import change_short, decimals, hundredths, in_points, numbered, percent, span

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from serval.models.protocol import Logits
    from serval.tasks import Task

MARGIN = PairOptions().margin
"""The loss that would not matter, in [0, 1]: that of `serval compare`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The score of two files on the same clips, A being FP32 or another that B is held against.

    Attributes:
        score: Its name, as `serval compare` has it.
        a: Of A, in [0, 1]; of dimensions in [-1, 1]; NaN where it is not defined.
        b: Of B.
        change: B minus A with its interval, clustered by speaker where known.
        p_swapped: Of accuracy exact McNemar's p-value that both are right equally often; `None` of
            other scores, which have no such test.
        right: Of accuracy, how many clips A and B have right; else `None`.
    """

    score: str
    a: float
    b: float
    change: Difference
    p_swapped: float | None = None
    right: tuple[int, int] | None = None

    def verdict(self, max_drop: float = 100 * MARGIN) -> Verdict:
        """Return whether a loss of more than `max_drop` points is ruled out, as a gate decides.

        A point is a hundredth of the score.
        """
        return verdict(self.change, max_drop / 100, self.p_swapped or 0.0)

    @property
    def drop(self) -> float:
        """Points lost against A; negative if some were won."""
        return 100 * (self.a - self.b)

    @property
    def document(self) -> dict[str, Any]:
        """Everything as plain JSON types, A being FP32."""
        reference_right, right = self.right or (None, None)
        accuracy = None if self.right is None else self.b
        counts = {"right": right, "reference_right": reference_right, "accuracy": accuracy}
        return asdict(self) | {"drop": self.drop} | counts

    @property
    def unit(self) -> Unit:
        """How the score and its changes are told."""
        return PLAIN if self.score == CCC else PERCENT

    @property
    def title(self) -> str:
        """The head of a column of the score."""
        return self.unit.title(self.score)

    @property
    def cost(self) -> str:
        """What happened to the score, with the interval that decides it."""
        gap, unit = self.change, self.unit
        if math.isnan(gap.low):
            return f"change of {self.score} has no interval"
        margin = unit.margin(MARGIN)
        said = {
            "not worse": f"a loss of more than {margin} is ruled out",
            "worse": "that is worse",
            "cannot tell": f"whether more than {margin} is lost cannot be told",
        }[self.verdict()]
        return (
            f"{self.score} changes by {unit.gap(gap.value)} (95 % interval "
            f"{unit.ends(gap.low, gap.high)}): {said}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """How scores of a kind are told.

    Attributes:
        size: What a number of a column is, as a part of 1.
        title: The name of a score -> the head of its column.
        cell: A score, as the column has it.
        told: A score, as sentences have it.
        change: A difference with its interval, for a narrow column.
        gap: A difference, as sentences have it.
        ends: The ends of its interval.
        margin: A loss, without a sign.
        note: What the numbers of differences are in, as the end of a sentence.
    """

    size: float
    title: Callable[[str], str]
    cell: Callable[[float], str]
    told: Callable[[float], str]
    change: Callable[[Mapping[str, float | None]], str]
    gap: Callable[[float], str]
    ends: Callable[[float, float], str]
    margin: Callable[[float], str]
    note: str = ""


PERCENT = Unit(
    size=0.01,
    title="{} %".format,
    cell=hundredths,
    told=percent,
    change=partial(change_short, digits=0),
    gap=partial(in_points, sign=True),
    ends=span,
    margin=in_points,
    note=", in points",
)
"""Of shares, whose changes are told in points."""

PLAIN = Unit(
    size=1.0,
    title=str,
    cell=decimals,
    told=decimals,
    change=partial(numbered, digits=3),
    gap=partial(decimals, sign=True),
    ends=lambda low, high: f"{decimals(low, sign=True)} to {decimals(high, sign=True)}",
    margin="{:g}".format,
)
"""Of correlations."""

UNJUDGED: Mapping[str, None] = dict.fromkeys(
    (*(field.name for field in fields(Judged)), "drop", "reference_right", "accuracy")
)
"""The document of what no truth was asked for."""

Judge = Callable[["NDArray[Any]", "tuple[Logits, Logits]", Clustering], Judged]
"""Truth `(N, ...)`, the logits of A and of B `(N, K)`, and which clips belong together."""

CCC = "mean CCC"
ANY_WIDTH = 1.0
"""Of the scale, which bears on errors alone."""


def by_accuracy(
    truth: NDArray[Any], sides: tuple[Logits, Logits], clustering: Clustering
) -> Judged:
    """Return how often the highest of K scores is the true one, `(N,)` its number."""
    a, b = (side.argmax(axis=1) == truth for side in sides)
    gain = b.astype(np.float64) - a
    value = float(gain.mean())
    return Judged(
        score="accuracy",
        a=float(a.mean()),
        b=float(b.mean()),
        change=uncertainty_of_mean(gain, clustering).difference(value, 1 / len(gain)),
        p_swapped=mcnemar_exact(int((a & ~b).sum()), int((b & ~a).sum())),
        right=(int(a.sum()), int(b.sum())),
    )


def by_macro_f1(
    truth: NDArray[Any], sides: tuple[Logits, Logits], clustering: Clustering
) -> Judged:
    """Return macro F1 of the emotions with a score of `THRESHOLD` or more, of `(N, K)` true."""
    shares = [probabilities_of(side, MULTILABEL.outputs) for side in sides]
    a, b = (SetAnswers(scores=share, predicted=share >= THRESHOLD) for share in shares)
    whole, _ = paired_scores(truth, a, b, clustering)
    key = MULTILABEL.headline
    found, score = whole[key], MULTILABEL_METRICS[key].title
    return Judged(score=score, a=found.a, b=found.b, change=found.difference)


def by_ccc(truth: NDArray[Any], sides: tuple[Logits, Logits], clustering: Clustering) -> Judged:
    """Return the mean CCC over D dimensions, of `(N, D)` ratings on the scale of the model."""
    values = (sides[0].astype(np.float64), sides[1].astype(np.float64))
    names = [str(i) for i in range(truth.shape[1])]
    found = paired_dimension_scores(truth, values, clustering, names, ANY_WIDTH)
    one = found[MEAN][DIMENSIONAL.headline]
    return Judged(score=CCC, a=one.a, b=one.b, change=one.difference)


JUDGES: Mapping[Task, Judge] = {
    CATEGORICAL: by_accuracy,
    MULTILABEL: by_macro_f1,
    DIMENSIONAL: by_ccc,
}
"""By what the clips are asked for."""
