"""The files of a run of one emotion a clip: the published keys, and what stands beside them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from serval.errors import LabelError
from serval.groups import group_sentences, groups_of
from serval.plots.classes import run_on_set, save_confusion_matrix, save_per_class
from serval.plots.reliability import save_reliability
from serval.results.document import caveats_of, shared_document
from serval.results.domain_shift import domain_shift_part, label_space_part
from serval.results.observations import observations_of, sentences
from serval.results.scored import TaskResults
from serval.results.summary import gap_table, items, summary_of
from serval.results.table import COLUMNS_OF_CLIP, ClipColumns, cells_of_clip, write_parquet
from serval.results.verdict import data_name, sentences_of, verdict_of
from serval.scores import METRICS, PUBLISHED, SHOWN, scores_of, title_of
from serval.scores.calibration import calibration_of, calibration_sentences
from serval.scores.metrics import (
    class_report,
    classification_report,
    confusion_matrix,
    margins,
)
from serval.scores.multilabel import EMOTION_METRICS
from serval.scores.votes import vote_scores, vote_sentences
from serval.wording import (
    counted,
    csv_cell,
    markdown_table,
    markdown_text,
    percent,
    scored,
    without_nan,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from serval.run import Run
    from serval.scores import Scores
    from serval.scores.calibration import Calibration
    from serval.scores.stats import Interval

SCORES = ("precision", "recall", "f1")
"""Of each emotion."""


@dataclass(frozen=True, kw_only=True)
class EmotionResults(TaskResults):
    """A run of one emotion a clip with its scores."""

    whole = "overall"
    each = "per_class"
    one = "emotion"
    keys = {key: EMOTION_METRICS[key] for key in SCORES}  # noqa: RUF012 - never written to
    titles = {key: METRICS[key].title for key in ("uar", "wa", *SHOWN)}  # noqa: RUF012
    shares = True
    figures = {  # noqa: RUF012
        "confusion matrix": "confusion_matrix.png",
        "per emotion": "per_class_metrics.png",
        "reliability": "reliability.png",
    }

    @cached_property
    def scores(self) -> Scores:
        """Every score with its interval."""
        return scores_of(self.run)

    @cached_property
    def calibration(self) -> Calibration:
        """How far confidence is what it says."""
        return calibration_of(self.run, fitted_on=self.calibrate_on)

    @property
    def bounded(self) -> dict[str, float | Interval]:
        """Every number that a gate can bound, by its name."""
        fit = self.calibration.as_is
        sure: dict[str, float | Interval] = {"ece": fit.ece, "brier": fit.brier, "nll": fit.nll}
        known: dict[str, float | Interval] = {
            **self.scores.overall,
            **self.scores.published,
            **sure,
            "aurc": self.calibration.aurc,
        }
        return known | super().bounded

    @property
    def document(self) -> dict[str, Any]:
        """See `results_document`."""
        return results_document(self.run, self.scores)

    @property
    def further(self) -> dict[str, Any]:
        """What stands in the document beside the scores, in plain JSON types."""
        run, groups, restrict = self.run, groups_of(self.run), self.restrict
        if restrict is None:
            restrict = run.provenance.options.get("restrict") is True
        own = self.calibration
        parts = {
            "label_space": label_space_part(run, restrict=restrict),
            "domain_shift": domain_shift_part(run),
            "calibration": own.as_dict() | {"sentences": calibration_sentences(own)},
            "votes": _votes_part(run),
            "groups": groups.as_dict() | {"sentences": group_sentences(groups)},
        }
        return {name: without_nan(part) for name, part in parts.items()}

    @property
    def columns(self) -> ClipColumns:
        """Both emotions of each clip, and every probability."""
        run = self.run
        head = (
            *("sample_index", "predicted_emotion", "true_emotion", "predicted_id", "true_id"),
            *("correct", "clip_id", "confidence", *(f"prob_{label}" for label in run.labels)),
            *COLUMNS_OF_CLIP,
        )
        return ClipColumns(head=head, rows=_rows(run))

    def summary(self, document: Mapping[str, Any]) -> str:
        """Return `summary.md`: tables, then what each further part says."""
        meta, scores = document["metadata"], document["scores"]
        by = scores["resampling"]
        return summary_of(
            document,
            f"{counted(meta['total_samples'], 'clip')} scored, {len(document['failures'])} failed. "
            f"UAR and macro scores average the {counted(scores['classes_averaged'], 'emotion')} "
            "with truth clips. In "
            f"brackets: 95 % interval, drawn by {by['by']} ({by['clusters']} of them).\n",
            _overall_table(document),
            "## Per emotion\n",
            _class_table(document),
            "## What stands out\n",
            *items(document["observations"]["sentences"]),
            *_told(document),
        )

    def pictures(self, folder: Path) -> dict[str, Path]:
        """Return the confusion matrix, the bars, and of a model with doubts its reliability."""
        run, scores, calibration = self.run, self.scores, self.calibration
        places = {kind: folder / name for kind, name in self.figures.items()}
        drawn = {
            "confusion matrix": save_confusion_matrix(run, scores, places["confusion matrix"]),
            "per emotion": save_per_class(run, scores, places["per emotion"]),
        }
        if not calibration.is_certain:
            named = run_on_set(run)
            drawn["reliability"] = save_reliability(calibration, named, places["reliability"])
        return drawn

    def files(self, folder: Path) -> dict[str, Path]:
        """Return the predictions in parquet, after writing them."""
        return {"predictions": write_parquet(self.run, folder / "predictions.parquet")}


def results_document(run: Run, scores: Scores) -> dict[str, Any]:
    """Return everything that is known of a run, in plain JSON types; undefined scores are `None`.

    `overall` and `per_class` have the published keys and scikit-learn's defaults: an undefined
    score is 0, and macro scores average the classes that occur in truth or predictions. Those in
    `scores`, which have intervals, average the classes with truth clips.
    """
    counts = confusion_matrix(run.truth, run.predicted, run.labels)
    observed = observations_of(counts, run.labels)
    sums = margins(counts)
    document = {
        **shared_document(run, caveats_of([run], [scores])),
        "overall": {key: float(of(sums)) for key, of in PUBLISHED.items()},
        "per_class": dict(zip(run.labels, map(_published, class_report(counts)), strict=True)),
        "scores": scores.as_dict(),
        "observations": asdict(observed) | {"sentences": sentences(observed)},
        "verdict": [
            verdict_of(run.name, scores, data_name(run)),
            *sentences_of(scores, run.labels),
        ],
        "labels": list(run.labels),
        "confusion_matrix": counts.tolist(),
        "classification_report": classification_report(counts, run.labels),
        "predictions": run.predicted.tolist(),
        "ground_truth": run.truth.tolist(),
    }
    return {key: without_nan(value) for key, value in document.items()}


def _published(row: Mapping[str, float]) -> dict[str, float]:
    return {key: row["f1-score" if key == "f1" else key] for key in (*SCORES, "support")}


def _votes_part(run: Run) -> dict[str, Any]:
    """Return what the votes say; a column of that name may hold something else altogether."""
    try:
        votes = vote_scores(run)
    except LabelError as error:
        return {"sentences": [f"Votes are in no score: {error}."]}
    return ({} if votes is None else votes.as_dict()) | {"sentences": vote_sentences(votes)}


def _rows(run: Run) -> Iterator[list[object]]:
    for i, clip_id in enumerate(run.clip_ids):
        truth, predicted = int(run.truth[i]), int(run.predicted[i])
        probs = [str(p) for p in run.probs[i]]
        yield [
            *(i, csv_cell(run.labels[predicted]), csv_cell(run.labels[truth])),
            *(predicted, truth, predicted == truth, csv_cell(clip_id), probs[predicted], *probs),
            *cells_of_clip(run, i),
        ]


TOLD = {
    "label_space": "Labels",
    "domain_shift": "How this set differs from the model's own",
    "votes": "Listeners",
    "calibration": "How sure the model is",
    "groups": "Groups",
}
"""Parts of a document with sentences, and what stands over them."""


def _told(document: Mapping[str, Any]) -> Iterator[str]:
    for part, title in TOLD.items():
        said = document[part]["sentences"]
        if said:
            yield from (f"\n## {title}\n", *items(said))
    if document["groups"]["sentences"]:
        yield from ("", gap_table(document["groups"]["tables"]))


def _overall_table(document: Mapping[str, Any]) -> str:
    scores, guesses = document["scores"]["overall"], document["scores"]["baselines"]
    rows = [
        (
            title_of(key),
            scored(scores[key]),
            *(percent(guesses[guess][key]) for guess in ("random", "majority")),
        )
        for key in METRICS
    ]
    return markdown_table(["Metric", "Value", "Random labels", "Majority label"], rows)


def _class_table(document: Mapping[str, Any]) -> str:
    rows = [
        (
            markdown_text(label),
            *(scored(own[key]) for key in SCORES),
            str(own["support"]),
        )
        for label, own in document["scores"]["per_class"].items()
    ]
    return markdown_table(["Emotion", "Precision", "Recall", "F1", "Clips"], rows)
