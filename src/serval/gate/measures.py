"""The numbers of a run that a gate can bound, by the names that people know them by."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serval.errors import ConfigError
from serval.files import is_folder
from serval.results import results_of
from serval.run import is_told_of
from serval.scores import canonical
from serval.texts import json_in
from serval.wording import did_you_mean

if TYPE_CHECKING:
    from serval.run import Run
    from serval.scores.stats import Interval


@dataclass(frozen=True, kw_only=True)
class Measures:
    """Every number of a run that can be bounded, with its interval where it has one.

    Attributes:
        run: As stored.
        files: Content of further files by the prefix of their numbers' names.
    """

    run: Run
    files: Mapping[str, Mapping[str, Any]]

    @cached_property
    def known(self) -> Mapping[str, float | Interval]:
        """The numbers of the run, by canonical name: scored once one of them is asked for."""
        run, clips = self.run, len(self.run) + len(self.run.failures)
        whole = {
            "failures": len(run.failures) / clips if clips else float("nan"),
            "clips": float(len(run)),
            "size_mb": (run.provenance.model.get("size_bytes") or float("nan")) / 1e6,
        }
        return results_of(run).bounded | whole

    def named(self, name: str) -> float | Interval:
        """Return the number of that name.

        Raises:
            ConfigError: There is none.
        """
        source, dot, path = name.partition(".")
        if dot and source in self.files:
            return _number(self.files[source], source, path)
        known = canonical(name)
        if known not in self.known:
            scores = ["accuracy"] * ("wa" in self.known)
            scores += [other for other in self.known if ":" not in other]
            of_one = "ccc:DIMENSION" if "ccc" in self.known else "recall:LABEL, f1:LABEL"
            raise ConfigError(
                f"unknown metric '{name}'; known: {', '.join(scores)}, {of_one}, "
                "bench.KEY, stress.KEY"
                f"{did_you_mean(name, [*scores, *self.known])}"
            )
        return self.known[known]

    def doubt(self, name: str) -> str:
        """Return why a number of a file is not one of this run's model, or `""`.

        `serval bench` names the model of each number and its sha256, `serval stress` that of all;
        other files say nothing. Of the models of one Python file each is known by its name.
        """
        source, _, path = name.partition(".")
        content = self.files.get(source, {})
        only = content.get("model")
        if isinstance(only, Mapping) and only.get("sha256") and not self._is_mine(only):
            return f"but that is of {only.get('name')}, not of the model of this run"
        models = content.get("models")
        if not isinstance(models, Mapping) or not models:
            return ""
        owner = _owner(content, path)
        mine = {name for name, facts in models.items() if self._is_mine(facts)}
        if owner in mine or (owner is None and mine):
            return ""
        return f"but that is of {owner or ', '.join(models)}, not of the model of this run"

    def _is_mine(self, facts: Any) -> bool:  # noqa: ANN401 - what JSON holds
        return isinstance(facts, Mapping) and is_told_of(facts, self.run.provenance.model)


def measures_of(run: Run, files: Mapping[str, str]) -> Measures:
    """Return the numbers of a run, and those of further JSON files.

    A key of the published result file names exactly the number that `results.json` has under it.

    Args:
        run: Stored.
        files: Paths by the prefix of their numbers' names, `""` where there is none.

    Raises:
        ConfigError: A file cannot be read.
    """
    return Measures(run=run, files={name: _json(name, path) for name, path in files.items()})


def _number(content: Mapping[str, Any], source: str, path: str) -> float:
    value: Any = content
    for key in path.split("."):
        value = _inside(value, key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(
            f"no number '{path}' in the {source} file; "
            f"give the file with --{source}; it has: {', '.join(content) or 'nothing'}"
        )
    if math.isinf(value):
        raise ConfigError(f"'{path}' in the {source} file is infinite: no measured number is")
    return float(value)


def _owner(content: Mapping[str, Any], path: str) -> str | None:
    """Return the model that the number at `path` is of, if anything on the way names one."""
    value: Any = content
    for key in path.split("."):
        value = _inside(value, key)
        if key in content["models"]:
            return key
        if isinstance(value, Mapping) and isinstance(value.get("model"), str):
            return str(value["model"])
    return None


def _inside(value: Any, key: str) -> Any:  # noqa: ANN401 - what JSON holds
    if isinstance(value, list) and key in map(str, range(len(value))):
        return value[int(key)]
    return value.get(key) if isinstance(value, Mapping) else None


def _json(name: str, path: str) -> Mapping[str, Any]:
    if not path:
        return {}
    file = Path(path)
    if is_folder(file):
        file /= f"{name}.json"
    try:
        content = json_in(file)
    except ValueError as error:
        raise ConfigError(f"{name} file {file} cannot be read: {error}") from error
    if not isinstance(content, Mapping):
        raise ConfigError(f"{name} file {file} does not hold one JSON object")
    return content
