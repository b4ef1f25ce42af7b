"""What must hold of a journal's numbers; checked over whole columns, for that costs least."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serval.probabilities import probabilities_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Ids = NDArray[np.int64]

__all__ = ["HIGHEST_INDEX", "Numbers", "faults"]

HIGHEST_INDEX = 10**9
"""No set has more clips: a thousand years of speech."""

TOLERANCE = 1e-5
"""How far a stored probability may be from what its logits give: float32 and its decimals."""

AT_ONCE = 1 << 16
"""Scores that are checked at once: half a megabyte in float64, and a few copies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """The numbers of a journal's predictions, in the order of its lines.

    Attributes:
        index: `(N,) int64` positions in the dataset split.
        truth: `(N,) int64` label ids.
        predicted: `(N,) int64` label ids.
        logits: `(N, K) float32`.
        probs: `(N, K) float32`.
        seconds: `(N, 2) float64`: of audio, and in the model.
        failed: `(F,) int64` positions of the failed clips.
    """

    index: Ids
    truth: Ids
    predicted: Ids
    logits: NDArray[np.float32]
    probs: NDArray[np.float32]
    seconds: NDArray[np.float64]
    failed: Ids


def faults(numbers: Numbers, outputs: str) -> Iterator[tuple[int, str]]:
    """Yield `(row, what is said of it)` for the first row of each kind of fault.

    Rows from N on are those of the failed clips.
    """
    index = np.concatenate([numbers.index, numbers.failed])
    for row in _first((index < 0) | (index >= HIGHEST_INDEX)):
        yield row, f"has index {index[row]}"
    for row in _first(_repeated(index)):
        yield row, f"is a second record of clip {index[row]}"
    for row in _first(~((numbers.seconds >= 0) & (numbers.seconds < np.inf))):
        yield row, "has a time that is negative or not finite"
    step = max(1, AT_ONCE // max(1, numbers.logits.shape[1]))
    for start in range(0, len(numbers.logits), step):
        for row, fault in _score_faults(numbers, slice(start, start + step), outputs):
            yield start + row, fault


def _score_faults(numbers: Numbers, rows: slice, outputs: str) -> Iterator[tuple[int, str]]:
    logits, probs = numbers.logits[rows], numbers.probs[rows]
    for row in _first(~np.isfinite(logits)):
        yield row, "has a logit that is not finite"
        return
    if outputs == "values":
        for row in _first(logits != probs):
            yield row, "has probs that are not its logits, in a run of dimensions"
        return
    for row in _first(~((probs >= 0) & (probs <= 1))):
        yield row, "has a probability outside of 0 to 1"
    for row in _first(np.abs(probabilities_of(logits, outputs) - probs) > TOLERANCE):
        yield row, "has probabilities that do not follow from its logits"
    chosen = np.take_along_axis(logits, numbers.predicted[rows, np.newaxis], axis=1)
    for row in _first(logits > chosen):
        yield row, "names a label that has not the highest logit"


def _repeated(index: Ids) -> NDArray[np.bool_]:
    """Return which rows have the index of an earlier one."""
    again = np.ones(len(index), dtype=np.bool_)
    again[np.unique(index, return_index=True)[1]] = False
    return again


def _first(wrong: NDArray[np.bool_]) -> Iterator[int]:
    """Yield the first row in which anything is wrong, if there is one."""
    rows = wrong.reshape(len(wrong), -1).any(axis=1) if wrong.size else wrong[:0]
    if rows.any():
        yield int(rows.argmax())
