"""Which clip of one run is which of another: the name and the audio decide together.

The same names in the same order are the usual case. But a name may mean another recording
elsewhere: manifests with absolute paths name a clip by its file alone, and `a01.wav#2` is the
second of that name in whatever order the rows had.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from serval.errors import ConfigError
from serval.run import unfinished
from serval.wording import as_sentence, counted, in_points

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from serval.run import Run
    from serval.tasks import Task


NUMBERED = re.compile(r"(.+)#[0-9]+", re.DOTALL)
"""How a set writes the second clip of one name."""

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


def n_other_audio(runs: Sequence[Run], rows: Sequence[NDArray[np.int64]]) -> int:
    """Return how many common clips have other audio than in the first run."""
    if all(run.audio_sha256 is runs[0].audio_sha256 for run in runs) and _are_alike(rows):
        return 0
    shas = [
        map(run.audio_sha256.__getitem__, of_run) for run, of_run in zip(runs, rows, strict=True)
    ]
    return sum(len(set(versions) - {""}) > 1 for versions in zip(*shas, strict=True))


def pairing_warnings(runs: Sequence[Run], found: Sequence[Partners], other_audio: int) -> list[str]:
    """Return what a reader must know of how the clips of the runs were paired."""
    warnings = [as_sentence(unfinished(run)) for run in runs if not run.complete]
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


def _nothing_common(runs: Sequence[Run]) -> str:
    examples = ", ".join(
        f"{run.folder} has {counted(len(run), 'clip')} such as '{run.clip_ids[0]}'"
        if len(run)
        else f"{run.folder} has no clips"
        for run in runs
    )
    return f"the runs have no clip in common: {examples}; evaluate them on the same dataset split"


def _are_alike(rows: Sequence[NDArray[np.int64]]) -> bool:
    return all(np.array_equal(of_run, rows[0]) for of_run in rows[1:])


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


def refuse_odd_margin(margin: float) -> None:
    """Stop where no loss, or any, would be within a margin."""
    if not 0 < margin < 1:
        raise ConfigError(
            f"a margin of {in_points(margin)} cannot be judged; give one above 0 and below 100"
        )


def refuse_few(runs: Sequence[Run]) -> None:
    """Refuse to compare a run with nothing."""
    if len(runs) < 2:
        raise ConfigError(
            f"a comparison needs at least 2 runs, got {len(runs)}: give "
            "the baseline first, then each run to hold against it"
        )


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
