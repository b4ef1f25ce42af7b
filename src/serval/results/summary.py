"""`summary.md`, ready to paste: what is the same for every task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serval.wording import markdown_table, markdown_text, points

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


def summary_of(document: Mapping[str, Any], *parts: str) -> str:
    """Return a summary in GitHub markdown: title, verdict, the parts of a task, the warnings."""
    data = document["dataset"]
    split = f", split {data['split']}" if data["split"] else ""
    title, warnings = f"{document['name']} on {data['name']}{split}", document["warnings"]
    lines = [
        f"# {markdown_text(title)}\n",
        *([] if document["complete"] else [f"**{markdown_text(warnings[0])}**\n"]),
        f"**{markdown_text(document['verdict'][0])}**\n",
        *parts,
        *(["\n## Before you trust these numbers\n", *items(warnings)] if warnings else []),
    ]
    return "\n".join(lines) + "\n"


def items(sentences: Iterable[str]) -> list[str]:
    """Return the lines of a list in GitHub markdown."""
    return [f"- {markdown_text(line)}" for line in sentences]


def drawn_by(scores: Mapping[str, Any]) -> str:
    """Return what the brackets in tables are."""
    return f"In brackets: 95 % interval, by {scores['by']} ({scores['clusters']} of them).\n"


def gap_table(tables: Sequence[Mapping[str, Any]]) -> str:
    """Return the largest gap in accuracy of each `GroupTable`, as fields, and what it means."""
    gaps = [(table["column"], table["accuracy_gap"]) for table in tables]
    rows = [
        [
            markdown_text(column),
            points(gap["value"]),
            markdown_text(f"{gap['best']} over {gap['worst']}"),
            markdown_text(gap["finding"] + f", since {gap['reason']}" * bool(gap["reason"])),
        ]
        for column, gap in gaps
        if gap["best"]
    ]
    head = ["Groups by", "Largest gap in accuracy, points", "Between", "More than chance?"]
    return markdown_table(head, rows, left=4) if rows else ""
