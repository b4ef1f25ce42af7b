"""The files of a run of dimensions: scores on the scale of the set, each with its interval."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from serval.dimensions import dimension_run
from serval.groups.dimensions import (
    averaged_cccs,
    averaged_sentences,
    dimension_group_sentences,
    dimension_groups,
)
from serval.plots.dimensions import save_dimensions
from serval.results.document import caveats_of, shared_document
from serval.results.scored import TaskResults
from serval.results.summary import drawn_by, items, summary_of
from serval.results.table import COLUMNS_OF_CLIP, ClipColumns, cells_of_clip, table_of
from serval.results.verdict import data_name
from serval.scores.dimensions import DIMENSION_METRICS, LEAST_CLIPS, dimension_scores
from serval.tasks import DIMENSIONAL
from serval.wording import counted, csv_cell, markdown_table, markdown_text, numbered, without_nan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from serval.dimensions import DimensionRun
    from serval.groups.dimensions import AveragedCcc, DimensionTable
    from serval.run import Run
    from serval.scores.dimensions import DimensionScores


@dataclass(frozen=True, kw_only=True)
class DimensionResults(TaskResults):
    """A run of dimensions with its scores."""

    whole = "mean"
    each = "per_dimension"
    one = "dimension"
    keys = {key: metric.title for key, metric in DIMENSION_METRICS.items()}  # noqa: RUF012
    titles = {"ccc": "mean CCC"}  # noqa: RUF012 - never written to
    shares = False
    figures = {"dimensions": "dimensions.png"}  # noqa: RUF012

    @cached_property
    def values(self) -> DimensionRun:
        """The values on the scale of the set."""
        return dimension_run(self.run)

    @cached_property
    def scores(self) -> DimensionScores:
        """Every score with its interval."""
        return scores_of_values(self.values)

    @classmethod
    def clips_of(cls, scores: Mapping[str, Any], name: str) -> int:
        """Return the clips with a rating of a dimension."""
        return int(scores["clips"][name])

    @property
    def document(self) -> dict[str, Any]:
        """The content of `results.json`; undefined scores are `None`."""
        run, values, scores = self.run, self.values, self.scores
        document = shared_document(run, caveats_of([run], [], scores.warnings)) | {
            "task": DIMENSIONAL.key,
            "dimensions": list(values.names),
            "scale": [values.scale.low, values.scale.high],
            "scores": self.score_parts,
            "groups": _groups_part(dimension_groups(values)),
            "averaged": _averaged_part(averaged_cccs(values)),
            "verdict": [dimension_verdict(run, scores), *dimension_sentences(scores, values)],
            "predictions": values.predicted.tolist(),
            "ground_truth": values.truth.tolist(),
        }
        return {key: without_nan(value) for key, value in document.items()}

    @property
    def table(self) -> pa.Table:
        """A row for each clip, with the predicted and the true values on the scale of the set."""
        sides = {"predicted": self.values.predicted, "true": self.values.truth}
        answers = {
            f"{kind}_{name}": pa.array(of[:, i], from_pandas=True)  # NaN: nobody rated it
            for kind, of in sides.items()
            for i, name in enumerate(self.values.names)
        }
        return table_of(self.run, answers=answers)

    @property
    def columns(self) -> ClipColumns:
        """The predicted and the true values of each clip."""
        names = self.values.names
        each = (f"{kind}_{name}" for kind in ("predicted", "true") for name in names)
        head = ("sample_index", "clip_id", *each, *COLUMNS_OF_CLIP)
        return ClipColumns(head=head, rows=_value_rows(self.values))

    def summary(self, document: Mapping[str, Any]) -> str:
        """Return `summary.md`: a row for each dimension, and their mean."""
        scores = document["scores"]
        head = ["Dimension", *(metric.title for metric in DIMENSION_METRICS.values()), "Clips"]
        rows = [
            [markdown_text(name), *dimension_cells(own), str(scores["clips"][name])]
            for name, own in scores["per_dimension"].items()
        ]
        rows.append(["mean", *dimension_cells(scores["mean"]), str(scores["n"])])
        said = (document["averaged"], document["groups"])
        return summary_of(
            document,
            drawn_by(scores),
            markdown_table(head, rows),
            *items(document["verdict"][1:]),
            *(line for part in said for line in items(part["sentences"])),
        )

    def pictures(self, folder: Path) -> dict[str, Path]:
        """Return the ratings against the values of each dimension."""
        place = folder / self.figures["dimensions"]
        return {"dimensions": save_dimensions(self.values, place)}


def scores_of_values(values: DimensionRun) -> DimensionScores:
    """Return every score of a run with its interval."""
    return dimension_scores(values.truth, values.predicted, values.run.speakers, values.names)


def _groups_part(tables: Sequence[DimensionTable]) -> dict[str, Any]:
    return {
        "tables": [asdict(table) for table in tables],
        "sentences": dimension_group_sentences(tables),
    }


def _averaged_part(found: Sequence[AveragedCcc]) -> dict[str, Any]:
    columns: dict[str, dict[str, Any]] = {}
    for one in found:
        columns.setdefault(one.column, {})[one.dimension] = asdict(one)
    return {"columns": columns, "sentences": averaged_sentences(found)}


def dimension_verdict(run: Run, scores: DimensionScores) -> str:
    """Return the one sentence that a reader takes away."""
    if not scores.n:
        return f"{run.name} answered no clip."
    each = ", ".join(
        f"{name} {numbered(asdict(own['ccc']))}"
        + f" of {counted(scores.clips[name], 'clip')}" * (scores.clips[name] < scores.n)
        for name, own in scores.per_dimension.items()
    )
    clips = counted(scores.n, "clip")
    return f"{run.name} agrees with the ratings of {clips} of {data_name(run)} by CCC: {each}."


def dimension_sentences(scores: DimensionScores, values: DimensionRun) -> list[str]:
    """Return how to read the scores, and in which way the predictions are off."""
    how = (
        "CCC is 1 where predictions equal the ratings and 0 where chance alone would do as well. "
        f"Errors are on the scale {values.scale}; intervals are those of "
        f"{counted(scores.clusters, scores.by)}."
    )
    said = [how]
    for name, own in scores.per_dimension.items():
        if own["bias"].low > 0 or own["bias"].high < 0:
            way = "high" if own["bias"].value > 0 else "low"
            said.append(
                f"{name} is predicted too {way}, by {abs(own['bias'].value):.2f} on average."
            )
    narrow = [name for i, name in enumerate(values.names) if _is_narrow(values, i)]
    if narrow:
        said.append(
            f"Predictions of {', '.join(narrow)} vary less than half as much as the ratings: the "
            "model stays near the middle."
        )
    return said


def _is_narrow(values: DimensionRun, i: int) -> bool:
    """Return whether predictions vary less than half as much as ratings, where these do."""
    rated = ~np.isnan(values.truth[:, i])
    truth, predicted = values.truth[rated, i], values.predicted[rated, i]
    varied = len(truth) >= LEAST_CLIPS and np.ptp(truth) > 0
    return bool(varied and np.std(predicted) < np.std(truth) / 2)


def dimension_cells(own: Mapping[str, Mapping[str, float | None]]) -> list[str]:
    """Return the scores of one dimension, or of their mean, as cells of a table."""
    return [numbered(own[key]) for key in DIMENSION_METRICS]


def _value_rows(values: DimensionRun) -> Iterator[list[object]]:
    run = values.run
    for i, clip_id in enumerate(run.clip_ids):
        truth = ["" if np.isnan(value) else value for value in values.truth[i]]
        predicted = [round(value, 6) for value in values.predicted[i].tolist()]
        yield [i, csv_cell(clip_id), *predicted, *truth, *cells_of_clip(run, i)]
