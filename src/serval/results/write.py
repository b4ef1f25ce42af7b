"""The files that a run becomes. They need the stored run only: no audio, no model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from serval.errors import ConfigError, LabelError
from serval.files import is_file, write_json, write_text, writing
from serval.groups import group_sentences, groups_of
from serval.multilabel import Thresholds, multilabel_run
from serval.plots.canvas import FORMATS
from serval.plots.classes import (
    run_on_set,
    save_confusion_matrix,
    save_per_class,
    save_per_emotion,
)
from serval.plots.dimensions import save_dimensions
from serval.plots.reliability import save_reliability
from serval.results.dimensions import dimension_document, dimension_summary
from serval.results.document import results_document
from serval.results.domain_shift import domain_shift_part
from serval.results.label_space import label_space_part
from serval.results.multilabel import (
    fitted_thresholds,
    multilabel_document,
    multilabel_summary,
    scores_of_sets,
)
from serval.results.summary import summary_markdown
from serval.results.table import write_csv, write_failures, write_parquet
from serval.run import JOURNAL, Run
from serval.scores import scores_of
from serval.scores.calibration import calibration_of, calibration_sentences
from serval.scores.votes import vote_scores, vote_sentences
from serval.wording import without_nan

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from serval.multilabel import MultilabelRun
    from serval.scores import Scores
    from serval.scores.calibration import Calibration

__all__ = ["Written", "results_document", "write_results"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a run was turned into.

    Attributes:
        document: The content of `results.json`.
        files: The path of each file, by kind.
    """

    document: dict[str, Any]
    files: dict[str, Path]


PICTURES = {
    "confusion matrix": "confusion_matrix.png",
    "per emotion": "per_class_metrics.png",
    "reliability": "reliability.png",
}
"""The file of each picture, by kind, in the usual format."""

PICTURE_OF_DIMENSIONS = "dimensions.png"


def write_results(
    run: Run,
    folder: Path | None = None,
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
        plots: Draw the pictures; without, those of an earlier call are removed, since they may show
            other numbers than the new files.
        restrict: Score with only those labels too that model and set both know; by default as the
            run was made.

    Raises:
        ConfigError: One of those runs is of another model, shares clips with `run`, or is of no use
            for its task.
    """
    folder = folder or run.folder
    _refuse_what_cannot_be_fitted(run, calibrate_on, thresholds_from)
    if run.provenance.is_multilabel:
        return _written_sets(_with_thresholds(run, thresholds_from), folder, plots=plots)
    if run.provenance.of_dimensions:
        return _written_dimensions(run, folder, plots=plots)
    if restrict is None:
        restrict = run.provenance.options.get("restrict") is True
    return _written_emotions(run, folder, calibrate_on, restrict=restrict, plots=plots)


def _refuse_what_cannot_be_fitted(
    run: Run, calibrate_on: Run | None, thresholds_from: Run | None
) -> None:
    several = run.provenance.is_multilabel
    if several and calibrate_on is not None:
        raise ConfigError(
            "a temperature is fitted for one emotion a clip; for several give --thresholds-from"
        )
    if not several and thresholds_from is not None and thresholds_from is not run:
        raise ConfigError(
            f"--thresholds-from is of use for several emotions a clip, and {run.folder} has one"
        )
    if run.provenance.of_dimensions and calibrate_on is not None:
        raise ConfigError("a run of dimensions has no confidence to calibrate")


def _with_thresholds(run: Run, thresholds_from: Run | None) -> MultilabelRun:
    values = multilabel_run(run)
    if thresholds_from is run:
        return values
    values = values.with_thresholds(Thresholds.usual(run.labels))
    if thresholds_from is None:
        return values
    return values.with_thresholds(fitted_thresholds(values, multilabel_run(thresholds_from)))


def _written_emotions(
    run: Run, folder: Path, calibrate_on: Run | None, *, restrict: bool, plots: bool
) -> Written:
    scores, calibration = scores_of(run), calibration_of(run, fitted_on=calibrate_on)
    document = results_document(run, scores) | _parts(run, calibration, restrict=restrict)
    files = {
        "results": write_json(document, folder / "results.json"),
        "clips": write_csv(run, folder / "detailed_results.csv"),
        "failures": write_failures(run, folder / "failures.csv"),
        "predictions": write_parquet(run, folder / "predictions.parquet"),
        "summary": write_text(folder / "summary.md", summary_markdown(document)),
    }
    if plots:
        files |= _pictures(run, scores, calibration, folder)
    else:
        _remove_pictures(folder)
    return Written(document=document, files=files | _journal(run))


def _parts(run: Run, calibration: Calibration, *, restrict: bool) -> dict[str, Any]:
    """Return what stands in the document beside the scores, in plain JSON types."""
    groups = groups_of(run)
    parts = {
        "label_space": label_space_part(run, restrict=restrict),
        "domain_shift": domain_shift_part(run),
        "calibration": calibration.as_dict() | {"sentences": calibration_sentences(calibration)},
        "votes": _votes_part(run),
        "groups": groups.as_dict() | {"sentences": group_sentences(groups)},
    }
    return {name: without_nan(part) for name, part in parts.items()}


def _votes_part(run: Run) -> dict[str, Any]:
    """Return what the votes say; a column of that name may hold something else altogether."""
    try:
        votes = vote_scores(run)
    except LabelError as error:
        return {"sentences": [f"Votes are in no score: {error}."]}
    return ({} if votes is None else votes.as_dict()) | {"sentences": vote_sentences(votes)}


def _written_dimensions(run: Run, folder: Path, *, plots: bool) -> Written:
    document, values = dimension_document(run)
    files = {
        "results": write_json(document, folder / "results.json"),
        "clips": write_csv(run, folder / "detailed_results.csv", values),
        "failures": write_failures(run, folder / "failures.csv"),
        "summary": write_text(folder / "summary.md", dimension_summary(document)),
    }
    if plots:
        files["dimensions"] = save_dimensions(values, folder / PICTURE_OF_DIMENSIONS)
    _remove_pictures(folder, kept=files.values())
    return Written(document=document, files=files | _journal(run))


def _written_sets(values: MultilabelRun, folder: Path, *, plots: bool) -> Written:
    run = values.run
    scores = scores_of_sets(values)
    document = multilabel_document(values, scores)
    files = {
        "results": write_json(document, folder / "results.json"),
        "clips": write_csv(run, folder / "detailed_results.csv", values),
        "failures": write_failures(run, folder / "failures.csv"),
        "summary": write_text(folder / "summary.md", multilabel_summary(document)),
    }
    values.thresholds.write(folder)
    if plots:
        place = folder / PICTURES["per emotion"]
        files["per emotion"] = save_per_emotion(run, scores, place)
    _remove_pictures(folder, kept=files.values())
    return Written(document=document, files=files | _journal(run))


def _journal(run: Run) -> dict[str, Path]:
    journal = run.folder / JOURNAL
    return {"journal": journal} if is_file(journal) else {}


def _pictures(run: Run, scores: Scores, calibration: Calibration, folder: Path) -> dict[str, Path]:
    places = {kind: folder / name for kind, name in PICTURES.items()}
    drawn = {
        "confusion matrix": save_confusion_matrix(run, scores, places["confusion matrix"]),
        "per emotion": save_per_class(run, scores, places["per emotion"]),
    }
    if not calibration.is_certain:
        named = run_on_set(run)
        drawn["reliability"] = save_reliability(calibration, named, places["reliability"])
    _remove_pictures(folder, kept=drawn.values())
    return drawn


def _remove_pictures(folder: Path, kept: Collection[Path] = ()) -> None:
    """Remove the pictures of an earlier call, in every format, but those drawn just now."""
    for name in (*PICTURES.values(), PICTURE_OF_DIMENSIONS):
        for suffix in FORMATS:
            path = (folder / name).with_suffix(f".{suffix}")
            if path not in kept:
                with writing(path):
                    path.unlink(missing_ok=True)
