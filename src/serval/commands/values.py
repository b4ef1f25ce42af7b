"""What `serval predict` says of a model of dimensions: values and their scale, no emotion."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from rich.text import Text

from serval.commands.terminal import narrow_table, print_table, print_verdict, terminal
from serval.records import Failure, Prediction, Record
from serval.wording import counted, csv_cell, printable

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


def value_content(records: Sequence[Record], names: Sequence[str], scale: str, form: str) -> bytes:
    """Return the values as `json`, `csv` or `parquet`, as text in UTF-8 but for the last."""
    rows = [_row(record, names, scale) for record in records]
    if form == "json":
        return f"{json.dumps(rows, indent=2)}\n".encode("utf-8", "backslashreplace")
    flat = [row | (row.pop("values") or dict.fromkeys(names)) for row in rows]
    return _parquet(flat, names) if form == "parquet" else _csv(flat, names)


def _row(record: Record, names: Sequence[str], scale: str) -> dict[str, Any]:
    row: dict[str, Any] = {"file": record.clip_id, "scale": scale or None}
    if isinstance(record, Failure):
        failure = f"{record.stage}: {record.reason}"
        return row | {"duration_s": None, "failure": failure, "values": None}
    values = dict(zip(names, record.logits, strict=True))
    return row | {"duration_s": record.duration_s, "failure": None, "values": values}


def _csv(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", *map(csv_cell, names), "scale", "duration_s", "failure"])
    for row in rows:
        texts = {key: csv_cell(row[key] or "") for key in ("file", "scale", "failure")}
        values = (row[name] for name in names)
        writer.writerow(
            [texts["file"], *values, texts["scale"], row["duration_s"], texts["failure"]]
        )
    return text.getvalue().encode("utf-8", "replace")


def _parquet(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> bytes:
    texts = [(name, pa.string()) for name in ("file", "scale", "failure")]
    numbers = [(name, pa.float64()) for name in (*names, "duration_s")]
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows), schema=pa.schema([*texts, *numbers])), buffer)
    return buffer.getvalue()
