"""What a model card says of a run of several emotions a clip."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from serval.report.section import LIMITS, CardParts, hub_result
from serval.results.multilabel import MultilabelResults, emotion_table, overall_table
from serval.scores.multilabel import MULTILABEL_METRICS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from huggingface_hub import EvalResult

    from serval.run import Run

__all__ = ["set_card"]

HUB = {"macro_f1": ("f1", "macro"), "micro_f1": ("f1", "micro")}
"""The hub's name of each score that it has one for, and how that averages."""


def set_card(run: Run) -> CardParts:
    """Return the scores of the run and of each emotion, the groups and the limits."""
    found = MultilabelResults(run=run, thresholds_from=run)
    document = found.document
    scores = document["scores"]
    return CardParts(
        verdict=document["verdict"],
        tables=[overall_table(scores), emotion_table(scores), "In brackets: 95 % interval.\n"],
        groups=document["groups"]["sentences"],
        limits=[*document["warnings"], *LIMITS],
        results=list(_results(found)),
    )


def _results(found: MultilabelResults) -> Iterator[EvalResult]:
    for key, (hub, average) in HUB.items():
        own = found.scores.overall[key]
        if not math.isnan(own.value):
            metric = (hub, MULTILABEL_METRICS[key].title)
            title = "Speech emotion recognition, several emotions a clip"
            yield hub_result(found.run, title, metric, own, {"average": average})
