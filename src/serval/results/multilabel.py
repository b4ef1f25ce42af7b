"""The files of a run of several emotions a clip: scores with intervals, and their thresholds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.groups.multilabel import multilabel_group_sentences, multilabel_groups
from serval.multilabel import THRESHOLD, Thresholds, multilabel_run
from serval.plots.classes import save_per_emotion
from serval.results.document import caveats_of, shared_document
from serval.results.scored import TaskResults
from serval.results.summary import drawn_by, items, summary_of
from serval.results.table import COLUMNS_OF_CLIP, ClipColumns, cells_of_clip
from serval.results.verdict import data_name, in_percent, in_words
from serval.scores.calibration import refuse_unfit
from serval.scores.multilabel import (
    EMOTION_METRICS,
    MULTILABEL_METRICS,
    multilabel_scores,
)
from serval.scores.ranking import best_thresholds
from serval.tasks import MULTILABEL
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

    from serval.multilabel import MultilabelRun
    from serval.run import Run
    from serval.scores.multilabel import MultilabelScores

OFTEN = 2.0
"""An emotion that is named so many times as often as it is there is remarked on, and so is the
reverse."""


@dataclass(frozen=True, kw_only=True)
class MultilabelResults(TaskResults):
    """A run of several emotions a clip with its scores."""

    whole = "overall"
    each = "per_emotion"
    one = "emotion"
    keys = EMOTION_METRICS
    titles = {key: MULTILABEL_METRICS[key].title for key in ("macro_f1", "mean_ap")}  # noqa: RUF012 - never written to
    shares = True
    figures = {"per emotion": "per_class_metrics.png"}  # noqa: RUF012

    @cached_property
    def values(self) -> MultilabelRun:
        """The true and the named emotions."""
        run, other = self.run, self.thresholds_from
        found = multilabel_run(run)
        if other is run:
            return found
        if other is None:
            return found.with_thresholds(Thresholds.usual(run.labels))
        return found.with_thresholds(fitted_thresholds(run, multilabel_run(other)))

    @cached_property
    def scores(self) -> MultilabelScores:
        """Every score with its interval."""
        return scores_of_sets(self.values)

    @property
    def verdict(self) -> list[str]:
        """What a reader takes away, one sentence each."""
        return [_verdict(self.run, self.scores), *_sentences(self.values, self.scores)]

    @property
    def warnings(self) -> list[str]:
        """What the scores do not mean, beside what holds of any run."""
        return [*_unknown(self.run), *self.scores.warnings]

    @property
    def document(self) -> dict[str, Any]:
        """The content of `results.json`; undefined scores are `None`."""
        run, values = self.run, self.values
        groups = multilabel_groups(values)
        document = shared_document(run, caveats_of([run], [], self.warnings)) | {
            "task": MULTILABEL.key,
            "labels": list(run.labels),
            "scores": self.score_parts,
            "thresholds": asdict(values.thresholds) | {"sentence": values.thresholds.sentence},
            "groups": {
                "tables": [asdict(table) for table in groups],
                "sentences": multilabel_group_sentences(groups),
            },
            "verdict": self.verdict,
            "predictions": _names(run, values.predicted),
            "ground_truth": _names(run, values.truth),
        }
        return {key: without_nan(value) for key, value in document.items()}

    @property
    def assumed(self) -> list[str]:
        """From which scores on an emotion counts as named."""
        return [self.values.thresholds.sentence]

    @property
    def columns(self) -> ClipColumns:
        """The named and the true emotions of each clip, every score and every mark."""
        each = (f"{kind}_{label}" for kind in ("prob", "true") for label in self.run.labels)
        fixed = ("sample_index", "predicted_emotions", "true_emotions", "correct", "clip_id")
        return ClipColumns(head=(*fixed, *each, *COLUMNS_OF_CLIP), rows=_set_rows(self.values))

    def summary(self, document: Mapping[str, Any]) -> str:
        """Return `summary.md`: the scores of the run, then those of each emotion."""
        scores = document["scores"]
        return summary_of(
            document,
            drawn_by(scores),
            overall_table(scores),
            "## Per emotion\n",
            emotion_table(scores),
            *items([*document["verdict"][1:], *document["groups"]["sentences"]]),
        )

    def pictures(self, folder: Path) -> dict[str, Path]:
        """Return the scores of each emotion as bars."""
        place = folder / self.figures["per emotion"]
        return {"per emotion": save_per_emotion(self.run, self.scores, place)}

    def files(self, folder: Path) -> dict[str, Path]:
        """Keep the thresholds beside the run; they are no result of it."""
        self.values.thresholds.write(folder)
        return {}


def fitted_thresholds(run: Run, other: MultilabelRun) -> Thresholds:
    """Return the thresholds with the highest F1 of each emotion on the clips of another run.

    Raises:
        ConfigError: That run is of another model, or shares clips with this one.
    """
    refuse_unfit(run, other.run, "thresholds")
    best = best_thresholds(other.truth, other.scores)
    labels = run.labels
    unfitted = [label for label, value in zip(labels, best, strict=True) if np.isnan(value)]
    chosen = np.where(np.isnan(best), THRESHOLD, best).tolist()
    return Thresholds(
        values=dict(zip(labels, chosen, strict=True)),
        fitted_on=str(other.run.folder),
        clips=len(other.run),
        unfitted=tuple(unfitted),
    )


def scores_of_sets(values: MultilabelRun) -> MultilabelScores:
    """Return every score of a run with its interval."""
    run = values.run
    return multilabel_scores(values.truth, values.answers_in(run.labels), run.speakers, run.labels)


def overall_table(scores: Mapping[str, Any]) -> str:
    """Return the scores of the whole run beside those of naming everything, in markdown."""
    rows = [
        [metric.title, scored(scores["overall"][key]), percent(scores["baseline"][key])]
        for key, metric in MULTILABEL_METRICS.items()
    ]
    return markdown_table(["Metric", "Value", "All emotions always"], rows)


def emotion_table(scores: Mapping[str, Any]) -> str:
    """Return the scores of each emotion, in markdown."""
    rows = [
        [markdown_text(label), *(scored(own[key]) for key in EMOTION_METRICS),
         str(own["support"]), str(own["named"])]
        for label, own in scores["per_emotion"].items()
    ]  # fmt: skip
    head = [title[:1].upper() + title[1:] for title in EMOTION_METRICS.values()]
    return markdown_table(["Emotion", *head, "Clips", "Named"], rows)


def _verdict(run: Run, scores: MultilabelScores) -> str:
    if not scores.n:
        return f"{run.name} answered no clip."
    return (
        f"{run.name} hears which emotions {counted(scores.n, 'clip')} of {data_name(run)} have "
        f"with a macro F1 of {in_words(scores.overall['macro_f1'])}."
    )


def _sentences(values: MultilabelRun, scores: MultilabelScores) -> Iterator[str]:
    if not scores.n:
        return
    exact, mean_ap = scores.overall["subset_accuracy"], scores.overall["mean_ap"]
    yield (
        f"All emotions of a clip are right on {in_words(exact)}; mean AP is {in_words(mean_ap)}."
    )
    yield (
        "Naming every emotion of every clip would have a macro F1 of "
        f"{in_percent(scores.baseline['macro_f1'])}; a ranking at random has a mean AP of about "
        f"{in_percent(scores.baseline['mean_ap'])}."
    )
    yield values.thresholds.sentence
    yield _read_from(values)
    absent = [label for label, own in scores.per_emotion.items() if not own.support]
    if absent:
        others = counted(scores.emotions_averaged, "emotion")
        yield f"No scored clip has {', '.join(absent)}: " + (
            f"macro F1 and mean AP run over the other {others}."
            if scores.emotions_averaged
            else "macro F1 and mean AP are not defined."
        )
    yield from _often(scores)
    yield (
        "Average precision ranks all clips and is no sum over them: its intervals are of what the "
        "weight of each speaker's clips moves, those of the other scores of draws of whole "
        f"{scores.by}s."
    )


def _read_from(values: MultilabelRun) -> str:
    facts = values.run.provenance.dataset[MULTILABEL.key]
    none, mean = int((~values.truth.any(axis=1)).sum()), values.truth.sum() / len(values.truth)
    return (
        f"The true emotions were read from {facts.get('read_from', 'the set')}: {mean:.2f} a clip, "
        f"and {counted(none, 'clip')} with none."
    )


def _often(scores: MultilabelScores) -> Iterator[str]:
    for label, own in scores.per_emotion.items():
        often = own.support and own.named > OFTEN * own.support
        if often or own.named < own.support / OFTEN:
            how = "too often" if often else "too rarely"
            have = counted(own.support, "clip has", "clips have")
            yield f"{label} is named {how}: {counted(own.named, 'time')}, and {have} it."


def _unknown(run: Run) -> list[str]:
    """Return what of the set's labels is no part of the truth."""
    unknown = run.provenance.dataset[MULTILABEL.key].get("unknown", {})
    listed = ", ".join(f"{label} ({counted(n, 'clip')})" for label, n in unknown.items())
    said = (
        f"Labels that the model does not know are no part of the truth: {listed}; their clips are "
        "judged by the model's own emotions."
    )
    return [said] if unknown else []


def _names(run: Run, sets: np.ndarray[Any, np.dtype[np.bool_]]) -> list[list[str]]:
    return [[run.labels[i] for i in np.flatnonzero(row)] for row in sets]


def _set_rows(values: MultilabelRun) -> Iterator[list[object]]:
    run, predicted = values.run, values.predicted
    for i, clip_id in enumerate(run.clip_ids):
        named = (
            ";".join(run.labels[k] for k in np.flatnonzero(sets[i]))
            for sets in (predicted, values.truth)
        )
        marks = values.truth[i].astype(int).tolist()
        right = bool((predicted[i] == values.truth[i]).all())
        yield [
            *(i, *map(csv_cell, named), right, csv_cell(clip_id)),
            *(*(str(p) for p in run.probs[i]), *marks, *cells_of_clip(run, i)),
        ]
