"""What two runs differ in on the same clips, and which of several is better."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.scores import HEADLINES, METRICS, OVERALL
from serval.scores.paired import PairOptions, Panel, ScoreChange
from serval.scores.stats import (
    LEVEL,
    Interval,
    holm,
    mcnemar_exact,
    rank_ranges,
    smallest_significant,
)
from serval.scores.uncertainty import share_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from serval.comparison.align import Aligned, AlignedRun
    from serval.comparison.flips import Divergence, Flip, GroupChange
    from serval.scores.clusters import Clustering
    from serval.scores.stats import Difference

    Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassChange:
    """The scores of one class in both runs, and how many of its clips changed.

    Attributes:
        precision: Share of the clips predicted as this class that are of it, in [0, 1].
        recall: Share of its truth clips that are found, in [0, 1].
        f1: Harmonic mean of both, in [0, 1].
        support: Truth clips.
        broken: Truth clips that only A has right.
        fixed: Truth clips that only B has right.
    """

    precision: ScoreChange
    recall: ScoreChange
    f1: ScoreChange
    support: int
    broken: int
    fixed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class McNemar:
    """The exact test that takes clips as independent.

    Attributes:
        only_a: Clips that only A has right.
        only_b: Clips that only B has right.
        p: Two-sided.
        smallest_significant: The smallest difference of accuracy, in [0, 1], that this test can
            call significant with as many changed clips; NaN if none.
    """

    only_a: int
    only_b: int
    p: float
    smallest_significant: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PairScores:
    """The scores of two runs on the same clips.

    Attributes:
        overall: By key, see `scores.METRICS`.
        published: By the keys of the published result file that no metric of ours equals.
        per_class: By label.
        mcnemar: On right and wrong.
        agreement: Share of clips with the same predicted label, with its interval.
    """

    overall: Mapping[str, ScoreChange]
    published: Mapping[str, ScoreChange]
    per_class: Mapping[str, ClassChange]
    mcnemar: McNemar
    agreement: Interval


def pair_scores(
    clips: Aligned, a: AlignedRun, b: AlignedRun, clustering: Clustering, options: PairOptions
) -> PairScores:
    """Return the differences B minus A, from the same draws of whole speakers for both."""
    panel = Panel(
        k=len(clips.labels),
        truth=clips.truth,
        predicted=np.stack([a.predicted, b.predicted], dtype=np.int32),
        clustering=clustering,
    )
    changes = panel.changes(options)
    whole = dict(zip(OVERALL, changes, strict=False))
    right_a, right_b = panel.predicted == clips.truth
    return PairScores(
        overall={name: whole[name] for name in METRICS},
        published={name: own for name, own in whole.items() if name not in METRICS},
        per_class=_per_class(clips, changes[len(OVERALL) :], right_a, right_b),
        mcnemar=_mcnemar(right_a, right_b),
        agreement=share_of(a.predicted == b.predicted, clustering),
    )


def _per_class(
    clips: Aligned, changes: list[ScoreChange], right_a: Flags, right_b: Flags
) -> dict[str, ClassChange]:
    k = len(clips.labels)
    per_class = {}
    for i, label in enumerate(clips.labels):
        members = clips.truth == i
        per_class[label] = ClassChange(
            precision=changes[i],
            recall=changes[k + i],
            f1=changes[2 * k + i],
            support=int(members.sum()),
            broken=int((members & right_a & ~right_b).sum()),
            fixed=int((members & right_b & ~right_a).sum()),
        )
    return per_class


def _mcnemar(right_a: Flags, right_b: Flags) -> McNemar:
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    net = smallest_significant(only_a + only_b)
    return McNemar(
        only_a=only_a,
        only_b=only_b,
        p=mcnemar_exact(only_a, only_b),
        smallest_significant=float("nan") if net is None else net / len(right_a),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PairTest:
    """The test of one score between two of several runs.

    Attributes:
        score: One of `HEADLINES`.
        a: Name of the first run.
        b: Name of the second.
        difference: B minus A, in [-1, 1].
        p: Two-sided, clustered.
        p_corrected: The same, corrected by Holm for all pairs of this score.
        mcnemar_p: Exact McNemar on right and wrong, the same for each score.
        mcnemar_p_corrected: The same, corrected by Holm.
    """

    score: str
    a: str
    b: str
    difference: float
    p: float
    p_corrected: float
    mcnemar_p: float
    mcnemar_p_corrected: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rank:
    """Where one run stands among the others by one of `HEADLINES`: its best and worst rank.

    The best is one more than the runs that are significantly better.
    """

    score: str
    name: str
    value: Interval
    best: int
    worst: int


def pair_tests(pairs: Mapping[tuple[str, str], PairScores]) -> tuple[PairTest, ...]:
    """Return the tests of every pair, by `(A, B)`, for each ranked score."""
    changes = {
        score: [pair.overall[score].difference for pair in pairs.values()] for score in HEADLINES
    }
    return corrected_tests(list(pairs), changes, [pair.mcnemar.p for pair in pairs.values()])


def corrected_tests(
    pairs: Sequence[tuple[str, str]],
    changes: Mapping[str, Sequence[Difference]],
    mcnemar: Sequence[float],
) -> tuple[PairTest, ...]:
    """Return the test of each pair by each score, with p-values corrected for their number.

    Args:
        pairs: P names `(A, B)`.
        changes: Of each score the P differences, B minus A.
        mcnemar: The P exact p-values.
    """
    corrected_mcnemar = holm(mcnemar)
    tests = []
    for score, found in changes.items():
        corrected = holm([change.p for change in found])
        tests += [
            PairTest(
                score=score,
                a=a,
                b=b,
                difference=change.value,
                p=change.p,
                p_corrected=float(corrected[i]),
                mcnemar_p=mcnemar[i],
                mcnemar_p_corrected=float(corrected_mcnemar[i]),
            )
            for i, ((a, b), change) in enumerate(zip(pairs, found, strict=True))
        ]
    return tuple(tests)


def ranks(
    scores: Mapping[str, Mapping[str, Interval]], tests: Sequence[PairTest]
) -> tuple[Rank, ...]:
    """Return the range of ranks of each run by each ranked score, the best run first."""
    names = list(scores)
    found = []
    for score in HEADLINES:
        worse = np.zeros((len(names), len(names)), dtype=bool)
        for test in tests:
            if test.score == score and test.p_corrected <= 1 - LEVEL:
                pair = (names.index(test.a), names.index(test.b))
                lost = METRICS[score].better(0.0, test.difference)
                worse[pair if lost else pair[::-1]] = True
        ordered = zip(names, rank_ranges(worse.T), strict=True)
        found += sorted(
            (
                Rank(score=score, name=name, value=scores[name][score], best=best, worst=last)
                for name, (best, last) in ordered
            ),
            key=lambda rank: (METRICS[rank.score].order(rank.value.value), rank.name),
        )
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """One run, B, measured against the first run, A.

    Attributes:
        a: Name of the first run.
        b: Name of this one.
        scores: Differences of every score, McNemar and agreement.
        divergence: How far the probabilities moved.
        flips: The clips with another label.
        groups: What changed for each speaker and each group of clips.
    """

    a: str
    b: str
    scores: PairScores
    divergence: Divergence
    flips: tuple[Flip, ...]
    groups: tuple[GroupChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two or more runs on their common clips.

    Attributes:
        runs: Folder of each run, by name; the first is the baseline.
        only_in: Clips that not all runs have, by run.
        n: Common clips.
        other_audio: How many of them have other audio in another run.
        classes_averaged: Classes with truth clips: macro scores run over these.
        clustering: What was drawn, `speaker` or `clip`; how many, and how many of equal size
            would say as much.
        options: Margin, draws and seed.
        against: Each further run against the first.
        tests: Every pair of runs, corrected for their number.
        ranks: Where each run stands.
        warnings: What a reader must know before trusting the numbers, one sentence each.
    """

    runs: dict[str, str]
    only_in: dict[str, tuple[str, ...]]
    n: int
    other_audio: int
    classes_averaged: int
    clustering: dict[str, Any]
    options: PairOptions
    against: tuple[Against, ...]
    tests: tuple[PairTest, ...]
    ranks: tuple[Rank, ...]
    warnings: tuple[str, ...]

    @property
    def changes(self) -> dict[str, ScoreChange]:
        """Of each score of the second run that can drop, by the names that bounds have."""
        scores = self.against[0].scores
        return {**scores.overall, **scores.published} | {
            f"{key}:{label}": getattr(row, key)
            for label, row in scores.per_class.items()
            for key in ("precision", "recall", "f1")
        }

    def as_dict(self) -> dict[str, Any]:
        """Return the comparison as dicts, lists and numbers; undefined ones are NaN."""
        return asdict(self)
