"""A plan: many models on many datasets with many options, each cell an evaluation of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from serval.errors import ConfigError
from serval.files import is_file, is_folder, refuse_odd_place
from serval.options import EvalOptions, misfit
from serval.probe import ProbeOptions
from serval.scores import METRICS, canonical
from serval.texts import yaml_in
from serval.wording import did_you_mean, printable, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

Kind = type[EvalOptions] | type[ProbeOptions]
"""Whose options the cells of a plan have."""

AXES = {"models": "model", "datasets": "dataset", "options": ""}
"""The lists of a plan, and the option that each entry of one must have."""
OWN = {"models": {"trained_on"}, "datasets": {"corpus"}, "options": set[str]()}
"""What an entry may say beside options of `serval evaluate` or `serval probe`."""
SHARED = ("output", "sort_by", "models", "datasets", "options", "probe")
NOT_IN_A_PLAN = {
    "model",
    "dataset",
    "output",
    "fresh",
    "dev_mode",
    "save",
    "shared_speakers",
    "cost",
}


def _known(kind: Kind) -> set[str]:
    """Return the options that a plan may state."""
    return {field.name for field in fields(kind)} - NOT_IN_A_PLAN


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One evaluation of the matrix.

    Attributes:
        model: As the table names it.
        dataset: As the table names it.
        options: As the table names them, `""` where there is only one set of options.
        settings: What `evaluate` or `probe` gets; its output is a folder of this cell alone.
        corpus: What averages count the dataset as, such as that of several folds.
        trained_on: The corpora that the plan says the model was trained on; `None` if nothing.
    """

    model: str
    dataset: str
    options: str
    settings: EvalOptions | ProbeOptions
    corpus: str
    trained_on: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """An entry of one of the lists: its name, its options, and what else it says."""

    name: str
    settings: Mapping[str, Any]
    said: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A matrix of evaluations, or of probes.

    Attributes:
        output: Folder of all runs and tables.
        sort_by: The score that the table is sorted by, best first.
        cells: In the order of the file: models, then datasets, then options.
    """

    output: Path
    sort_by: str
    cells: tuple[Cell, ...]


def load_plan(path: Path) -> Plan:
    """Return the plan in a YAML file.

    `models`, `datasets` and `options` are lists; an entry is a name, or a map of options of
    `serval evaluate` (with `_` for `-`) and, if wished, a `name` for the table. A model may have
    `trained_on`, a list of corpora, and a dataset `corpus`, what averages count it as; its `split`
    may be a list, each of which is a dataset of its own. Options at the top level hold for every
    cell. Paths are relative to the file. With `probe`, a map of options of `serval probe` that hold
    for every cell, models are encoders and each cell is a probe.

    Raises:
        ConfigError: The file cannot be read, or holds a key that is not known.
    """
    content = _content(path)
    kind: Kind = ProbeOptions if "probe" in content else EvalOptions
    _refuse_unknown(path, content, {*SHARED, *_known(kind)})
    sort_by = canonical(str(content.get("sort_by", "uar")))
    if sort_by not in METRICS:
        raise ConfigError(f"{path}: cannot sort by {shown(sort_by)}; known: {', '.join(METRICS)}")
    output = path.parent / _place(path, content.get("output", "sweep_results"))
    every = {key: value for key, value in content.items() if key in _known(kind)}
    every |= _probe_options(path, content.get("probe") or {})
    cells = tuple(_cells(path, content, every, output))
    folders = [cell.settings.output for cell in cells]
    if twice := {folder for folder in folders if folders.count(folder) > 1}:
        raise ConfigError(
            f"{path}: two cells would share {sorted(twice)[0]}; give their entries a name each"
        )
    return Plan(output=output, sort_by=sort_by, cells=cells)


def _content(path: Path) -> Mapping[str, Any]:
    try:
        content = yaml_in(path)
    except ValueError as error:
        raise ConfigError(f"plan {path} cannot be read as YAML: {error}") from error
    if not isinstance(content, dict) or not content.get("models") or not content.get("datasets"):
        raise ConfigError(f"plan {path} must name `models` and `datasets`, each a list")
    return content


def _probe_options(path: Path, said: object) -> Mapping[str, Any]:
    """Return the options that hold for every probe of a plan."""
    if not isinstance(said, Mapping):
        raise ConfigError(
            f"{path}: `probe` must be a map of options of serval probe, such as "
            f"{{layer: all}}, not {shown(said)}"
        )
    _refuse_unknown(path, said, _known(ProbeOptions))
    return said


def _place(path: Path, output: object) -> str:
    if not isinstance(output, str):
        raise ConfigError(f"{path}: `output` must be the name of a folder, not {shown(output)}")
    refuse_odd_place(f"{path}: `output`", output)
    return output


def _refuse_unknown(path: Path, keys: Mapping[str, Any], known: set[str]) -> None:
    if unknown := sorted(str(key) for key in keys if key not in known):
        raise ConfigError(
            f"{path}: unknown key {shown(unknown[0])}; known: {', '.join(sorted(known))}"
            f"{did_you_mean(unknown[0], known)}"
        )


def _cells(
    path: Path, content: Mapping[str, Any], every: Mapping[str, Any], output: Path
) -> Iterator[Cell]:
    kind: Kind = ProbeOptions if "probe" in content else EvalOptions
    models, datasets, options = (
        _entries(path, content.get(axis) or [{}], axis, kind) for axis in AXES
    )
    for model in models:
        for dataset in datasets:
            for some in options:
                names = [entry.name for entry in (model, dataset, some) if entry.name]
                settings = {**every, **model.settings, **dataset.settings, **some.settings}
                folder = output.joinpath(*map(_folder_name, names))
                yield Cell(
                    model=model.name,
                    dataset=dataset.name,
                    options=some.name,
                    settings=kind(**_typed(path, settings, kind), output=str(folder)),
                    corpus=dataset.said.get("corpus", dataset.name),
                    trained_on=model.said.get("trained_on"),
                )


def _typed(path: Path, settings: Mapping[str, Any], kind: Kind) -> dict[str, Any]:
    """Return the options as their class takes them; YAML's lists and maps of labels as text.

    Raises:
        ConfigError: A value is of another kind than its option.
    """
    return {name: _value(path, name, value, kind) for name, value in settings.items()}


def _value(path: Path, name: str, value: Any, kind: Kind) -> Any:  # noqa: ANN401 - what YAML holds
    if name == "labels" and isinstance(value, list):
        _refuse_no_text(path, name, value)
        return ",".join(map(str, value))
    if name == "label_map" and isinstance(value, Mapping):
        _refuse_no_text(path, name, [*value, *value.values()])
        return ",".join(f"{raw}={label}" for raw, label in value.items())
    if name == "layer" and isinstance(value, int):
        return str(value)
    if wanted := misfit(name, value, kind):
        raise ConfigError(f"{path}: `{name}` must be {wanted}, not {shown(value)}")
    return value


def _refuse_no_text(path: Path, name: str, labels: Iterable[object]) -> None:
    """Raise where YAML takes a word, such as `no`, for something else than text."""
    for label in labels:
        if isinstance(label, bool) or label is None:
            raise ConfigError(f"{path}: `{name}` has {shown(label)}, not text; put it in quotes")


def _entries(path: Path, entries: object, axis: str, kind: Kind) -> list[_Entry]:
    if not isinstance(entries, list):
        raise ConfigError(f"{path}: `{axis}` must be a list")
    return [one for entry in entries for one in _by_split(path, _entry(path, entry, axis, kind))]


def _by_split(path: Path, entry: _Entry) -> Iterator[_Entry]:
    """Yield an entry for each split of a list, all of one corpus; any other as it is."""
    splits = entry.settings.get("split")
    if splits == []:
        raise ConfigError(f"{path}: `split` of {entry.name} is an empty list; name one or more")
    if not isinstance(splits, list):
        yield entry
        return
    for split in splits:
        yield _Entry(
            name=f"{entry.name} {split}",
            settings={**entry.settings, "split": split},
            said={"corpus": entry.name, **entry.said},
        )


def _entry(path: Path, entry: object, axis: str, kind: Kind) -> _Entry:
    """Return an entry with its options, paths made relative to the plan's folder."""
    key = AXES[axis]
    settings = _settings(path, entry, axis)
    name = settings.pop("name", None)
    if not isinstance(name, str | int | float | None):
        raise ConfigError(f"{path}: a `name` must be text, not {shown(name)}")
    if key not in settings and key:
        raise ConfigError(f"{path}: an entry of `{axis}` has no `{key}`")
    _refuse_unknown(path, settings, _known(kind) | OWN[axis] | ({key} - {""}))
    said = {own: _said(path, own, settings.pop(own)) for own in OWN[axis] & settings.keys()}
    title = settings[key] if key else ", ".join(f"{k}={v}" for k, v in settings.items())
    if axis == "models" and "name" in _known(kind) and name is not None and str(name).strip():
        settings["name"] = printable(str(name))  # the run and its page are called the same
    for known in ("model", "dataset"):
        if known in settings:
            settings[known] = _placed(path.parent, settings[known])
    return _Entry(name=str(name or title), settings=settings, said=said)


def _placed(folder: Path, name: Any) -> Any:  # noqa: ANN401 - what YAML holds
    """Return the name of a model or dataset, a path or `CORPUS:PATH` as seen from elsewhere."""
    kind, colon, rest = str(name).partition(":")
    for prefix, place in (("", str(name)), (f"{kind}:", rest if colon else "")):
        beside = folder / place
        if place and (is_file(beside) or is_folder(beside)):
            return f"{prefix}{beside}"
    return name


def _said(path: Path, name: str, value: object) -> Any:  # noqa: ANN401 - text, or a tuple of them
    """Return what an entry says of its training data, or of its corpus."""
    if name == "corpus":
        if isinstance(value, str) and value:
            return value
        raise ConfigError(f"{path}: `corpus` must be text, not {shown(value)}")
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return tuple(value)
    raise ConfigError(f"{path}: `trained_on` must be a list of corpora, not {shown(value)}")


def _settings(path: Path, entry: object, axis: str) -> dict[str, Any]:
    """Return an entry as a map: a name alone is that of a model or dataset."""
    if isinstance(entry, Mapping):
        return dict(entry)
    if isinstance(entry, str) and AXES[axis]:
        return {AXES[axis]: entry}
    wanted = "a name or a map of options" if AXES[axis] else "a map of options"
    raise ConfigError(f"{path}: an entry of `{axis}` must be {wanted}, not {shown(entry)}")


def _folder_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "default"
