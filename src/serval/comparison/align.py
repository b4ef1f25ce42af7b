"""Several runs -> the clips that all of them predicted, in one order and with one set of labels.

Which clip of one run is which of another, the name and the audio decide together. The same names
in the same order are the usual case. But a name may mean another recording elsewhere: manifests
with absolute paths name a clip by its file alone, and `a01.wav#2` is the second of that name in
whatever order the rows had.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from scipy.special import log_softmax

from serval.errors import ConfigError, LabelError
from serval.multilabel import TRUTH
from serval.probabilities import log_probabilities_of, outputs_of
from serval.run import unfinished
from serval.wording import counted, in_points

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from serval.labels import LabelSet
    from serval.run import Run
    from serval.tasks import Task

__all__ = [
    "Aligned",
    "AlignedRun",
    "Partners",
    "aligned",
    "blocks",
    "common_rows",
    "n_other_audio",
    "names_apart",
    "pairing_warnings",
    "partners",
    "refuse_few",
    "refuse_odd_margin",
    "task_of_runs",
]


LEAST = -27.631021
"""The log of 1e-12: a probability of 0 counts as this much, so that every divergence is finite."""


def refuse_odd_margin(margin: float) -> None:
    """Stop where no loss, or any, would be within a margin.

    Raises:
        ConfigError: The margin is not in (0, 1).
    """
    if not 0 < margin < 1:
        raise ConfigError(
            f"a margin of {in_points(margin)} cannot be judged; give one above 0 and below 100"
        )


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


def refuse_few(runs: Sequence[Run]) -> None:
    """Refuse to compare a run with nothing.

    Raises:
        ConfigError: There are fewer than two.
    """
    if len(runs) < 2:
        raise ConfigError(f"a comparison needs at least 2 runs, got {len(runs)}")


def common_rows(runs: Sequence[Run]) -> tuple[list[Partners], list[NDArray[np.int64]]]:
    """Return the partners in each further run, and the places in each run of the common clips.

    Raises:
        ConfigError: There is none.
    """
    found = [partners(runs[0], run) for run in runs[1:]]
    places = np.flatnonzero(np.all([each.rows >= 0 for each in found], axis=0))
    if not len(places):
        raise ConfigError(_nothing_common(runs))
    others = (places if np.array_equal(each.rows, places) else each.rows[places] for each in found)
    return found, [places, *others]


def task_of_runs(runs: Sequence[Run]) -> Task:
    """Return what the clips of the runs were asked for.

    Raises:
        ConfigError: Some were asked for something else.
    """
    first = runs[0]
    for run in runs[1:]:
        if run.provenance.task is not first.provenance.task:
            raise ConfigError(
                f"{run.folder} has {run.provenance.task.said}, and {first.folder} "
                f"{first.provenance.task.said}; compare runs of one task"
            )
    return first.provenance.task


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


def names_apart(runs: Sequence[Run]) -> list[str]:
    """Return what tells the runs apart: names, with folders for those that are called alike."""
    called = Counter(run.name for run in runs)
    names = [
        run.name if run.name and called[run.name] == 1 else Path(run.folder).resolve().name
        for run in runs
    ]
    folders = [Path(run.folder).resolve().name for run in runs]
    paths = [str(run.folder) for run in runs]
    numbered = [f"{path} #{i + 1}" for i, path in enumerate(paths)]
    choices = (names, folders, paths, numbered)
    return next(names for names in choices if len(set(names)) == len(runs) and all(names))


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


def _nothing_common(runs: Sequence[Run]) -> str:
    examples = ", ".join(
        f"{run.folder} has {counted(len(run), 'clip')} such as '{run.clip_ids[0]}'"
        if len(run)
        else f"{run.folder} has no clips"
        for run in runs
    )
    return f"the runs have no clip in common: {examples}; evaluate them on the same dataset split"


def n_other_audio(runs: Sequence[Run], rows: Sequence[NDArray[np.int64]]) -> int:
    """Return how many common clips have other audio than in the first run."""
    if all(run.audio_sha256 is runs[0].audio_sha256 for run in runs) and _are_alike(rows):
        return 0
    shas = [
        map(run.audio_sha256.__getitem__, of_run) for run, of_run in zip(runs, rows, strict=True)
    ]
    return sum(len(set(versions) - {""}) > 1 for versions in zip(*shas, strict=True))


def _are_alike(rows: Sequence[NDArray[np.int64]]) -> bool:
    return all(np.array_equal(of_run, rows[0]) for of_run in rows[1:])


def pairing_warnings(runs: Sequence[Run], found: Sequence[Partners], other_audio: int) -> list[str]:
    """Return what a reader must know of how the clips of the runs were paired."""
    warnings = [f"{unfinished(run)}." for run in runs if not run.complete]
    for run, pairs in zip(runs[1:], found, strict=True):
        if pairs.by_audio:
            warnings.append(
                f"{counted(pairs.by_audio, 'clip')} of {run.folder} named otherwise than in "
                f"{runs[0].folder} and paired by their audio."
            )
        if pairs.doubtful:
            warnings.append(
                f"{counted(pairs.doubtful, 'clip')} of {run.folder} with a name that means another "
                f"recording in {runs[0].folder}, not found there: compared with nothing."
            )
    if other_audio:
        warnings.append(
            f"{counted(other_audio, 'clip has', 'clips have')} the same id but other audio in "
            f"another run: a difference may be of the audio, not of the model."
        )
    return warnings


NUMBERED = re.compile(r"(.+)#[0-9]+", re.DOTALL)
"""How a set writes the second clip of one name."""

Cell = TypeVar("Cell", str, "str | None")
Number = TypeVar("Number", np.int64, np.float64)

ROWS = 1 << 14
"""Clips whose probabilities are looked at at once, with a few copies."""

SAME_LENGTH_S = 0.25
"""A codec pads a clip by less."""

Pairs = dict[int, int]
"""Place in the one run -> place in the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Partners:
    """The clips of another run beside those of a first.

    Attributes:
        rows: `(N,) int64` the place of each clip of the first run in the other, -1 where none is.
        by_audio: How many of them bear other names and were found by their audio.
        doubtful: Clips of the other run whose name means another recording in the first one, and
            whose own is not there.
    """

    rows: NDArray[np.int64]
    by_audio: int
    doubtful: int


def partners(first: Run, other: Run) -> Partners:
    """Return the clips of `other` that are those of `first`.

    Same name and same audio, or audio that one run does not know: the same clip. Among the rest
    the same audio under another name is the same clip. A name that stands for other audio is
    believed (the set was coded anew, or perturbed) unless recordings of the one run bear the names
    of others in the other: names mean nothing then, and audio alone pairs.

    Raises:
        ConfigError: Names that occur more than once are all there is, and lengths contradict them.
    """
    if _are_in_step(first, other):
        return Partners(rows=np.arange(len(first)), by_audio=0, doubtful=0)
    named = dict(_by_name(first, other))
    pairs = {i: j for i, j in named.items() if _may_be_same(first, i, other, j)}
    apart = {i: j for i, j in named.items() if i not in pairs}
    left, right = _others(len(first), pairs), _others(len(other), pairs.values())
    heard = dict(_by_audio(first, left, other, right))
    doubtful = 0
    if _crossed(first, left, other, right, apart):
        doubtful = len(set(apart.values()) - set(heard.values()))
    else:
        free = set(right) - set(heard.values())
        apart = {i: j for i, j in apart.items() if i not in heard and j in free}
        _refuse_other_lengths(first, other, apart)
        pairs |= apart
    rows = np.full(len(first), -1, dtype=np.int64)
    for i, j in (pairs | heard).items():
        rows[i] = j
    return Partners(rows=rows, by_audio=len(heard), doubtful=doubtful)


def _are_in_step(first: Run, other: Run) -> bool:
    """Tell whether two runs have the same clips in the same order, each of a name of its own.

    So are most runs that are compared, and a million names need not be looked up then.
    """
    if len(first) != len(other) or first.clip_ids != other.clip_ids:
        return False
    hashes = np.fromiter(map(hash, first.clip_ids), np.int64, len(first))
    hashes.sort()
    if (np.diff(hashes) == 0).any():
        return False
    if first.audio_sha256 is other.audio_sha256:
        return True
    audio = zip(first.audio_sha256, other.audio_sha256, strict=True)
    return all(_may_be(*both) for both in audio)


def _by_name(first: Run, other: Run) -> Iterator[tuple[int, int]]:
    """Yield the places of each name that both runs have once."""
    places = {clip: j for j, clip in enumerate(other.clip_ids)}
    twice = {name for run in (first, other) for name in _repeated(run.clip_ids)}
    for i, clip in enumerate(first.clip_ids):
        if clip in places and clip not in twice:
            yield i, places[clip]


def _by_audio(
    first: Run, left: Sequence[int], other: Run, right: Sequence[int]
) -> Iterator[tuple[int, int]]:
    """Yield the places of each recording that both runs have equally often among these clips.

    One that a set has more than once is paired with that of the same label, in dataset order.
    """
    here, there = _places_by_audio(first, left), _places_by_audio(other, right)
    for sha256 in here.keys() & there.keys():
        mine, its = here[sha256], there[sha256]
        if len(mine) == len(its) == 1:
            yield mine[0], its[0]
            continue
        ours, theirs = _places_by_truth(first, mine), _places_by_truth(other, its)
        for label in ours.keys() & theirs.keys():
            if len(ours[label]) == len(theirs[label]):
                yield from zip(ours[label], theirs[label], strict=True)


def _places_by_audio(run: Run, rows: Iterable[int]) -> dict[str, list[int]]:
    places: defaultdict[str, list[int]] = defaultdict(list)
    for row in rows:
        if run.audio_sha256[row]:
            places[run.audio_sha256[row]].append(row)
    return places


def _places_by_truth(run: Run, rows: Iterable[int]) -> dict[str, list[int]]:
    places: defaultdict[str, list[int]] = defaultdict(list)
    for row in rows:
        places[run.labels[run.truth[row]]].append(row)
    return places


def _crossed(
    first: Run, left: Sequence[int], other: Run, right: Sequence[int], apart: Pairs
) -> bool:
    """Return whether a recording of the one run bears a name of another one in the other."""
    here = {first.audio_sha256[i] for i in left}
    there = {other.audio_sha256[j] for j in right}
    return any(
        first.audio_sha256[i] in there or other.audio_sha256[j] in here for i, j in apart.items()
    )


def _may_be_same(first: Run, i: int, other: Run, j: int) -> bool:
    return _may_be(first.audio_sha256[i], other.audio_sha256[j])


def _may_be(mine: str, its: str) -> bool:
    """Tell whether two hashes of audio are equal, or one is not known."""
    return mine == its or not mine or not its


def _refuse_other_lengths(first: Run, other: Run, apart: Pairs) -> None:
    """Raise where numbered names stand for other audio, of another length too."""
    numbered = _numbered_names(first) | _numbered_names(other)
    for i, j in apart.items():
        gap = abs(float(first.duration_s[i] - other.duration_s[j]))
        if first.clip_ids[i] in numbered and gap > SAME_LENGTH_S:
            raise ConfigError(
                f"'{first.clip_ids[i]}' is {first.duration_s[i]:.2f} s long in {first.folder} and "
                f"{other.duration_s[j]:.2f} s in {other.folder}, and other files have that name "
                "too, so the runs cannot be paired; evaluate both on paths that hold the folders"
            )


def _numbered_names(run: Run) -> set[str]:
    """Return the names that occur more than once, with and without the number behind them."""
    numbered = {clip: match[1] for clip in run.clip_ids if (match := NUMBERED.fullmatch(clip))}
    bases = set(numbered.values()) & set(run.clip_ids)
    return bases | {clip for clip, base in numbered.items() if base in bases}


def _repeated(names: Sequence[str]) -> set[str]:
    return {name for name, times in Counter(names).items() if times > 1}


def _others(n: int, rows: Iterable[int]) -> list[int]:
    taken = set(rows)
    return [row for row in range(n) if row not in taken]
