"""What `serval predict` says of a model of dimensions: values and their scale, no emotion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
from rich.text import Text

from serval.commands.forms import as_csv, as_json, as_parquet
from serval.commands.terminal import narrow_table, print_table, print_verdict, terminal
from serval.records import Failure, Prediction, Record
from serval.wording import counted, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["print_values", "value_content"]


def print_values(records: Sequence[Record], names: Sequence[str], scale: str) -> None:
    """Print the values of each file; the scale is said once."""
    answered = [record for record in records if isinstance(record, Prediction)]
    if not answered:
        return
    console = terminal()
    on = f"on the scale {scale}" if scale else "on a scale that the model does not state"
    print_verdict(
        console, [f"{', '.join(map(printable, names))} of {counted(len(answered), 'file')}, {on}."]
    )
    table = narrow_table(["file"], [printable(name) for name in names])
    for record in answered:
        table.add_row(Text(record.clip_id), *(f"{value:.3g}" for value in record.logits))
    print_table(console, table)
    for note in dict.fromkeys(note for record in answered for note in record.notes):
        console.print(f"- {note}")


def value_content(
    records: Sequence[Record], names: Sequence[str], form: str, *, scale: str
) -> bytes:
    """Return the values as `json`, `csv` or `parquet`, as text in UTF-8 but for the last."""
    rows = [_row(record, names, scale) for record in records]
    if form == "json":
        return as_json(rows)
    flat = [row | (row.pop("values") or dict.fromkeys(names)) for row in rows]
    if form == "csv":
        head = ["file", *names, "scale", "duration_s", "failure"]
        return as_csv(head, ([row[name] for name in head] for row in flat))
    texts = dict.fromkeys(("file", "scale", "failure"), pa.string())
    return as_parquet(flat, texts | dict.fromkeys((*names, "duration_s"), pa.float64()))


def _row(record: Record, names: Sequence[str], scale: str) -> dict[str, Any]:
    row: dict[str, Any] = {"file": record.clip_id, "scale": scale or None}
    if isinstance(record, Failure):
        failure = f"{record.stage}: {record.reason}"
        return row | {"duration_s": None, "failure": failure, "values": None}
    values = dict(zip(names, record.logits, strict=True))
    return row | {"duration_s": record.duration_s, "failure": None, "values": values}
