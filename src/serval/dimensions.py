"""Numbers for each clip, such as arousal, valence and dominance, as a task beside emotions.

A run of this task is stored as any other. The true values of its clips stand in columns of the set,
which a run keeps; what the model said stands in its outputs. All are put on the scale of the set
before they are scored.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from serval.errors import ConfigError, DatasetError, RunError
from serval.tasks import DIMENSIONAL
from serval.wording import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from serval.records import Clip
    from serval.run import Run

    Floats = NDArray[np.float64]


SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "arousal": ("arousal", "activation", "act", "emoact", "a"),
    "valence": ("valence", "val", "emoval", "v"),
    "dominance": ("dominance", "dom", "emodom", "d"),
}
"""Names of columns, in small letters: those of MSP-Podcast and IEMOCAP among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DimensionRun:
    """A run of dimensions, on the scale of its set.

    Attributes:
        run: As stored.
        names: The D dimensions, in the order of the model's outputs.
        truth: `(N, D) float64`, NaN where a clip has no value.
        predicted: `(N, D) float64`.
        scale: Of both.
    """

    run: Run
    names: tuple[str, ...]
    truth: Floats
    predicted: Floats
    scale: Scale

    @property
    def columns(self) -> frozenset[str]:
        """The columns of the set that hold the ratings."""
        facts = self.run.provenance.dataset[DIMENSIONAL.key]
        return frozenset(map(str, facts["columns"].values()))

    def ordered(self, names: Sequence[str]) -> DimensionRun:
        """Return the same with its dimensions in the order of `names`, which are the same ones."""
        places = [self.names.index(name) for name in names]
        return replace(
            self,
            names=tuple(names),
            truth=self.truth[:, places],
            predicted=self.predicted[:, places],
        )


def dimension_run(run: Run) -> DimensionRun:
    """Return what a run of dimensions says, on the scale of its set.

    Raises:
        RunError: The run is of another task, or was stored without its columns or scales.
    """
    facts = run.provenance.dataset.get(DIMENSIONAL.key)
    if not isinstance(facts, Mapping):
        raise RunError(f"the run in {run.folder} has {run.provenance.task.said}, not dimensions")
    try:
        columns = {str(name): str(facts["columns"][name]) for name in run.labels}
        scale, own = (scale_of_text(str(facts[key]), key) for key in ("scale", "model_scale"))
        none = [None] * len(run)  # a column that no scored clip has a value in
        truth = [[_value(cell) for cell in run.groups.get(columns[name], none)] for name in columns]
    except (KeyError, TypeError, ValueError, ConfigError) as error:
        raise RunError(f"the run in {run.folder} has no true values: {error}") from error
    return DimensionRun(
        run=run,
        names=tuple(run.labels),
        truth=np.array(truth, dtype=np.float64).reshape(len(columns), len(run)).T,
        predicted=own.to(scale, run.logits.astype(np.float64)),
        scale=scale,
    )


def ratings_of(clip: Clip, columns: Mapping[str, str]) -> list[float]:
    """Return what a set says of a clip, NaN where it says nothing.

    Args:
        clip: With its further columns.
        columns: That of each dimension, as `plan_values` found them.
    """
    return [_value(clip.groups.get(column)) for column in columns.values()]


def dimension_columns(names: Sequence[str], stated: str | None) -> dict[str, tuple[str, ...]]:
    """Return the columns that may hold each dimension, in small letters unless stated.

    Args:
        names: The dimensions of the model.
        stated: `arousal=EmoAct,...`, or `None`.

    Raises:
        ConfigError: A part is not written `DIMENSION=COLUMN`, or names another dimension.
    """
    usual = {name: SYNONYMS.get(name.lower(), (name.lower(),)) for name in names}
    found = dict(usual)
    for part in (stated or "").split(","):
        name, equals, column = (text.strip() for text in part.partition("="))
        if not part.strip():
            continue
        known = next((own for own in names if name.lower() in (own.lower(), *usual[own])), None)
        if not (equals and column and known):
            raise ConfigError(
                f"--dimension-columns: {shown(part)} is not DIMENSION=COLUMN; "
                f"the model's dimensions are {', '.join(names)}"
            )
        found[known] = (column,)
    return found


def plan_values(
    clips: Iterable[Clip], wanted: Mapping[str, tuple[str, ...]], scale: str | None, subject: str
) -> tuple[dict[str, str], Scale]:
    """Return the column of each dimension and the scale of the set, from all its clips.

    The columns are in the order of the dimensions, whichever has a value first.

    Args:
        clips: Of the set, without audio.
        wanted: See `dimension_columns`.
        scale: As stated by the user or known of the set.
        subject: Name of the set, for messages.

    Raises:
        DatasetError: A dimension has no column, a cell is no number, or no clip has a value.
        ConfigError: The scale is not stated, or a value lies outside of it.
    """
    columns: dict[str, str] = {}
    lowest, highest, others = math.inf, -math.inf, set[str]()
    for clip in clips:
        others |= clip.groups.keys()
        for name, names in wanted.items():
            column = columns.get(name) or _column(clip.groups, names)
            if column is None:
                continue
            columns[name] = column
            value = _value(clip.groups.get(column), f"{subject}: '{column}' of {clip.id}")
            if not math.isnan(value):
                lowest, highest = min(lowest, value), max(highest, value)
    _refuse_missing(wanted, columns, others, subject)
    if lowest > highest:
        raise DatasetError(f"{subject}: no clip has a value in {', '.join(columns.values())}")
    return {name: columns[name] for name in wanted}, _checked_scale(scale, lowest, highest, subject)


def _refuse_missing(
    wanted: Mapping[str, tuple[str, ...]],
    columns: Mapping[str, str],
    others: set[str],
    subject: str,
) -> None:
    if missing := [name for name in wanted if name not in columns]:
        raise DatasetError(
            f"{subject} has no column of {', '.join(missing)} with a value in any clip; its "
            "further columns: "
            f"{', '.join(sorted(others)) or 'none'}; name them with --dimension-columns "
            f"{missing[0]}=COLUMN,..."
        )


def _checked_scale(stated: str | None, lowest: float, highest: float, subject: str) -> Scale:
    if stated is None:
        raise ConfigError(
            f"{subject}: its values run from {lowest:g} to {highest:g}, which does not say their "
            "scale; state it, such as --scale 1..7"
        )
    scale = scale_of_text(stated, "--scale")
    if lowest < scale.low or highest > scale.high:
        raise ConfigError(
            f"{subject}: its values run from {lowest:g} to {highest:g}, which does not fit the "
            f"scale {scale}; state the right one with --scale"
        )
    return scale


def _column(groups: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    folded = {column.lower(): column for column in groups}
    return next((name if name in groups else folded[name.lower()] for name in names
                 if name in groups or name.lower() in folded), None)  # fmt: skip


def _value(cell: str | None, where: str = "a value") -> float:
    if cell is None or not cell.strip():
        return math.nan
    try:
        value = float(cell)
    except ValueError:
        raise DatasetError(f"{where} is {shown(cell)}, not a number") from None
    if math.isinf(value):
        raise DatasetError(f"{where} is {shown(cell)}, not a number")
    return value


NUMBER = r"[-+]?\d+(?:\.\d+)?"
TEXT = re.compile(rf"\s*({NUMBER})\s*(?:\.\.|,|:|\s+to\s+)\s*({NUMBER})\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """The lowest and the highest value that a rating can have."""

    low: float
    high: float

    def __str__(self) -> str:
        """Return it as messages and options write it: `1..7`."""
        return f"{self.low:g}..{self.high:g}"

    @property
    def width(self) -> float:
        """The largest error that there can be."""
        return self.high - self.low

    def to(self, other: Scale, values: Floats) -> Floats:
        """Return values of this scale on another one, end to end.

        Examples:
            >>> import numpy as np
            >>> Scale(low=0, high=1).to(Scale(low=1, high=7), np.array([0.0, 0.5])).tolist()
            [1.0, 4.0]
        """
        return other.low + (values - self.low) * (other.width / self.width)


def scale_of_text(text: str, option: str) -> Scale:
    """Return the scale that is written `LOW..HIGH`.

    Args:
        text: Such as `1..7`.
        option: Where it was given, for the message.

    Raises:
        ConfigError: It is not written so, or has no width.
    """
    found = TEXT.fullmatch(text)
    low, high = (float(end) for end in found.groups()) if found else (0.0, 0.0)
    if not low < high:
        raise ConfigError(f"{option} {shown(text)} is no scale; write its ends, such as 1..7")
    return Scale(low=low, high=high)
