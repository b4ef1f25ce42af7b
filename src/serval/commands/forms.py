"""Rows of `serval predict` as the bytes of a file: JSON, CSV or parquet, whatever the task."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from serval.errors import ConfigError
from serval.wording import csv_cell

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    Rows = Sequence[Mapping[str, Any]]

__all__ = ["as_csv", "as_json", "as_parquet", "form_of"]

FORMS = ("csv", "json", "parquet")


def form_of(output: Path) -> str:
    """Return the form that the name of a file ends in.

    Raises:
        ConfigError: It ends in none that is known.
    """
    form = output.suffix.lower().removeprefix(".")
    if form not in FORMS:
        known = ", ".join(f".{name}" for name in FORMS)
        raise ConfigError(f"--output {output} ends in no form; known: {known}")
    return form


def as_json(rows: Rows) -> bytes:
    """Return the rows as a list; what UTF-8 cannot hold becomes an escape."""
    return f"{json.dumps(rows, indent=2)}\n".encode("utf-8", "backslashreplace")


def as_csv(head: Iterable[str], rows: Iterable[Iterable[object]]) -> bytes:
    """Return a line for each row, text made harmless for spreadsheets; `None` is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(csv_cell, head))
    for row in rows:
        writer.writerow([csv_cell(cell) if isinstance(cell, str) else cell for cell in row])
    return text.getvalue().encode("utf-8", "replace")


def as_parquet(rows: Rows, columns: Mapping[str, pa.DataType]) -> bytes:
    """Return the columns of the rows, in their order."""
    buffer = io.BytesIO()
    table = pa.Table.from_pylist(list(rows), schema=pa.schema(list(columns.items())))
    pq.write_table(table, buffer)
    return buffer.getvalue()
