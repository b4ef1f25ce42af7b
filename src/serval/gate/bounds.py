"""What a gate demands, from flags or from a `gate.toml`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from serval.errors import ConfigError
from serval.texts import toml_in
from serval.wording import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["KINDS", "Bounds", "bounds_from_options", "bounds_from_toml", "merged"]

KINDS = ("min", "max", "max-drop", "max-group-gap")
"""The kinds of bounds, as they are called in flags and in `gate.toml`."""

FILES = ("baseline", "bench", "stress")
"""Where a gate finds what it compares with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a run must keep; every map is from a metric's name to a number.

    Attributes:
        least: At least this, in the metric's own unit: `accuracy` in [0, 1].
        most: At most this.
        drop: At most so many points below the baseline.
        group_gap: At most this between the best and the worst group, in [0, 1].
        baseline: Folder of the run to measure drops against, or `""`.
        bench: A JSON file with numbers for `bench.` metrics, or `""`.
        stress: The same for `stress.` metrics: the `stress.json` of `serval stress`.
        cannot_tell: Whether a bound that the clips cannot decide passes: `fail` or `pass`.
    """

    least: Mapping[str, float] = field(default_factory=dict)
    most: Mapping[str, float] = field(default_factory=dict)
    drop: Mapping[str, float] = field(default_factory=dict)
    group_gap: Mapping[str, float] = field(default_factory=dict)
    baseline: str = ""
    bench: str = ""
    stress: str = ""
    cannot_tell: str = "fail"

    def __post_init__(self) -> None:
        """Refuse a policy that does not exist."""
        if self.cannot_tell not in {"fail", "pass"}:
            raise ConfigError(f"unknown cannot-tell '{self.cannot_tell}'; known: fail, pass")

    def __len__(self) -> int:
        """Return the number of bounds."""
        return sum(map(len, (self.least, self.most, self.drop, self.group_gap)))


def bounds_from_options(
    kinds: Mapping[str, Iterable[str]], *, baseline: str = "", bench: str = "", stress: str = ""
) -> Bounds:
    """Return the bounds that flags give, each as `metric=number`.

    Raises:
        ConfigError: A flag is not of that form.

    Examples:
        >>> dict(bounds_from_options({"min": ["accuracy=0.8"]}).least)
        {'accuracy': 0.8}
    """
    maps = {kind: dict(_pair(kind, text) for text in kinds.get(kind, ())) for kind in KINDS}
    return _bounds(maps, baseline=baseline, bench=bench, stress=stress)


def bounds_from_toml(path: Path) -> Bounds:
    """Return the bounds of a `gate.toml`: one table for each kind, `baseline`, `bench`, `stress`.

    Paths in the file are relative to the file.

    Raises:
        ConfigError: The file cannot be read, or holds something else.
    """
    try:
        content = toml_in(path)
    except ValueError as error:
        raise ConfigError(f"gate file {path} cannot be read: {error}") from error
    known = {*KINDS, *FILES, "cannot-tell"}
    if unknown := sorted(content.keys() - known):
        raise ConfigError(
            f"gate file {path} has unknown {', '.join(unknown)}; known: {', '.join(sorted(known))}"
        )
    maps = {kind: dict(_flat(path, kind, content.get(kind, {}))) for kind in KINDS}
    texts = {name: _text(path, content, name) for name in (*FILES, "cannot-tell")}
    policy = texts.pop("cannot-tell") or "fail"
    files = {name: str(path.parent / text) for name, text in texts.items() if text}
    return replace(_bounds(maps, **files), cannot_tell=policy)


def merged(file: Bounds, flags: Bounds) -> Bounds:
    """Return both sets of bounds; where both bound the same, the flag counts."""
    return Bounds(
        least={**file.least, **flags.least},
        most={**file.most, **flags.most},
        drop={**file.drop, **flags.drop},
        group_gap={**file.group_gap, **flags.group_gap},
        baseline=flags.baseline or file.baseline,
        bench=flags.bench or file.bench,
        stress=flags.stress or file.stress,
        cannot_tell=file.cannot_tell,
    )


def _bounds(maps: Mapping[str, Mapping[str, float]], **files: str) -> Bounds:
    return Bounds(
        least=maps["min"],
        most=maps["max"],
        drop=maps["max-drop"],
        group_gap=maps["max-group-gap"],
        **files,
    )


def _pair(kind: str, text: str) -> tuple[str, float]:
    name, equals, number = (part.strip() for part in text.rpartition("="))
    try:
        value = float(number)
    except ValueError:
        value = float("nan")
    if not (name and equals) or not math.isfinite(value):
        raise ConfigError(f"--{kind} '{text}' is not of the form metric=number, as accuracy=0.8")
    return name, value


def _text(path: Path, content: Mapping[str, Any], name: str) -> str:
    text = content.get(name, "")
    if not isinstance(text, str):
        raise ConfigError(f"gate file {path}: {name} must be text, not {shown(text)}")
    return text


def _flat(path: Path, kind: str, table: Any, prefix: str = "") -> Iterator[tuple[str, float]]:  # noqa: ANN401 - what TOML holds
    if not isinstance(table, Mapping):
        raise ConfigError(f"gate file {path}: {kind} must be a table, as [{kind}]")
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(path, kind, value, f"{prefix}{name}.")
        elif isinstance(value, bool) or not isinstance(value, int | float):
            raise ConfigError(f"gate file {path}: {kind} {prefix}{name} is not a number")
        elif not math.isfinite(value):
            raise ConfigError(f"gate file {path}: {kind} {prefix}{name} is {value}; give a number")
        else:
            yield f"{prefix}{name}", float(value)
