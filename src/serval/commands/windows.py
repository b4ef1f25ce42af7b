"""Emotions over time, as `serval predict --window` shows and writes them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from serval.commands.answers import FORMS as TABLES
from serval.commands.answers import as_csv, as_json, as_parquet, form_of, ranked
from serval.commands.terminal import narrow_table, say, terminal
from serval.errors import ConfigError
from serval.files import write_bytes
from serval.predict import Moment, in_order, predict_windows
from serval.records import Prediction
from serval.wording import percent, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from serval.models.windowed import Windowed
    from serval.records import Clip, Record

FORMS = (*TABLES, "png")
MOST_ROWS = 120
"""Windows of one file that the terminal shows: two minutes at one a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a model said of one file.

    Attributes:
        record: Of the file as a whole.
        moments: Of its windows.
        labels: The K emotions.
    """

    record: Record
    moments: Sequence[Moment]
    labels: Sequence[str]

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield one row for each window, or one for a file without any."""
        failure = "" if isinstance(self.record, Prediction) else _failure(self.record)
        for moment in () if failure else self.moments:
            yield {
                "file": self.record.clip_id,
                "start_s": round(moment.start_s, 3),
                "end_s": round(moment.end_s, 3),
                **_said(moment.predicted, moment.probs, self.labels),
                "failure": None,
            }
        if failure:
            empty = dict.fromkeys(("start_s", "end_s", "emotion", "confidence", "probabilities"))
            yield {"file": self.record.clip_id, **empty, "failure": failure}

    def document(self) -> dict[str, Any]:
        """Return the file as a whole with its windows, in plain JSON types."""
        if not isinstance(self.record, Prediction):
            return {"file": self.record.clip_id, "failure": _failure(self.record), "windows": []}
        windows = [
            {name: row[name] for name in row if name not in {"file", "failure"}}
            for row in self.rows()
        ]
        return {
            "file": self.record.clip_id,
            **_said(self.record.predicted, self.record.probs, self.labels),
            "duration_s": self.record.duration_s,
            "failure": None,
            "windows": windows,
        }


def heard_in_windows(model: Windowed, clips: Iterable[Clip], workers: int) -> list[Told]:
    """Return what a model says along each of some clips, in order."""
    return [
        Told(record=record, moments=moments, labels=model.labels)
        for record, moments in in_order(partial(predict_windows, model), clips, workers)
    ]


def refuse_unknown_form(output: Path, n_files: int) -> None:
    """Do nothing if what a model says along that many files can be written to `output`.

    Raises:
        ConfigError: The name ends in no known form, or it is one picture for several files.
    """
    if form_of(output, FORMS) == "png" and n_files > 1:
        raise ConfigError(f"--output {output} is a picture of one file, not of {n_files}")


def write_windows(told: Sequence[Told], title: str, output: Path) -> Path | None:
    """Return the file written, by the end of its name; `None` for a picture of a failure."""
    form = form_of(output, FORMS)
    if form == "png":
        return _picture(told[0], title, output)
    content = {"csv": _csv, "json": _json, "parquet": _parquet}[form](told)
    return write_bytes(output, content)


def show_windows(told: Sequence[Told], form: str | None) -> None:
    """Print what was said along the files: as tables, as JSON or as CSV."""
    if form:
        say({"csv": _csv, "json": _json}[form](told).decode("utf-8", "replace").rstrip("\n"))
        return
    for one in told:
        if isinstance(one.record, Prediction):
            _print_table(one, one.record)


def _print_table(told: Told, record: Prediction) -> None:
    console = terminal()
    head = f"{record.clip_id}: {record.predicted}, {percent(max(record.probs), 0)}"
    console.print(f"{head} over {record.duration_s:.1f} s", style="bold", soft_wrap=True)
    table = narrow_table((), ("from s", "to s"), "emotion", "confidence", "then")
    for moment in told.moments[:MOST_ROWS]:
        order = ranked(moment.probs, told.labels)
        others = order[1:3] if moment.predicted else order
        then = ", ".join(f"{printable(name)} {percent(p, 0)}" for p, name in others)
        times = (f"{moment.start_s:.2f}", f"{moment.end_s:.2f}")
        confidence = percent(order[0][0], 1) if moment.predicted else ""
        table.add_row(*times, printable(moment.predicted), confidence, then)
    console.print_table(table)
    if (more := len(told.moments) - MOST_ROWS) > 0:
        console.print(f"- {more} more windows: write all of them with -o FILE.csv")
    for note in record.notes:
        console.print(f"- {note}")


def _picture(told: Told, title: str, output: Path) -> Path | None:
    from serval.plots.timeline import Timeline, save_timeline  # matplotlib takes a while to load

    if not isinstance(told.record, Prediction):
        return None
    timeline = Timeline(
        labels=[printable(label) for label in told.labels],
        starts_s=np.array([moment.start_s for moment in told.moments]),
        ends_s=np.array([moment.end_s for moment in told.moments]),
        probs=np.stack([moment.probs for moment in told.moments]),
        mean=np.array(told.record.probs),
    )
    return save_timeline(timeline, f"{printable(told.record.clip_id)}\n{title}", output)


def _said(predicted: str, probs: Iterable[float], labels: Sequence[str]) -> dict[str, Any]:
    shares = {label: float(p) for label, p in zip(labels, probs, strict=True)}
    confidence = shares[predicted] if predicted else None
    return {"emotion": predicted or None, "confidence": confidence, "probabilities": shares}


def _failure(record: Record) -> str:
    return "" if isinstance(record, Prediction) else f"{record.stage}: {record.reason}"


def _json(told: Sequence[Told]) -> bytes:
    return as_json([one.document() for one in told])


def _csv(told: Sequence[Told]) -> bytes:
    labels = told[0].labels
    keys = ("file", "start_s", "end_s", "emotion", "confidence")
    rows = (
        [*map(row.get, keys), *(row["probabilities"] or dict.fromkeys(labels)).values(),
         row["failure"]]
        for one in told
        for row in one.rows()
    )  # fmt: skip
    clash = {*keys, "failure"}.intersection(labels)
    names = [f"prob_{label}" for label in labels] if clash else labels
    return as_csv((*keys, *names, "failure"), rows)


def _parquet(told: Sequence[Told]) -> bytes:
    labels = told[0].labels
    rows = []
    for row in (row for one in told for row in one.rows()):
        probs = row.pop("probabilities") or dict.fromkeys(labels)
        rows.append(row | {f"prob_{label}": probs[label] for label in labels})
    text, number = pa.string(), pa.float64()
    kinds = {"file": text, "start_s": number, "end_s": number, "emotion": text}
    kinds |= {"confidence": number, "failure": text}
    return as_parquet(rows, kinds | {f"prob_{label}": number for label in labels})
