"""Two or more runs of dimensions on the same clips: what differs, and how sure that is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.comparison.partners import (
    common_rows,
    n_other_audio,
    names_apart,
    pairing_warnings,
    refuse_few,
    refuse_odd_margin,
    task_of_runs,
)
from serval.comparison.words import letter_of, relation_of
from serval.dimensions import DimensionRun, dimension_run
from serval.errors import ConfigError
from serval.files import write_json
from serval.plots.dimensions import save_agreement
from serval.results.document import warnings_of
from serval.scores.clusters import clustering_of
from serval.scores.dimensions import (
    DIMENSION_METRICS,
    MEAN,
    ccc,
    moments_of,
    paired_dimension_scores,
)
from serval.scores.paired import IntervalChange
from serval.tasks import DIMENSIONAL
from serval.wording import counted, decimals, numbered, without_nan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from serval.comparison.partners import Partners
    from serval.run import Run
    from serval.scores.clusters import Clustering
    from serval.scores.paired import PairedScore

    Floats = NDArray[np.float64]
    Rows = tuple[DimensionRun, NDArray[np.int64]]

MOVED = 10
"""Clips that are listed, those that moved most first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DimensionAgainst:
    """One run measured against the first.

    Attributes:
        b: Its name.
        changes: By dimension, `mean` among them, then by key of `DIMENSION_METRICS`.
        agreement: By dimension, CCC of the predictions of both runs.
        largest_shift: By dimension, the largest difference between both on one clip, in units of
            the scale.
        moved: The clips that moved most: id, dimension, rating (NaN where none), A, B.
    """

    b: str
    changes: Mapping[str, Mapping[str, IntervalChange]]
    agreement: Mapping[str, float]
    largest_shift: Mapping[str, float]
    moved: tuple[tuple[str, str, float, float, float], ...]

    def sentences(self, scale: str) -> list[str]:
        """Return how alike the predictions of both runs are, whatever the ratings."""
        both = ", ".join(f"{name} {decimals(value)}" for name, value in self.agreement.items())
        largest = ", ".join(f"{name} {value:.2f}" for name, value in self.largest_shift.items())
        return [
            f"CCC between the two runs' predictions: {both}.",
            f"Largest difference on one clip, scale {scale}: {largest}.",
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class DimensionComparison:
    """Runs of dimensions on their common clips; the first is the baseline.

    Attributes:
        runs: Folder of each run, by name.
        only_in: Clips that not all runs have, by run.
        other_audio: How many of the common clips have other audio in another run.
        n: Common clips.
        names: The dimensions.
        scale: Of all values, `1..7`.
        margin: The loss of a correlation that would not matter; of errors, as a share of the scale.
        by: What was drawn: `speaker` or `clip`.
        clusters: Number of them.
        against: Each further run against the first.
        warnings: What a reader must know before trusting the numbers, one sentence each.
    """

    runs: Mapping[str, str]
    only_in: Mapping[str, tuple[str, ...]]
    other_audio: int
    n: int
    names: tuple[str, ...]
    scale: str
    margin: float
    by: str
    clusters: int
    against: tuple[DimensionAgainst, ...]
    warnings: tuple[str, ...]

    @property
    def changes(self) -> dict[str, IntervalChange]:
        """Of each score of the second run that can drop, by the names that bounds have."""
        return {
            key if name == MEAN else f"{key}:{name}": change
            for name, own in self.against[0].changes.items()
            for key, change in own.items()
            if DIMENSION_METRICS[key].is_correlation
        }

    @property
    def verdict(self) -> list[str]:
        """One sentence for each further run, by the mean CCC."""
        return [self._sentence(one) for one in self.against]

    def _sentence(self, one: DimensionAgainst) -> str:
        change, first = one.changes[MEAN]["ccc"], next(iter(self.runs))
        letter = letter_of(self.runs, one.b)
        if self.runs[one.b] == self.runs[first] and not any(one.largest_shift.values()):
            return f"{one.b} ({letter}) is the same run as {first} (A): name another one."
        gap = change.difference
        head = f"{one.b} ({letter}) {relation_of(change.verdict)} {first} (A)"
        if np.isnan(gap.low):
            return f"{head}: of {counted(self.n, 'clip')}, too few have ratings that vary."
        return (
            f"{head}: mean CCC {change.b:.3f} against {change.a:.3f} on "
            f"{counted(self.n, 'clip')}, {gap.value:+.3f} (95 % interval {gap.low:+.3f} to "
            f"{gap.high:+.3f})."
        )


def compare_dimensions(runs: Sequence[Run], margin: float) -> DimensionComparison:
    """Return what differs between runs of dimensions, the baseline first, on their common clips.

    Raises:
        ConfigError: Tasks, dimensions, scales or ratings differ, or no clip is common.
    """
    refuse_odd_margin(margin)
    values, found = _paired(runs)
    first, rows = values[0]
    other_audio = n_other_audio(runs, [at for _, at in values])
    clustering = clustering_of([first.run.speakers[i] for i in rows])
    names = names_apart(runs)
    said = [line for run in runs for line in warnings_of(run)]
    said += pairing_warnings(runs, found, other_audio)
    only_in = [tuple(np.delete(one.run.clip_ids, at).tolist()) for one, at in values]
    return DimensionComparison(
        runs={name: str(run.folder) for name, run in zip(names, runs, strict=True)},
        only_in=dict(zip(names, only_in, strict=True)),
        other_audio=other_audio,
        n=len(rows),
        names=first.names,
        scale=str(first.scale),
        margin=margin,
        by=clustering.by,
        clusters=len(clustering),
        against=tuple(
            _against(name, values[0], other, clustering, margin)
            for name, other in zip(names[1:], values[1:], strict=True)
        ),
        warnings=tuple(dict.fromkeys((*said, *clustering.warnings))),
    )


def _paired(runs: Sequence[Run]) -> tuple[list[Rows], list[Partners]]:
    """Return the values of each run with the rows of the common clips, and who their partners are.

    Runs of other tasks, dimensions, scales or ratings are refused.
    """
    refuse_few(runs)
    task_of_runs(runs)
    first, *others = (dimension_run(run) for run in runs)
    for other in others:
        if set(other.names) != set(first.names):
            raise ConfigError(
                f"{other.run.folder} has {', '.join(other.names)}, and {first.run.folder} "
                f"{', '.join(first.names)}; compare runs of the same dimensions"
            )
        if other.scale != first.scale:
            raise ConfigError(
                f"{other.run.folder} is on the scale {other.scale} and {first.run.folder} on "
                f"{first.scale}; evaluate both with one --scale"
            )
    found, rows = common_rows(runs)
    ordered = (one.ordered(first.names) for one in (first, *others))
    values = list(zip(ordered, rows, strict=True))
    _refuse_other_ratings(values)
    return values, found


def _refuse_other_ratings(values: Sequence[Rows]) -> None:
    (first, rows), *others = values
    for other, at in others:
        a, b = first.truth[rows], other.truth[at]
        if n := int((~((a == b) | (np.isnan(a) & np.isnan(b)))).any(axis=1).sum()):
            raise ConfigError(
                f"{other.run.folder} and {first.run.folder} have other ratings of "
                f"{counted(n, 'clip')}; evaluate both on the same columns of one set"
            )


def _against(
    name: str, baseline: Rows, other: Rows, clustering: Clustering, margin: float
) -> DimensionAgainst:
    first, at = baseline
    truth, a, b = first.truth[at], first.predicted[at], other[0].predicted[other[1]]
    ids, width = [first.run.clip_ids[i] for i in at], first.scale.width
    found = paired_dimension_scores(truth, (a, b), clustering, first.names, width)
    return DimensionAgainst(
        b=name,
        changes={
            dimension: {key: _judged(key, one, margin, width) for key, one in own.items()}
            for dimension, own in found.items()
        },
        agreement={
            dimension: float(ccc(moments_of(a[:, [i]], b[:, [i]]))[0])
            for i, dimension in enumerate(first.names)
        },
        largest_shift={
            dimension: float(np.abs(b[:, i] - a[:, i]).max())
            for i, dimension in enumerate(first.names)
        },
        moved=_moved(first.names, (truth, a, b, ids)),
    )


def _judged(key: str, one: PairedScore, margin: float, width: float) -> IntervalChange:
    metric = DIMENSION_METRICS[key]
    return IntervalChange.judged(
        (one.a, one.b),
        one.difference,
        margin if metric.is_correlation else margin * width,
        higher_is_better=metric.higher_is_better,
    )


def _moved(
    names: Sequence[str], clips: tuple[Floats, Floats, Floats, Sequence[str]]
) -> tuple[tuple[str, str, float, float, float], ...]:
    truth, a, b, ids = clips
    order = np.argsort(-np.abs(b - a), axis=None, kind="stable")[:MOVED]
    places = zip(*np.unravel_index(order, a.shape), strict=True)
    return tuple(
        (ids[i], names[j], float(truth[i, j]), float(a[i, j]), float(b[i, j])) for i, j in places
    )


def dimension_comparison_document(found: DimensionComparison) -> dict[str, Any]:
    """Return the comparison in plain JSON types, with its sentences; undefined is `None`."""
    document = {
        "schema_version": 1,
        "task": DIMENSIONAL.key,
        "verdict": found.verdict,
        **asdict(found),
    }
    return {key: without_nan(value) for key, value in document.items()}


def write_dimension_comparison(
    found: DimensionComparison, runs: Sequence[Run], folder: Path
) -> dict[str, Path]:
    """Return the path of each file, by kind: `comparison.json`, and a picture of each dimension."""
    document = dimension_comparison_document(found)
    files = {"comparison": write_json(document, folder / "comparison.json")}
    values, _ = _paired(runs[:2])
    for i, dimension in enumerate(found.names):
        sides = [one.predicted[at, i] for one, at in values]
        a, b = zip(list(found.runs)[:2], sides, strict=True)
        path = folder / f"agreement_{i}.png"
        files[f"agreement of {dimension}"] = save_agreement(dimension, a, b, path)
    return files


def change_cells(change: IntervalChange) -> list[str]:
    """Return A, B, the difference with its interval and the verdict as cells of a table."""
    gap = without_nan(asdict(change.difference))
    return [
        decimals(change.a),
        decimals(change.b),
        numbered(gap, 3),  # type: ignore[arg-type]
        change.verdict or "",
    ]
