"""How results look on the terminal: the verdict, a table, what stands out, the files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

from serval.scores import METRICS, SHOWN
from serval.wording import in_points, percent, points, scored, scored_short

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from rich.console import Console

__all__ = [
    "group_tables",
    "narrow_table",
    "print_files",
    "print_findings",
    "print_items",
    "print_run",
    "print_verdict",
]

MOST_ITEMS = 5
"""Lines of what stands out; the files have all of it."""

SHOWN_GROUPS = 8
"""Groups of a column that a table shows, the largest first."""


def narrow_table(texts: Sequence[str], numbers: Sequence[str], *more: str) -> Table:
    """Return an empty table for 60 columns.

    Args:
        texts: Titles of the first columns, whose cells are folded where they are too long.
        numbers: Titles of columns of numbers, which are never cut.
        more: Titles of the last columns, which hold words that are never cut.
    """
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=0)
    for title in texts:
        table.add_column(title, overflow="fold")
    for title in numbers:
        table.add_column(title, justify="right", no_wrap=True)
    for title in more:
        table.add_column(title, no_wrap=True)
    return table


def print_verdict(console: Console, verdict: Iterable[str]) -> None:
    """Print the sentences that a reader takes away."""
    for sentence in verdict:
        console.print(sentence, style="bold")


def print_items(console: Console, lines: Sequence[str], most: int = MOST_ITEMS) -> None:
    """Print lines behind dashes, and of more than `most` how many the files have besides."""
    for line in lines[:most]:
        console.print(_item(line))
    if len(lines) > most:
        console.print(_item(f"{len(lines) - most} more in the files."))


def print_files(console: Console, files: Iterable[Path]) -> None:
    """Print in which folder files were written, and their names."""
    folders: dict[Path, list[str]] = {}
    for file in files:
        folders.setdefault(file.parent, []).append(file.name)
    for folder, names in folders.items():
        console.print(f"In {folder}: {', '.join(names)}")


def print_run(console: Console, document: dict[str, Any]) -> None:
    """Print what a reader takes away from a run, and the scores of each emotion below it."""
    if not document["complete"]:
        console.print(document["warnings"][0], style="bold")
    print_verdict(console, document["verdict"][:1])
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
    table = narrow_table(["emotion"], ["precision %", "recall %", "F1 %", "clips"])
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


def _item(line: str) -> Table:
    """Return a line behind a dash, whose further lines stand below its first word."""
    item = Table.grid(padding=(0, 1, 0, 0))
    item.add_row("-", Text(line, overflow="fold"))
    return item


def _group_table(found: dict[str, Any]) -> Table:
    gap = found["accuracy_gap"]
    caption = "no gap is measured"
    if gap["value"] is not None:
        why = gap["reason"] or f"up to {points(gap['by_chance'])} between such groups"
        caption = (
            f"{gap['best']} {in_points(gap['value'])} above {gap['worst']}: "
            f"{gap['finding']} ({why})"
        )
    shown = found["groups"][:SHOWN_GROUPS]
    rest = len(found["groups"]) > SHOWN_GROUPS
    more = f", {SHOWN_GROUPS} of {len(found['groups'])}" if rest else ""
    table = narrow_table(["group"], ["clips", "accuracy %", "UAR %"])
    table.title, table.caption = f"by {found['column']}{more}", caption
    for row in shown:
        scores = (scored_short(row[key]) for key in ("accuracy", "uar"))
        table.add_row(Text(row["name"]), str(row["n"]), *scores)
    return table
