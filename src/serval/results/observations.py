"""What stands out in a run: of its confusion matrix, and clips that it counts more than once."""

from __future__ import annotations

import posixpath
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serval.audio import sound_suffixes
from serval.scores.metrics import Counts, f1, precision, recall, support
from serval.wording import percent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from serval.labels import LabelSet
    from serval.run import Run

MOST_CONFUSIONS = 3
FEW_CLIPS = 30
"""Below this, the 95 % interval of a class's recall is wider than about 25 points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmotionNote:
    """One emotion's scores in [0, 1], and which it lacks: `precision` or `recall`."""

    emotion: str
    f1: float
    precision: float
    recall: float
    lacks: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """How often `truth` was taken for `predicted`: clips, and their share of `truth` in [0, 1]."""

    truth: str
    predicted: str
    count: int
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Observations:
    """Best and hardest emotions by F1, the main confusions, classes too small to judge."""

    best: tuple[EmotionNote, ...]
    hardest: tuple[EmotionNote, ...]
    confusions: tuple[Confusion, ...]
    too_few: tuple[tuple[str, int], ...]


def observations_of(counts: Counts, labels: LabelSet) -> Observations:
    """Return what stands out; an emotion with too few clips is neither best nor hardest."""
    notes = sorted(_notes(counts, labels), key=lambda note: (-note.f1, note.emotion))
    best = [note for note in notes[:3] if note.f1 > 0]
    return Observations(
        best=tuple(best),
        hardest=tuple(reversed(notes[max(len(best), len(notes) - 3) :])),
        confusions=_confusions(counts, labels),
        too_few=tuple(
            (label, int(n))
            for label, n in zip(labels, support(counts), strict=True)
            if n < FEW_CLIPS
        ),
    )


def sentences(observations: Observations) -> list[str]:
    """Return the observations as short sentences for people, at most four."""
    lines = []
    if observations.best:
        shown = ", ".join(f"{note.emotion} (F1 {percent(note.f1)})" for note in observations.best)
        lines.append(f"Best: {shown}.")
    if observations.hardest:
        lines.append(f"Hardest: {', '.join(_hard(note) for note in observations.hardest)}.")
    if observations.confusions:
        shown = ", ".join(
            f"{c.truth} taken for {c.predicted} ({c.count})" for c in observations.confusions
        )
        lines.append(f"Most frequent confusions: {shown}.")
    if observations.too_few:
        small = ", ".join(f"{label} ({n})" for label, n in observations.too_few if n)
        absent = ", ".join(label for label, n in observations.too_few if not n)
        few = f"Too few clips to judge (fewer than {FEW_CLIPS}): {small}." * bool(small)
        lines.append(f"{few} {f'No scored clip: {absent}.' * bool(absent)}".strip())
    return lines


def _notes(counts: Counts, labels: LabelSet) -> list[EmotionNote]:
    columns = zip(
        labels, f1(counts), precision(counts), recall(counts), support(counts), strict=True
    )
    return [
        EmotionNote(
            emotion=emotion,
            f1=float(score),
            precision=float(p),
            recall=float(r),
            lacks="precision" if p < r else "recall",
        )
        for emotion, score, p, r, n in columns
        if n >= FEW_CLIPS
    ]


def _confusions(counts: Counts, labels: LabelSet) -> tuple[Confusion, ...]:
    totals = support(counts)
    wrong = [
        Confusion(
            truth=labels[t],
            predicted=labels[p],
            count=int(counts[t, p]),
            share=float(counts[t, p] / totals[t]),
        )
        for t, p in np.argwhere(counts > 0)
        if t != p
    ]
    return tuple(
        sorted(wrong, key=lambda c: (-c.count, -c.share, c.truth, c.predicted))[:MOST_CONFUSIONS]
    )


def _hard(note: EmotionNote) -> str:
    kind = {"precision": "others are taken for it", "recall": "it is missed"}[note.lacks]
    return f"{note.emotion} (F1 {percent(note.f1)}: {kind})"


def repeat_sentences(run: Run) -> Iterator[str]:
    """Yield one sentence for each way in which clips of a run are other clips of it again."""
    copies = _again(run.audio_sha256, str)
    if len(copies):
        n_other = np.count_nonzero(run.truth[copies[:, 0]] != run.truth[copies[:, 1]])
        bear = "bears" if n_other == 1 else "bear"
        labels = f" {n_other} of them {bear} another label than the first." if n_other else ""
        are, count = ("is", "it counts") if len(copies) == 1 else ("are", "they count")
        yield (
            f"{len(copies)} of {len(run)} scored clips {are} the same file as another clip, such "
            f"as {_example(run, copies)}: {count} again, and intervals are too narrow.{labels}"
        )
    twins = _again(run.clip_ids, _name_in_formats)
    if len(twins):
        have = "has" if len(twins) == 1 else "have"
        yield (
            f"{len(twins)} of {len(run)} scored clips {have} the name of another clip with another "
            f"ending, such as {_example(run, twins)}: if they are the same recordings in two "
            "formats, leave one out."
        )


def _again(names: Sequence[str], part: Callable[[str], str]) -> NDArray[np.int64]:
    """Return `(M, 2)` position and first position of each name whose part occurred before.

    `""` is no name. Hashes say which may occur twice, so that not all names are held.
    """
    hashes = np.fromiter((hash(part(name)) for name in names), np.int64, len(names))
    ranked = np.sort(hashes)
    twice = np.unique(ranked[1:][ranked[1:] == ranked[:-1]])
    first: dict[str, int] = {}
    found = array("q")
    for i in np.flatnonzero(np.isin(hashes, twice)).tolist():
        if (name := part(names[i])) and (at := first.setdefault(name, i)) != i:
            found.extend((i, at))
    return np.frombuffer(found, np.int64).reshape(-1, 2)


def _name_in_formats(clip_id: str) -> str:
    """Return a name without the ending that says its format; `""` where it has none."""
    stem, ending = posixpath.splitext(clip_id)
    return stem if ending.lower() in sound_suffixes() else ""


def _example(run: Run, pairs: NDArray[np.int64]) -> str:
    later, first = pairs[0]
    return f"{run.clip_ids[later]} and {run.clip_ids[first]}"
