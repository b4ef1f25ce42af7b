"""What a run says on the terminal: the verdict, tables, what stands out, what it does not mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

from serval.scores import METRICS, SHOWN
from serval.wording import percent, scored, scored_short

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console

__all__ = ["group_tables", "print_findings", "print_verdict"]

SHOWN_GROUPS = 8
"""Groups of a column that a table shows, the largest first."""


def print_verdict(console: Console, document: dict[str, Any]) -> None:
    """Print the sentence that a reader takes away, and the scores of each emotion below it."""
    if not document["complete"]:
        console.print(document["warnings"][0], style="bold")
    console.print(document["verdict"][0], style="bold")
    for line in (*_overall_lines(document), *document["label_space"]["sentences"]):
        console.print(line)
    console.print(_class_table(document))
    console.print(_note(document), style="dim")


def print_findings(
    console: Console, document: dict[str, Any], parts: Iterable[str] = ("observations",)
) -> None:
    """Print what stands out, then what a reader must know before trusting the numbers.

    Args:
        console: Where to.
        document: The content of `results.json`.
        parts: Those of the document whose sentences are printed.
    """
    for part in parts:
        for line in document[part]["sentences"]:
            console.print(_item(line))
    if document["warnings"]:
        console.print("Before you trust these numbers:", style="bold")
    for line in document["warnings"]:
        console.print(_item(line))


def group_tables(document: dict[str, Any]) -> list[Table]:
    """Return accuracy and UAR of the largest groups of each column."""
    return [_group_table(table) for table in document["groups"]["tables"]]


def _overall_lines(document: dict[str, Any]) -> list[str]:
    meta, data = document["metadata"], document["dataset"]
    scores, guesses = document["scores"]["overall"], document["scores"]["baselines"]
    failed, left_out = len(document["failures"]), sum(p["n"] for p in document["left_out"])
    random, majority = (percent(guesses[name]["uar"]) for name in ("random", "majority"))
    return [
        f"{document['model']['name']} on {data['name']}: {meta['total_samples']} clips, "
        f"{failed} failed" + (f", {left_out} left out" if left_out else ""),
        ", ".join(f"{METRICS[key].title} {scored(scores[key])}" for key in SHOWN),
        f"UAR of random labels: {random}; of the most frequent label alone: {majority}",
    ]


def _class_table(document: dict[str, Any]) -> Table:
    table = _narrow()
    table.add_column("emotion", overflow="fold")
    for column in ("precision %", "recall %", "F1 %", "clips"):
        table.add_column(column, justify="right", no_wrap=True)
    for label, row in document["scores"]["per_class"].items():
        cells = (scored_short(row[key]) for key in ("precision", "recall", "f1"))
        table.add_row(label, *cells, str(row["support"]))
    return table


def _note(document: dict[str, Any]) -> str:
    by, k = document["scores"]["resampling"], document["scores"]["classes_averaged"]
    return (
        f"In brackets: 95 % interval over {by['clusters']} {by['by']}s. UAR and macro scores "
        f"average the {k} emotions with truth clips."
    )


def _narrow() -> Table:
    """Return a table for 60 columns."""
    return Table(box=box.SIMPLE_HEAD, show_edge=False, padding=0)


def _item(line: str) -> Table:
    """Return a line behind a dash, whose further lines stand below its first word."""
    item = Table.grid(padding=(0, 1, 0, 0))
    item.add_row("-", Text(line, overflow="fold"))
    return item


def _group_table(found: dict[str, Any]) -> Table:
    gap = found["accuracy_gap"]
    caption = "no gap is measured"
    if gap["value"] is not None:
        why = gap["reason"] or f"up to {100 * gap['by_chance']:.1f} between such groups"
        caption = (
            f"{gap['best']} {100 * gap['value']:.1f} points above {gap['worst']}: "
            f"{gap['finding']} ({why})"
        )
    shown = found["groups"][:SHOWN_GROUPS]
    rest = len(found["groups"]) > SHOWN_GROUPS
    more = f", {SHOWN_GROUPS} of {len(found['groups'])}" if rest else ""
    table = _narrow()
    table.title, table.caption = f"by {found['column']}{more}", caption
    table.add_column("group", overflow="fold")
    for column in ("clips", "accuracy %", "UAR %"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in shown:
        scores = (scored_short(row[key]) for key in ("accuracy", "uar"))
        table.add_row(Text(row["name"]), str(row["n"]), *scores)
    return table
