"""Emotions or values over time, as `serval predict --window` shows and writes them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from serval.commands.answers import (
    ANSWERS,
    as_json,
    content_of,
    form_of,
    in_words,
    named,
    print_notes,
    ranked,
    row_of,
)
from serval.commands.answers import FORMS as TABLES
from serval.commands.terminal import narrow_table, say, terminal
from serval.errors import ConfigError
from serval.files import write_bytes
from serval.predict import Moment, in_order, predict_windows
from serval.records import Failure, Prediction
from serval.tasks import CATEGORICAL, DIMENSIONAL, MULTILABEL
from serval.wording import percent, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from serval.commands.answers import Row
    from serval.models.contract import Contract
    from serval.models.windowed import Windowed
    from serval.records import Clip, Record
    from serval.tasks import Task

FORMS = (*TABLES, "png")
MOST_ROWS = 120
"""Windows of one file that the terminal shows: two minutes at one a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a model said of one file.

    Attributes:
        record: Of the file as a whole.
        moments: Of its windows.
        contract: Of the model.
    """

    record: Record
    moments: Sequence[Moment]
    contract: Contract

    def rows(self) -> list[Row]:
        """Return one row for each window, or one for a file without any."""
        if isinstance(self.record, Failure):
            return [row_of(self.record, lambda _one: {})]
        return [
            {
                "file": self.record.clip_id,
                "start_s": round(moment.start_s, 3),
                "end_s": round(moment.end_s, 3),
                **self._said(moment),
            }
            for moment in self.moments
        ]

    def document(self) -> Row:
        """Return the file as a whole with its windows, in plain JSON types."""
        record, rows = self.record, self.rows()
        if isinstance(record, Failure):
            return {**rows[0], "windows": []}
        return {
            "file": record.clip_id,
            **self._said(record),
            "duration_s": record.duration_s,
            "failure": None,
            "windows": [{key: row[key] for key in row if key != "file"} for row in rows],
        }

    def _said(self, of: Prediction | Moment) -> Row:
        return ANSWERS[self.contract.asked].row(of.predicted, of.probs, self.contract)


def heard_in_windows(model: Windowed, clips: Iterable[Clip], workers: int) -> list[Told]:
    """Return what a model says along each of some clips, in order."""
    return [
        Told(record=record, moments=moments, contract=model.contract)
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
    return write_bytes(output, _content(told, form))


def show_windows(told: Sequence[Told], form: str | None) -> None:
    """Print what was said along the files: as tables, as JSON or as CSV."""
    if form:
        say(_content(told, form).decode("utf-8", "replace").rstrip("\n"))
        return
    for one in told:
        if isinstance(one.record, Prediction):
            _print_table(one, one.record)


def _print_table(told: Told, record: Prediction) -> None:
    console, task = terminal(), SHOWN[told.contract.asked]
    head = f"{record.clip_id}: {task.said(record, told.contract)} over {record.duration_s:.1f} s"
    console.print(head, style="bold", soft_wrap=True)
    titles, times = task.titles(told.contract), ("from s", "to s")
    numbers = () if told.contract.asked.has_labels else titles
    table = narrow_table((), (*times, *numbers), *([] if numbers else titles))
    for moment in told.moments[:MOST_ROWS]:
        at = (f"{moment.start_s:.2f}", f"{moment.end_s:.2f}")
        table.add_row(*at, *map(printable, task.cells(moment, told.contract)))
    console.print_table(table)
    if (more := len(told.moments) - MOST_ROWS) > 0:
        console.print(f"- {more} more windows: write all of them with -o FILE.csv")
    print_notes(console, [record])


@dataclass(frozen=True, slots=True, kw_only=True)
class OverTime:
    """How the answers of a task are shown over time.

    Attributes:
        said: What is said of the clip as a whole.
        titles: Of the columns behind the times.
        cells: Of a window, under these titles.
    """

    said: Callable[[Prediction, Contract], str]
    titles: Callable[[Contract], Sequence[str]]
    cells: Callable[[Moment, Contract], Sequence[str]]


def _emotion_cells(moment: Moment, contract: Contract) -> list[str]:
    order = ranked(moment.probs, contract.labels)
    then = ", ".join(f"{name} {percent(p, 0)}" for p, name in order[1:3])
    return [moment.predicted, percent(order[0][0], 1), then]


def _values(of: Prediction | Moment, contract: Contract) -> dict[str, str]:
    return {name: f"{n:.3g}" for name, n in zip(contract.labels, of.probs, strict=True)}


def _sets(of: Prediction | Moment, contract: Contract) -> str:
    return in_words(named(of.probs, contract.labels))


SHOWN: Mapping[Task, OverTime] = {
    CATEGORICAL: OverTime(
        said=lambda record, _: f"{record.predicted}, {percent(max(record.probs), 0)}",
        titles=lambda _: ("emotion", "confidence", "then"),
        cells=_emotion_cells,
    ),
    MULTILABEL: OverTime(
        said=_sets,
        titles=lambda _: ("emotions",),
        cells=lambda moment, contract: [_sets(moment, contract)],
    ),
    DIMENSIONAL: OverTime(
        said=lambda record, contract: ", ".join(map(" ".join, _values(record, contract).items())),
        titles=lambda contract: [*map(printable, contract.labels)],
        cells=lambda moment, contract: [*_values(moment, contract).values()],
    ),
}


def _picture(told: Told, title: str, output: Path) -> Path | None:
    from serval.plots.timeline import Timeline, save_timeline  # matplotlib takes a while to load

    if not isinstance(told.record, Prediction):
        return None
    timeline = Timeline(
        labels=[printable(label) for label in told.contract.labels],
        starts_s=np.array([moment.start_s for moment in told.moments]),
        ends_s=np.array([moment.end_s for moment in told.moments]),
        probs=np.stack([moment.probs for moment in told.moments]),
        mean=np.array(told.record.probs),
        scale=None if told.contract.asked.has_labels else told.contract.scale,
    )
    return save_timeline(timeline, f"{printable(told.record.clip_id)}\n{title}", output)


def _content(told: Sequence[Told], form: str) -> bytes:
    if form == "json":
        return as_json([one.document() for one in told])
    rows, contract = [row for one in told for row in one.rows()], told[0].contract
    keys = (key for key in ANSWERS[contract.asked].order[form] if key != "duration_s")
    return content_of(rows, ("file", "start_s", "end_s", *keys), contract, form)
