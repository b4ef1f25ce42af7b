"""What is stated of a model, and where: by the user, in its file, or in the hub's own files."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from serval.dimensions import scale_of_text
from serval.errors import ConfigError, ModelError
from serval.labels import EMOTIONS, DimensionSet, LabelSet, emotion_of, names_in_order, unnamed
from serval.models.contract import DEFAULT_MAX_SECONDS, MOST_LABELS, Contract, Normalize
from serval.tasks import DIMENSIONAL, FORMS, MULTILABEL, Outputs, Task, task_named, usual_task
from serval.texts import json_in, json_of
from serval.trained_on import SoundRanges, TrainedOn
from serval.wording import one_line, printable

if TYPE_CHECKING:
    from pathlib import Path

    from serval.models.contract import Overrides


NORMALIZE: Mapping[str, Normalize] = {
    "peak": "peak",
    "zscore": "zscore",
    "none": "none",
    "true": "zscore",
    "false": "none",
}
"""What a source may say; true and false are the hub's `do_normalize`."""

COMMAND_LINE = "command line"
WAVEFORM_EXTRACTOR = "Wav2Vec2FeatureExtractor"
HUB_FILES = ("config.json", "preprocessor_config.json")
DEFAULT_NORMALIZE: Normalize = "peak"

LABELS = ("labels", "id2label", "label2id")
RATE = ("sample_rate", "sampling_rate")
NORMALIZATION = ("normalize", "do_normalize")
OUTPUT_NAME = "output_name"
ARCHITECTURE = "architecture"
"""The source of what the network of a checkpoint says of itself, and nobody can state otherwise."""

MOST_SECONDS = "max_input_seconds"
"""Under which names a source says what; the last is what an architecture takes whole at most."""

SHOWN, SHOWN_NAMES = 60, 12
"""Characters of a value, and labels, that a message shows."""

Source = tuple[str, Mapping[str, Any]]
T = TypeVar("T")


def declared_contract(path: Path, metadata: Mapping[str, str], overrides: Overrides) -> Contract:
    """Return labels, sample rate, normalisation and the like, each from its first source.

    The order: the command line, the ONNX file's metadata, `config.json` and
    `preprocessor_config.json` beside the file, the published default. On the hub, files for ONNX
    Runtime lie in a folder `onnx` of their own, and those two files in the one above it.

    Raises:
        ModelError: A source states something that cannot be read.
    """
    beside = ((name, _beside(path.parent, name)) for name in HUB_FILES)
    return declared_by([("model metadata", metadata), *beside], overrides)


def declared_by(
    stated: Sequence[Source], overrides: Overrides, user: str = COMMAND_LINE
) -> Contract:
    """Return labels, sample rate, normalisation and the like, each from its first source.

    Args:
        stated: Who says what, in the order in which they are asked after the command line.
        overrides: What the user states.
        user: What the part of the user is called, as a source.

    Raises:
        ModelError: A source states something that cannot be read.
        ConfigError: The command line states what does not go with the model.
    """
    sources: list[Source] = [(user, _stated(overrides)), *stated]
    names, labels_from = _names_of(sources)
    task, notes = _task(sources, names)
    read = _labels if task.has_labels else _dimensions
    rate, rate_from = _first(sources, RATE, _sample_rate, 16_000)
    normalize, normalize_from = _first(sources, NORMALIZATION, _normalize, DEFAULT_NORMALIZE)
    masks, masks_from = _first(sources, ("return_attention_mask",), _yes_or_no, default=True)
    longest, longest_from = _longest(sources)
    form, form_from, unread = _outputs(sources, task, names)
    said = {"labels": labels_from, "sample_rate": rate_from, "normalize": normalize_from}
    return Contract(
        labels=_parsed(names, read, f"{labels_from}: labels"),
        sample_rate=rate,
        normalize=normalize,
        max_seconds=longest,
        masks_padding=masks,
        outputs=form,
        task=task.model,
        scale="" if task.has_labels else _first(sources, ("scale",), _scale, "")[0],
        notes=(*notes, *unread, *_contradictions(sources)),
        sources=said
        | {"max_seconds": longest_from, "masks_padding": masks_from}
        | ({} if form_from == "default" else {"outputs": form_from}),
    )


def _names_of(sources: list[Source]) -> tuple[tuple[str, ...], str]:
    """Return what the outputs are called, and who says so.

    That is the first source that has names, not mere numbers, unless the user states those.
    """
    usual: tuple[str, ...] = EMOTIONS
    first, source = _first(sources, LABELS, _in_order, usual)
    if source in {sources[0][0], "default"} or not unnamed(first):
        return first, source
    named = ((names, of) for of, names in _readings(sources, LABELS, _names) if names)
    return next(named, (first, source))


def _task(sources: list[Source], names: tuple[str, ...]) -> tuple[Task, tuple[str, ...]]:
    """Return what the outputs are scores of, and a sentence on each entry that does not say it."""
    said, notes = _said_task(sources)
    scale = sources[0][1].get("scale")
    of_emotions = any(emotion_of(name) in EMOTIONS for name in names)
    task = said or (usual_task(names) if scale is None or of_emotions else DIMENSIONAL)
    if scale is not None and task.has_labels:
        raise ConfigError(
            f"--model-scale {_short(scale)} is of models of dimensions, but the outputs of this "
            f"one are {', '.join(names[:SHOWN_NAMES])}; leave it out, or name its dimensions with "
            "--labels"
        )
    return task, notes


def _outputs(
    sources: list[Source], task: Task, names: tuple[str, ...]
) -> tuple[Outputs, str, tuple[str, ...]]:
    """Return what the outputs are, who says so, and a sentence on each entry passed over.

    An entry `outputs` of a file may be somebody else's. A checkpoint's network leaves no choice.
    """
    (user, stated), *others = sources
    if not task.has_labels:
        if "outputs" in stated:
            raise ConfigError(
                f"--outputs {stated['outputs']} is of models of emotions, but this one gives "
                f"values of {', '.join(names[:SHOWN_NAMES])}; leave it out"
            )
        return task.untried, "default", ()
    known = [
        (source, values)
        for source, values in others
        if str(values.get("outputs")).strip().lower() in FORMS
    ]
    made = next((values["outputs"] for source, values in known if source == ARCHITECTURE), None)
    form, form_from = _first([(user, stated), *known], ("outputs",), _form, task.untried)
    if made not in {None, form}:
        raise ConfigError(
            f"--outputs {form} contradicts the network of this checkpoint, which gives {made}; "
            "leave it out"
        )
    notes = tuple(
        f"The entry outputs in its {source}, {_short(values['outputs'])}, is none of "
        f"{', '.join(FORMS)}, and was passed over."
        for source, values in others
        if values.get("outputs") is not None and (source, values) not in known
    )
    return form, form_from, notes


def _said_task(sources: list[Source]) -> tuple[Task | None, tuple[str, ...]]:
    """Return the task that the first source states, and a sentence on each entry passed over.

    An entry `task` of a file is often the hub's own, of another vocabulary.
    """
    notes: list[str] = []
    for source, values in sources:
        for key, value in _said(values, ("task", "problem_type")):
            try:
                return _parsed(value, task_named, f"{source}: {key}"), tuple(notes)
            except ModelError:
                if key == "problem_type":
                    raise
            notes.append(
                f"The entry task in its {source}, {_short(value)}, does not say what its outputs "
                "are, and was passed over."
            )
    return None, tuple(notes)


def _longest(sources: list[Source]) -> tuple[float, str]:
    """Return the longest clip in seconds, and who says so.

    The user may not state more than the architecture takes, which would cut the rest.
    """
    longest, source = _first(sources, ("max_seconds",), _seconds, DEFAULT_MAX_SECONDS)
    most, _ = _first(sources, (MOST_SECONDS,), _seconds, math.inf)
    if longest > most:
        raise ConfigError(
            f"--max-seconds {longest:g}: the model takes {most:g} s at once; give no more, or hear "
            f"longer clips with --window {most:g}"
        )
    return longest, source


def refuse_output_name(overrides: Overrides, name: str) -> None:
    """Refuse that an output is named, of a model that has one alone."""
    if overrides.output_name is not None:
        raise ConfigError(
            f"--output-name {_short(overrides.output_name)} is of model files with several "
            f"outputs, and {name} has one; leave it out"
        )


def _stated(overrides: Overrides) -> dict[str, Any]:
    stated = {
        "labels": overrides.labels,
        "sample_rate": overrides.sample_rate,
        "normalize": overrides.normalize,
        "max_seconds": overrides.max_seconds,
        "scale": overrides.scale,
        "outputs": overrides.outputs,
        "problem_type": MULTILABEL.problem_type if overrides.multi_label else None,
    }
    return {name: value for name, value in stated.items() if value is not None}


def contract_entries(contract: Contract) -> dict[str, str]:
    """Return what is stated of a model's input, as a file's metadata; not what was assumed."""
    entries = {
        "sample_rate": ("sampling_rate", str(contract.sample_rate)),
        "normalize": ("normalize", contract.normalize),
        "max_seconds": ("max_seconds", f"{contract.max_seconds:g}"),
    }
    said = contract.sources
    return dict(entry for part, entry in entries.items() if said.get(part) != "default")


def _beside(folder: Path, name: str) -> Mapping[str, Any]:
    """Return the hub's own file beside a model; for a folder `onnx`, the one above it."""
    path = folder / name
    if not path.is_file():
        above = folder.absolute()
        return _beside(above.parent, name) if above.name == "onnx" else {}
    try:
        content = json_in(path)
    except ValueError as error:
        raise ModelError(
            f"{path} is not readable JSON: {error}; replace it by the one of the checkpoint that "
            "the model was made from"
        ) from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} must hold one JSON object")
    return content


def _first(
    sources: list[Source], keys: tuple[str, ...], parse: Callable[[object], T], default: T
) -> tuple[T, str]:
    for source, values in sources:
        for key, value in _said(values, keys):
            return _parsed(value, parse, f"{source}: {key}"), source
    return default, "default"


def _said(values: Mapping[str, object], keys: tuple[str, ...]) -> Iterator[tuple[str, object]]:
    """Yield what a source says under some names of a part."""
    extractor = values.get("feature_extractor_type", WAVEFORM_EXTRACTOR)
    for key in keys:
        # Another extractor's do_normalize is of a spectrogram.
        if values.get(key) is not None and (
            key != "do_normalize" or extractor == WAVEFORM_EXTRACTOR
        ):
            yield key, values[key]


def _contradictions(sources: list[Source]) -> Iterator[str]:
    """Yield a sentence on each part that two sources state differently; the first one counts."""
    parts: tuple[tuple[str, tuple[str, ...], Callable[[object], object]], ...] = (
        ("labels", LABELS, _names),
        ("sample rate", RATE, _sample_rate),
        ("normalisation", NORMALIZATION, _normalize),
    )
    for part, keys, parse in parts:
        said = [(name, value) for name, value in _readings(sources, keys, parse) if value]
        if not said or said[0][0] == sources[0][0]:
            continue
        (first, taken), *others = said
        for other, left in others:
            if left != taken:
                yield (
                    f"Two sources differ on the model's {part}: {_short(taken)} in its {first}, "
                    f"which was taken, and {_short(left)} in {other}; correct the wrong one."
                )


def _readings(
    sources: list[Source], keys: tuple[str, ...], parse: Callable[[object], T]
) -> Iterator[tuple[str, T]]:
    """Yield who says what under one of the names; what cannot be read says nothing here."""
    for source, values in sources:
        for _, value in _said(values, keys):
            with suppress(ModelError):
                yield source, _parsed(value, parse, source)


def _names(value: object) -> tuple[str, ...]:
    """Read labels, but not those which are mere numbers."""
    labels = tuple(_labels(value))
    return () if unnamed(labels) else labels


def _parsed(value: object, parse: Callable[[object], T], where: str) -> T:
    try:
        return parse(value)
    except (ConfigError, ValueError, TypeError, KeyError, OverflowError) as error:
        raise ModelError(
            f"{where} is {_short(value)}, which cannot be used: {_short(one_line(error), 300)}"
        ) from error


def _short(value: object, most: int = SHOWN) -> str:
    text = value if isinstance(value, str) else repr(value)
    shown = text if len(text) <= most else f"{text[:most]}..."
    return printable(f"'{shown}'" if value is text and most == SHOWN else shown)


def _labels(value: object) -> LabelSet:
    names = _in_order(value)
    if len(names) == 1:
        raise ValueError(
            "a classifier needs at least 2 labels, got 1; where one output tells two classes "
            "apart, name both, the second being what it is high for: --labels other,angry"
        )
    return LabelSet(names)


def _dimensions(value: object) -> LabelSet:
    return DimensionSet(_in_order(value))


def _in_order(value: object) -> tuple[str, ...]:
    """Read a list, `id2label` (`{"0": "angry"}`), `label2id`, one of them as JSON, or `a,b,c`."""
    if isinstance(value, str):
        value = json_of(value) if value.lstrip().startswith(("[", "{")) else value.split(",")
    if isinstance(value, Sized) and len(value) > MOST_LABELS:
        raise ValueError(f"{len(value)} labels are more than any classifier has ({MOST_LABELS})")
    return tuple(map(printable, names_in_order(value)))


def _sample_rate(value: object) -> int:
    rate = int(float(str(value)))
    if not 1_000 <= rate <= 192_000:
        raise ValueError("expected 1,000 to 192,000 Hz")
    return rate


def _normalize(value: object) -> Normalize:
    """Read `peak`, `zscore` or `none`, or the hub's `do_normalize` (true: zscore)."""
    name = str(value).strip().lower()
    if name not in NORMALIZE:
        raise ValueError(f"expected one of {', '.join(NORMALIZE)}")
    return NORMALIZE[name]


def _form(value: object) -> Outputs:
    found = next((form for form in FORMS if form == str(value).strip().lower()), None)
    if found is None:
        raise ValueError(f"expected one of {', '.join(FORMS)}")
    return found


def _yes_or_no(value: object) -> bool:
    name = str(value).strip().lower()
    if name not in {"true", "false"}:
        raise ValueError("expected true or false")
    return name == "true"


def _scale(value: object) -> str:
    return str(scale_of_text(str(value), "scale"))


def _seconds(value: object) -> float:
    seconds = float(str(value))
    if not 0 < seconds < math.inf:
        raise ValueError("expected a positive number of seconds")
    return seconds


MADE_OF = (
    *("encoder", "encoder_sha256", "license", "layer", "layer_weights", "pooling", "head"),
    *("data", "data_fingerprint", "folds", "cross_validated", "made_with"),
)
"""What `serval probe --save` writes into a file beside its contract, for model cards."""

LONGEST_ENTRY = 2_000
"""Characters of one of them that are read."""

Said = TypeVar("Said", TrainedOn, SoundRanges)


def with_making(contract: Contract, metadata: Mapping[str, str]) -> Contract:
    """Return a contract with what its file says of its training, and what of that is damaged."""
    trained, notes = _entry_of(
        TrainedOn.parsed, metadata.get("trained_on"), "overlap is looked for"
    )
    ranges, more = _entry_of(
        SoundRanges.parsed, metadata.get("sound_ranges"), "sound is compared with it"
    )
    notes = (*contract.notes, *notes, *more)
    return replace(contract, trained_on=trained, sound_ranges=ranges, notes=notes)


def _entry_of(
    read: Callable[[str], Said], text: str | None, lost: str
) -> tuple[Said | None, tuple[str, ...]]:
    if not text:
        return None, ()
    try:
        return read(text), ()
    except ConfigError as error:
        return None, (f"The model's metadata: {one_line(error)}; no {lost}.",)


def made_of(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return what a file of `serval probe --save` says of its making; nothing of another's."""
    if not {"encoder", "encoder_sha256", "head"} <= metadata.keys():
        return {}
    return {key: metadata[key][:LONGEST_ENTRY] for key in MADE_OF if key in metadata}
