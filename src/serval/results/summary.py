"""`summary.md`: the tables and observations, ready to paste."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["percent", "scored", "scored_short", "summary_markdown"]

OVERALL = {
    "Accuracy (WA)": "wa",
    "UAR": "uar",
    "Weighted F1": "weighted_f1",
    "Macro F1": "macro_f1",
    "Weighted precision": "weighted_precision",
    "Macro precision": "macro_precision",
}


def summary_markdown(document: Mapping[str, Any]) -> str:
    """Return the summary of a results document as GitHub markdown."""
    meta, data = document["metadata"], document["dataset"]
    scores, by = document["scores"], document["scores"]["resampling"]
    split = f", split {data['split']}" if data["split"] else ""
    title = f"{document['model']['name']} on {data['name']}{split}"
    counted = (
        f"{meta['total_samples']} clips, {meta['failed_samples']} of them failed. "
        f"UAR and macro scores average the {scores['classes_averaged']} emotions with truth clips. "
        f"In brackets: 95 % interval, drawn by {by['by']} ({by['clusters']} of them).\n"
    )
    parts = [
        f"# {_escaped(title)}\n",
        counted,
        _overall_table(document),
        "## Per emotion\n",
        _class_table(document),
        "## What stands out\n",
        *(f"- {_escaped(line)}" for line in document["observations"]["sentences"]),
    ]
    for title, part in (("How sure the model is", "calibration"), ("Groups", "groups")):
        said = document[part]["sentences"]
        if said:
            parts += [f"\n## {title}\n", *(f"- {_escaped(line)}" for line in said)]
    if document["warnings"]:
        parts += ["\n## Mind\n", *(f"- {_escaped(line)}" for line in document["warnings"])]
    return "\n".join(parts) + "\n"


def percent(value: float | None) -> str:
    """Return a share as a percentage with two digits, or `n/a` where it is not defined."""
    return "n/a" if value is None else f"{100 * value:.2f} %"


def scored(score: Mapping[str, float | None]) -> str:
    """Return a score with its interval, `84.3 % [82.6, 85.9]`, or `n/a` where it is not defined."""
    if score["value"] is None:
        return "n/a"
    if score["low"] is None or score["high"] is None:
        return f"{100 * score['value']:.2f} %"
    return f"{100 * score['value']:.2f} % [{100 * score['low']:.1f}, {100 * score['high']:.1f}]"


def scored_short(score: Mapping[str, float | None]) -> str:
    """Return a score in percent with its interval, `84.3 [83, 86]`, for a narrow column."""
    value, low, high = (score[key] for key in ("value", "low", "high"))
    if value is None:
        return "n/a"
    ends = "" if low is None or high is None else f" [{100 * low:.0f}, {100 * high:.0f}]"
    return f"{100 * value:.1f}{ends}"


def _overall_table(document: Mapping[str, Any]) -> str:
    scores, guesses = document["scores"]["overall"], document["scores"]["baselines"]
    rows = [
        f"| {title} | {scored(scores[key])} | {percent(guesses['random'][key])} "
        f"| {percent(guesses['majority'][key])} |"
        for title, key in OVERALL.items()
    ]
    head = ["| Metric | Value | Random labels | Majority label |", "|---|---:|---:|---:|"]
    return "\n".join([*head, *rows, ""])


def _class_table(document: Mapping[str, Any]) -> str:
    rows = [
        f"| {_escaped(label)} | {scored(c['precision'])} | {scored(c['recall'])} "
        f"| {scored(c['f1'])} | {c['support']} |"
        for label, c in document["scores"]["per_class"].items()
    ]
    head = ["| Emotion | Precision | Recall | F1 | Clips |", "|---|---:|---:|---:|---:|"]
    return "\n".join([*head, *rows, ""])


def _escaped(text: str) -> str:
    for character in "\\`*_[]<>|":
        text = text.replace(character, f"\\{character}")
    return text.replace("\n", " ")
