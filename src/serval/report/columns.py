"""Runs -> the columns of clips that a page filters, lists and opens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.comparison import partners

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from serval.report.sound import Sounds
    from serval.run import Run

TEXT_COLUMNS = ("text", "sentence", "transcript", "transcription", "utterance", "words")
"""Names of a column that holds what is spoken, in order of preference."""

FEW_VALUES = 40
"""A column with more values than this is shown with a clip but is no filter."""

MOST_LISTED = 20_000
"""Clips on a page at most: some MB, which a browser filters while one types."""

MOST_HEARD = 500
"""Clips that can be heard on a page which does not list all: some 10 MB of sound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """The clips of one or two runs: each clip once.

    Attributes:
        runs: The runs; the first is A.
        positions: For each run, where each listed clip is in it; -1 where the run lacks it.
        n: Clips of the runs; more than are listed where these are a sample.
    """

    runs: tuple[Run, ...]
    positions: tuple[tuple[int, ...], ...]
    n: int

    def __len__(self) -> int:
        """Return how many clips are listed."""
        return len(self.positions[0])

    def first_of(self, tables: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """Return of each listed clip its row in the table of the first run that has it."""
        found = np.zeros((len(self), *tables[0].shape[1:]), dtype=tables[0].dtype)
        for table, places in reversed(list(zip(tables, self.positions, strict=True))):
            at = np.array(places, dtype=np.int64)
            found[at >= 0] = table[at[at >= 0]]
        return found

    def home(self, i: int) -> tuple[Run, int]:
        """Return the first run that has clip `i`, and where it is there."""
        places = zip(self.runs, self.positions, strict=True)
        return next((run, places[i]) for run, places in places if places[i] >= 0)


def listed(runs: Sequence[Run], most: int = MOST_LISTED) -> Listed:
    """Return the clips of all runs: those of the first in its order, then what only B has.

    Of more than `most` clips these are a random sample, the same at each call.
    """
    first = runs[0]
    positions = np.arange(len(first))[np.newaxis]
    for run in runs[1:]:
        rows = partners(first, run).rows
        alone = np.setdiff1d(np.arange(len(run)), rows)
        missing = np.full((len(positions), len(alone)), -1)
        positions = np.vstack([np.hstack([positions, missing]), np.hstack([rows, alone])])
    n = positions.shape[1]
    if n > most:
        chosen = np.random.default_rng(0).choice(n, most, replace=False)
        positions = positions[:, np.sort(chosen)]
    return Listed(runs=tuple(runs), positions=tuple(map(tuple, positions.tolist())), n=n)


def heard(
    clips: Listed, audio: str, worth_hearing: Sequence[bool], first: Sequence[float]
) -> dict[int, list[int]]:
    """Return which clips get audio, as positions by run: with `wrong` those that are worth it.

    Of a sample they are those that a page shows first, where `first` is highest.
    """
    chosen: dict[int, list[int]] = {side: [] for side in range(len(clips.runs))}
    if audio == "none":
        return chosen
    wanted = [i for i in range(len(clips)) if audio == "all" or worth_hearing[i]]
    if len(clips) < clips.n:
        wanted = sorted(sorted(wanted, key=lambda i: -first[i])[:MOST_HEARD])
    for i in wanted:
        side = next(side for side, places in enumerate(clips.positions) if places[i] >= 0)
        chosen[side].append(clips.positions[side][i])
    return chosen


def clip_columns(clips: Listed, sounds: Sounds, shown: Collection[str] = ()) -> dict[str, Any]:
    """Return the columns in plain JSON types, but those `shown` otherwise; -1 stands for none."""
    homes = [clips.home(i) for i in range(len(clips))]
    speakers = _coded(run.speakers[at] for run, at in homes)
    every = dict.fromkeys(name for run in clips.runs for name in sorted(run.groups))
    names = [name for name in every if name not in shown]
    text = next((name for name in TEXT_COLUMNS if name in names), None)
    keys = {sha256: number for number, sha256 in enumerate(sounds.by_sha256)}
    return {
        "id": [run.clip_ids[at] for run, at in homes],
        "index": [int(run.index[at]) for run, at in homes],
        "duration": [round(float(run.duration_s[at]), 3) for run, at in homes],
        "sound": [keys.get(run.audio_sha256[at], -1) for run, at in homes],
        "speakers": speakers["values"],
        "speaker": speakers["of"],
        "text": text and [_cell(run, text, at) or "" for run, at in homes],
        "groups": [_group(name, homes) for name in names if name != text],
    }


def _cell(run: Run, name: str, at: int) -> str | None:
    column = run.groups.get(name)
    return None if column is None else column[at]


def _group(name: str, homes: Sequence[tuple[Run, int]]) -> dict[str, Any]:
    coded = _coded(_cell(run, name, at) for run, at in homes)
    return {"name": name, "few": 2 <= len(coded["values"]) <= FEW_VALUES, **coded}


def _coded(column: Iterable[str | None]) -> dict[str, Any]:
    """Return the distinct values in sorted order, and each cell as a position among them."""
    cells = list(column)
    values = sorted({cell for cell in cells if cell is not None})
    code: Mapping[str | None, int] = {value: number for number, value in enumerate(values)}
    return {"values": values, "of": [code.get(cell, -1) for cell in cells]}
