"""Runs -> the charts on confidence, and on groups of clips."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from serval.groups import gap_sentence
from serval.report.charts import BOUNDS, CLIPS, RUN, Chart, Column, bounds
from serval.report.parts import of_each
from serval.scores.calibration import abstention_sentence, confidence_sentence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serval.groups import Groups, GroupTable
    from serval.scores.calibration import Calibration

__all__ = ["coverage_chart", "group_charts", "reliability_chart"]

MOST_VALUES = 30
"""A column with more groups than this is a table without a drawing."""


def reliability_chart(names: Sequence[str], fits: Sequence[Calibration]) -> Chart:
    """Return how often each run was right where it was how sure."""
    rows = [
        {
            "run": name,
            "confidence": part.confidence,
            **bounds(accuracy),
            "clips": part.n,
        }
        for name, fit in zip(names, fits, strict=True)
        for part, accuracy in zip(fit.as_is.bins, fit.as_is.bin_accuracy, strict=True)
    ]
    said = [confidence_sentence(fit) for fit in fits]
    return Chart(
        id="reliability",
        kind="reliability",
        title="Can its confidence be believed?",
        note=f"On the dashed line a clip of 80 % confidence is right four times in five; below it "
        f"the model is too sure. {of_each(said)} Each dot stands for equally many "
        "clips; its line is the 95 % interval.",
        columns=(RUN, Column(key="confidence", title="mean confidence", kind="share"),
                 Column(key="value", title="share right", kind="share"), *BOUNDS[1:], CLIPS),
        rows=rows,
    )  # fmt: skip


def coverage_chart(names: Sequence[str], fits: Sequence[Calibration]) -> Chart:
    """Return how often each run is right when it answers only where it is sure."""
    rows = [
        {
            "run": name,
            "coverage": point.n / fit.n,  # of few clips another share than was wished
            **bounds(point.accuracy),
            "threshold": point.threshold,
            "clips": point.n,
        }
        for name, fit in zip(names, fits, strict=True)
        for point in {point.n: point for point in fit.coverage}.values()
    ]
    said = [abstention_sentence(fit) for fit in fits]
    return Chart(
        id="risk-coverage",
        kind="risk",
        title="Selective prediction",
        note=of_each(said),
        columns=(RUN, Column(key="coverage", title="answered", kind="share"), *BOUNDS,
                 Column(key="threshold", title="when at least this sure", kind="share"), CLIPS),
        rows=rows,
    )  # fmt: skip


def group_charts(names: Sequence[str], groups: Sequence[Groups]) -> list[Chart]:
    """Return one chart for each column of groups; speakers have a chart of their own."""
    columns = list(dict.fromkeys(table.column for own in groups for table in own.tables))
    tables = [
        [
            (name, table)
            for name, own in zip(names, groups, strict=True)
            for table in own.tables
            if table.column == column
        ]
        for column in columns
        if column != "speaker"
    ]
    return [_group_chart(of_column) for of_column in tables]


def _group_chart(tables: Sequence[tuple[str, GroupTable]]) -> Chart:
    column = tables[0][1].column
    rows = [
        {"run": name, "label": group.name, **bounds(group.accuracy), "clips": group.n,
         "uar": bounds(group.uar)["value"]}
        for name, table in tables
        for group in table.groups
    ]  # fmt: skip
    if column == "duration":
        rows.sort(key=lambda row: float(str(row["label"]).partition("-")[0]))
    said = [gap_sentence(asdict(table.accuracy_gap)) for _, table in tables]
    few = len({row["label"] for row in rows}) <= MOST_VALUES
    return Chart(
        id=f"by-{''.join(c if c.isalnum() else '-' for c in column)}",
        kind="intervals" if few else "table",
        title=f"Accuracy by {'length' if column == 'duration' else column}",
        note=of_each(said),
        columns=(RUN, Column(key="label", title=column), *BOUNDS,
                 Column(key="uar", title="UAR", kind="share"), CLIPS),
        rows=rows,
    )  # fmt: skip
