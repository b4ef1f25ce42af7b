"""The evaluation section of a model card for a run of several emotions a clip."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from huggingface_hub import EvalResult

from serval.report.section import TaskPart, section_of
from serval.results.multilabel import (
    emotion_table,
    multilabel_document,
    overall_table,
    scores_of_sets,
)
from serval.results.verdict import data_name
from serval.scores.multilabel import MULTILABEL_METRICS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serval.multilabel import MultilabelRun

__all__ = ["set_results", "set_section"]

HUB = {"macro_f1": ("f1", "macro"), "micro_f1": ("f1", "micro")}
"""The hub's name of each score that it has one for, and how that averages."""


def set_section(values: MultilabelRun, limits: Sequence[str]) -> str:
    """Return the section in GitHub markdown: verdict, scores, data, groups, limits."""
    document = multilabel_document(values, scores_of_sets(values))
    scores = document["scores"]
    part = TaskPart(
        verdict=document["verdict"],
        tables=[overall_table(scores), emotion_table(scores), "In brackets: 95 % interval.\n"],
        groups=document["groups"]["sentences"],
        limits=[*document["warnings"], *limits],
    )
    return section_of(values.run, part)


def set_results(values: MultilabelRun, dataset_type: str) -> list[EvalResult]:
    """Return the scores of the whole run as the hub's `model-index` knows them."""
    run, scores = values.run, scores_of_sets(values)
    return [
        EvalResult(
            task_type="audio-classification",
            task_name="Speech emotion recognition, several emotions a clip",
            dataset_type=dataset_type,
            dataset_name=data_name(run),
            dataset_split=run.provenance.dataset["split"] or None,
            dataset_revision=run.provenance.dataset.get("revision") or None,
            metric_type=hub,
            metric_name=MULTILABEL_METRICS[key].title,
            metric_value=round(scores.overall[key].value, 4),
            metric_args={
                "average": average,
                "interval": [round(scores.overall[key].low, 4), round(scores.overall[key].high, 4)],
            },
        )
        for key, (hub, average) in HUB.items()
        if not math.isnan(scores.overall[key].value)
    ]
