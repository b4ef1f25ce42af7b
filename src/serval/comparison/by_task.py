"""Runs of any task, compared: what `serval compare` and `serval gate` ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from serval.comparison.compare import compare
from serval.comparison.compared import task_of_runs
from serval.comparison.dimensions import (
    compare_dimensions,
    dimension_comparison_document,
    write_dimension_comparison,
)
from serval.comparison.files import comparison_document, write_comparison
from serval.comparison.multilabel import compare_multilabel, write_multilabel_comparison
from serval.tasks import CATEGORICAL, DIMENSIONAL, MULTILABEL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from serval.comparison.dimensions import DimensionComparison
    from serval.comparison.multilabel import MultilabelComparison
    from serval.comparison.pair import Comparison, PairOptions
    from serval.run import Run
    from serval.tasks import Task

    Compared = Comparison | DimensionComparison | MultilabelComparison

__all__ = ["COMPARISONS", "TaskComparison", "compared"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskComparison:
    """How runs of a task are compared.

    Attributes:
        compare: Runs, the baseline first, and options -> what differs.
        document: What differs -> `comparison.json`.
        write: What differs, the runs and a folder -> the files by kind.
        draws: Whether its intervals are drawn; those of dimensions are computed.
    """

    compare: Callable[[Sequence[Run], PairOptions], Compared]
    document: Callable[[Any], dict[str, Any]]
    write: Callable[[Any, Sequence[Run], Path], dict[str, Path]]
    draws: bool = True


COMPARISONS: Mapping[Task, TaskComparison] = {
    CATEGORICAL: TaskComparison(
        compare=compare,
        document=comparison_document,
        write=lambda found, _runs, folder: write_comparison(found, folder),
    ),
    MULTILABEL: TaskComparison(
        compare=compare_multilabel,
        document=lambda found: found.document,
        write=lambda found, _runs, folder: write_multilabel_comparison(found, folder),
    ),
    DIMENSIONAL: TaskComparison(
        compare=lambda runs, options: compare_dimensions(runs, options.margin),
        document=dimension_comparison_document,
        write=write_dimension_comparison,
        draws=False,
    ),
}


def compared(runs: Sequence[Run], options: PairOptions) -> Compared:
    """Return what differs between runs of one task on their common clips.

    Raises:
        ConfigError: They are not of one task, or have no clip in common.
        LabelError: They have different labels, or disagree on the truth of a clip.
    """
    return COMPARISONS[task_of_runs(runs)].compare(runs, options)
