"""What `serval predict` says of a model of emotions: one emotion a file, and how sure it is."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from rich.text import Text

from serval.commands.forms import as_csv, as_json, as_parquet
from serval.commands.terminal import narrow_table, print_table, print_verdict, terminal
from serval.records import Failure, Prediction, Record
from serval.wording import counted, percent, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["emotion_content", "print_emotions"]

NAME_COLUMNS = 20
BAR_COLUMNS = 48
"""For the name of an emotion and its bar: with the number between, 60 columns hold both."""

MOST_BARS = 24

WIDE = 72
"""Columns that hold the emotions that follow, too."""


def print_emotions(records: Sequence[Record], labels: Sequence[str]) -> None:
    """Print one file as a bar for each emotion, several as a table."""
    if len(records) == 1 and isinstance(records[0], Prediction):
        _print_bars(records[0], labels)
    else:
        _print_table(records, labels)


def _print_bars(record: Prediction, labels: Sequence[str]) -> None:
    """Print a bar for each emotion, the most likely first, within 60 columns."""
    console = terminal()
    head = f"{record.clip_id}: {record.predicted}, {percent(max(record.probs), 0)}"
    console.print(head, style="bold", soft_wrap=True)
    names = [name if len(name) <= NAME_COLUMNS else f"{name[: NAME_COLUMNS - 3]}..." for name in
             map(printable, labels)]  # fmt: skip
    width = max(map(len, names))
    ranked = sorted(zip(record.probs, names, strict=True), key=lambda pair: -pair[0])
    for share, name in ranked[:MOST_BARS]:
        bar = "\N{FULL BLOCK}" * round(share * (BAR_COLUMNS - width))
        console.print(f"{name:<{width}} {percent(share, 1):>7} {bar}".rstrip())
    for note in record.notes:
        console.print(f"- {note}")


def emotion_content(records: Sequence[Record], labels: Sequence[str], form: str) -> bytes:
    """Return the emotion and all probabilities as `json`, `csv` or `parquet`."""
    rows = [_row(record, labels) for record in records]
    if form == "json":
        return as_json(rows)
    names = [f"prob_{label}" for label in labels]  # so that no label is taken for another column
    for row in rows:
        shares = row.pop("probabilities") or dict.fromkeys(labels)
        row |= dict(zip(names, shares.values(), strict=True))
    texts = dict.fromkeys(("file", "emotion"), pa.string())
    numbers = dict.fromkeys(("confidence", "duration_s"), pa.float64())
    if form == "csv":
        keys = (*texts, *numbers, *names, "failure")
        head = (*texts, *numbers, *labels, "failure")
        return as_csv(head, ([row[key] for key in keys] for row in rows))
    of_labels = dict.fromkeys(names, pa.float64())
    return as_parquet(rows, texts | numbers | {"failure": pa.string()} | of_labels)


def _print_table(records: Sequence[Record], labels: Sequence[str]) -> None:
    """Print how many files have which emotion, and of each the most likely; --json has all."""
    named = [record for record in records if isinstance(record, Prediction)]
    if not named:
        return
    console = terminal()
    counts = Counter(record.predicted for record in named)
    said = ", ".join(f"{n:,} {label}" for label, n in counts.most_common())
    print_verdict(console, [f"{counted(len(named), 'file')}: {said}."])
    table = narrow_table(
        ["file", "emotion"], ["sure"], *(["then"] if console.width >= WIDE else [])
    )
    for record in named:
        ranked = sorted(zip(record.probs, labels, strict=True), reverse=True)
        then = ", ".join(f"{label} {percent(p, 0)}" for p, label in ranked[1:3])
        cells = (record.clip_id, record.predicted, percent(max(record.probs), 1), then)
        table.add_row(*map(Text, cells[: len(table.columns)]))
    print_table(console, table)


def _row(record: Record, labels: Sequence[str]) -> dict[str, Any]:
    if isinstance(record, Failure):
        empty = dict.fromkeys(("emotion", "confidence", "duration_s", "probabilities"))
        return {"file": record.clip_id, **empty, "failure": f"{record.stage}: {record.reason}"}
    return {
        "file": record.clip_id,
        "emotion": record.predicted,
        "confidence": max(record.probs),
        "duration_s": record.duration_s,
        "probabilities": dict(zip(labels, record.probs, strict=True)),
        "failure": None,
    }
