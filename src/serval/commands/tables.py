"""Tables of a run for the terminal."""

from __future__ import annotations

from typing import Any

from rich.table import Table
from rich.text import Text

from serval.wording import percent, scored, scored_short

__all__ = ["class_table", "group_tables"]

SHOWN = 8


def class_table(document: dict[str, Any]) -> Table:
    """Return precision, recall and F1 of each emotion, with the overall scores below."""
    meta, scores = document["metadata"], document["scores"]
    whole = {name: scored(score) for name, score in scores["overall"].items()}
    by = scores["resampling"]
    random, majority = (
        f"WA {percent(guess['wa'])}   UAR {percent(guess['uar'])}"
        for guess in (scores["baselines"][name] for name in ("random", "majority"))
    )
    table = Table(
        title=f"{document['model']['name']} on {document['dataset']['name']}: "
        f"{meta['total_samples']} clips, {len(document['failures'])} failed"
        f"{'' if document['complete'] else ', not finished'}",
        caption=f"accuracy (WA) {whole['wa']}   UAR {whole['uar']}\n"
        f"weighted F1 {whole['weighted_f1']}   macro F1 {whole['macro_f1']}\n"
        f"random labels would score {random}\n"
        f"the majority label alone {majority}\n"
        f"in brackets: 95 % interval over {by['clusters']} {by['by']}s",
    )
    table.add_column("emotion", min_width=9)
    for column in ("precision %", "recall %", "F1 %", "clips"):
        table.add_column(column, justify="right", no_wrap=True)
    for label, row in scores["per_class"].items():
        cells = (scored_short(row[key]) for key in ("precision", "recall", "f1"))
        table.add_row(label, *cells, str(row["support"]))
    return table


def group_tables(document: dict[str, Any]) -> list[Table]:
    """Return accuracy and UAR of the largest groups of each column."""
    return [_group_table(table) for table in document["groups"]["tables"]]


def _group_table(found: dict[str, Any]) -> Table:
    gap = found["accuracy_gap"]
    caption = "no gap is measured"
    if gap["value"] is not None:
        caption = (
            f"{gap['best']} {100 * gap['value']:.1f} points above {gap['worst']}: "
            f"{gap['finding']} (up to {100 * gap['by_chance']:.1f} between such groups)"
        )
    shown = found["groups"][:SHOWN]
    more = f", {SHOWN} of {len(found['groups'])}" if len(found["groups"]) > SHOWN else ""
    table = Table(title=f"by {found['column']}{more}", caption=caption)
    table.add_column("group", min_width=9, overflow="fold")
    for column in ("clips", "accuracy %", "UAR %"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in shown:
        scores = (scored_short(row[key]) for key in ("accuracy", "uar"))
        table.add_row(Text(row["name"]), str(row["n"]), *scores)
    return table
