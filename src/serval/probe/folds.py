"""Which clips a head is trained and tested on: folds that keep speakers apart, or do not."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from serval.audit.folds import fold_list_in, places_of
from serval.corpora import FOLDS, folds_by_rule
from serval.errors import ConfigError, DatasetError
from serval.wording import counted, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from serval.records import Clip

    Places = NDArray[np.int64]

PUBLISHED = "published"
BY_SPEAKER = re.compile(r"speaker:(\d+)")
SHOWN = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """What one head is trained on, and what it is tested on.

    Attributes:
        name: Of the fold.
        train: Places of clips, from 0.
        test: Places of clips, from 0.
    """

    name: str
    train: Places
    test: Places


@dataclass(slots=True)
class FoldClips:
    """What folds are made by, of each clip in order.

    Attributes:
        ids: Names.
        labels: Of each clip; empty for none.
        speakers: Or `None` where nobody says.
        genders: Empty where nobody says.
        folds: What the set's own column `fold` says, or empty.
    """

    ids: list[str]
    labels: list[str]
    speakers: list[str | None]
    genders: list[str]
    folds: list[str]

    @classmethod
    def of(cls, clips: Iterator[Clip]) -> FoldClips:
        """Return what there is of the clips of a set."""
        found = cls([], [], [], [], [])
        for clip in clips:
            found.ids.append(clip.id)
            found.labels.append(clip.label)
            found.speakers.append(clip.speaker)
            found.genders.append(clip.groups.get("gender", clip.groups.get("sex", "")))
            found.folds.append(clip.groups.get("fold", ""))
        return found

    def only(self, places: Places) -> FoldClips:
        """Return some of the clips."""
        columns = (getattr(self, one.name) for one in fields(self))
        return FoldClips(*([column[i] for i in places] for column in columns))

    def apart(self, n: int) -> str:
        """Return how as many as `n` folds keep the speakers apart, as far as there are as many."""
        most = len({speaker for speaker in self.speakers if speaker})
        if most < 2:
            return "no folds keep speakers apart without two of them: give a set of more speakers"
        return f"use --folds speaker:{min(max(2, n), most)}"


def folds_as_asked(asked: str, clips: FoldClips) -> tuple[Fold, ...]:
    """Return the folds that `--folds` names: `published`, `speaker:K`, or a file."""
    if asked == PUBLISHED:
        n = len(set(clips.folds) - {""})
        if n < 2:
            raise ConfigError(
                f"{counted(n, 'fold')} among the clips; at least 2 are needed: leave out --limit, "
                f"or {clips.apart(FOLDS)}"
            )
        return _by_name(clips.folds)
    match = BY_SPEAKER.fullmatch(asked)
    return by_speaker(clips, int(match[1])) if match else tuple(_listed(asked, clips))


def by_speaker(clips: FoldClips, n: int) -> tuple[Fold, ...]:
    """Return folds that keep speakers apart, by the rule of `serval datasets`."""
    refuse_unnamed(clips)
    speakers = [str(speaker) for speaker in clips.speakers]
    most = len(set(speakers))
    if not 2 <= n <= most:
        raise ConfigError(
            f"--folds speaker:{n} cannot be made of {counted(most, 'speaker')}; "
            f"{f'give 2 to {most}' if most > 1 else clips.apart(n)}"
        )
    features = zip(clips.labels, clips.genders, strict=True)
    found = folds_by_rule(zip(speakers, features, strict=True), n)
    return _by_name([found[speaker] for speaker in speakers])


def refuse_unnamed(clips: FoldClips) -> None:
    """Refuse clips that name no speaker: nobody knows what their folds share."""
    unnamed = clips.speakers.count(None)
    if unnamed:
        raise ConfigError(
            f"{unnamed:,} of {counted(len(clips.ids), 'clip')} name no speaker, so nobody knows "
            "whether folds share speakers; name the column with --speaker-column, or leave those "
            "clips out of the set"
        )


def clips_tested(folds: Sequence[Fold]) -> Places:
    """Return the places of all clips that a fold tests, in order."""
    return np.sort(np.concatenate([fold.test for fold in folds]))


def at_places(folds: Sequence[Fold], places: Places) -> tuple[Fold, ...]:
    """Return folds of some clips as folds of the whole set, by the places of those clips in it."""
    return tuple(
        Fold(name=fold.name, train=places[fold.train], test=places[fold.test]) for fold in folds
    )


def mixed_folds(labels: Sequence[str], n: int) -> tuple[Fold, ...]:
    """Return folds that keep nobody apart: the clips of each label dealt out at random."""
    rng = np.random.default_rng(0)
    names = np.empty(len(labels), dtype=object)
    dealt = 0
    for label in sorted(set(labels)):
        places = rng.permutation([i for i, own in enumerate(labels) if own == label])
        for place in places:
            names[place] = str(dealt % n + 1)
            dealt += 1
    return _by_name(list(names))


def shared_by(folds: Sequence[Fold], clips: FoldClips) -> str:
    """Return who is in the train and the test part of a fold, in a sentence; `""` for nobody."""
    crossing, names = 0, set[str]()
    for fold in folds:
        train, test = ({clips.speakers[i] for i in part} for part in (fold.train, fold.test))
        shared = {speaker for speaker in train & test if speaker is not None}
        crossing += bool(shared)
        names |= shared
    if not crossing:
        return ""
    shown = ", ".join(printable(name) for name in sorted(names)[:SHOWN])
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{crossing} of {len(folds)} folds share speakers between train and test: {shown}{more}"


def _by_name(names: Sequence[str]) -> tuple[Fold, ...]:
    """Return folds by the name of the one in whose test part each clip is; of the rest, none."""
    of = np.array(names, dtype=object)
    known = sorted({name for name in names if name}, key=lambda name: (len(name), name))
    return tuple(
        Fold(name=name, train=np.flatnonzero((of != name) & (of != "")),
             test=np.flatnonzero(of == name))
        for name in known
    )  # fmt: skip


def _listed(place: str, clips: FoldClips) -> Iterator[Fold]:
    """Yield the folds of a fold list, by as much of each clip's path as tells it from others."""
    folds = fold_list_in(place)
    places = places_of(folds, clips.ids)
    tested = np.zeros(len(clips.ids), dtype=bool)
    for name, of in folds.parts.items():
        train, test = (_found(of.get(part, frozenset()), places) for part in ("train", "test"))
        if not (len(train) and len(test)) or set(train) & set(test):
            raise DatasetError(
                f"--folds {place}: fold {printable(name)} has {counted(len(train), 'clip')} of the "
                f"set to train on and {len(test)} to test on, {len(set(train) & set(test))} of "
                "them in both; each fold needs some of either, and none in both"
            )
        if tested[test].any():
            raise DatasetError(
                f"--folds {place}: {counted(int(tested[test].sum()), 'clip is', 'clips are')} "
                "tested in more than one fold; give a list that tests each clip once"
            )
        tested[test] = True
        yield Fold(name=name, train=train, test=test)


def _found(names: frozenset[str], places: Mapping[str, int]) -> Places:
    return np.array(sorted({places[name] for name in names if name in places}), dtype=np.int64)
