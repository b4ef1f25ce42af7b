"""The labels of a model, and the way from a dataset's labels to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from serval.errors import LabelError
from serval.files import is_file
from serval.texts import json_in
from serval.wording import composed, did_you_mean, one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

EMOTIONS = ("angry", "calm", "disgust", "fearful", "happy", "neutral", "sad", "surprised")
"""The published default: eight emotions in alphabetical order."""

SYNONYMS: tuple[frozenset[str], ...] = (
    frozenset({"ang", "anger", "angry"}),
    frozenset({"cal", "calm", "calmness"}),
    frozenset({"dis", "disgust", "disgusted"}),
    frozenset({"afraid", "fea", "fear", "fearful"}),
    frozenset({"hap", "happiness", "happy", "joy", "joyful"}),
    frozenset({"neu", "neutral", "neutrality"}),
    frozenset({"sad", "sadness"}),
    frozenset({"ps", "sur", "surprise", "surprised", "pleasant surprise", "pleasantly surprised"}),
    frozenset({"exc", "excited", "excitement"}),
)
"""Spellings that public corpora use for one and the same emotion; nothing is merged."""


def label_text(value: object) -> str:
    """Return the text of a label, whatever library it comes from.

    pandas makes floats of whole numbers where some are missing, and HDF5 and NumPy bytes of text.

    Examples:
        >>> label_text(1.0), label_text(1), label_text(0.5), label_text(b"sad "), label_text("1.0")
        ('1', '1', '0.5', 'sad', '1.0')
    """
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return (value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)).strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A set of emotions that the field tells apart, and which others count as one of them.

    Attributes:
        name: As `--label-map` takes it.
        emotions: Of `EMOTIONS`.
        joined: Other emotion -> the one that it counts as, in the clips and in a model's answers.
    """

    name: str
    emotions: tuple[str, ...]
    joined: Mapping[str, str]

    def __getitem__(self, label: str) -> str | None:
        """Return the emotion of the preset that a label counts as, or `None`.

        Examples:
            >>> [PRESETS["iemocap4"][label] for label in ("exc", "Calm", "boredom")]
            ['happy', 'neutral', None]
        """
        emotion = emotion_of(label)
        emotion = self.joined.get(emotion, emotion)
        return emotion if emotion in self.emotions else None

    @property
    def policy(self) -> str:
        """What becomes of every label, in a sentence."""
        pairs = " and ".join(f"{other} counts as {one}" for other, one in self.joined.items())
        joined = f"{pairs}, in the clips and in the model's answers; " if pairs else ""
        return (
            f"Labels by the preset {self.name} ({', '.join(self.emotions)}): {joined}clips of any "
            "other label are left out and counted."
        )


PRESETS: Mapping[str, Preset] = {
    name: Preset(
        name=name,
        emotions=emotions,
        joined={
            other: one
            for other, one in (("excited", "happy"), ("calm", "neutral"))
            if one in emotions and other not in emotions
        },
    )
    for name, emotions in (
        ("iemocap4", ("angry", "happy", "neutral", "sad")),
        ("crema6", ("angry", "disgust", "fearful", "happy", "neutral", "sad")),
        ("big6", ("angry", "disgust", "fearful", "happy", "sad", "surprised")),
        ("big7", ("angry", "disgust", "fearful", "happy", "neutral", "sad", "surprised")),
        ("ravdess8", EMOTIONS),
    )
}
"""By name: the usual four of IEMOCAP, the six of CREMA-D, Ekman's six without and with neutral, and
the eight of RAVDESS. Boredom, frustration and the like count as none of them."""


class LabelSet(tuple[str, ...]):
    """The ordered, distinct labels of a model; the position of a label is its id.

    Examples:
        >>> labels = LabelSet(["angry", "happy"])
        >>> labels.id_of("happy")
        1
        >>> labels.id_of("calm")
        Traceback (most recent call last):
        ...
        serval.errors.LabelError: unknown label 'calm'; known: angry, happy
    """

    __slots__ = ()

    least: ClassVar[int] = 2
    needs: ClassVar[str] = "a classifier needs at least 2 labels"

    def __new__(cls, names: Iterable[str]) -> Self:
        """Return the labels, checked.

        Raises:
            LabelError: Fewer labels than `least`, an empty one, or one that occurs twice.
        """
        labels = super().__new__(cls, map(composed, names))
        if len(labels) < cls.least:
            raise LabelError(f"{cls.needs}, got {len(labels)}")
        if not all(name.strip() for name in labels):
            raise LabelError(f"label {labels.index('') if '' in labels else '?'} has no name")
        if twice := sorted(name for name, n in Counter(labels).items() if n > 1):
            raise LabelError(
                f"label occurs twice: {', '.join(twice)}; give each class its own name"
            )
        return labels

    def id_of(self, label: str) -> int:
        """Return the position of `label`, from 0.

        Raises:
            LabelError: The label is not in the set.
        """
        try:
            return self.index(label)
        except ValueError:
            raise LabelError(f"unknown label '{label}'; known: {', '.join(self)}") from None


class DimensionSet(LabelSet):
    """The ordered, distinct dimensions of a model, of which one is enough."""

    __slots__ = ()

    least: ClassVar[int] = 1
    needs: ClassVar[str] = "a model of dimensions needs at least 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedMap:
    """What `--label-map` says.

    Attributes:
        preset: The preset that it names, or `None`.
        explicit: Label of the dataset -> label of the model.
    """

    preset: Preset | None = None
    explicit: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSpace:
    """The labels that a run is scored on, and the model's outputs that count as each of them.

    Attributes:
        labels: Of the run.
        outputs: For each of them the positions of the model's labels, from 0.
    """

    labels: LabelSet
    outputs: tuple[tuple[int, ...], ...]

    @property
    def joins(self) -> bool:
        """Whether several outputs of the model count as one label."""
        return any(len(places) > 1 for places in self.outputs)


def label_space_of(labels: LabelSet, preset: Preset | None = None) -> LabelSpace:
    """Return the labels that a run of a model is scored on: its own, joined as the preset says.

    Outputs that the preset does not know keep their names: they can win, and are then wrong.

    Raises:
        LabelError: The preset leaves fewer than two labels.

    Examples:
        >>> label_space_of(LabelSet(["calm", "fear", "neutral", "sad"]), PRESETS["crema6"])
        LabelSpace(labels=('neutral', 'fearful', 'sad'), outputs=((0, 2), (1,), (3,)))
    """
    places: dict[str, list[int]] = {}
    for place, label in enumerate(labels):
        known = preset[label] if preset else None
        places.setdefault(known or label, []).append(place)
    return LabelSpace(labels=type(labels)(places), outputs=tuple(map(tuple, places.values())))


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelMap:
    """From a dataset's label to one of a run's: `map[raw]` is a label, or `None` if it has none.

    A raw label is looked up in `explicit` first, regardless of case. Otherwise what the dataset
    says that it means is looked up among the labels, regardless of case, then among the spellings
    that public corpora use for the same emotion; with a preset, it is what counts as that there.

    Attributes:
        labels: Those that a clip may have.
        explicit: What is stated: raw label -> label.
        meanings: What the dataset says that its own codes mean.
        preset: The preset that was named, or `None`.

    Examples:
        >>> mapping = LabelMap(labels=LabelSet(["angry", "happy"]), explicit={"1": "happy"})
        >>> mapping["ANG"], mapping["1"], mapping["bored"]
        ('angry', 'happy', None)
    """

    labels: LabelSet
    explicit: Mapping[str, str]
    meanings: Mapping[str, str] = field(default_factory=dict)
    preset: Preset | None = None

    def __post_init__(self) -> None:
        """Refuse a map onto a label that the model does not have."""
        for raw, label in self.explicit.items():
            if label not in self.labels:
                raise LabelError(
                    f"label map sends '{raw}' to '{label}', which the model does not know; "
                    f"known: {', '.join(self.labels)}"
                )

    def __getitem__(self, raw: str) -> str | None:
        """Return the label for `raw`, or `None` where there is none."""
        if stated := _stated(raw, self.explicit):
            return stated
        meaning = _stated(raw, self.meanings) or raw
        if self.preset is not None:
            emotion = self.preset[meaning]
            return emotion if emotion in self.labels else None
        return _known(meaning, self.labels) or _known(raw, self.labels)

    def unmapped(self, raw_labels: Iterable[str]) -> tuple[str, ...]:
        """Return the labels that have no counterpart, sorted, each once."""
        return tuple(sorted({raw for raw in raw_labels if self[raw] is None}))

    def unused(self, raw_labels: Iterable[str]) -> tuple[str, ...]:
        """Return what is stated of labels that are none of these, as it is stated."""
        had = set(map(_folded, raw_labels))
        return tuple(raw for raw in self.explicit if _folded(raw) not in had)

    def is_left_out(self, raw: str) -> bool:
        """Tell whether the preset itself leaves clips of this label out."""
        meaning = _stated(raw, self.meanings) or raw
        return self.preset is not None and self[raw] is None and self.preset[meaning] is None


def names_in_order(value: object) -> list[str]:
    """Return label names in the order of their ids, of a list, `id2label` or `label2id`.

    Raises:
        ValueError: The ids do not run from 0 without a gap.
        TypeError: It is neither a list nor a map.

    Examples:
        >>> names_in_order({"1": "sad", "0": "happy"}), names_in_order({"sad": 1, "happy": "0"})
        (['happy', 'sad'], ['happy', 'sad'])
    """
    if isinstance(value, Mapping):
        by_id = _by_id(value)
        if sorted(by_id) != list(range(len(value))):
            raise ValueError("ids must run from 0 without a gap")
        value = [by_id[i] for i in range(len(value))]
    if not isinstance(value, list | tuple):
        raise TypeError("expected a list of names")
    if any(name is None for name in value):
        raise ValueError("a name is missing")
    return [str(name).strip() for name in value]


def emotion_of(label: str) -> str:
    """Return the one spelling of an emotion; of a label that is none of them, itself.

    Examples:
        >>> emotion_of("FEAR"), emotion_of("pleasant_surprise"), emotion_of(" Bored")
        ('fearful', 'surprised', 'bored')
        >>> emotion_of("生气/angry"), emotion_of("x/ps"), emotion_of("happy/sad")
        ('angry', 'surprised', 'happy/sad')
    """
    folded = _spaced(label)
    names = _spellings(label) or frozenset((folded,))
    return next((name for name in (*EMOTIONS, "excited") if name in names), folded)


def unnamed(labels: tuple[str, ...]) -> bool:
    """Tell whether the labels are mere numbers, as transformers gives where nobody named them.

    Examples:
        >>> unnamed(("LABEL_0", "LABEL_1")), unnamed(("0", "1")), unnamed(("happy", "sad"))
        (True, True, False)
    """
    return bool(nameless(labels))


def nameless(labels: tuple[str, ...]) -> tuple[str, ...]:
    """Return the labels that are mere numbers; a number beside names is a name.

    Examples:
        >>> nameless(("angry", "LABEL_1")), nameless(("0", "1")), nameless(("happy", "1"))
        (('LABEL_1',), ('0', '1'), ())
    """
    if all(label.isdecimal() for label in labels):
        return labels
    return tuple(label for label in labels if label.upper().startswith("LABEL_"))


def label_map_from_option(option: str | None) -> StatedMap:
    """Return what `--label-map` gives: a preset's name, inline `ANG=angry,HAP=happy`, or both.

    A JSON file with such a map is taken too.

    Raises:
        LabelError: The text is none of them, or the file does not hold a map of texts.

    Examples:
        >>> label_map_from_option("ANG=angry, HAP=happy").explicit
        {'ANG': 'angry', 'HAP': 'happy'}
        >>> label_map_from_option("iemocap4,xxx=sad").preset.emotions
        ('angry', 'happy', 'neutral', 'sad')
    """
    if option is None or not option.strip():
        return StatedMap(explicit={})
    if not is_file(option):
        first, _, rest = (part.strip() for part in option.partition(","))
        if first in PRESETS:
            return StatedMap(preset=PRESETS[first], explicit=_inline(rest))
        if "=" in option:
            return StatedMap(explicit=_inline(option))
    return StatedMap(explicit=_json_map(Path(option)))


def _stated(raw: str, stated: Mapping[str, str]) -> str | None:
    if raw in stated:
        return stated[raw]
    folded = _folded(raw)
    return next((to for key, to in stated.items() if _folded(key) == folded), None)


def _known(raw: str, labels: LabelSet) -> str | None:
    """Return the label of that name, else the one that is spelt otherwise."""
    folded = _folded(raw)
    if same := next((label for label in labels if _folded(label) == folded), None):
        return same
    group = _spellings(raw)
    return next((label for label in labels if group and _spellings(label) == group), None)


def _by_id(names: Mapping[Any, Any]) -> dict[int, object]:
    """Return the names by their ids, whichever of the two are the keys."""
    if all(str(key).strip().isdecimal() for key in names):
        return {int(key): name for key, name in names.items()}
    if all(str(value).strip().isdecimal() for value in names.values()):
        return {int(value): name for name, value in names.items()}
    return {}


def _spellings(label: str) -> frozenset[str]:
    """Return the spellings of the one emotion that a label names; `生气/angry` names one in two."""
    parts = (_spaced(label), *map(_spaced, label.split("/")))
    found = {names for part in parts for names in SYNONYMS if part in names}
    return next(iter(found)) if len(found) == 1 else frozenset()


def _folded(label: str) -> str:
    return composed(label).strip().casefold()


def _spaced(label: str) -> str:
    return _folded(label).replace("_", " ")


def _inline(option: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in option.split(",") if option.strip() else ():
        raw, equals, label = (part.strip() for part in pair.partition("="))
        if not (raw and equals and label):
            raise LabelError(f"label map entry '{pair.strip()}' is not of the form RAW=label")
        if (other := found.setdefault(raw, composed(label))) != composed(label):
            raise LabelError(f"label map sends '{raw}' to '{other}' and to '{label}'; keep one")
    return found


def _json_map(path: Path) -> dict[str, str]:
    try:
        content = json_in(path)
    except ValueError as error:
        raise LabelError(
            f"label map '{one_line(str(path)[:200])}' is neither RAW=label,... nor a readable JSON "
            f"file: {one_line(error)[:200]}; presets: {', '.join(PRESETS)}"
            f"{did_you_mean(str(path), PRESETS)}"
        ) from error
    if not isinstance(content, dict) or not all(isinstance(v, str) for v in content.values()):
        raise LabelError(f'label map {path} must hold one object of texts: {{"ANG": "angry"}}')
    return {str(raw): composed(label) for raw, label in content.items()}
