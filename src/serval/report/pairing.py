"""Two runs compared -> what a report says and draws of the difference."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.comparison import sentences
from serval.report.charts import CLIPS, Chart, Column, bounds, defined
from serval.scores import METRICS, SHOWN, title_of
from serval.wording import in_points

if TYPE_CHECKING:
    from serval.comparison import Comparison
    from serval.labels import LabelSet
    from serval.run import Run
    from serval.scores.paired import IntervalChange, ScoreChange

CHANGE = (
    Column(key="a", title="A", kind="score"),
    Column(key="b", title="B", kind="score"),
    Column(key="value", title="B minus A, points", kind="points"),
    Column(key="low", title="95 % from", kind="points"),
    Column(key="high", title="to", kind="points"),
)
FLIPPED = (
    CLIPS,
    Column(key="broken", title="only A right", kind="count"),
    Column(key="fixed", title="only B right", kind="count"),
)


def relabelled(run: Run, labels: LabelSet) -> Run:
    """Return the run with its labels in the order of `labels`, which are the same labels."""
    if run.labels == labels:
        return run
    order = np.array([run.labels.index(label) for label in labels])
    place = np.argsort(order)
    return replace(
        run,
        provenance=replace(run.provenance, labels=labels),
        truth=place[run.truth],
        predicted=place[run.predicted],
        logits=run.logits[:, order],
        probs=run.probs[:, order],
    )


def pair_content(comparison: Comparison) -> dict[str, Any]:
    """Return the tiles with both scores and their difference, and the sentences."""
    scores = comparison.against[0].scores
    return {
        "margin": margin_sentence(f"up to {in_points(comparison.options.margin)}"),
        "clips": comparison.n,
        "tiles": [
            {"name": title_of(key), "kind": "points", **change_cells(scores.overall[key])}
            for key in SHOWN
        ],
        "sentences": sentences(comparison, comparison.against[0]),
    }


def difference_chart(comparison: Comparison) -> Chart:
    """Return the difference of every score and of each emotion's recall, with intervals."""
    scores = comparison.against[0].scores
    n = {"clips": comparison.n, "broken": scores.mcnemar.only_a, "fixed": scores.mcnemar.only_b}
    rows = [
        {"label": METRICS[key].title, **change_cells(scores.overall[key]), **n} for key in SHOWN
    ]
    rows += [
        {
            "label": f"recall of {label}",
            **change_cells(own.recall),
            "clips": own.support,
            "broken": own.broken,
            "fixed": own.fixed,
        }
        for label, own in scores.per_class.items()
    ]
    margin = comparison.options.margin
    return differences_chart(rows, (*CHANGE, *FLIPPED), margin, in_points(margin), MANY_TESTS)


def differences_chart(
    rows: list[dict[str, Any]],
    columns: tuple[Column, ...],
    margin: float,
    told: str,
    more: str = "",
) -> Chart:
    """Return a chart of differences, its margin as a number and as told, with more of chance."""
    return Chart(
        id="difference",
        kind="differences",
        title="B minus A",
        note="Left of zero B is worse. A line that crosses zero says that the difference may be "
        f"chance{more}. The grey band is the margin of {told}; a line that ends in an arrow goes "
        "on out of the picture.",
        columns=(Column(key="label", title="score"), *columns),
        rows=rows,
        wide=True,
        margin=margin,
    )


MANY_TESTS = "; single emotions are many tests, so one line off zero proves little"


def group_changes_chart(comparison: Comparison) -> Chart | None:
    """Return what changed for each group and speaker as a table, or `None` without groups."""
    rows = [
        {
            "column": change.column,
            "label": change.name,
            "a": change.a,
            "b": change.b,
            **bounds(change.difference),
            "clips": change.n,
            "broken": change.broken,
            "fixed": change.fixed,
        }
        for change in sorted(comparison.against[0].groups, key=lambda one: one.column == "speaker")
    ]
    if not rows:
        return None
    columns = (Column(key="column", title="column"), Column(key="label", title="group"))
    return Chart(
        id="group-differences",
        kind="table",
        title="Accuracy of each group, before and after",
        note="Of each column the groups with most clips come first.",
        columns=(*columns, *CHANGE, *FLIPPED),
        rows=rows,
        wide=True,
    )


def margin_sentence(margin: str) -> str:
    """Return what a margin means, as it is written with what it is of."""
    return (
        f"A loss of {margin} counts as none; the interval of the difference decides, not the "
        "difference."
    )


def change_cells(change: ScoreChange | IntervalChange) -> dict[str, float | None]:
    """Return both scores and their difference with its interval; undefined ones are `None`."""
    return {"a": defined(change.a), "b": defined(change.b), **bounds(change.difference)}
