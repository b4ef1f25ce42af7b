"""The runs of a stress test on the clips that all of them predicted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serval.comparison.align import aligned
from serval.scores import HEADLINES, METRICS
from serval.scores.clusters import clustering_of
from serval.scores.metrics import Tally, margins
from serval.scores.paired import Panel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from serval.labels import LabelSet
    from serval.run import Run

    Floats = NDArray[np.float64]

__all__ = ["StressPanel", "metric_columns", "panel_of"]


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
