"""`summary.md`: the tables and observations, ready to paste."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serval.scores import METRICS, title_of
from serval.wording import counted, markdown_table, markdown_text, percent, scored

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["summary_markdown"]


def summary_markdown(document: Mapping[str, Any]) -> str:
    """Return the summary of a results document as GitHub markdown."""
    meta, data = document["metadata"], document["dataset"]
    scores, by = document["scores"], document["scores"]["resampling"]
    split = f", split {data['split']}" if data["split"] else ""
    title = f"{document['name']} on {data['name']}{split}"
    how_many = (
        f"{counted(meta['total_samples'], 'clip')} scored, {len(document['failures'])} failed. UAR "
        f"and macro scores average the {scores['classes_averaged']} emotions with truth clips. In "
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
    if document["warnings"]:
        parts += [
            "\n## Before you trust these numbers\n",
            *(f"- {markdown_text(line)}" for line in document["warnings"]),
        ]
    return "\n".join(parts) + "\n"


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
