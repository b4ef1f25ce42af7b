"""The votes of listeners, as the columns of a set have them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serval.errors import LabelError
from serval.labels import PRESETS, LabelMap

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from serval.run import Run

    Ids = NDArray[np.int64]

COLUMN, PREFIX = "votes", "votes_"
"""One column with all votes of a clip, `angry 4, sad 1`; or one with the number for each label."""

COUNTED = re.compile(r"\s*(.+?)\s+(\d+)(?:\.0*)?\s*")
"""A name and a number; pandas writes whole ones as `4.0` where some are missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """The votes of a run's clips.

    Attributes:
        counts: `(N, K) int64` votes for each label of the run.
        unknown: Votes for anything else, by name.
    """

    counts: Ids
    unknown: Mapping[str, int]


def is_votes(column: str) -> bool:
    """Return whether a column of a set holds votes, by its name."""
    return column == COLUMN or column.startswith(PREFIX)


def ballot_of(run: Run) -> Ballot | None:
    """Return the votes of a run's clips; `None` where its set has none.

    Names of votes are matched with labels as the labels of the set were.

    Raises:
        LabelError: A cell is no count of votes.
    """
    columns = {name: cells for name, cells in run.groups.items() if is_votes(name)}
    if not columns:
        return None
    matched = _label_map(run)
    counts = np.zeros((len(run), len(run.labels)), dtype=np.int64)
    unknown: dict[str, int] = {}
    for column, cells in columns.items():
        for i, cell in enumerate(cells):
            for name, n in _votes(column, cell or "", run.clip_ids[i]):
                label = matched[name]
                if label is None:
                    unknown[name] = unknown.get(name, 0) + n
                else:
                    counts[i, run.labels.id_of(label)] += n
    return Ballot(counts=counts, unknown=unknown)


def _label_map(run: Run) -> LabelMap:
    identity = run.provenance.identity
    preset = identity.get("label preset") or {}
    return LabelMap(
        labels=run.labels,
        explicit=identity.get("label map") or {},
        meanings=run.provenance.dataset.get("labels_as") or {},
        preset=PRESETS.get(preset.get("name", "")),
    )


def _votes(column: str, cell: str, clip: str) -> list[tuple[str, int]]:
    """Return the name and the number of each kind of vote in a cell."""
    name = column.removeprefix(PREFIX)
    parts = [part for part in cell.split(",") if part.strip()]
    if column != COLUMN:
        parts = [f"{name} {part.strip()}" for part in parts]
    found = [COUNTED.fullmatch(part) for part in parts]
    if None in found:
        wanted = "angry 4, sad 1" if column == COLUMN else "a whole number of votes"
        raise LabelError(f"'{column}' of {clip} is '{cell}'; write {wanted}")
    return [(one[1], int(one[2])) for one in found if one is not None]
