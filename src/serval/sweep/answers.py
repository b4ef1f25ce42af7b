"""What a run said of each clip, in names of emotions that hold for every model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serval.labels import emotion_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from serval.run import Run

    Ids = NDArray[np.int64]

__all__ = ["Answers", "Together", "answers_of", "of_one_task", "together"]

NO_ANSWER = "no answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What one run said, failed clips with a label behind those that it answered.

    Attributes:
        labels: Names of emotions, and then `NO_ANSWER`.
        index: `(N,)` positions in the dataset split.
        clip_ids: `(N,)` names of the clips.
        truth: `(N,)` ids of labels.
        predicted: `(N,)` ids of labels.
        speakers: `(N,)`.
    """

    labels: tuple[str, ...]
    index: Ids
    clip_ids: tuple[str, ...]
    truth: Ids
    predicted: Ids
    speakers: tuple[str | None, ...]

    @property
    def truths(self) -> Mapping[int, tuple[str, str]]:
        """Name and emotion of each clip, by its position."""
        names = (self.labels[i] for i in self.truth)
        return dict(zip(self.index.tolist(), zip(self.clip_ids, names, strict=True), strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """The clips that at least one of several runs has a label for.

    Attributes:
        labels: Of all runs; the last is `NO_ANSWER`.
        truth: `(N,)` ids of labels.
        predicted: `(R, N)`: where a run has no answer, the id of that.
        speakers: `(N,)`.
    """

    labels: tuple[str, ...]
    truth: Ids
    predicted: Ids
    speakers: tuple[str | None, ...]


def answers_of(run: Run) -> Answers:
    """Return what a run said of each labelled clip."""
    failed = [failure for failure in run.failures if failure.truth]
    names = tuple(map(emotion_of, run.labels))
    labels = names if len(set(names)) == len(names) else tuple(run.labels)
    ids = [run.labels.id_of(failure.truth) for failure in failed]
    return Answers(
        labels=(*labels, NO_ANSWER),
        index=np.append(run.index, [failure.index for failure in failed]).astype(np.int64),
        clip_ids=(*run.clip_ids, *(failure.clip_id for failure in failed)),
        truth=np.append(run.truth, ids).astype(np.int64),
        predicted=np.append(run.predicted, [len(labels)] * len(failed)).astype(np.int64),
        speakers=(*run.speakers, *(failure.speaker for failure in failed)),
    )


def of_one_task(runs: Sequence[Answers]) -> list[list[int]]:
    """Return groups of runs, by place, that agree on name and emotion of each clip they share."""
    groups: list[tuple[dict[int, tuple[str, str]], list[int]]] = []
    for place, run in enumerate(runs):
        own = run.truths
        for known, members in groups:
            if all(known.get(index, clip) == clip for index, clip in own.items()):
                known.update(own)
                members.append(place)
                break
        else:
            groups.append((dict(own), [place]))
    return [members for _, members in groups]


def together(runs: Sequence[Answers]) -> Together:
    """Return what runs of one task said, clip by clip."""
    names = dict.fromkeys(label for run in runs for label in run.labels if label != NO_ANSWER)
    labels = (*names, NO_ANSWER)
    index = np.unique(np.concatenate([run.index for run in runs]))
    truth = np.zeros(len(index), dtype=np.int64)
    predicted = np.full((len(runs), len(index)), len(names), dtype=np.int64)
    speakers: list[str | None] = [None] * len(index)
    for row, run in zip(predicted, runs, strict=True):
        ids = np.array([labels.index(label) for label in run.labels])
        places = np.searchsorted(index, run.index)
        truth[places], row[places] = ids[run.truth], ids[run.predicted]
        for place, speaker in zip(places.tolist(), run.speakers, strict=True):
            speakers[place] = speaker
    return Together(labels=labels, truth=truth, predicted=predicted, speakers=tuple(speakers))
