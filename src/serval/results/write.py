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
            next call.
        plots: Draw the pictures; without, those of an earlier call are removed, since they may show
            other numbers than the new files.
        restrict: Score with only those labels too that model and set both know; by default as the
            run was made.

    Raises:
        ConfigError: One of those runs is of another model, shares clips with `run`, or is of no use
            for its task.
    """
    folder = folder or run.folder
    if run.provenance.is_multilabel:
        if calibrate_on is not None:
            raise ConfigError(
                "a temperature is fitted for one emotion a clip; for several give --thresholds-from"
            )
        return _written_sets(run, folder, thresholds_from, plots=plots)
    if thresholds_from is not None:
        raise ConfigError(
            f"--thresholds-from is of use for several emotions a clip, and {run.folder} has one"
        )
    if run.provenance.of_dimensions:
        if calibrate_on is not None:
            raise ConfigError("a run of dimensions has no confidence to calibrate")
        return _written_dimensions(run, folder, plots=plots)
    scores, groups = scores_of(run), groups_of(run)
    calibration = calibration_of(run, fitted_on=calibrate_on)
    document = results_document(run, scores)
    if restrict is None:
        restrict = run.provenance.options.get("restrict") is True
    document["label_space"] = without_nan(label_space_part(run, restrict=restrict))
    document["domain_shift"] = without_nan(domain_shift_part(run))
    document["calibration"] = without_nan(
        calibration.as_dict() | {"sentences": calibration_sentences(calibration)}
    )
    document["votes"] = without_nan(_votes_part(run))
    document["groups"] = without_nan(groups.as_dict() | {"sentences": group_sentences(groups)})
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


def _written_sets(run: Run, folder: Path, fitted_on: Run | None, *, plots: bool) -> Written:
    values = multilabel_run(run).with_thresholds(Thresholds.usual(run.labels))
    if fitted_on is not None:
        values = values.with_thresholds(fitted_thresholds(values, multilabel_run(fitted_on)))
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
