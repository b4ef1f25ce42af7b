"""The runs of a comparison: enough of them, of one task, each with a name of its own."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from serval.errors import ConfigError
from serval.wording import in_points

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serval.run import Run
    from serval.tasks import Task

__all__ = ["names_apart", "refuse_few", "refuse_odd_margin", "task_of_runs"]


def refuse_odd_margin(margin: float) -> None:
    """Stop where no loss, or any, would be within a margin.

    Raises:
        ConfigError: The margin is not in (0, 1).
    """
    if not 0 < margin < 1:
        raise ConfigError(
            f"a margin of {in_points(margin)} cannot be judged; give one above 0 and below 100"
        )


def refuse_few(runs: Sequence[Run]) -> None:
    """Refuse to compare a run with nothing.

    Raises:
        ConfigError: There are fewer than two.
    """
    if len(runs) < 2:
        raise ConfigError(f"a comparison needs at least 2 runs, got {len(runs)}")


def task_of_runs(runs: Sequence[Run]) -> Task:
    """Return what the clips of the runs were asked for.

    Raises:
        ConfigError: Some were asked for something else.
    """
    first = runs[0]
    for run in runs[1:]:
        if run.provenance.task is not first.provenance.task:
            raise ConfigError(
                f"{run.folder} has {run.provenance.task.said}, and {first.folder} "
                f"{first.provenance.task.said}; compare runs of one task"
            )
    return first.provenance.task


def names_apart(runs: Sequence[Run]) -> list[str]:
    """Return what tells the runs apart: names, with folders for those that are called alike."""
    called = Counter(run.name for run in runs)
    names = [
        run.name if run.name and called[run.name] == 1 else Path(run.folder).resolve().name
        for run in runs
    ]
    folders = [Path(run.folder).resolve().name for run in runs]
    paths = [str(run.folder) for run in runs]
    numbered = [f"{path} #{i + 1}" for i, path in enumerate(paths)]
    choices = (names, folders, paths, numbered)
    return next(names for names in choices if len(set(names)) == len(runs) and all(names))
