"""What a page shows that depends on its task: one emotion a clip, several, or dimensions."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from serval.report.charts import Chart, Column

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from serval.report.columns import Listed
    from serval.report.stressed import Stressed

FEW = "Groups of few clips scatter by chance."
"""What is said of groups of which nothing else can be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageParts:
    """What `emotions`, `sets` and `values` give for a page; the rest of it is the same for all.

    Attributes:
        task: The key of a `Task`: which of its parts the page's script takes.
        clips: Those of the runs, the labels or dimensions of the second in the order of the first.
        names: What each run is called.
        worth_hearing: Of each listed clip, whether `--audio wrong` lets people hear it.
        first: Of each listed clip, a number that is high where the list shows it early.
        verdict: The one sentence that a reader takes away.
        sentences: What stands below it, of one run.
        warnings: What the numbers do not mean, beside what the runs themselves say.
        order: Which clips come first in the list, in a sentence.
        runs: Of each run its `tiles`, and what else the script draws.
        columns: Of all clips, by name.
        answers: Of each run, columns of what it says of each clip.
        value_columns: Those of the set that hold the ratings, which are shown beside the answers.
        shown: Further parts of the content, by name.
        sections: The charts; see `section`.
        pair: What two runs differ by; `None` of one.
        stressed: What a stress test adds, of the arguments of `stressed.stressed`.
    """

    task: str
    clips: Listed
    names: Sequence[str]
    worth_hearing: Sequence[bool]
    first: Sequence[float]
    verdict: str
    sentences: Sequence[str]
    warnings: Sequence[str]
    order: str
    runs: Sequence[Mapping[str, Any]]
    columns: Mapping[str, Any]
    answers: Sequence[Mapping[str, Any]]
    value_columns: Collection[str]
    shown: Mapping[str, Any]
    sections: Sequence[Mapping[str, Any]]
    stressed: Callable[..., Stressed]
    pair: Mapping[str, Any] | None = None


def section(section_id: str, title: str, lead: str, *charts: Chart | None) -> dict[str, Any]:
    """Return a section of a page with those of its charts that have anything to show."""
    shown = [asdict(chart) for chart in charts if chart is not None and chart.rows]
    return {"id": section_id, "title": title, "lead": lead, "charts": shown}


def id_of(name: str) -> str:
    """Return a name of a column or run as a part of an id, each name another one.

    Examples:
        >>> id_of("speaker_id"), id_of("a b"), id_of("a-b")
        ('speaker_id', 'a-20-b', 'a-2d-b')
    """
    return "".join(c if c.isalnum() or c == "_" else f"-{ord(c):x}-" for c in name)


def group_chart(
    column: str,
    score: str,
    said: Sequence[str],
    rows: list[dict[str, Any]],
    *columns: Column,
    drawn: bool,
    wide: bool = False,
) -> Chart:
    """Return a score of each group of a column, drawn or as a table alone, with what it means."""
    return Chart(
        id=f"by-{id_of(column)}",
        kind="intervals" if drawn else "table",
        title=f"{score} by {'length' if column == 'duration' else column}",
        note=of_each(said) or FEW,
        columns=columns,
        rows=rows,
        wide=wide,
    )


def of_each(said: Sequence[str]) -> str:
    """Return what is said of each run, or `""`, with its letter where there are two."""
    if len(said) == 1:
        return said[0]
    return " ".join(f"{letter}: {line}" for letter, line in zip("AB", said, strict=True) if line)
