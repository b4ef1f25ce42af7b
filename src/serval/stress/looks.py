"""How many clips a perturbation is asked until its published threshold is surely kept or missed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from serval.evaluation import Looks
from serval.stress.panel import early_verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from serval.run import Run
    from serval.stress.suite import Case

__all__ = ["EARLY_ERROR", "LOOK_LEVEL", "SHARES", "LookPlan", "shuffled"]

SHARES = (1 / 8, 1 / 4, 1 / 2)
"""Shares of the clips after which a perturbation is looked at."""

EARLY_ERROR = 0.025
"""Chance that a perturbation is stopped with the wrong verdict, at most, over all looks."""

THRESHOLDS = 2
"""What a rule asks at most: a share of unchanged answers, and a change of UAR."""

LOOK_LEVEL = 1 - 2 * EARLY_ERROR / (len(SHARES) * THRESHOLDS)
"""What the intervals of a look hold, for an error of `EARLY_ERROR` over all looks.

Each look has two thresholds that one end of an interval could pass by chance. A perturbation that
no look decides is asked all clips and judged by 95 % intervals, as without looks.

Source: Bonferroni's inequality; for repeated looks Armitage, McPherson and Rowe (1969), Repeated
significance tests on accumulating data. The number of looks is fixed, so nothing else is assumed.
"""

FEWEST = 20
"""Clips under which nobody looks."""


class LookPlan:
    """Which clips each perturbation is asked first, and when these are enough.

    Args:
        clean: The clean run; only its clips with an answer can be compared.
        seed: Of the order in which clips are asked.
    """

    def __init__(self, clean: Run, seed: int) -> None:
        self._clean = clean
        order = clean.index[shuffled(clean.truth, seed)]
        sizes = (round(share * len(order)) for share in SHARES)
        self._parts = [frozenset(order[:n].tolist()) for n in sizes if n >= FEWEST]
        self._facts = {"shares": list(SHARES), "level": LOOK_LEVEL, "seed": seed}
        self._failed: dict[str, frozenset[int]] = {}

    def of(self, case: Case) -> Looks | None:
        """Return when a perturbation may stop; `None` where nothing can decide it early.

        One without a threshold is asked the clips on which the last level of its kind that has one
        surely missed it.
        """
        if case.rule is not None:
            return self._looks(self._parts, partial(self._is_sure, case))
        if case.kind in self._failed:
            return self._looks([self._failed[case.kind]], lambda _run, _part: True)
        return None

    def note(self, case: Case, run: Run) -> None:
        """Note what a perturbation came to, for the harsher levels of its kind."""
        if case.rule is None:
            return
        n = len(run) + len(run.failures)
        asked = next((part for part in self._parts if len(part) == n), None)
        self._failed.pop(case.kind, None)
        if asked and early_verdict(self._clean, run, case, LOOK_LEVEL)["outcome"] == "fail":
            self._failed[case.kind] = asked

    def _looks(
        self,
        parts: Sequence[frozenset[int]],
        is_enough: Callable[[Run, frozenset[int]], bool],
    ) -> Looks | None:
        return Looks(parts=tuple(parts), is_enough=is_enough, facts=self._facts) if parts else None

    def _is_sure(self, case: Case, run: Run, part: frozenset[int]) -> bool:
        return bool(early_verdict(self._clean, run, case, LOOK_LEVEL, part)["sure"])


def shuffled(truth: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Return an order of `(N,)` clips in which each label has its share of any first part.

    Each label's clips, shuffled, stand at even distances; which comes first is drawn.

    Examples:
        >>> truth = np.array([0] * 30 + [1] * 10)
        >>> np.bincount(truth[shuffled(truth, 0)[:20]]).tolist()
        [15, 5]
    """
    rng = np.random.default_rng([seed, len(truth)])
    place = np.empty(len(truth))
    for label in np.unique(truth):
        clips = rng.permutation(np.flatnonzero(truth == label))
        place[clips] = (np.arange(len(clips)) + rng.random()) / len(clips)
    return np.argsort(place, kind="stable")
