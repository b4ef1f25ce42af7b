"""The evaluation section of a model card for a run of dimensions."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING

from huggingface_hub import EvalResult

from serval.report.section import TaskPart, section_of
from serval.results.dimensions import dimension_cells, dimension_document
from serval.results.verdict import data_name
from serval.scores.dimensions import DIMENSION_METRICS, dimension_scores
from serval.wording import markdown_table, markdown_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from serval.dimensions import DimensionRun
    from serval.run import Run

__all__ = ["value_results", "value_section"]

HUB = {"ccc": "ccc", "pearson": "pearsonr", "spearman": "spearmanr", "mae": "mae"}
"""The hub's name of each score that it has one for; CCC, which it has not, by its own."""


def value_section(run: Run, limits: Sequence[str]) -> str:
    """Return the section in GitHub markdown: verdict, scores, data, groups, limits."""
    document, _ = dimension_document(run)
    scores = document["scores"]
    head = ["Dimension", *(metric.title for metric in DIMENSION_METRICS.values())]
    rows = [
        [markdown_text(name), *dimension_cells(own)]
        for name, own in (*scores["per_dimension"].items(), ("mean", scores["mean"]))
    ]
    part = TaskPart(
        verdict=document["verdict"],
        tables=[markdown_table(head, rows), "In brackets: 95 % interval.\n"],
        groups=[*document["averaged"]["sentences"], *document["groups"]["sentences"]],
        limits=[*document["warnings"], *limits],
    )
    return section_of(run, part)


def value_results(run: Run, values: DimensionRun, dataset_type: str) -> list[EvalResult]:
    """Return the scores of each dimension as the hub's `model-index` knows them."""
    scores = dimension_scores(values.truth, values.predicted, run.speakers, values.names)
    found = ((name, own) for name, own in scores.per_dimension.items())
    return [
        EvalResult(
            task_type="audio-classification",
            task_name="Emotional dimensions in speech",
            dataset_type=dataset_type,
            dataset_name=data_name(run),
            dataset_split=run.provenance.dataset["split"] or None,
            dataset_revision=run.provenance.dataset.get("revision") or None,
            metric_type=hub,
            metric_name=f"{DIMENSION_METRICS[key].title} of {name}",
            metric_value=round(own[key].value, 4),
            metric_args={"scale": str(values.scale), **_ends(asdict(own[key]))},
        )
        for name, own in found
        for key, hub in HUB.items()
        if not math.isnan(own[key].value)
    ]


def _ends(score: Mapping[str, float]) -> dict[str, object]:
    return {"interval": [round(score["low"], 4), round(score["high"], 4)]}
