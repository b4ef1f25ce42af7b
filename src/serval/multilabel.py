"""Several emotions of one clip, or none: what the set says, what the model says, from which score.

A run of this task is stored as any other, with a score for each emotion. The true emotions of each
clip stand in one column of it, `TRUTH`; which emotions the model names follows from thresholds.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.errors import ConfigError, DatasetError, RunError
from serval.files import is_file, write_json
from serval.tasks import MULTILABEL
from serval.texts import json_in
from serval.wording import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from serval.labels import LabelMap, LabelSet, Preset
    from serval.records import Clip
    from serval.run import Run
    from serval.scores.multilabel import SetAnswers

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

TRUTH = "true emotions"
"""The column of a run with the true emotions of each clip: their names as a list in JSON."""

THRESHOLD = 0.5
"""An emotion is named from this score on, unless another threshold was fitted."""

FILE = "thresholds.json"
"""Fitted thresholds, in the folder of a run: every verb reads them there."""

MARKS: Mapping[str, bool] = {
    **dict.fromkeys(("1", "true", "yes"), True),
    **dict.fromkeys(("0", "false", "no"), False),
}
"""What a column for one emotion may hold, in small letters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmotionSets:
    """From what a set says of a clip to the emotions of a run that it has.

    Attributes:
        mapping: From the set's labels to the run's.
        columns: The 0/1 column of each of the run's labels; empty where one column has all.
    """

    mapping: LabelMap
    columns: Mapping[str, str] = field(default_factory=dict)

    @property
    def explicit(self) -> Mapping[str, str]:
        """What is stated of single labels: see `LabelMap`."""
        return self.mapping.explicit

    @property
    def preset(self) -> Preset | None:
        """The preset that was named, or `None`."""
        return self.mapping.preset

    def raw(self, clip: Clip) -> tuple[str, ...] | None:
        """Return the clip's emotions in the set's words, or `None` where it does not say them.

        Raises:
            DatasetError: A cell of a 0/1 column holds something else.
        """
        if not self.columns:
            return clip.emotions
        marks = {label: _mark(clip, column) for label, column in self.columns.items()}
        if None in marks.values():
            return None
        return tuple(label for label, marked in marks.items() if marked)

    def labelled(self, clip: Clip) -> Clip:
        """Return the clip with its true emotions in `TRUTH`; without it where nobody said them."""
        groups = {name: text for name, text in clip.groups.items() if name != TRUTH}
        raw = self.raw(clip)
        if raw is not None:
            known = {self.mapping[one] for one in raw}
            names = [label for label in self.mapping.labels if label in known]
            groups[TRUTH] = json.dumps(names, ensure_ascii=False)
        return replace(clip, label="", groups=groups)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """The score of each emotion from which on the model names it.

    Attributes:
        values: By emotion, in [0, 1].
        fitted_on: Folder of the run whose clips they were fitted on; empty for the usual ones.
        clips: How many those were.
        unfitted: Emotions that no clip there has, which keep the usual threshold.
    """

    values: Mapping[str, float]
    fitted_on: str = ""
    clips: int = 0
    unfitted: tuple[str, ...] = ()

    @classmethod
    def usual(cls, labels: Iterable[str]) -> Thresholds:
        """Return those of a run for which none were fitted."""
        return cls(values=dict.fromkeys(labels, THRESHOLD))

    def write(self, folder: Path) -> None:
        """Keep them beside a run; the usual ones by leaving no file there."""
        if self.fitted_on:
            write_json(asdict(self), folder / FILE)
        else:
            (folder / FILE).unlink(missing_ok=True)

    @property
    def sentence(self) -> str:
        """What a reader must know of them."""
        if not self.fitted_on:
            return f"An emotion counts as named where its score is {THRESHOLD:g} or more."
        each = ", ".join(f"{label} {value:.3g}" for label, value in self.values.items())
        unfitted = ", ".join(self.unfitted)
        more = f"; no clip there has {unfitted}: {THRESHOLD:g}" if unfitted else ""
        return (
            "An emotion counts as named from the score on that had the highest F1 on the "
            f"{self.clips:,} other clips of {self.fitted_on}: {each}{more}."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MultilabelRun:
    """A run of several emotions a clip.

    Attributes:
        run: As stored.
        truth: `(N, K) bool` in the order of the run's labels.
        scores: `(N, K) float64` in [0, 1], what the model gives each emotion.
        thresholds: From which score on it names one.
    """

    run: Run
    truth: Bools
    scores: Floats
    thresholds: Thresholds

    @property
    def predicted(self) -> Bools:
        """The emotions that the model names, `(N, K)`."""
        least = np.array([self.thresholds.values[label] for label in self.run.labels])
        return np.asarray(self.scores >= least)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the set that say which emotions a clip has, one for each emotion."""
        said = self.run.provenance.dataset[MULTILABEL.key].get("columns", {})
        return tuple(said.values()) if isinstance(said, dict) else ()

    def truth_in(self, labels: LabelSet) -> Bools:
        """Return the true emotions with the run's labels in another order, `(N, K)`."""
        return self.truth[:, self._places(labels)]

    def answers_in(self, labels: LabelSet) -> SetAnswers:
        """Return scores and named emotions with the run's labels in another order."""
        from serval.scores.multilabel import SetAnswers  # the first clip need not wait for scipy

        at = self._places(labels)
        return SetAnswers(scores=self.scores[:, at], predicted=self.predicted[:, at])

    def _places(self, labels: LabelSet) -> list[int]:
        return [self.run.labels.index(label) for label in labels]

    def with_thresholds(self, thresholds: Thresholds) -> MultilabelRun:
        """Return the same run with other thresholds."""
        return replace(self, thresholds=thresholds)


def multilabel_run(run: Run) -> MultilabelRun:
    """Return what a run of several emotions a clip says, with the thresholds of its folder.

    Raises:
        RunError: It is a run of one emotion a clip, or its truth or thresholds cannot be read.
    """
    if run.provenance.task is not MULTILABEL:
        raise RunError(
            f"the run in {run.folder} has {run.provenance.task.said}, not {MULTILABEL.said}"
        )
    places = {label: i for i, label in enumerate(run.labels)}
    truth = np.zeros((len(run), len(places)), dtype=np.bool_)
    try:
        cells = run.groups[TRUTH] if len(run) else ()
        known = {cell: [places[name] for name in json.loads(str(cell))] for cell in set(cells)}
    except (KeyError, RecursionError, TypeError, ValueError) as error:
        raise RunError(f"the run in {run.folder} has no true emotions: {error!r}") from error
    for row, cell in zip(truth, cells, strict=True):
        row[known[cell]] = True
    return MultilabelRun(
        run=run, truth=truth, scores=run.probs.astype(np.float64), thresholds=_stored(run)
    )


def names_several(clip: Clip) -> bool:
    """Tell whether a set gives a clip several emotions, or an empty list of them."""
    return clip.emotions is not None and len(clip.emotions) != 1


def emotion_columns(labels: Iterable[str], stated: str | None) -> dict[str, str]:
    """Return the 0/1 column of each emotion, as `--emotion-columns` names them.

    Args:
        labels: Of the run.
        stated: `angry=is_angry,sad`, where a name alone is that of its column too; or `None`.

    Raises:
        ConfigError: A name is none of the labels, or a label has no column.

    Examples:
        >>> emotion_columns(["angry", "sad"], "angry=is_angry, sad")
        {'angry': 'is_angry', 'sad': 'sad'}
    """
    found: dict[str, str] = {}
    folded = {label.casefold(): label for label in labels}
    for part in filter(str.strip, (stated or "").split(",")):
        name, _, column = (text.strip() for text in part.partition("="))
        label = folded.get(name.casefold())
        if label is None:
            raise ConfigError(
                f"--emotion-columns: {shown(name)} is no emotion of the model; write "
                f"EMOTION=COLUMN,... of {', '.join(folded.values())}"
            )
        found[label] = column or name
    if missing := [label for label in folded.values() if found and label not in found]:
        raise ConfigError(
            f"--emotion-columns names no column for {', '.join(missing)}; a clip's emotions are "
            "known only with a column for each emotion of the model"
        )
    return found


def truth_facts(
    clips: Iterable[Clip], sets: EmotionSets, separator: str | None, subject: str
) -> tuple[int, dict[str, Any]]:
    """Return the number of clips, and what a run keeps of how their emotions were read.

    Args:
        clips: Of the set, without audio.
        sets: What reads their emotions.
        separator: What stands between emotions in text, or `None`.
        subject: Name of the set, for messages.

    Returns:
        As facts: `read_from` in words, the `columns` by emotion, the clips with an `empty` set, and
        the labels that the model does not know (`unknown`), each with its number of clips.

    Raises:
        DatasetError: A column is missing, or no clip says which emotions it has.
    """
    total, said, empty, unknown, others = 0, 0, 0, Counter[str](), set[str]()
    for clip in clips:
        raw = sets.raw(clip)
        total, said = total + 1, said + (raw is not None)
        unknown.update({one for one in raw or () if sets.mapping[one] is None})
        empty += raw is not None and not any(sets.mapping[one] for one in raw)
        others |= clip.groups.keys()
    _refuse_absent(set(sets.columns.values()) - others, others, subject)
    if not said:
        raise DatasetError(
            f"{subject}: no clip says which emotions it has; name the column with --label-column"
        )
    words = f"text with '{separator}' between emotions" if separator else "a list for each clip"
    if sets.columns:
        words = "a 0/1 column for each emotion"
    facts = {"read_from": words, "columns": dict(sets.columns), "empty": empty}
    return total, facts | {"unknown": dict(sorted(unknown.items()))}


def _refuse_absent(absent: set[str], others: set[str], subject: str) -> None:
    if absent:
        raise DatasetError(
            f"{subject} has no column '{min(absent)}' for --emotion-columns; its further columns: "
            f"{', '.join(sorted(others)) or 'none'}"
        )


def _mark(clip: Clip, column: str) -> bool | None:
    cell = clip.groups.get(column)
    if cell is None or not cell.strip():
        return None
    if cell.strip().lower() not in MARKS:
        raise DatasetError(
            f"'{column}' of {clip.id} is {shown(cell)}, not 0 or 1; mend it, or name another "
            "column with --emotion-columns"
        )
    return MARKS[cell.strip().lower()]


def _stored(run: Run) -> Thresholds:
    """Return the thresholds that lie in a run's folder, else the usual ones."""
    path = run.folder / FILE
    if not is_file(path):
        return Thresholds.usual(run.labels)
    try:
        return _thresholds(json_in(path), run)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise RunError(
            f"{path} holds no thresholds of this run ({error!r}); write it again with "
            "serval score --thresholds-from"
        ) from error


def _thresholds(said: Any, run: Run) -> Thresholds:  # noqa: ANN401 - what JSON holds
    values = {label: float(said["values"][label]) for label in run.labels}
    if not all(0 <= value <= 1 for value in values.values()):
        raise ValueError("a threshold is not in [0, 1]")
    return Thresholds(
        values=values,
        fitted_on=str(said["fitted_on"]),
        clips=int(said["clips"]),
        unfitted=tuple(map(str, said["unfitted"])),
    )
