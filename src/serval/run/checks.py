"""What must hold of a journal: of its header, and of its numbers, which are checked by columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.errors import LabelError
from serval.labels import DimensionSet, LabelSet
from serval.probabilities import probabilities_of
from serval.run.lines import line_error, whole_text
from serval.run.stored import Provenance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    Ids = NDArray[np.int64]

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
        probs: `(N, K) float32`; empty once they were checked and are not kept.
        duration_s: `(N,) float64` of audio.
        inference_s: `(N,) float64` in the model; empty once it was checked and is not kept.
        failed: `(F,) int64` positions of the failed clips.
    """

    index: Ids
    truth: Ids
    predicted: Ids
    logits: NDArray[np.float32]
    probs: NDArray[np.float32]
    duration_s: NDArray[np.float64]
    inference_s: NDArray[np.float64]
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
    for seconds in (numbers.duration_s, numbers.inference_s):
        for row in _first(~((seconds >= 0) & (seconds < np.inf))):
            yield row, "has a time that is negative or not finite"
    step = max(1, AT_ONCE // max(1, numbers.logits.shape[1]))
    for start in range(0, len(numbers.probs), step):
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
    if bool((np.diff(index) > 0).all()):
        return np.zeros(len(index), dtype=np.bool_)
    again = np.ones(len(index), dtype=np.bool_)
    again[np.unique(index, return_index=True)[1]] = False
    return again


def _first(wrong: NDArray[np.bool_]) -> Iterator[int]:
    """Yield the first row in which anything is wrong, if there is one."""
    rows = wrong.reshape(len(wrong), -1).any(axis=1) if wrong.size else wrong[:0]
    if rows.any():
        yield int(rows.argmax())


DEEPEST = 20
"""Levels of lists and objects in a part of the header: whoever walks through it gets to its end."""

PARTS = ("model", "dataset", "options", "platform", "identity")


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_text_or_none(value: object) -> bool:
    return value is None or _is_text(value)


def is_count(value: object) -> bool:
    """Tell whether a value of JSON is a whole number of at least 0."""
    return type(value) is int and value >= 0


def _is_count_or_none(value: object) -> bool:
    return value is None or is_count(value)


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_shallow(value: object, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return True
    parts = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_is_shallow(part, levels - 1) for part in parts)


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def _is_left_out(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(part, dict)
        and _is_text(part.get("reason"))
        and is_count(part.get("n"))
        and _is_texts(part.get("examples"))
        for part in value
    )


KNOWN: Mapping[tuple[str, str], Callable[[object], bool]] = {
    ("model", "name"): _is_text,
    ("model", "path"): _is_text,
    ("model", "sha256"): _is_text,
    ("model", "size_bytes"): _is_count_or_none,
    ("model", "contract"): _is_object,
    ("dataset", "name"): _is_text,
    ("dataset", "location"): _is_text,
    ("dataset", "revision"): _is_text,
    ("dataset", "split"): _is_text,
    ("dataset", "fingerprint"): _is_text,
    ("dataset", "labels_as"): lambda value: (
        isinstance(value, dict) and _is_texts([*value.values()])
    ),
    ("dataset", "licence"): _is_text,
    ("dataset", "n_clips"): _is_count_or_none,
    ("dataset", "caveats"): _is_texts,
    ("dataset", "left_out"): _is_left_out,
    ("dataset", "no_audio"): _is_text,
    ("dataset", "dimensions"): _is_object,
    ("dataset", "multilabel"): _is_object,
    ("options", "limit"): _is_count_or_none,
    ("options", "name"): _is_text_or_none,
}
"""What a part of the header must be where it is there; earlier versions wrote fewer."""

CONTRACT: Mapping[str, Callable[[object], bool]] = {
    "outputs": _is_text,
    "static_samples": _is_count_or_none,
    "sample_rate": lambda value: is_count(value) and value != 0,
}


def provenance_of(path: Path, header: Mapping[str, Any]) -> Provenance:
    """Return what was evaluated on what.

    Raises:
        RunError: A part of the header is missing or of another type.
    """
    for part in PARTS:
        if not _is_object(header.get(part)):
            raise line_error(path, 1, f"has no object '{part}'")
        if not _is_shallow(header[part], DEEPEST):
            raise line_error(path, 1, f"has a '{part}' of more than {DEEPEST} levels")
    for (part, name), fits in KNOWN.items():
        if name in header[part] and not fits(header[part][name]):
            raise line_error(path, 1, f"has an odd '{name}' of its {part}")
    contract = header["model"].get("contract", {})
    for name, fits in CONTRACT.items():
        if name in contract and not fits(contract[name]):
            raise line_error(path, 1, f"has an odd '{name}' in its model's contract")
    return Provenance(labels=_labels(path, header), **{part: header[part] for part in PARTS})


def _labels(path: Path, header: Mapping[str, Any]) -> LabelSet:
    labels: Any = header.get("labels")
    if not _is_texts(labels) or any(whole_text(label) != label for label in labels):
        raise line_error(path, 1, "has labels that are not a list of text")
    kind = DimensionSet if "dimensions" in header["dataset"] else LabelSet
    try:
        return kind(labels)
    except LabelError as error:
        raise line_error(path, 1, f"has labels that no model has: {error}") from None
