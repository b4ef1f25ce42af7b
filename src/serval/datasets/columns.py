"""Which column of a table holds the audio, the label and the speaker."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from serval.errors import DatasetError, DatasetNotFoundError
from serval.labels import label_text
from serval.wording import composed, printable, shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from serval.datasets.options import DatasetOptions

AUDIO_NAMES = (
    "audio", "file_path", "file_name", "path", "file", "filename", "filepath", "audio_path",
    "audio_file", "wav", "wav_path", "clip",
)  # fmt: skip
LABEL_NAMES = (
    "emotion", "label", "labels", "emotion_label", "major_emotion", "class", "category", "target",
    "emotions",
)  # fmt: skip
SPEAKER_NAMES = (
    "speaker_id", "speaker", "spk_id", "spk", "speakerid", "actor", "actor_id", "voice",
)  # fmt: skip
SAMPLES_NAMES = (
    "audio", "array", "samples", "waveform", "wave", "signal", "speech", "input_values",
    "raw_audio",
)  # fmt: skip
RATE_NAMES = ("sampling_rate", "sample_rate", "samplerate", "sr", "rate", "fs")


class Kind(Enum):
    """What the cells of a column are."""

    AUDIO = "encoded audio"
    SCALAR = "text or number"
    LIST = "lists"
    OTHER = "records, lists of records, or images"


PARTS = {
    "audio": {Kind.AUDIO, Kind.SCALAR, Kind.LIST},
    "label": {Kind.SCALAR, Kind.LIST},
    "speaker": {Kind.SCALAR},
}
"""What a column must hold to play a part."""

USUAL = {"audio": AUDIO_NAMES, "label": LABEL_NAMES, "speaker": SPEAKER_NAMES}


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """The columns of a table.

    Attributes:
        kinds: Column name -> what its cells are, in the order of the table.
        class_names: Column name -> the texts that its integers stand for.
        fields: Column name -> what its records have, where it holds records.
    """

    kinds: Mapping[str, Kind]
    class_names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    fields: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The part that each column plays.

    Attributes:
        audio: Holds the encoded audio, its samples, or the path of a file.
        label: Holds the label, also as the only item of a list; empty where no column does.
        speaker: Says who speaks, if one does.
        groups: Every further column whose cells can be written as text.
        embedded: The audio column holds the audio itself, not only a path.
        rate: Holds the sample rate in Hz where the audio column holds samples.
        class_names: Column name -> the texts that its integers stand for.
        separator: What stands between several labels in the text of one cell; empty for nothing.
    """

    audio: str
    label: str
    speaker: str | None = None
    groups: tuple[str, ...] = ()
    embedded: bool = False
    rate: str | None = None
    class_names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    separator: str = ""

    def cell(self, cells: Mapping[str, object], column: str | None) -> str | None:
        """Return the text in one column of a row, or `None` where there is none."""
        if column is None:
            return None
        return _written(cells.get(column), self.class_names.get(column, ()))

    def label_of(self, cells: Mapping[str, object]) -> str:
        """Return the label of a row, empty where it has none; several are one that no model has."""
        value, names = cells.get(self.label), self.class_names.get(self.label, ())
        items = value if isinstance(value, list) else [value]
        texts = (_written(item, names) for item in items)
        return " + ".join(text for text in texts if text is not None)

    def emotions_of(self, cells: Mapping[str, object]) -> tuple[str, ...] | None:
        """Return each label of a row that may have several, `None` where it has no list of them.

        An empty list is a clip of no emotion; an empty text says nothing.

        Raises:
            DatasetError: A list repeats a label, as marks of 0 and 1 do.
        """
        value, names = cells.get(self.label), self.class_names.get(self.label, ())
        if isinstance(value, str) and self.separator and value.strip():
            value = value.split(self.separator)
        if not isinstance(value, list):
            return None
        texts = [text for item in value if (text := _written(item, names)) is not None]
        if len(set(texts)) < len(texts) and isinstance(cells.get(self.label), list):
            raise DatasetError(
                f"column '{self.label}' has the list {shown(value)}, which repeats a label; a list "
                "names each emotion of a clip once, and marks of 0 and 1 go into a column for each "
                "emotion, with --emotion-columns"
            )
        return tuple(texts)


def choose_columns(schema: Schema, options: DatasetOptions, subject: str) -> Columns:
    """Return which column is which: by option, else by type, else by the usual names.

    Raises:
        DatasetNotFoundError: A named column is absent, or none of the usual ones is there.
        DatasetError: A named column holds what cannot play its part.
    """
    audio = _audio_column(schema, options.audio_column, subject)
    label = _label_column(schema, options, subject)
    speaker = _named(schema, "speaker", options.speaker_column, subject)
    speaker = speaker or _usual(SPEAKER_NAMES, _of_kind(schema, Kind.SCALAR))
    rate = _rate_column(schema, audio, subject)
    # An index that pandas wrote has no name, and says nothing of a clip.
    taken = {"", audio, speaker, rate} | ({label} - set(_values(schema, options)))
    scalars = (name for name, kind in schema.kinds.items() if kind is Kind.SCALAR)
    return Columns(
        audio=audio,
        label=label,
        speaker=speaker,
        groups=tuple(name for name in scalars if name not in taken),
        embedded=schema.kinds[audio] is not Kind.SCALAR,
        rate=rate,
        class_names=schema.class_names,
        separator=options.label_separator or "",
    )


def audio_alone(schema: Schema, options: DatasetOptions, subject: str) -> Columns:
    """Return the column of the audio, of a table that needs no labels.

    Raises:
        DatasetNotFoundError: A named column is absent, or none of the usual ones is there.
        DatasetError: A named column holds no audio.
    """
    audio = _audio_column(schema, options.audio_column, subject)
    return Columns(audio=audio, label="", embedded=schema.kinds[audio] is not Kind.SCALAR)


def text_of(value: object, class_names: Sequence[str] = ()) -> str | None:
    """Return a cell as text, or `None` for one that is empty or cannot be written as text.

    Examples:
        >>> text_of(" F "), text_of(3.0), text_of(float("nan")), text_of([1])
        ('F', '3', None, None)
        >>> text_of(1, ["angry", "happy"]), text_of(-1, ["angry", "happy"])
        ('happy', None)
    """
    if isinstance(value, int) and not isinstance(value, bool) and class_names:
        return class_names[value] if 0 <= value < len(class_names) else None
    if value is None or isinstance(value, (bytes, list, dict)):
        return None
    return None if isinstance(value, float) and math.isnan(value) else label_text(value) or None


def _written(value: object, class_names: Sequence[str]) -> str | None:
    """Return a cell as the text that a clip has: printable, an accented letter in one form."""
    text = text_of(value, class_names)
    return None if text is None else printable(composed(text))


def _audio_column(schema: Schema, asked: str | None, subject: str) -> str:
    """Return the column of the audio: one that holds it before one that holds a path."""
    if named := _named(schema, "audio", asked, subject):
        return named
    embedded = _of_kind(schema, Kind.AUDIO)
    if usual := _usual(AUDIO_NAMES, embedded) or next(iter(embedded), None):
        return usual
    samples = _usual(SAMPLES_NAMES, _of_kind(schema, Kind.LIST))
    if samples and _usual(RATE_NAMES, _of_kind(schema, Kind.SCALAR)):
        return samples
    paths = _usual(AUDIO_NAMES, _of_kind(schema, Kind.SCALAR))
    return paths or samples or _required(schema, "audio", None, subject)


def _rate_column(schema: Schema, audio: str, subject: str) -> str | None:
    """Return the column with the sample rate, where the audio column holds bare samples."""
    if schema.kinds[audio] is not Kind.LIST:
        return None
    rate = _usual(RATE_NAMES, _of_kind(schema, Kind.SCALAR))
    if rate is None:
        raise DatasetError(
            f"{subject}: column '{audio}' holds samples, but no column says their rate; "
            "add a column sampling_rate in Hz"
        )
    return rate


def _label_column(schema: Schema, options: DatasetOptions, subject: str) -> str:
    """Return the column of the label: a usual one, else none if there are values of dimensions."""
    try:
        return _required(schema, "label", options.label_column, subject)
    except DatasetNotFoundError:
        if options.label_column is not None or not _values(schema, options):
            raise
        return ""


def _required(schema: Schema, part: str, asked: str | None, subject: str) -> str:
    names = USUAL[part]
    kinds = (Kind.SCALAR, Kind.LIST) if part == "label" else (Kind.SCALAR,)
    found = _named(schema, part, asked, subject)
    for kind in kinds:
        found = found or _usual(names, _of_kind(schema, kind))
    if found is None:
        if unfit := _usual(names, _of_kind(schema, Kind.OTHER)):
            raise DatasetNotFoundError(f"{subject}: {_misfit(schema, unfit, part)}")
        marks = ", or columns of 0 and 1 with --emotion-columns" if part == "label" else ""
        raise DatasetNotFoundError(
            f"{subject} has no {part} column that serval knows by name; "
            f"its columns: {', '.join(schema.kinds)}; name one with --{part}-column{marks}"
        )
    return found


def _values(schema: Schema, options: DatasetOptions) -> list[str]:
    """Return the columns with values of dimensions, as far as they are there."""
    wanted = options.value_columns.casefold().split(",")
    return [name for name in _of_kind(schema, Kind.SCALAR) if name.casefold() in wanted]


def _named(schema: Schema, part: str, asked: str | None, subject: str) -> str | None:
    if asked is not None and asked not in schema.kinds:
        raise DatasetNotFoundError(
            f"{subject} has no column '{asked}' for --{part}-column; "
            f"its columns: {', '.join(schema.kinds)}"
        )
    if asked is not None and schema.kinds[asked] not in PARTS[part]:
        raise DatasetError(f"{subject}: {_misfit(schema, asked, part)}")
    return asked


def _misfit(schema: Schema, column: str, part: str) -> str:
    """Return why a column cannot play a part, and what helps."""
    fields = schema.fields.get(column, ()) if schema.kinds[column] is Kind.OTHER else ()
    if part == "audio" and "array" in fields and "sampling_rate" not in fields:
        return (
            f"the records of column '{column}' hold samples, but not their rate; add a field "
            "sampling_rate in Hz to them"
        )
    held = f"records of ({', '.join(fields)})" if fields else schema.kinds[column].value
    others = {name for of, names in USUAL.items() if of != part for name in names}
    kinds = PARTS[part]
    fit = [n for n, kind in schema.kinds.items() if kind in kinds and n.casefold() not in others]
    return (
        f"column '{column}' holds {held}, which are no {part}; "
        f"columns that may: {', '.join(fit) or 'none'}"
    )


def _of_kind(schema: Schema, kind: Kind) -> list[str]:
    return [name for name, of in schema.kinds.items() if of is kind]


def _usual(names: Sequence[str], columns: Sequence[str]) -> str | None:
    """Return the first column that bears one of `names`, in the order of `names`."""
    folded = {name.casefold(): name for name in reversed(columns)}
    return next((folded[name] for name in names if name in folded), None)
