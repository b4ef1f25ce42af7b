"""Several runs: which are better than which, once the number of tests is paid for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serval.scores import HEADLINES, METRICS
from serval.scores.stats import LEVEL, holm, rank_ranges

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from serval.comparison.pair import PairScores
    from serval.scores.stats import Interval

__all__ = ["PairTest", "Rank", "pair_tests", "ranks"]


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
    """Where one run stands among the others by one score.

    Attributes:
        score: One of `HEADLINES`.
        name: Of the run.
        value: Its score on the common clips, with its interval.
        best: The best rank it may have: one more than the runs that are significantly better.
        worst: The worst rank it may have.
    """

    score: str
    name: str
    value: Interval
    best: int
    worst: int


def pair_tests(pairs: Mapping[tuple[str, str], PairScores]) -> tuple[PairTest, ...]:
    """Return the tests of every pair, by `(A, B)`, for each ranked score."""
    mcnemar = [pair.mcnemar.p for pair in pairs.values()]
    corrected_mcnemar = holm(mcnemar)
    tests = []
    for score in HEADLINES:
        found = [pair.overall[score].difference for pair in pairs.values()]
        corrected = holm([difference.p for difference in found])
        tests += [
            PairTest(
                score=score,
                a=a,
                b=b,
                difference=difference.value,
                p=difference.p,
                p_corrected=float(corrected[i]),
                mcnemar_p=mcnemar[i],
                mcnemar_p_corrected=float(corrected_mcnemar[i]),
            )
            for i, ((a, b), difference) in enumerate(zip(pairs, found, strict=True))
        ]
    return tuple(tests)


def ranks(
    scores: Mapping[str, Mapping[str, Interval]], tests: Sequence[PairTest]
) -> tuple[Rank, ...]:
    """Return the range of ranks of each run by each ranked score, the best run first.

    Args:
        scores: By run, then by name of the score.
        tests: From `pair_tests`.
    """
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
