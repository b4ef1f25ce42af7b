"""Which clip of one run is which of another: the name and the audio decide it together.

The same names in the same order are the usual case. But a name may mean another recording
elsewhere: manifests with absolute paths name a clip by its file alone, and `a01.wav#2` is the
second of that name in whatever order the rows had.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serval.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from serval.run import Run

__all__ = ["Partners", "partners"]

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


def partners(first: Run, other: Run) -> Partners:
    """Return the clips of `other` that are those of `first`.

    Same name and same audio, or audio that one run does not know: the same clip. Among the rest
    the same audio under another name is the same clip. A name that stands for other audio is
    believed (the set was coded anew, or perturbed) unless recordings of the one run bear the names
    of others in the other: names mean nothing then, and audio alone pairs.

    Raises:
        ConfigError: Names that occur more than once are all there is, and lengths contradict them.
    """
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
    mine, its = first.audio_sha256[i], other.audio_sha256[j]
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
