"""What a model card says of a run of several emotions a clip."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from serval.report.section import LIMITS, CardParts, hub_result
from serval.results.multilabel import MultilabelResults, emotion_table, overall_table
from serval.scores.multilabel import MULTILABEL_METRICS
from serval.scores.stats import Interval

if TYPE_CHECKING:
    from collections.abc import Iterator

    from huggingface_hub import EvalResult

    from serval.run import Run

__all__ = ["set_card"]

HUB = {"macro_f1": ("f1", "macro"), "micro_f1": ("f1", "micro")}
"""The hub's name of each score that it has one for, and how that averages."""


TASK = "Speech emotion recognition, several emotions a clip"
"""What the hub's page calls it."""


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
    averaged, k = found.scores.emotions_averaged, len(found.run.labels)
    for key, (hub, average) in HUB.items():
        own, title = found.scores.overall[key], MULTILABEL_METRICS[key].title
        if average == "macro" and averaged < k:
            own, title = _of_all(own, averaged / k), f"{title} of all {k} emotions"
        if not math.isnan(own.value):
            metric = (hub, title)
            yield hub_result(found.run, TASK, metric, own, {"average": average})


def _of_all(own: Interval, share: float) -> Interval:
    """Return macro F1 over all emotions, as the hub's is: F1 of those that no clip has is 0."""
    return Interval(value=share * own.value, low=share * own.low, high=share * own.high)
