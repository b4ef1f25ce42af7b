"""What `serval predict` says of each file, by the task of the model: on the terminal, in files."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from rich.text import Text

from serval.commands.terminal import Terminal, narrow_table, terminal
from serval.errors import ConfigError
from serval.multilabel import THRESHOLD
from serval.records import Failure, Prediction, Record
from serval.tasks import CATEGORICAL, DIMENSIONAL, MULTILABEL
from serval.wording import counted, csv_cell, percent, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from serval.models.contract import Contract
    from serval.tasks import Task

    Row = dict[str, Any]


NAME_COLUMNS = 20
BAR_COLUMNS = 48
"""For the name of an emotion and its bar: with the number between, 60 columns hold both."""

MOST_BARS = 24

WIDE = 72
"""Columns that hold the emotions that follow, too."""

SHARES, VALUES = NESTED = ("probabilities", "values")
"""What a row has of each label."""

FORMS = ("csv", "json", "parquet")

TYPES = dict.fromkeys(("file", "emotion", "scale", "failure"), pa.string()) | {
    "emotions": pa.list_(pa.string())
}
"""Of the columns of a file that hold no number."""


def print_emotions(records: Sequence[Record], contract: Contract) -> None:
    """Print one file as a bar for each emotion, several as a table."""
    answered = _answered(records)
    if len(records) == 1 and answered:
        _print_bars(answered[0], contract.labels)
    elif answered:
        _print_table(answered, contract.labels)


def _answered(records: Sequence[Record]) -> list[Prediction]:
    return [record for record in records if isinstance(record, Prediction)]


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
    print_notes(console, [record])


def ranked(probs: Iterable[float], labels: Iterable[str]) -> list[tuple[float, str]]:
    """Return the shares with their labels, the highest first; of equal ones that of the answer.

    Examples:
        >>> ranked([0.2, 0.4, 0.4], ["sad", "angry", "happy"])
        [(0.4, 'angry'), (0.4, 'happy'), (0.2, 'sad')]
    """
    return sorted(zip(probs, labels, strict=True), key=lambda pair: -pair[0])


def print_notes(console: Terminal, records: Iterable[Prediction]) -> None:
    """Print once what was done to the sound of any of the files."""
    for note in dict.fromkeys(note for record in records for note in record.notes):
        console.print(f"- {note}")


def _print_table(named: Sequence[Prediction], labels: Sequence[str]) -> None:
    """Print how many files have which emotion, and of each the most likely; --json has all."""
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


def print_values(records: Sequence[Record], contract: Contract) -> None:
    """Print the values of each file; the scale is said once."""
    answered = _answered(records)
    if not answered:
        return
    console, names, scale = terminal(), [*map(printable, contract.labels)], contract.scale
    on = f"on the scale {scale}" if scale else "on a scale that the model does not state"
    console.print_verdict([f"{', '.join(names)} of {counted(len(answered), 'file')}, {on}."])
    table = narrow_table(["file"], names)
    for record in answered:
        table.add_row(Text(record.clip_id), *(f"{value:.3g}" for value in record.probs))
    console.print_table(table)
    print_notes(console, answered)


def print_sets(records: Sequence[Record], contract: Contract) -> None:
    """Print the emotions of each file, each with its score; the threshold is said once."""
    answered = _answered(records)
    if not answered:
        return
    console = terminal()
    said_of = [named(record.probs, contract.labels) for record in answered]
    counts = Counter(label for one in said_of for label in one)
    said = ", ".join(f"{n:,} {printable(label)}" for label, n in counts.most_common())
    none = said_of.count({})
    said += f"{', ' * bool(said)}{none:,} with none" if none else ""
    console.print_verdict(
        [f"{counted(len(answered), 'file')}: {said}, of scores of {THRESHOLD:g} or more."]
    )
    table = narrow_table(["file"], [], "emotions")
    for record, scores in zip(answered, said_of, strict=True):
        table.add_row(Text(record.clip_id), Text(in_words(scores)))
    console.print_table(table)
    print_notes(console, answered)


def named(scores: Iterable[float], labels: Sequence[str]) -> dict[str, float]:
    """Return the emotions whose score is `THRESHOLD` or more, the highest first."""
    return {label: score for score, label in ranked(scores, labels) if score >= THRESHOLD}


def in_words(scores: Mapping[str, float]) -> str:
    """Return emotions with their scores, or `none`."""
    return ", ".join(f"{label} {percent(p, 0)}" for label, p in scores.items()) or "none"


def emotion_row(predicted: str, shares: Iterable[float], contract: Contract) -> Row:
    """Return an emotion, how sure the model is of it, and all probabilities."""
    each = _by_label(shares, contract)
    confidence = max(each.values()) if predicted else None
    return {"emotion": predicted or None, "confidence": confidence, SHARES: each}


def set_row(_predicted: str, shares: Iterable[float], contract: Contract) -> Row:
    """Return the emotions whose score is `THRESHOLD` or more, and all scores."""
    each = _by_label(shares, contract)
    return {"emotions": list(named(each.values(), contract.labels)), SHARES: each}


def value_row(_predicted: str, values: Iterable[float], contract: Contract) -> Row:
    """Return the values, and their scale if the model states it."""
    return {VALUES: _by_label(values, contract), "scale": contract.scale or None}


def _by_label(numbers: Iterable[float], contract: Contract) -> dict[str, float]:
    return {label: float(n) for label, n in zip(contract.labels, numbers, strict=True)}


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRows:
    """How the answers of a task are written.

    Attributes:
        row: Answer, its `(K,)` shares or values, and the contract -> what a row says of it.
        order: The keys of a row behind `file`, by form.
        bare: The forms whose columns of labels are called as these.
    """

    row: Callable[[str, Iterable[float], Contract], Row]
    order: Mapping[str, tuple[str, ...]]
    bare: tuple[str, ...] = ()


ANSWERS: Mapping[Task, AnswerRows] = {
    CATEGORICAL: AnswerRows(
        row=emotion_row,
        order={
            "json": ("emotion", "confidence", "duration_s", SHARES, "failure"),
            "csv": ("emotion", "confidence", "duration_s", SHARES, "failure"),
            "parquet": ("emotion", "confidence", "duration_s", "failure", SHARES),
        },
        bare=("csv",),
    ),
    MULTILABEL: AnswerRows(
        row=set_row,
        order={
            "json": ("emotions", "duration_s", SHARES, "failure"),
            "csv": ("emotions", SHARES, "duration_s", "failure"),
            "parquet": ("emotions", "duration_s", "failure", SHARES),
        },
    ),
    DIMENSIONAL: AnswerRows(
        row=value_row,
        order={
            "json": ("scale", "duration_s", "failure", VALUES),
            "csv": (VALUES, "scale", "duration_s", "failure"),
            "parquet": ("scale", "failure", VALUES, "duration_s"),
        },
        bare=FORMS,
    ),
}


def content(records: Sequence[Record], contract: Contract, form: str) -> bytes:
    """Return what a model says of each file as `json`, `csv` or `parquet`, text in UTF-8."""
    own = ANSWERS[contract.asked]
    rows = [
        row_of(record, lambda one: own.row(one.predicted, one.probs, contract))
        for record in records
    ]
    return content_of(rows, ("file", *own.order[form]), contract, form)


def row_of(record: Record, said: Callable[[Prediction], Row]) -> Row:
    """Return what is known of a file: what was said of it, or why nothing was."""
    if isinstance(record, Failure):
        return {"file": record.clip_id, "failure": f"{record.stage}: {record.reason}"}
    return {"file": record.clip_id, "duration_s": record.duration_s, **said(record)}


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


def content_of(
    rows: Iterable[Row],
    order: Sequence[str],
    contract: Contract,
    form: str,
) -> bytes:
    """Return rows as `json`, `csv` or `parquet`; the last two have a column for each label.

    Args:
        rows: By key, of which each may lack some.
        order: The keys in their order.
        contract: With the labels of `SHARES` or `VALUES`.
        form: Of the three.
    """
    labels, bare = contract.labels, form in ANSWERS[contract.asked].bare
    rows = [{"scale": contract.scale or None} | row for row in rows]  # of what failed too
    if form == "json":
        return as_json([{key: row.get(key) for key in order} for row in rows])
    prefix = "" if bare and not {*order}.intersection(labels) else "prob_"
    named = {key: [f"{prefix}{label}" for label in labels] for key in NESTED}
    titles = [title for key in order for title in named.get(key, [key])]
    cells = [[cell for key in order for cell in _cells(row.get(key), key, labels)] for row in rows]
    if form == "csv":
        return _as_csv(titles, cells)
    kinds = [TYPES.get(key, pa.float64()) for key in order for _ in named.get(key, [key])]
    arrays = [
        pa.array(own, kind) for own, kind in zip(zip(*cells, strict=True), kinds, strict=True)
    ]
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, titles), buffer)
    return buffer.getvalue()


def _cells(value: Any, key: str, labels: Sequence[str]) -> list[Any]:  # noqa: ANN401 - what a row has
    return [(value or {}).get(label) for label in labels] if key in NESTED else [value]


def as_json(rows: Sequence[Row]) -> bytes:
    """Return the rows as a list; what UTF-8 cannot hold becomes an escape."""
    return f"{json.dumps(rows, indent=2)}\n".encode("utf-8", "backslashreplace")


def _as_csv(head: Iterable[str], rows: Iterable[Iterable[object]]) -> bytes:
    """Return a line for each row, text made harmless for spreadsheets; `None` is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(csv_cell, head))
    for row in rows:
        said = (";".join(cell) if isinstance(cell, list) else cell for cell in row)
        writer.writerow([csv_cell(cell) if isinstance(cell, str) else cell for cell in said])
    return text.getvalue().encode("utf-8", "replace")
