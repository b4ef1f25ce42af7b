"""The labels of a model, and the way from a dataset's labels to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from serval.errors import LabelError
from serval.files import is_file
from serval.texts import json_in
from serval.wording import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["EMOTIONS", "LabelMap", "LabelSet", "label_map_from_option", "names_in_order"]

EMOTIONS = ("angry", "calm", "disgust", "fearful", "happy", "neutral", "sad", "surprised")
"""The published default: eight emotions in alphabetical order."""

SYNONYMS: tuple[frozenset[str], ...] = (
    frozenset({"ang", "anger", "angry"}),
    frozenset({"cal", "calm", "calmness"}),
    frozenset({"dis", "disgust", "disgusted"}),
    frozenset({"afraid", "fea", "fear", "fearful"}),
    frozenset({"hap", "happiness", "happy", "joy", "joyful"}),
    frozenset({"neu", "neutral"}),
    frozenset({"sad", "sadness"}),
    frozenset({"sur", "surprise", "surprised", "pleasant surprise"}),
)
"""Spellings that public corpora use for one and the same emotion; nothing is merged."""


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

    def __new__(cls, names: Iterable[str]) -> Self:
        """Return the labels, checked.

        Raises:
            LabelError: Fewer than two labels, an empty one, or one that occurs twice.
        """
        labels = super().__new__(cls, names)
        if len(labels) < 2:
            raise LabelError(f"a classifier needs at least 2 labels, got {len(labels)}")
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


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelMap:
    """From a dataset's label to a model's: `map[raw]` is a label, or `None` if it has none.

    A raw label is looked up in `explicit` first, then among the model's labels, both regardless of
    case, then among the spellings that public corpora use for the same emotion.

    Examples:
        >>> mapping = LabelMap(labels=LabelSet(["angry", "happy"]), explicit={"1": "happy"})
        >>> mapping["ANG"], mapping["1"], mapping["bored"]
        ('angry', 'happy', None)
    """

    labels: LabelSet
    explicit: Mapping[str, str]

    def __post_init__(self) -> None:
        """Refuse a map onto a label that the model does not have."""
        for raw, label in self.explicit.items():
            if label not in self.labels:
                raise LabelError(
                    f"label map sends '{raw}' to '{label}', which the model does not know; "
                    f"known: {', '.join(self.labels)}"
                )

    def __getitem__(self, raw: str) -> str | None:
        """Return the model's label for `raw`, or `None` where there is none."""
        if raw in self.explicit:
            return self.explicit[raw]
        folded = {key.strip().casefold(): label for key, label in self.explicit.items()}
        if raw.strip().casefold() in folded:
            return folded[raw.strip().casefold()]
        return _same_name(raw, self.labels) or _synonym(raw, self.labels)

    def unmapped(self, raw_labels: Iterable[str]) -> tuple[str, ...]:
        """Return the labels that have no counterpart, sorted, each once."""
        return tuple(sorted({raw for raw in raw_labels if self[raw] is None}))


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


def label_map_from_option(option: str | None) -> dict[str, str]:
    """Return the map that `--label-map` gives: inline `ANG=angry,HAP=happy` or a JSON file.

    Raises:
        LabelError: The text is neither, or the file does not hold a map of texts.

    Examples:
        >>> label_map_from_option("ANG=angry, HAP=happy")
        {'ANG': 'angry', 'HAP': 'happy'}
        >>> label_map_from_option(None)
        {}
    """
    if option is None or not option.strip():
        return {}
    if "=" in option and not is_file(option):
        return dict(_inline_pairs(option))
    return _json_map(Path(option))


def _by_id(names: Mapping[Any, Any]) -> dict[int, object]:
    """Return the names by their ids, whichever of the two are the keys."""
    if all(str(key).strip().isdecimal() for key in names):
        return {int(key): name for key, name in names.items()}
    if all(str(value).strip().isdecimal() for value in names.values()):
        return {int(value): name for name, value in names.items()}
    return {}


def _same_name(raw: str, labels: LabelSet) -> str | None:
    folded = raw.strip().casefold()
    return next((label for label in labels if label.casefold() == folded), None)


def _synonym(raw: str, labels: LabelSet) -> str | None:
    folded = raw.strip().casefold().replace("_", " ")
    group = next((names for names in SYNONYMS if folded in names), frozenset())
    return next((label for label in labels if label.casefold() in group), None)


def _inline_pairs(option: str) -> Iterator[tuple[str, str]]:
    for pair in option.split(","):
        raw, equals, label = (part.strip() for part in pair.partition("="))
        if not (raw and equals and label):
            raise LabelError(f"label map entry '{pair.strip()}' is not of the form RAW=label")
        yield raw, label


def _json_map(path: Path) -> dict[str, str]:
    try:
        content = json_in(path)
    except ValueError as error:
        raise LabelError(
            f"label map '{one_line(str(path)[:200])}' is neither RAW=label,... nor a readable JSON "
            f"file: {one_line(error)[:200]}"
        ) from error
    if not isinstance(content, dict) or not all(isinstance(v, str) for v in content.values()):
        raise LabelError(f'label map {path} must hold one object of texts: {{"ANG": "angry"}}')
    return {str(raw): label for raw, label in content.items()}
