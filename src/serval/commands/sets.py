"""What `serval predict` says of a model that may hear several emotions at once."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from rich.text import Text

from serval.commands.forms import as_csv, as_json, as_parquet
from serval.commands.terminal import narrow_table, print_table, print_verdict, terminal
from serval.multilabel import THRESHOLD
from serval.records import Failure, Prediction, Record
from serval.wording import counted, percent, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["named_emotions", "print_sets", "set_content"]


def named_emotions(record: Prediction, labels: Sequence[str]) -> list[str]:
    """Return the emotions whose score is `THRESHOLD` or more, the highest score first."""
    ranked = sorted(zip(record.probs, labels, strict=True), key=lambda pair: -pair[0])
    return [label for score, label in ranked if score >= THRESHOLD]


def print_sets(records: Sequence[Record], labels: Sequence[str]) -> None:
    """Print the emotions of each file, each with its score; the threshold is said once."""
    answered = [record for record in records if isinstance(record, Prediction)]
    if not answered:
        return
    console = terminal()
    named = {id(record): named_emotions(record, labels) for record in answered}
    counts = Counter(label for one in named.values() for label in one)
    said = ", ".join(f"{n:,} {printable(label)}" for label, n in counts.most_common())
    none = sum(not one for one in named.values())
    said += f"{', ' * bool(said)}{none:,} with none" if none else ""
    print_verdict(
        console,
        [f"{counted(len(answered), 'file')}: {said}, of scores of {THRESHOLD:g} or more."],
    )
    table = narrow_table(["file"], [], "emotions")
    for record in answered:
        scores = dict(zip(labels, record.probs, strict=True))
        each = ", ".join(f"{label} {percent(scores[label], 0)}" for label in named[id(record)])
        table.add_row(Text(record.clip_id), Text(each or "none"))
    print_table(console, table)
    for note in dict.fromkeys(note for record in answered for note in record.notes):
        console.print(f"- {note}")


def set_content(records: Sequence[Record], labels: Sequence[str], form: str) -> bytes:
    """Return the emotions and all scores as `json`, `csv` or `parquet`."""
    rows = [_row(record, labels) for record in records]
    if form == "json":
        return as_json(rows)
    flat = [row | _scores(row.pop("probabilities"), labels) for row in rows]
    scores = [f"prob_{label}" for label in labels]
    if form == "csv":
        head = ["file", "emotions", *scores, "duration_s", "failure"]
        named = (row | {"emotions": ";".join(row["emotions"] or ())} for row in flat)
        return as_csv(head, ([row[name] for name in head] for row in named))
    columns = {"file": pa.string(), "emotions": pa.list_(pa.string()), "duration_s": pa.float64()}
    columns |= {"failure": pa.string()} | dict.fromkeys(scores, pa.float64())
    return as_parquet(flat, columns)


def _row(record: Record, labels: Sequence[str]) -> dict[str, Any]:
    row: dict[str, Any] = {"file": record.clip_id}
    if isinstance(record, Failure):
        failure = f"{record.stage}: {record.reason}"
        empty = dict.fromkeys(("emotions", "duration_s", "probabilities"))
        return row | empty | {"failure": failure}
    return row | {
        "emotions": named_emotions(record, labels),
        "duration_s": record.duration_s,
        "probabilities": dict(zip(labels, record.probs, strict=True)),
        "failure": None,
    }


def _scores(found: dict[str, float] | None, labels: Sequence[str]) -> dict[str, float | None]:
    return {f"prob_{label}": found[label] if found else None for label in labels}
