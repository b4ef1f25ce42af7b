"""The files of a run of dimensions: scores on the scale of the set, each with its interval."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.dimensions import dimension_run
from serval.groups.dimensions import (
    averaged_cccs,
    averaged_sentences,
    dimension_group_sentences,
    dimension_groups,
)
from serval.results.document import caveats_of, shared_document
from serval.results.verdict import counted, data_name
from serval.scores.dimensions import DIMENSION_METRICS, dimension_scores
from serval.wording import markdown_table, markdown_text, numbered, without_nan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from serval.dimensions import DimensionRun
    from serval.groups.dimensions import AveragedCcc, DimensionTable
    from serval.run import Run
    from serval.scores.dimensions import DimensionScores

__all__ = [
    "dimension_cells",
    "dimension_document",
    "dimension_sentences",
    "dimension_summary",
    "dimension_verdict",
]


def dimension_document(run: Run) -> tuple[dict[str, Any], DimensionRun]:
    """Return the content of `results.json`, and the values on the scale of the set.

    Raises:
        RunError: The run has no true values.
    """
    values = dimension_run(run)
    scores = dimension_scores(values.truth, values.predicted, run.speakers, values.names)
    document = shared_document(run, caveats_of([run], [], scores.warnings)) | {
        "task": "dimensions",
        "dimensions": list(values.names),
        "scale": [values.scale.low, values.scale.high],
        "scores": asdict(scores),
        "groups": _groups_part(dimension_groups(values)),
        "averaged": _averaged_part(averaged_cccs(values)),
        "verdict": [dimension_verdict(run, scores), *dimension_sentences(scores, values)],
        "predictions": values.predicted.tolist(),
        "ground_truth": values.truth.tolist(),
    }
    return {key: without_nan(value) for key, value in document.items()}, values


def _groups_part(tables: Sequence[DimensionTable]) -> dict[str, Any]:
    return {
        "tables": [asdict(table) for table in tables],
        "sentences": dimension_group_sentences(tables),
    }


def _averaged_part(found: Sequence[AveragedCcc]) -> dict[str, Any]:
    return {
        "columns": {one.column: asdict(one) for one in found},
        "sentences": averaged_sentences(found),
    }


def dimension_verdict(run: Run, scores: DimensionScores) -> str:
    """Return the one sentence that a reader takes away."""
    if not scores.n:
        return f"{run.name} answered no clip."
    each = ", ".join(
        f"{name} {numbered(asdict(own['ccc']))}" for name, own in scores.per_dimension.items()
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
    spread = np.nanstd(values.predicted, axis=0) / np.maximum(
        np.nanstd(values.truth, axis=0), 1e-12
    )
    narrow = [name for name, share in zip(values.names, spread, strict=True) if share < 0.5]
    if narrow:
        said.append(
            f"Predictions of {', '.join(narrow)} vary less than half as much as the ratings: the "
            "model stays near the middle."
        )
    return said


def dimension_cells(own: Mapping[str, Mapping[str, float | None]]) -> list[str]:
    """Return the scores of one dimension, or of their mean, as cells of a table."""
    return [numbered(own[key]) for key in DIMENSION_METRICS]


def dimension_summary(document: Mapping[str, Any]) -> str:
    """Return `summary.md` of a run of dimensions."""
    scores, data = document["scores"], document["dataset"]
    head = ["Dimension", *(metric.title for metric in DIMENSION_METRICS.values()), "Clips"]
    rows = [
        [markdown_text(name), *dimension_cells(own), str(scores["clips"][name])]
        for name, own in scores["per_dimension"].items()
    ]
    rows.append(["mean", *dimension_cells(scores["mean"]), str(scores["n"])])
    split = f", split {data['split']}" if data["split"] else ""
    said = [
        f"- {markdown_text(line)}"
        for line in (
            *document["verdict"][1:],
            *document["averaged"]["sentences"],
            *document["groups"]["sentences"],
        )
    ]
    warnings = [f"- {markdown_text(line)}" for line in document["warnings"]]
    title = markdown_text(f"{document['name']} on {data['name']}{split}")
    parts = [
        f"# {title}\n",
        f"**{markdown_text(document['verdict'][0])}**\n",
        f"In brackets: 95 % interval, by {scores['by']} ({scores['clusters']} of them).\n",
        markdown_table(head, rows),
        *said,
        *(["\n## Before you trust these numbers\n", *warnings] if warnings else []),
    ]
    return "\n".join(parts) + "\n"
