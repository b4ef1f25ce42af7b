"""The evaluation section of a model card for a run of several emotions a clip."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from huggingface_hub import EvalResult

from serval.results.multilabel import (
    emotion_table,
    multilabel_document,
    overall_table,
    scores_of_sets,
)
from serval.results.verdict import data_name
from serval.run import unfinished
from serval.scores.multilabel import MULTILABEL_METRICS
from serval.wording import markdown_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serval.multilabel import MultilabelRun

__all__ = ["set_results", "set_section"]

HUB = {"macro_f1": ("f1", "macro"), "micro_f1": ("f1", "micro")}
"""The hub's name of each score that it has one for, and how that averages."""


def set_section(values: MultilabelRun, data_lines: Sequence[str], limits: Sequence[str]) -> str:
    """Return the section in GitHub markdown: verdict, scores, data, groups, limits."""
    run = values.run
    document = multilabel_document(values, scores_of_sets(values))
    groups = document["groups"]["sentences"]
    parts = [
        "## Evaluation\n",
        *([] if run.complete else [markdown_text(f"{unfinished(run)}.")]),
        *map(markdown_text, document["verdict"]),
        "",
        overall_table(document["scores"]),
        emotion_table(document["scores"]),
        "In brackets: 95 % interval.\n",
        "### Data\n",
        *data_lines,
        *(["\n### Groups\n", *(f"- {markdown_text(line)}" for line in groups)] if groups else []),
        "\n### Limits\n",
        *(f"- {markdown_text(line)}" for line in (*document["warnings"], *limits)),
        "\nMeasured with serval, which keeps every prediction.",
    ]
    return "\n".join(parts)


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
