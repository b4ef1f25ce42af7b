"""`config.json` as people have it: numbers as text, nulls, labels one way round or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import transformers
from transformers.models.auto.modeling_auto import MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING_NAMES

from serval.errors import LabelError, ModelError
from serval.labels import LabelSet, names_in_order, unnamed
from serval.tasks import Task, task_named, usual_task
from serval.texts import json_in
from serval.wording import counted, one_line, printable, shown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


LEAST_RATE, MOST_RATE = 1_000, 192_000
NEVER_REPAIRED = frozenset({"id2label", "label2id", "num_labels", "auto_map", "architectures"})


def config_in(folder: Path, name: str) -> dict[str, Any]:
    """Return what a checkpoint's `config.json` says."""
    try:
        content = json_in(folder / "config.json")
    except ValueError as error:
        raise ModelError(
            f"checkpoint '{name}': its config.json is not readable JSON: {one_line(error)}"
        ) from error
    if not isinstance(content, dict):
        raise ModelError(f"checkpoint '{name}': its config.json must hold one JSON object")
    return content


def config_of(said: Mapping[str, Any], name: str, n_outputs: int | None = None) -> Any:  # noqa: ANN401 - transformers' own class for each family
    """Return the configuration of transformers, with what is only written oddly put right.

    Its weights have `n_outputs` outputs, where that is known.

    Raises:
        ModelError: transformers has no audio classifier of that kind, or cannot use the values.
    """
    families = MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING_NAMES
    kind = str(said.get("model_type", ""))
    if kind not in families:
        raise ModelError(
            f"checkpoint '{name}' is of type {shown(kind)}, which transformers "
            f"{transformers.__version__} has no audio classifier for; it has one for "
            f"{', '.join(sorted(families))}"
        )
    family = transformers.CONFIG_MAPPING[kind]
    try:
        entries = _repaired(said, family().to_dict())
        if n_outputs is not None:
            entries["num_labels"] = n_outputs
        return family.from_dict(entries)
    except Exception as error:  # transformers raises whatever the file makes it stumble over
        raise ModelError(
            f"checkpoint '{name}': its config.json: {why(error)}; correct the entry there"
        ) from error


def labels_in(said: Mapping[str, Any], n_outputs: int, name: str) -> tuple[tuple[str, ...], str]:
    """Return the labels in the order of the outputs, and where they are said: `""` for nowhere.

    Of `id2label` and `label2id` the first counts, unless its names are mere numbers.
    """
    keys = [key for key in ("id2label", "label2id") if said.get(key)]
    if not keys:
        return tuple(f"LABEL_{i}" for i in range(n_outputs)), ""
    key = next((key for key in keys if not unnamed(_names(said, key, name))), keys[0])
    names = _names(said, key, name)
    if len(names) != n_outputs:
        raise ModelError(
            f"checkpoint '{name}': its weights have {counted(n_outputs, 'output')}, but {key} "
            f"in its config.json names {counted(len(names), 'label')} "
            f"({', '.join(names[:12])}); one of the two is of another model: download both "
            "again, or correct the names"
        )
    return names, "config.json"


def _names(said: Mapping[str, Any], key: str, name: str) -> tuple[str, ...]:
    try:
        names = tuple(map(printable, names_in_order(said[key])))
        if len(names) > 1:
            LabelSet(names)
    except (ValueError, TypeError, LabelError) as error:
        raise ModelError(
            f"checkpoint '{name}': {key} in its config.json is {shown(said[key])}, which "
            f"cannot be used: {one_line(error)[:200]}"
        ) from error
    return names


def task_in(said: Mapping[str, Any], labels: tuple[str, ...], name: str) -> Task:
    """Return what the outputs are; where nobody says, the labels tell, or one emotion at a time."""
    try:
        return task_named(said["problem_type"]) if said.get("problem_type") else usual_task(labels)
    except ValueError as error:
        raise ModelError(
            f"checkpoint '{name}': problem_type in its config.json is "
            f"{shown(said['problem_type'])}; {error}"
        ) from error


def task_from(said: Mapping[str, Any]) -> str:
    """Return where it is said what the outputs are: `default` where the labels tell it."""
    return "config.json" if said.get("problem_type") else "default"


def sample_rate_of(stated: object, where: str, name: str) -> int:
    """Return the sample rate in Hz that a file states."""
    try:
        rate = int(float(str(stated)))
    except (ValueError, OverflowError):
        rate = 0
    if not LEAST_RATE <= rate <= MOST_RATE:
        raise ModelError(
            f"checkpoint '{name}': the sample rate in its {where} is {shown(stated)}; expected "
            f"{LEAST_RATE:,} to {MOST_RATE:,} Hz"
        )
    return rate


def why(error: Exception, longest: int = 400) -> str:
    """Return what transformers stumbled over, but not its advice to run code of the checkpoint."""
    said = one_line(error) or type(error).__name__
    if "trust_remote_code" in said:
        return (
            "it is read by Python code of its own, which serval never runs; save it again with a "
            "class of transformers"
        )
    return said[:longest]


def _repaired(said: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries with numbers as numbers, and without nulls in place of a usual value."""
    entries = {
        key: _number(value, usual.get(key)) if key not in NEVER_REPAIRED else value
        for key, value in said.items()
        if value is not None or usual.get(key) is None
    }
    # The names of the outputs are read on their own: transformers ignores a label2id alone.
    return {k: v for k, v in entries.items() if k not in {"id2label", "label2id", "auto_map"}}


def _number(value: Any, usual: object) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Return a text as the number, or truth, that the usual value shows; a list of them too."""
    if isinstance(value, list) and isinstance(usual, list | tuple) and usual:
        return [_number(item, usual[0]) for item in value]
    if not isinstance(value, str) or not isinstance(usual, int | float):
        return value
    if isinstance(usual, bool):
        return {"true": True, "false": False}.get(value.strip().lower(), value)
    try:
        number = float(value)
    except ValueError:
        return value
    return int(number) if isinstance(usual, int) and number.is_integer() else number
