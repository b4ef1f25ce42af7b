"""What a set's card, the YAML at the head of its README.md, says of its files and columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from serval.errors import DatasetError, DatasetNotFoundError
from serval.labels import names_in_order
from serval.texts import yaml_of
from serval.wording import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CARD = "README.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What one configuration of a set's card says.

    Attributes:
        patterns: Split -> patterns of its files, or `None` where the card names no files.
        folder: Where its splits are to be looked for, if the card says so: `data`.
        class_names: Column -> the texts that its integers stand for.
        n_clips: Split -> number of clips.
        licence: Else `not stated`.
    """

    patterns: Mapping[str, tuple[str, ...]] | None = None
    folder: str = ""
    class_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    n_clips: Mapping[str, int] = field(default_factory=dict)
    licence: str = "not stated"


def card_of(text: str, config: str | None, subject: str) -> Card:
    """Return what the card says of a configuration, or of the only one.

    Raises:
        DatasetError: The head is no YAML, or its `data_files` are not of a known form.
        DatasetNotFoundError: There is no such configuration, or a choice must be made.
    """
    head = head_of(text, subject)
    chosen = _config(head, config, subject)
    info = _info(head, str(chosen.get("config_name", "default")))
    return Card(
        patterns=_patterns(chosen["data_files"], subject) if "data_files" in chosen else None,
        folder=str(chosen.get("data_dir", "")).strip("./"),
        class_names=class_names_of(
            {str(f.get("name")): f for f in _maps(info.get("features"))}, f"{subject}: its {CARD}"
        ),
        n_clips={
            str(split.get("name")): split["num_examples"]
            for split in _maps(info.get("splits"))
            if isinstance(split.get("num_examples"), int)
        },
        licence=_licence(head.get("license")),
    )


def class_names_of(features: Mapping[str, object], subject: str) -> dict[str, tuple[str, ...]]:
    """Return the names of the classes in each column whose type, as `datasets` writes it, has such.

    Raises:
        DatasetError: Their ids do not run from 0 without a gap.

    Examples:
        >>> class_names_of({"label": {"_type": "ClassLabel", "names": ["sad"]}, "text": {}}, "set")
        {'label': ('sad',)}
        >>> names = {"1": "sad", "0": "angry"}
        >>> class_names_of({"label": {"dtype": {"class_label": {"names": names}}}}, "set")
        {'label': ('angry', 'sad')}
    """
    found: dict[str, tuple[str, ...]] = {}
    for column, feature in features.items():
        try:
            found[column] = _names(feature)
        except (ValueError, TypeError) as error:
            raise DatasetError(
                f"{subject} numbers the class names of column '{printable(column)}' wrongly: "
                f"{error}; number them 0, 1, 2, ..."
            ) from error
    return {column: names for column, names in found.items() if names}


def _names(feature: object) -> tuple[str, ...]:
    """Return the names in a column's type, also where it is a list of such."""
    if isinstance(feature, list) and len(feature) == 1:
        return _names(feature[0])
    if not isinstance(feature, Mapping):
        return ()
    label = feature.get("class_label")
    if isinstance(label, Mapping) and isinstance(label.get("names"), Mapping):
        return tuple(names_in_order(label["names"]))
    names = feature.get("names")
    if isinstance(names, list) and all(isinstance(name, str) for name in names):
        return tuple(names)
    inner = (feature.get(key) for key in ("class_label", "dtype", "feature", "sequence", "list"))
    return next((found for part in inner if (found := _names(part))), ())


def head_of(text: str, subject: str) -> Mapping[str, Any]:
    """Return the YAML between the first two lines of `---`, or nothing where there is none."""
    lines = text.removeprefix("\ufeff").splitlines()
    if not lines or lines[0].rstrip() != "---":
        return {}
    end = next((i for i, line in enumerate(lines[1:], 1) if line.rstrip() == "---"), None)
    if end is None:
        return {}
    head = _parsed("\n".join(lines[1:end]), subject)
    return head if isinstance(head, Mapping) else {}


def _parsed(text: str, subject: str) -> object:
    """Return what the YAML says, refusing what would grow without bound."""
    try:
        return yaml_of(text)
    except ValueError as error:
        raise DatasetError(
            f"{subject}: the YAML at the head of its {CARD} cannot be read: {error}; "
            "mend it, or move the file away"
        ) from error


def _config(head: Mapping[str, Any], asked: str | None, subject: str) -> Mapping[str, Any]:
    configs = _maps(head.get("configs"))
    named = {str(config.get("config_name", "default")): config for config in configs}
    if not named:
        return {} if asked is None else {"config_name": asked, "data_dir": asked}
    if asked is not None:
        if asked in named:
            return named[asked]
        raise DatasetNotFoundError(
            f"{subject} has no configuration '{asked}'; it has: {', '.join(named)}"
        )
    default = [name for name, config in named.items() if config.get("default") is True]
    for name in (*default, "default"):
        if name in named:
            return named[name]
    if len(named) > 1:
        raise DatasetNotFoundError(
            f"{subject} has several configurations: {', '.join(named)}; {_how(subject)}"
        )
    return next(iter(named.values()))


def _how(subject: str) -> str:
    """Return how one of several configurations is named."""
    if subject.startswith("hf:"):
        return f"write {subject}/CONFIG"
    return "give the folder or file of one of them"


def _info(head: Mapping[str, Any], config: str) -> Mapping[str, Any]:
    """Return the `dataset_info` of a configuration; a lone one without a name is of any."""
    infos = head.get("dataset_info")
    infos = [infos] if isinstance(infos, Mapping) else _maps(infos)
    return next((info for info in infos if info.get("config_name", config) == config), {})


def _patterns(data_files: object, subject: str) -> dict[str, tuple[str, ...]]:
    """Return the patterns of each split; what no split is named for is `train`, as on the hub."""
    if isinstance(data_files, Mapping):
        entries = [(split, paths) for split, paths in data_files.items()]
    elif isinstance(data_files, list) and any(isinstance(entry, Mapping) for entry in data_files):
        entries = [(entry.get("split", "train"), entry.get("path")) for entry in _maps(data_files)]
    else:
        entries = [("train", data_files)]
    patterns = {str(split): tuple(_texts(paths)) for split, paths in entries}
    if not patterns or not all(patterns.values()):
        raise DatasetError(
            f"{subject}: its {CARD} has `data_files` that name no path for a split; "
            "write `- split: NAME` and `path: PATTERN` for each"
        )
    return patterns


def _texts(value: object) -> Iterator[str]:
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, str) and item:
            yield item


def _maps(value: object) -> Sequence[Mapping[str, Any]]:
    """Return the mappings in a list, or none where the value is something else."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _licence(stated: object) -> str:
    """Return a card's licence as text: one name, or several."""
    names = stated if isinstance(stated, list) else [stated]
    return ", ".join(name for name in names if isinstance(name, str)) or "not stated"
