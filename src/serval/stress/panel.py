"""Several runs on their common clips: what changes from the clean one, and is a rule kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.comparison.align import aligned
from serval.label_plan import Looks
from serval.scores import HEADLINES, METRICS
from serval.scores.clusters import clustering_of
from serval.scores.metrics import Tally, margins, recall
from serval.scores.paired import Panel
from serval.stress.suite import FAMILIES

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping, Sequence

    from numpy.typing import NDArray

    from serval.labels import LabelSet
    from serval.run import Run
    from serval.scores.metrics import Margins
    from serval.scores.paired import PanelEstimates
    from serval.stress.suite import Case

    Floats = NDArray[np.float64]


ALL = "all"
"""The family of every perturbation."""

MIN_CLIPS_OF_LABEL = 10
"""A label of fewer clips decides no verdict: one clip of five moves its recall by 20 points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StressPanel:
    """What several runs said of their common clips.

    Attributes:
        labels: The labels, equal in all runs.
        index: `(N,) int64` positions in the split of the clips that every run predicted.
        runs: The answers; row 0 is the first run's.
    """

    labels: LabelSet
    index: NDArray[np.int64]
    runs: Panel


def panel_of(runs: Sequence[Run]) -> StressPanel:
    """Return the clips that every run predicted, paired as `serval compare` pairs them.

    Raises:
        ConfigError: There is none.
        LabelError: The runs have different labels, or disagree on the truth of a clip.
    """
    clips = aligned(runs)
    return StressPanel(
        labels=clips.labels,
        index=clips.index,
        runs=Panel(
            k=len(clips.labels),
            truth=clips.truth,
            predicted=np.stack([column.predicted for column in clips.columns]),
            clustering=clustering_of(clips.speakers),
        ),
    )


def metric_columns(counts: Tally) -> Floats:
    """Return `HEADLINES` of each matrix of a stack, `(..., H)`."""
    sums = margins(counts)
    return np.stack([METRICS[name].of(sums) for name in HEADLINES], axis=-1)


def groups_of_cases(cases: Sequence[Case]) -> dict[str, list[int]]:
    """Return which perturbations each family has, by place, and `all` of them."""
    families = {name: [i for i, case in enumerate(cases) if case.family == name]
                for name in FAMILIES}  # fmt: skip
    families[ALL] = list(range(len(cases)))
    return {name: places for name, places in families.items() if places}


def estimated(runs: Panel, groups: Mapping[str, list[int]], seed: int) -> PanelEstimates:
    """Return what the first run and each of the others say, and what changes between them."""
    pairs = [(0, row) for row in range(1, len(runs.predicted))]
    return runs.estimates(pairs, lambda counts, same: _columns(counts, same, groups), seed=seed)


def _columns(counts: Margins, same: Floats, groups: Mapping[str, list[int]]) -> dict[str, Floats]:
    scores = metric_columns(counts)
    change = scores[:, 1:] - scores[:, :1]
    return {
        "scores": scores,
        "change": change,
        "unchanged": same,
        "recall": recall(counts),
        **family_means({"change": change, "unchanged": same}, groups),
    }


def family_means(
    of_cases: Mapping[str, Floats], groups: Mapping[str, list[int]]
) -> dict[str, Floats]:
    """Return the mean over the cases of each family, `(B, F, ...)` of `(B, C, ...)`."""
    return {
        f"family {name}": np.stack([v[:, p].mean(axis=1) for p in groups.values()], axis=1)
        for name, v in of_cases.items()
        if groups
    }


def judged_clips(panel: Panel) -> NDArray[np.bool_]:
    """Return which clips decide verdicts, `(N,)`: those of labels that have enough of them."""
    sizes = np.bincount(panel.truth, minlength=panel.k)
    return np.asarray(sizes[panel.truth] >= MIN_CLIPS_OF_LABEL)


def verdict_of(
    case: Case, deciding: PanelEstimates | None, i: int, *, knows_uar: bool = True
) -> dict[str, Any]:
    """Return `outcome` and `sure` of one perturbation, from the clips that may decide it.

    Where UAR is not known, only a missed share of unchanged answers is sure.
    """
    if case.rule is None:
        return {"outcome": "no threshold", "sure": False}
    if deciding is None:
        return {"outcome": "cannot tell", "sure": False}
    unchanged, uar = deciding.interval("unchanged", i), deciding.difference("change", i, 1)
    if not knows_uar:
        uar = replace(uar, low=-1.0, high=1.0)
    if case.rule.is_kept(unchanged.value, uar.value):
        return {"outcome": "pass", "sure": case.rule.is_kept(unchanged.low, uar.low)}
    return {"outcome": "fail", "sure": not case.rule.is_kept(unchanged.high, uar.high)}


def early_verdict(
    clean: Run, run: Run, case: Case, level: float, part: Container[int] | None = None
) -> dict[str, Any]:
    """Return `outcome` and `sure` of a perturbation that has not been asked all clips.

    The labels that decide are those of the clean run. The change of UAR decides nothing until each
    of them has `MIN_CLIPS_OF_LABEL` clips here too.

    Args:
        clean: The clean run.
        run: That of the perturbation.
        case: Which it is.
        level: What the intervals hold.
        part: Positions of the clips that count; by default all that both have.
    """
    if not len(run):
        return verdict_of(case, None, 0)
    panel = panel_of([clean, run])
    sizes = np.bincount(clean.truth, minlength=len(panel.labels))
    counts = sizes[panel.runs.truth] >= MIN_CLIPS_OF_LABEL
    if part is not None:
        counts &= np.array([index in part for index in panel.index.tolist()], dtype=bool)
    if case.rule is None or not counts.any():
        return verdict_of(case, None, 0)
    deciding = panel.runs.only(counts)
    here = np.bincount(deciding.truth, minlength=len(sizes))
    enough = bool((here[sizes >= MIN_CLIPS_OF_LABEL] >= MIN_CLIPS_OF_LABEL).all())
    return verdict_of(case, estimated(deciding, {}, 0).at(level), 0, knows_uar=enough)


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
