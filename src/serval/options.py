"""Every option of an evaluation: as given, as written in a plan, and as stored in a run."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from serval.datasets.options import LabelledOptions
from serval.errors import ConfigError, RunError
from serval.models.options import InferenceOptions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from _typeshed import DataclassInstance

    from serval.run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalOptions(InferenceOptions, LabelledOptions):
    """Every option of an evaluation, with its default; stored in the run.

    Attributes:
        model: Path of an .onnx or .xml file, a built-in name, `hf:ORG/NAME/FILE.onnx`, or
            `python:FILE.py:NAME`.
        dataset: `demo`, `ssi`, `hf:ORG/NAME`, a folder, or a .csv, .jsonl or .parquet file.
        output: Folder of the run and its files.
        name: What the run is called in tables, pictures and pages; by default as its model.
        workers: Clips at once; by default one for each core.
        engine: `local`, or `ray`: workers on every machine of a cluster.
        ray_address: `host:port` of a running cluster; by default one is started here.
        max_failures: Share of failed clips, in [0, 1], above which the exit code is 3.
        plots: Draw the pictures, at 300 dpi.
        restrict: Say too what the scores are where only labels that both model and set know may
            win; computed from the stored run.
        fresh: Start over instead of going on with the run in `output`.
        dev_mode: Whether `evaluation_emotion.py` was told to take its first samples only; for
            the published key of that name, and without an effect.
    """

    model: str = "serval-tiny"
    dataset: str = "demo"
    output: str = "./evaluation_results"
    name: str | None = None
    workers: int | None = None
    engine: str = "local"
    ray_address: str | None = None
    max_failures: float = 0.01
    plots: bool = True
    restrict: bool = False
    fresh: bool = False
    dev_mode: bool = False


KINDS: Mapping[str, tuple[type | tuple[type, ...], str]] = {
    "str": (str, "text"),
    "int": (int, "a whole number"),
    "float": ((int, float), "a number"),
    "bool": (bool, "true or false"),
}
"""The types of the options, and what they are called."""


def misfit(name: str, value: object, of: type[DataclassInstance] | None = None) -> str:
    """Return what the option of that name must be where `value` is something else, else `""`.

    Args:
        name: Of the option.
        value: Given for it.
        of: Whose options they are; by default those of an evaluation.

    Examples:
        >>> misfit("limit", "ten"), misfit("limit", None), misfit("plots", True)
        ('a whole number', '', '')
    """
    types = TYPES if of is None else {field.name: field.type for field in fields(of)}
    kind, *other = str(types[name]).split(" | ")
    fits = isinstance(value, KINDS[kind][0]) and (kind == "bool" or not isinstance(value, bool))
    return "" if fits or (value is None and other) else KINDS[kind][1]


TYPES = {field.name: field.type for field in fields(EvalOptions)}


def stored_options(run: Run) -> EvalOptions:
    """Return the options that a run was made with; those that only other versions have are let be.

    Raises:
        RunError: One of them is of another kind than the option.
    """
    stored = {
        name: run.provenance.options[name] for name in TYPES if name in run.provenance.options
    }
    for name, value in stored.items():
        if wanted := misfit(name, value):
            raise RunError(
                f"the run in {run.folder} was stored with an odd option {name}, which is {wanted}; "
                "evaluate again with --fresh"
            )
    return EvalOptions(**stored)


def changed(options: DataclassInstance, of: type[DataclassInstance]) -> dict[str, Any]:
    """Return what the options say of another kind of options, as far as it is not the default.

    Examples:
        >>> changed(EvalOptions(split="test", workers=2, drop_unmapped=True), LabelledOptions)
        {'--split': 'test', '--drop-unmapped': True}
    """
    usual = {field.name: field.default for field in fields(options)}
    given = {field.name: getattr(options, field.name) for field in fields(of)}
    return {flag_of(name): value for name, value in given.items() if value != usual[name]}


def flag_of(name: str) -> str:
    """Return how an option is called on the command line."""
    return f"--{name.replace('_', '-')}"


def as_words(given: Mapping[str, Any]) -> list[str]:
    """Return flags and their values as words of a command.

    Examples:
        >>> as_words({"--split": "test", "--drop-unmapped": True})
        ['--split', 'test', '--drop-unmapped']
    """
    return [w for flag, v in given.items() for w in ([flag] if v is True else [flag, str(v)])]


def refuse_unused(given: Iterable[str], why: str) -> None:
    """Return nothing if no flag was given that would have no effect.

    Raises:
        ConfigError: One was; nobody should take it for done.
    """
    if flags := list(given):
        them = "it" if len(flags) == 1 else "them"
        raise ConfigError(f"{' and '.join(flags)} would change nothing: {why}; leave {them} out")
