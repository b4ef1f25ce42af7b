"""What `serval predict` says of each file, by the task of the model: on the terminal, in files."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from rich.text import Text

from serval.commands.terminal import narrow_table, terminal
from serval.errors import ConfigError
from serval.multilabel import THRESHOLD
from serval.records import Failure, Prediction, Record
from serval.wording import counted, csv_cell, percent, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    Rows = Sequence[Mapping[str, Any]]


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
    for share, name in ranked(record.probs, names)[:MOST_BARS]:
        bar = "\N{FULL BLOCK}" * round(share * (BAR_COLUMNS - width))
        console.print(f"{name:<{width}} {percent(share, 1):>7} {bar}".rstrip())
    for note in record.notes:
        console.print(f"- {note}")


def ranked(probs: Iterable[float], labels: Iterable[str]) -> list[tuple[float, str]]:
    """Return the shares with their labels, the highest first; of equal ones that of the answer.

    Examples:
        >>> ranked([0.2, 0.4, 0.4], ["sad", "angry", "happy"])
        [(0.4, 'angry'), (0.4, 'happy'), (0.2, 'sad')]
    """
    return sorted(zip(probs, labels, strict=True), key=lambda pair: -pair[0])


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
        own = {*texts, *numbers, "failure"}
        head = (*texts, *numbers, *(names if own.intersection(labels) else labels), "failure")
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
    console.print_verdict([f"{counted(len(named), 'file')}: {said}."])
    table = narrow_table(
        ["file", "emotion"], ["sure"], *(["then"] if console.width >= WIDE else [])
    )
    for record in named:
        others = ranked(record.probs, labels)[1:3]
        then = ", ".join(f"{label} {percent(p, 0)}" for p, label in others)
        cells = (record.clip_id, record.predicted, percent(max(record.probs), 1), then)
        table.add_row(*map(Text, cells[: len(table.columns)]))
    console.print_table(table)


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


def print_values(records: Sequence[Record], names: Sequence[str], scale: str) -> None:
    """Print the values of each file; the scale is said once."""
    answered = [record for record in records if isinstance(record, Prediction)]
    if not answered:
        return
    console = terminal()
    on = f"on the scale {scale}" if scale else "on a scale that the model does not state"
    console.print_verdict(
        [f"{', '.join(map(printable, names))} of {counted(len(answered), 'file')}, {on}."]
    )
    table = narrow_table(["file"], [printable(name) for name in names])
    for record in answered:
        table.add_row(Text(record.clip_id), *(f"{value:.3g}" for value in record.logits))
    console.print_table(table)
    for note in dict.fromkeys(note for record in answered for note in record.notes):
        console.print(f"- {note}")


def value_content(
    records: Sequence[Record], names: Sequence[str], form: str, *, scale: str
) -> bytes:
    """Return the values as `json`, `csv` or `parquet`, as text in UTF-8 but for the last."""
    rows = [_value_row(record, names, scale) for record in records]
    if form == "json":
        return as_json(rows)
    flat = [row | (row.pop("values") or dict.fromkeys(names)) for row in rows]
    if form == "csv":
        head = ["file", *names, "scale", "duration_s", "failure"]
        return as_csv(head, ([row[name] for name in head] for row in flat))
    texts = dict.fromkeys(("file", "scale", "failure"), pa.string())
    return as_parquet(flat, texts | dict.fromkeys((*names, "duration_s"), pa.float64()))


def _value_row(record: Record, names: Sequence[str], scale: str) -> dict[str, Any]:
    row: dict[str, Any] = {"file": record.clip_id, "scale": scale or None}
    if isinstance(record, Failure):
        failure = f"{record.stage}: {record.reason}"
        return row | {"duration_s": None, "failure": failure, "values": None}
    values = dict(zip(names, record.logits, strict=True))
    return row | {"duration_s": record.duration_s, "failure": None, "values": values}


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
    console.print_verdict(
        [f"{counted(len(answered), 'file')}: {said}, of scores of {THRESHOLD:g} or more."],
    )
    table = narrow_table(["file"], [], "emotions")
    for record in answered:
        scores = dict(zip(labels, record.probs, strict=True))
        each = ", ".join(f"{label} {percent(scores[label], 0)}" for label in named[id(record)])
        table.add_row(Text(record.clip_id), Text(each or "none"))
    console.print_table(table)
    for note in dict.fromkeys(note for record in answered for note in record.notes):
        console.print(f"- {note}")


def set_content(records: Sequence[Record], labels: Sequence[str], form: str) -> bytes:
    """Return the emotions and all scores as `json`, `csv` or `parquet`."""
    rows = [_set_row(record, labels) for record in records]
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


def _set_row(record: Record, labels: Sequence[str]) -> dict[str, Any]:
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


FORMS = ("csv", "json", "parquet")


def form_of(output: Path, forms: Sequence[str] = FORMS) -> str:
    """Return the form that the name of a file ends in.

    Raises:
        ConfigError: It ends in none that is known.
    """
    form = output.suffix.lower().removeprefix(".")
    if form not in forms:
        known = ", ".join(f".{name}" for name in forms)
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
