"""What a gate demands, from flags or from a `gate.toml`."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from serval.errors import ConfigError
from serval.scores import METRICS, canonical
from serval.scores.dimensions import DIMENSION_METRICS
from serval.texts import toml_in
from serval.wording import did_you_mean, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from serval.scores.stats import Verdict

KINDS = {"min": "least", "max": "most", "max-drop": "drop", "max-group-gap": "group_gap"}
"""The kinds of bounds, as flags and `gate.toml` call them, with their names in `Bounds`."""

DIFFERENCES = ("max-drop", "max-group-gap")
"""The kinds whose numbers are differences of scores, of shares in percentage points."""


def per_unit(kind: str, metric: str) -> float:
    """Return how many of the bound's units make 1 of the score.

    Differences of shares are points; of correlations, such as CCC, they are as they are.

    Examples:
        >>> per_unit("max-drop", "uar"), per_unit("max-drop", "ccc:valence"), per_unit("min", "uar")
        (100.0, 1.0, 1.0)
    """
    return 100.0 if kind in DIFFERENCES and not _of_values(metric) else 1.0


def _of_values(metric: str) -> bool:
    """Return whether a score is one of dimensions, which are no shares."""
    return metric.partition(":")[0].lower() in DIMENSION_METRICS


NO_SHARES = {"brier", "nll", "clips", "size_mb"}
"""The numbers of a run that are not from 0 to 1."""

FILES = ("baseline", "bench", "stress")
"""Where a gate finds what it compares with."""


UNIT = re.compile(r"(?P<number>[-+]?(?:\d+\.?\d*|\.\d+))\s*(?P<unit>%|points?|pp)")
"""A number with its unit; of a difference of scores, a percent is a point."""

EXAMPLES = {
    "min": "accuracy=0.8 or accuracy=80%",
    "max": "failures=0.01 or failures=1%",
    "max-drop": "accuracy=1, which is points",
    "max-group-gap": "uar:gender=15, which is points",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a run must keep; every map is from a metric's name to a number.

    Attributes:
        least: At least this, in the metric's own unit: `accuracy` in [0, 1].
        most: At most this.
        drop: At most so many points below the baseline.
        group_gap: At most so many points between the best and the worst group.
        baseline: Folder of the run to measure drops against, or `""`.
        bench: A JSON file with numbers for `bench.` metrics, or `""`.
        stress: The same for `stress.` metrics: the `stress.json` of `serval stress`.
        cannot_tell: Whether a bound that the clips cannot decide passes: `fail` or `pass`;
            `""` is `fail`, and leaves it to a file where flags are merged with one.
        outdated: One sentence each on a bound that was written as earlier versions want it.
    """

    least: Mapping[str, float] = field(default_factory=dict)
    most: Mapping[str, float] = field(default_factory=dict)
    drop: Mapping[str, float] = field(default_factory=dict)
    group_gap: Mapping[str, float] = field(default_factory=dict)
    baseline: str = ""
    bench: str = ""
    stress: str = ""
    cannot_tell: str = ""
    outdated: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a policy that does not exist."""
        if self.cannot_tell not in {"", "fail", "pass"}:
            raise ConfigError(f"unknown cannot-tell '{self.cannot_tell}'; known: fail, pass")

    def __len__(self) -> int:
        """Return the number of bounds."""
        return sum(len(getattr(self, name)) for name in KINDS.values())

    def let_through(self, verdict: Verdict) -> bool:
        """Tell whether a bound with that verdict passes."""
        return verdict == "pass" or (verdict == "cannot tell" and self.cannot_tell == "pass")


def bounds_from_options(
    kinds: Mapping[str, Iterable[str]], *, cannot_tell: str = "", **files: str
) -> Bounds:
    """Return the bounds that flags give, each as `metric=number`, with a unit if wished.

    Args:
        kinds: What was given of each of `KINDS`.
        cannot_tell: See `Bounds`.
        **files: By name of `FILES`.

    Raises:
        ConfigError: A flag is not of that form.

    Examples:
        >>> dict(bounds_from_options({"min": ["accuracy=0.8"]}).least)
        {'accuracy': 0.8}
        >>> dict(bounds_from_options({"max-drop": ["uar=1", "wa=0.5 %"]}).drop)
        {'uar': 1.0, 'wa': 0.5}
    """
    written = {kind: [_pair(kind, text) for text in kinds.get(kind, ())] for kind in KINDS}
    return replace(_bounds(written, "--", files), cannot_tell=cannot_tell)


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
            f"gate file {path} has unknown {', '.join(unknown)}; known: "
            f"{', '.join(sorted(known))}{did_you_mean(unknown[0], known)}"
        )
    written = {kind: list(_flat(path, kind, content.get(kind, {}))) for kind in KINDS}
    texts = {name: _text(path, content, name) for name in (*FILES, "cannot-tell")}
    policy = texts.pop("cannot-tell")
    files = {name: str(path.parent / text) for name, text in texts.items() if text}
    return replace(_bounds(written, f"gate file {path}: ", files), cannot_tell=policy)


def merged(file: Bounds, flags: Bounds) -> Bounds:
    """Return both sets of bounds; where both bound the same, by whichever name, the flag counts."""
    both: dict[str, Any] = {
        name: _over(getattr(file, name), getattr(flags, name)) for name in KINDS.values()
    }
    for name in (*FILES, "cannot_tell"):
        both[name] = getattr(flags, name) or getattr(file, name)
    return Bounds(**both, outdated=(*file.outdated, *flags.outdated))


def _over(file: Mapping[str, float], flags: Mapping[str, float]) -> dict[str, float]:
    stated = {canonical(name) for name in flags}
    return {name: of for name, of in file.items() if canonical(name) not in stated} | {**flags}


StatedBound = tuple[str, str | float]
"""A metric, and the number as it stands in a flag or a file, with a unit or without."""


def _bounds(
    written: Mapping[str, Iterable[StatedBound]], where: str, files: Mapping[str, str]
) -> Bounds:
    maps: dict[str, dict[str, float]] = {kind: {} for kind in KINDS}
    outdated = []
    for kind, of_kind in written.items():
        for name, number in of_kind:
            subject = f"{where}{kind} {name}"
            maps[kind][name] = _number(subject, kind, name, number)
            if kind == "max-group-gap" and _is_share(name, number):
                maps[kind][name] *= 100
                outdated.append(
                    f"{subject}={number:g} is taken as a share, as earlier versions took it; from "
                    f"the next version on it is points, so write {maps[kind][name]:g}"
                )
    named: dict[str, Any] = {name: maps[kind] for kind, name in KINDS.items()} | dict(files)
    return Bounds(**named, outdated=tuple(outdated))


def _is_share(name: str, number: str | float) -> bool:
    """Tell whether a gap of a metric of emotions is written as earlier versions wanted it."""
    known = canonical(name).partition(":")[0] in METRICS
    return known and not isinstance(number, str) and 0 < number < 1


def _pair(kind: str, text: str) -> StatedBound:
    name, equals, number = (part.strip() for part in text.rpartition("="))
    if not (name and equals and number):
        raise ConfigError(f"--{kind} '{text}' is not of the form metric=number, as accuracy=0.8")
    try:
        return name, float(number)
    except ValueError:
        return name, number


def _number(subject: str, kind: str, name: str, written: str | float) -> float:
    """Return a bound in the unit of its kind: points of a difference, else the metric's own.

    Raises:
        ConfigError: It is no number, or its unit is not one of this bound.
    """
    match = UNIT.fullmatch(written) if isinstance(written, str) else None
    number = float(match["number"]) if match else written
    if isinstance(number, str) or not math.isfinite(number):
        raise ConfigError(f"{subject} is {written}, not a number; write {EXAMPLES[kind]}")
    if match is None or (kind in DIFFERENCES and not _of_values(name)):
        return number
    if _of_values(name):
        raise ConfigError(
            f"{subject}={written}: {name} is no share; write the number itself, as ccc=0.01 or "
            "mae=0.3"
        )
    if match["unit"] != "%" or canonical(name) in NO_SHARES or name.startswith("bench."):
        raise ConfigError(f"{subject}={written}: {name} is not counted so; leave the unit out")
    return number / 100


def _text(path: Path, content: Mapping[str, Any], name: str) -> str:
    text = content.get(name, "")
    if not isinstance(text, str):
        raise ConfigError(f"gate file {path}: {name} must be text, not {shown(text)}")
    return text


def _flat(path: Path, kind: str, table: Any, prefix: str = "") -> Iterator[StatedBound]:  # noqa: ANN401 - what TOML holds
    if not isinstance(table, Mapping):
        raise ConfigError(f"gate file {path}: {kind} must be a table, as [{kind}]")
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(path, kind, value, f"{prefix}{name}.")
        elif isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ConfigError(f"gate file {path}: {kind} {prefix}{name} is not a number")
        else:
            yield f"{prefix}{name}", value
