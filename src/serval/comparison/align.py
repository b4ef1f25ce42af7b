"""Several runs -> the clips that all of them predicted, in one order and with one set of labels."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from scipy.special import log_softmax

from serval.comparison.partners import (
    common_rows,
    n_other_audio,
    names_apart,
    pairing_warnings,
    refuse_few,
)
from serval.errors import LabelError
from serval.multilabel import TRUTH
from serval.probabilities import log_probabilities_of, outputs_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from serval.labels import LabelSet
    from serval.run import Run

LEAST = -27.631021
"""The log of 1e-12: a probability of 0 counts as this much, so that every divergence is finite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlignedRun:
    """What one run says of the common clips.

    Attributes:
        name: What this run is called in tables; no two are called the same.
        folder: Where it is stored.
        model: The model's name.
        rows: `(N,) int64` the places of the common clips in the run.
        predicted: `(N,) int64` label ids.
        logits: `(M, K) float32` of all clips of the run, labels in its own order.
        order: `(K,) int64` where each label of the first run stands in this one.
        only_here: Clips that some other run does not have, by id.
        failed: How many clips failed in this run.
        outputs: What the logits are of, as `Contract.outputs` says.
    """

    name: str
    folder: Path
    model: str
    rows: NDArray[np.int64]
    predicted: NDArray[np.int64]
    logits: NDArray[np.float32]
    order: NDArray[np.int64]
    only_here: tuple[str, ...]
    failed: int
    outputs: str = "logits"

    def log_probs(self, some: slice) -> NDArray[np.float64]:
        """Return those of some common clips, `(n, K) float64`, at least `LEAST`.

        They are made where they are looked at, see `blocks`: stored they would be the largest part
        of a comparison.
        """
        logits = self.logits[self.rows[some]][:, self.order].astype(np.float64)
        found = log_probabilities_of(logits, self.outputs)
        return np.ascontiguousarray(np.maximum(found, LEAST))

    def log_shares(self, some: slice) -> NDArray[np.float64]:
        """Return the same with a sum of 1 for each clip: scores of a sigmoid have another."""
        found = self.log_probs(some)
        return found if self.outputs != "sigmoid" else np.asarray(log_softmax(found, axis=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Aligned:
    """The common clips of two or more runs, in the dataset order of the first.

    Attributes:
        labels: Of the first run; the others' outputs are put into its order.
        clip_ids: `(N,)`.
        index: `(N,) int64` positions in the dataset split.
        truth: `(N,) int64` label ids.
        duration_s: `(N,) float64`.
        speakers: `(N,)` or `None` where unknown.
        groups: Further columns by name.
        columns: One for each run.
        other_audio: How many clips have other audio in another run.
        warnings: What a reader must know of the runs, one sentence each.
    """

    labels: LabelSet
    clip_ids: Sequence[str]
    index: NDArray[np.int64]
    truth: NDArray[np.int64]
    duration_s: NDArray[np.float64]
    speakers: Sequence[str | None]
    groups: Mapping[str, Sequence[str | None]]
    columns: tuple[AlignedRun, ...]
    other_audio: int = 0
    warnings: tuple[str, ...]

    def __len__(self) -> int:
        """Return the number of common clips."""
        return len(self.clip_ids)


def aligned(runs: Sequence[Run]) -> Aligned:
    """Return the clips that every run predicted, matched by id and audio; see `partners`.

    Raises:
        ConfigError: Fewer than two runs, no common clip, or names that do not tell clips apart.
        LabelError: The runs have different labels, or disagree on the truth of a clip.
    """
    refuse_few(runs)
    first = runs[0]
    for run in runs[1:]:
        _refuse_other_labels(first, run)
    found, rows = common_rows(runs)
    places = rows[0]
    for run, of_run in zip(runs[1:], rows[1:], strict=True):
        _refuse_other_truth(first, places, run, of_run)
    columns = zip(names_apart(runs), runs, rows, strict=True)
    other_audio = n_other_audio(runs, rows)
    return Aligned(
        labels=first.labels,
        clip_ids=_picked(first.clip_ids, places),
        index=_taken(first.index, places),
        truth=_taken(first.truth, places),
        duration_s=_taken(first.duration_s, places),
        speakers=_picked(first.speakers, places),
        groups={name: _picked(values, places) for name, values in first.groups.items()},
        columns=tuple(_column(name, run, of_run, first.labels)
                      for name, run, of_run in columns),
        other_audio=other_audio,
        warnings=tuple(pairing_warnings(runs, found, other_audio)),
    )  # fmt: skip


def _column(name: str, run: Run, rows: NDArray[np.int64], labels: LabelSet) -> AlignedRun:
    order = np.array([run.labels.index(label) for label in labels])
    predicted = _taken(run.predicted, rows)
    missing = np.ones(len(run), dtype=np.bool_)
    missing[rows] = False
    return AlignedRun(
        name=name,
        folder=run.folder,
        model=str(run.provenance.model.get("name", "")),
        rows=rows,
        predicted=predicted if run.labels == labels else np.argsort(order)[predicted],
        logits=run.logits,
        order=order,
        only_here=tuple(run.clip_ids[i] for i in np.flatnonzero(missing).tolist()),
        failed=len(run.failures),
        outputs=outputs_of(run.provenance.model),
    )


def blocks(n: int) -> Iterator[slice]:
    """Yield all of n clips, `ROWS` at a time: what is made of each makes several copies."""
    return (slice(start, start + ROWS) for start in range(0, n, ROWS))


def _taken(values: NDArray[Number], rows: NDArray[np.int64]) -> NDArray[Number]:
    """Return the values of these rows; of all rows in order the column itself."""
    is_whole = len(rows) == len(values) and bool((np.diff(rows) > 0).all())
    return values if is_whole else values[rows]


def _picked(values: Sequence[Cell], rows: NDArray[np.int64]) -> Sequence[Cell]:
    """Return the values of these rising rows; of all rows the column itself."""
    return values if len(rows) == len(values) else tuple(values[i] for i in rows)


def _refuse_other_labels(first: Run, other: Run) -> None:
    if set(first.labels) == set(other.labels):
        return
    missing = ", ".join(sorted(set(first.labels) ^ set(other.labels)))
    raise LabelError(
        f"{first.folder} and {other.folder} have different labels ({missing} in one only); "
        "compare models of the same labels, or give both the same --label-map"
    )


def _refuse_other_truth(
    first: Run, places: NDArray[np.int64], other: Run, rows: NDArray[np.int64]
) -> None:
    if first.provenance.task.excludes:
        ours = np.array([first.labels.index(label) for label in other.labels])
        differ = _taken(first.truth, places) != ours[_taken(other.truth, rows)]
        places, rows = places[differ][:1], rows[differ][:1]
    for i, j in zip(places, rows, strict=True):
        mine, its = _truth_of(first, i), _truth_of(other, j)
        if mine != its:
            raise LabelError(
                f"the truth of clip '{first.clip_ids[i]}' is {mine} in {first.folder} and {its} in "
                f"{other.folder}; evaluate both on the same dataset with the same --label-map"
            )


def _truth_of(run: Run, row: int) -> str:
    """Return what a clip truly is, in words: its emotion, or all of several."""
    if run.provenance.task.excludes:
        return run.labels[int(run.truth[row])]
    emotions: list[str] = json.loads(run.groups[TRUTH][row] or "[]")
    return ", ".join(sorted(emotions)) or "no emotion"


Cell = TypeVar("Cell", str, "str | None")
Number = TypeVar("Number", np.int64, np.float64)

ROWS = 1 << 14
"""Clips whose probabilities are looked at at once, with a few copies."""
