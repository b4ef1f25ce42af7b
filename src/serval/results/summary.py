"""`summary.md`: the tables and observations, ready to paste."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serval.scores import METRICS, title_of
from serval.wording import counted, markdown_table, markdown_text, percent, points, scored

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["gap_table", "summary_markdown"]


def summary_markdown(document: Mapping[str, Any]) -> str:
    """Return the summary of a results document as GitHub markdown."""
    meta, data = document["metadata"], document["dataset"]
    scores, by = document["scores"], document["scores"]["resampling"]
    split = f", split {data['split']}" if data["split"] else ""
    title = f"{document['name']} on {data['name']}{split}"
    how_many = (
        f"{counted(meta['total_samples'], 'clip')} scored, {len(document['failures'])} failed. UAR "
        f"and macro scores average the {counted(scores['classes_averaged'], 'emotion')} with truth "
        "clips. In "
        f"brackets: 95 % interval, drawn by {by['by']} ({by['clusters']} of them).\n"
    )
    parts = [
        f"# {markdown_text(title)}\n",
        *([] if document["complete"] else [f"**{markdown_text(document['warnings'][0])}**\n"]),
        f"**{markdown_text(document['verdict'][0])}**\n",
        how_many,
        _overall_table(document),
        "## Per emotion\n",
        _class_table(document),
        "## What stands out\n",
        *(f"- {markdown_text(line)}" for line in document["observations"]["sentences"]),
    ]
    for title, part in (
        ("Labels", "label_space"),
        ("How this set differs from the model's own", "domain_shift"),
        ("Listeners", "votes"),
        ("How sure the model is", "calibration"),
        ("Groups", "groups"),
    ):
        said = document[part]["sentences"]
        if said:
            parts += [f"\n## {title}\n", *(f"- {markdown_text(line)}" for line in said)]
        if part == "groups" and said:
            parts += ["", gap_table(document["groups"]["tables"])]
    if document["warnings"]:
        parts += [
            "\n## Before you trust these numbers\n",
            *(f"- {markdown_text(line)}" for line in document["warnings"]),
        ]
    return "\n".join(parts) + "\n"


def gap_table(tables: Sequence[Mapping[str, Any]]) -> str:
    """Return the largest gap in accuracy of each column of groups, and what it means.

    Args:
        tables: The fields of `groups.GroupTable`, of each column.
    """
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


def _overall_table(document: Mapping[str, Any]) -> str:
    scores, guesses = document["scores"]["overall"], document["scores"]["baselines"]
    rows = [
        (
            title_of(key),
            scored(scores[key]),
            *(percent(guesses[guess][key]) for guess in ("random", "majority")),
        )
        for key in METRICS
    ]
    return markdown_table(["Metric", "Value", "Random labels", "Majority label"], rows)


def _class_table(document: Mapping[str, Any]) -> str:
    rows = [
        (
            markdown_text(label),
            *(scored(own[key]) for key in ("precision", "recall", "f1")),
            str(own["support"]),
        )
        for label, own in document["scores"]["per_class"].items()
    ]
    return markdown_table(["Emotion", "Precision", "Recall", "F1", "Clips"], rows)
