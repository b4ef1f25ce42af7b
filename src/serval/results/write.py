"""The files that a run becomes. They need the stored run only: no audio, no model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serval.files import is_file, write_json, write_text, writing
from serval.plots.canvas import FORMATS
from serval.results.dimensions import DimensionResults
from serval.results.emotions import EmotionResults, results_document
from serval.results.multilabel import MultilabelResults
from serval.results.scored import TaskResults
from serval.results.table import write_csv, write_failures
from serval.run import JOURNAL, Run, refuse_other_journal
from serval.tasks import CATEGORICAL, DIMENSIONAL, MULTILABEL, only

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from serval.tasks import Task

__all__ = ["RESULTS", "TaskResults", "Written", "results_document", "results_of", "write_results"]

RESULTS: Mapping[Task, type[TaskResults]] = {
    CATEGORICAL: EmotionResults,
    MULTILABEL: MultilabelResults,
    DIMENSIONAL: DimensionResults,
}
"""What the run of a task becomes."""

CALIBRATED = only(
    CATEGORICAL,
    "--calibrate-on fits the temperature of",
    "leave it out; for several give --thresholds-from",
)
RESTRICTED = only(CATEGORICAL, "--restrict is about the labels of")
THRESHOLDED = only(MULTILABEL, "--thresholds-from is of use for")


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a run was turned into.

    Attributes:
        document: The content of `results.json`.
        files: The path of each file, by kind.
    """

    document: dict[str, Any]
    files: dict[str, Path]


def results_of(run: Run) -> TaskResults:
    """Return the scores of a run, whatever its task, and what verbs make of them."""
    return RESULTS[run.provenance.task](run=run, thresholds_from=run)


def write_results(
    run: Run,
    folder: Path | str | None = None,
    *,
    calibrate_on: Run | None = None,
    thresholds_from: Run | None = None,
    plots: bool = True,
    restrict: bool | None = None,
) -> Written:
    """Return the scores and files of a run, each file written whole or not at all.

    Args:
        run: A stored run, complete or not.
        folder: Where to write; by default the run's own folder.
        calibrate_on: A run of the same model on other clips, to fit a temperature on.
        thresholds_from: A run of the same model on other clips, to fit the thresholds of several
            emotions a clip on; they lie in the folder then, where every verb reads them, until the
            next call. `run` itself goes on with those that lie in its folder.
        plots: Draw the pictures; without, those of an earlier call, which may differ, are removed.
        restrict: Score with only the labels too that model and set share; default: as it was made.

    Raises:
        ConfigError: Such a run is of another model or shares clips, or its task takes no such one.
        RunError: The folder holds another run.
    """
    if calibrate_on is not None:
        CALIBRATED.of(run.provenance.task, run.folder)
    if thresholds_from is not None and thresholds_from is not run:
        THRESHOLDED.of(run.provenance.task, run.folder)
    if restrict:
        RESTRICTED.of(run.provenance.task, run.folder)
    found = RESULTS[run.provenance.task](
        run=run, calibrate_on=calibrate_on, thresholds_from=thresholds_from, restrict=restrict
    )
    return _written(found, Path(folder or run.folder).expanduser(), plots=plots)


def _written(found: TaskResults, folder: Path, *, plots: bool) -> Written:
    refuse_other_journal(folder, found.run)
    document, run = found.document | found.further, found.run
    files = {
        "results": write_json(document, folder / "results.json"),
        "clips": write_csv(run, folder / "detailed_results.csv", found.columns),
        "failures": write_failures(run, folder / "failures.csv"),
        **found.files(folder),
        "summary": write_text(folder / "summary.md", found.summary(document)),
    }
    drawn = found.pictures(folder) if plots else {}
    _remove_pictures(folder, kept=drawn.values())
    return Written(document=document, files=files | drawn | _journal(run))


def _journal(run: Run) -> dict[str, Path]:
    journal = run.folder / JOURNAL
    return {"journal": journal} if is_file(journal) else {}


def _remove_pictures(folder: Path, kept: Collection[Path]) -> None:
    """Remove the pictures of an earlier call, in every format, but those drawn just now."""
    figures = {name for own in RESULTS.values() for name in own.figures.values()}
    for name in sorted(figures):
        for suffix in FORMATS:
            path = (folder / name).with_suffix(f".{suffix}")
            if path not in kept:
                with writing(path):
                    path.unlink(missing_ok=True)
