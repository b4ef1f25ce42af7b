"""`serval.evaluate`, `serval.score` and `serval.compare`: nothing is written unless asked."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import fields, replace
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import serval.comparison as paired
from serval import evaluation
from serval.datasets import part_of
from serval.datasets.given import NO_AUDIO, Given, given_dataset, is_table, stated_rate
from serval.errors import ConfigError
from serval.files import is_predictions
from serval.label_plan import with_value_columns
from serval.labels import label_text
from serval.library.predictions import run_of_file, run_of_predictions
from serval.library.results import ComparisonResult, Result
from serval.models.callable import model_of_object
from serval.models.load import load_as_stated
from serval.models.options import overrides_of
from serval.options import EvalOptions, misfit
from serval.records import Dataset
from serval.run import Run, load_run
from serval.wording import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serval.models.protocol import Model

DEFAULTS = EvalOptions()

OWN = frozenset(("model", "dataset", "labels", "name", "output", "sample_rate"))
"""Options that are arguments here."""

COLUMNS = {"truth": "label_column", "speakers": "speaker_column"}
"""Arguments that may name a column, and the options that do."""


def evaluate(  # noqa: PLR0913 - what one cell of a notebook says
    model: object,
    dataset: object = "demo",
    *,
    truth: Sequence[object] | str | None = None,
    labels: Sequence[str] | str | None = None,
    speakers: Sequence[object] | str | None = None,
    sample_rate: int | None = None,
    name: str | None = None,
    output: str | Path | None = None,
    **options: Any,  # noqa: ANN401 - the fields of EvalOptions
) -> Result:
    """Return how good a model is on labelled clips.

    Args:
        model: Path of an .onnx file, a built-in name, a torch module, an estimator or pipeline of
            scikit-learn, or a function of `(B, T) float32` samples, and if it has a second argument
            their `(B,) int64` lengths, that returns `(B, K)` scores. B is 1 here.
        dataset: A name or path as on the command line; a list of files or of `(T,)` arrays; a table
            of pandas or pyarrow, or one split of `datasets`, with a column of audio.
        truth: The emotion of each clip, or a list of several; of a table the name of that column.
        labels: What the model's outputs are, in their order, where it does not say. Beside clips
            without `truth` it is taken for their emotions.
        speakers: Who speaks in each clip, or of a table the name of that column.
        sample_rate: Of arrays, and of a model that does not say what it wants, in Hz.
        name: What tables and pictures call the run.
        output: Folder for the run and its files; without it nothing is written.
        **options: Further fields of `EvalOptions`, such as `split`, `limit` or `label_map`.

    Raises:
        ServalError: Something is wrong with the model, the clips or the labels; no clip was
            decoded then.
    """
    listed, sample_rate = _is_given(dataset), stated_rate(sample_rate)
    dataset, truth = _parted(dataset, truth)
    if listed and truth is None and _are_emotions(labels, dataset):
        truth, labels = labels, None
    chosen = _options(options, name=name, output=output)
    told = Given(truth=truth, speakers=speakers, sample_rate=sample_rate)
    _refuse_idle(dataset, told, chosen)
    _refuse_to_send(model, dataset, chosen)
    chosen = replace(chosen, labels=_commas(labels), sample_rate=None if listed else sample_rate)
    opened = _opened_model(model, chosen, sample_rate)
    chosen = with_value_columns(chosen, opened)
    if _is_object(model):
        model, chosen = opened.facts["name"], replace(chosen, fresh=True)
    return _evaluated(opened, dataset, told, replace(chosen, model=str(model)), output)


def score(
    y_true: object,
    y_pred: object,
    *,
    labels: Sequence[str] | None = None,
    speakers: Sequence[object] | None = None,
    name: str | None = None,
) -> Result:
    """Return the scores of predictions that are there already.

    Args:
        y_true: `(N,)` labels, or numbers of `labels`.
        y_pred: `(N,)` labels or numbers, or `(N, K)` probabilities in the order of `labels`; of a
            table of pandas its columns are the labels.
        labels: The K labels; by default those that occur, sorted.
        speakers: `(N,)` who speaks: intervals are then drawn by speaker.
        name: What tables and pictures call the run.

    Raises:
        ConfigError: Lengths differ, a label is unknown, or rows are no probabilities.
    """
    return Result(run=run_of_predictions(y_true, y_pred, labels, speakers, name))


def compare(
    a: Result | Run | str | Path,
    b: Result | Run | str | Path,
    *more: Result | Run | str | Path,
    margin: float = 1.0,
) -> ComparisonResult:
    """Return whether other runs are worse than the first, on the same clips.

    Args:
        a: The baseline: a result, a stored run, its folder, `example:fp32`, or a file of
            predictions, as `serval compare` takes it.
        b: The run that is measured against it.
        *more: Further ones.
        margin: The loss in points that would not matter.

    Raises:
        ConfigError: There is no common clip, or something else than runs was given.
    """
    runs = [_run_of(one) for one in (a, b, *more)]
    return ComparisonResult(
        comparison=paired.compare(runs, paired.PairOptions(margin=_points(margin) / 100))
    )


def _evaluated(
    model: Model,
    dataset: object,
    told: Given,
    options: EvalOptions,
    output: str | Path | None,
) -> Result:
    with tempfile.TemporaryDirectory(prefix="serval-") as folder:
        clips = _opened_clips(dataset, told, options, model, Path(folder))
        name = clips.name if _is_given(dataset) else str(dataset)
        options = replace(options, dataset=name)
        if output is not None:
            done = evaluation.evaluate(model, clips, options)
            return Result(run=done.run, files=done.files)
        run = evaluation.recorded(model, clips, replace(options, output=f"{folder}/run"))
        return Result(run=replace(run, folder=Path(run.name)))


def _options(given: dict[str, Any], *, name: str | None, output: str | Path | None) -> EvalOptions:
    known = {field.name for field in fields(EvalOptions)} - OWN
    if odd := sorted(given.keys() - known):
        raise ConfigError(f"evaluate takes no '{odd[0]}'; it takes {', '.join(sorted(known))}")
    given = {key: _plain(key, value) for key, value in given.items()}
    place = DEFAULTS.output if output is None else os.fspath(output)
    return EvalOptions(**given, output=place, name=name)


def _plain(name: str, value: object) -> Any:  # noqa: ANN401 - of the kind that the option has
    """Return what an option of that name is given as the command line takes it.

    Raises:
        ConfigError: It is of another kind.
    """
    if name == "label_map" and isinstance(value, Mapping):
        pairs = {str(raw): str(label) for raw, label in value.items()}
        if odd := [text for pair in pairs.items() for text in pair if {*text} & {",", "="}]:
            raise ConfigError(
                f"label_map: {shown(odd[0])} holds a comma or an equals sign; give the path of a "
                "JSON file with the map"
            )
        return ",".join(f"{raw}={label}" for raw, label in pairs.items()) or None
    plain = value.item() if isinstance(value, np.generic) else value
    plain = os.fspath(plain) if isinstance(plain, os.PathLike) else plain
    if wanted := misfit(name, plain):
        raise ConfigError(f"{name} is {shown(value)}; give {wanted}")
    return plain


def _refuse_idle(dataset: object, given: Given, options: EvalOptions) -> None:
    """Refuse what would be said of a set in vain, or twice.

    Raises:
        ConfigError: Something is.
    """
    for argument, column in COLUMNS.items():
        if getattr(given, argument) is not None and getattr(options, column) is not None:
            raise ConfigError(f"{argument} and {column} say the same thing; give one of them")
    names, what = _idle(dataset)
    for name in names:
        value = getattr(given if name in COLUMNS else options, name)
        if value is not None and (name, value) != ("split", getattr(dataset, "split", None)):
            raise ConfigError(f"{name}={shown(value)} does nothing to {what}, or leave it out")


def _refuse_to_send(model: object, dataset: object, options: EvalOptions) -> None:
    """Refuse to have objects of this process evaluated by others.

    Raises:
        ConfigError: The engine is a cluster, and model or clips have no name to open them by.
    """
    local = options.engine == DEFAULTS.engine
    if not local and (_is_object(model) or not isinstance(dataset, str | os.PathLike)):
        raise ConfigError(
            f"engine='{options.engine}' takes a model and a set by name, which other processes can "
            "open; give names, or leave engine out"
        )


def _idle(dataset: object) -> tuple[list[str], str]:
    """Return what cannot be said of clips beside them, and what they are."""
    of_source, of_table = ["revision", "include"], ["split", "audio_column", *COLUMNS.values()]
    if isinstance(dataset, Dataset):
        whole = [*of_source, *of_table, *COLUMNS]
        return whole, "a dataset that is open already; say it to load_dataset"
    if not _is_given(dataset):
        return [], ""
    if is_table(dataset):
        return of_source, "a table; choose its rows yourself"
    return [*of_source, *of_table], "a list of clips; choose among them yourself"


def _opened_model(model: object, options: EvalOptions, sample_rate: int | None) -> Model:
    if not _is_object(model):
        return load_as_stated(os.fspath(model), options)  # type: ignore[call-overload]
    if hasattr(model, "contract") and hasattr(model, "logits"):
        return model  # type: ignore[return-value]
    stated = replace(overrides_of(options), sample_rate=sample_rate)
    return model_of_object(model, stated)


def _opened_clips(
    dataset: object, given: Given, options: EvalOptions, model: Model, folder: Path
) -> Dataset:
    if _is_given(dataset):
        given = replace(
            given,
            classes=model.labels if options.labels is not None else (),
            options=options,
        )
        opened = replace(given_dataset(dataset, given, folder), no_audio=NO_AUDIO)
        return part_of(opened, options)
    if given.truth is not None and not isinstance(given.truth, str):
        raise ConfigError("a named set has labels of its own; truth= may only name their column")
    if given.speakers is not None and not isinstance(given.speakers, str):
        raise ConfigError("a named set has speakers of its own; speakers= may only name the column")
    if isinstance(dataset, Dataset):
        return part_of(dataset, options)
    named = replace(
        options,
        dataset=os.fspath(dataset),  # type: ignore[call-overload]
        label_column=given.truth or options.label_column,
        speaker_column=given.speakers or options.speaker_column,
    )
    return evaluation.open_dataset(named)


def _is_given(dataset: object) -> bool:
    """Tell whether the clips themselves were given, and not the name of a set."""
    return not isinstance(dataset, str | os.PathLike | Dataset)


def _is_object(model: object) -> bool:
    return not isinstance(model, str | os.PathLike)


def _parted(
    dataset: object, truth: Sequence[object] | str | None
) -> tuple[object, Sequence[object] | str | None]:
    """Return the clips and their labels, of a pair of both too."""
    if truth is None and isinstance(dataset, tuple) and len(dataset) == 2:
        clips, labels = dataset
        texts = isinstance(labels, str | bytes) or not hasattr(labels, "__len__")
        if not texts and not isinstance(clips, str | bytes) and len(clips) == len(labels):
            return clips, labels
    return dataset, truth


def _are_emotions(labels: Sequence[str] | str | None, clips: object) -> bool:
    """Tell whether `labels` speaks of the clips, and not of the outputs of the model.

    Beside a list nothing else does; a table has a column for them, which text names, and a list of
    all its rows says again.
    """
    if labels is None or not is_table(clips):
        return labels is not None
    if isinstance(labels, str):
        return "," not in labels
    return len(labels) == len(clips) > len(set(labels))  # type: ignore[arg-type]


def _commas(labels: Sequence[str] | str | None) -> str | None:
    if labels is None or isinstance(labels, str):
        return labels
    texts = [label_text(label) for label in labels]
    if odd := [text for text in texts if "," in text]:
        raise ConfigError(f"label {shown(odd[0])} has a comma, which ends a label; rename it")
    return ",".join(texts)


def _points(margin: object) -> float:
    if isinstance(margin, bool) or not isinstance(margin, Real):
        raise ConfigError(f"margin is {shown(margin)}; give a number of points, such as 1.0")
    return float(margin)


def _run_of(one: object) -> Run:
    if isinstance(one, Result):
        return one.run
    if isinstance(one, Run):
        return one
    if isinstance(one, str | os.PathLike):
        place = os.fspath(one)
        return run_of_file(Path(place).expanduser()) if is_predictions(place) else load_run(place)
    raise ConfigError(
        f"{type(one).__name__} is no run; give a result of serval.evaluate or serval.score, a run, "
        "its folder, or a file of predictions"
    )
