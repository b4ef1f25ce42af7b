"""What a model card says of a run of dimensions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from serval.report.section import LIMITS, CardParts, hub_result
from serval.results.dimensions import DimensionResults, dimension_cells
from serval.scores.dimensions import DIMENSION_METRICS
from serval.wording import markdown_table, markdown_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from huggingface_hub import EvalResult

    from serval.run import Run

__all__ = ["value_card"]

HUB = {"ccc": "ccc", "pearson": "pearsonr", "spearman": "spearmanr", "mae": "mae"}
"""The hub's name of each score that it has one for; CCC, which it has not, by its own."""

RATING = "A rating says what listeners heard, not what a person felt."


def value_card(run: Run) -> CardParts:
    """Return the scores of each dimension, the groups and the limits."""
    found = DimensionResults(run=run)
    document = found.document
    scores = document["scores"]
    head = ["Dimension", *(metric.title for metric in DIMENSION_METRICS.values())]
    rows = [
        [markdown_text(name), *dimension_cells(own)]
        for name, own in (*scores["per_dimension"].items(), ("mean", scores["mean"]))
    ]
    return CardParts(
        verdict=document["verdict"],
        tables=[markdown_table(head, rows), "In brackets: 95 % interval.\n"],
        groups=[*document["averaged"]["sentences"], *document["groups"]["sentences"]],
        limits=[*document["warnings"], RATING, *LIMITS[1:]],
        results=list(_results(found)),
    )


def _results(found: DimensionResults) -> Iterator[EvalResult]:
    for name, own in found.scores.per_dimension.items():
        for key, hub in HUB.items():
            if not math.isnan(own[key].value):
                metric = (hub, f"{DIMENSION_METRICS[key].title} of {name}")
                said = {"scale": str(found.values.scale)}
                title = "Emotional dimensions in speech"
                yield hub_result(found.run, title, metric, own[key], said)
