"""Which clips of a set a model is judged on, and as what: known before the first is decoded."""

from __future__ import annotations

import json
import math
from array import array
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from serval.audio import decode
from serval.dimensions import dimension_columns, plan_values, ratings_of, scale_of_text
from serval.errors import ConfigError, DatasetError, LabelError
from serval.labels import LabelMap, label_map_from_option, label_space_of
from serval.multilabel import TRUTH, EmotionSets, emotion_columns, names_several, truth_facts
from serval.run import PositionSet
from serval.tasks import CATEGORICAL, DIMENSIONAL, MULTILABEL, Task
from serval.wording import counted, did_you_mean, printable, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sized

    from numpy.typing import NDArray

    from serval.datasets import LabelledOptions
    from serval.labels import LabelSet, LabelSpace
    from serval.models.protocol import Model
    from serval.predict import Decode, Transform
    from serval.records import Clip, ClipReader, Dataset
    from serval.run import Run

    Truth = NDArray[Any]

Labelled = TypeVar("Labelled", bound="LabelledOptions")

Mapped = LabelMap | EmotionSets
"""From what a set says of a clip to the run's label, or to its several emotions."""

OPTIONS = {
    "scale": (DIMENSIONAL,),
    "dimension_columns": (DIMENSIONAL,),
    "model_scale": (DIMENSIONAL,),
    "emotion_columns": (MULTILABEL,),
    "label_separator": (MULTILABEL,),
    "restrict": (CATEGORICAL,),
}
"""The tasks that an option is about, of those that are not about all."""

NO_EMOTIONS = "--label-map does nothing: the model gives no emotions"

SEPARATORS = (";", "|", ",", "/", "+")
"""What people write between the emotions of one clip."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """When a run may end before it has all clips.

    Attributes:
        parts: Positions to do before each look, each part within the next.
        is_enough: Whether a run, of which the clips of a part count, has told what was asked.
        facts: How the parts were chosen, in plain JSON types; becomes part of the run's identity.
    """

    parts: tuple[frozenset[int], ...]
    is_enough: Callable[[Run, frozenset[int]], bool]
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is done to every clip before the model hears it.

    Attributes:
        facts: Name and parameters in plain JSON types; they become part of the run's identity.
        transform: The change, a pure function.
        decoded: Decodes the clips, where they are not sent to a cluster.
        looks: When the run may end early, if ever.
    """

    facts: Mapping[str, Any] = field(default_factory=dict)
    transform: Transform | None = None
    decoded: Decode = decode
    looks: Looks | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelPlan:
    """Which clips of a dataset will be evaluated, known before the first is decoded.

    Attributes:
        mapping: From the dataset's labels to the run's; `None` for a model of dimensions, whose
            clips need none; of several emotions a clip, to these.
        space: The run's labels, and the model's outputs that count as each.
        total: Clips that will have a record.
        dropped: Clips left out on request because their label has no counterpart, by raw label.
        renamed: Labels of the set that the run calls otherwise, with what it calls them.
        change: What is done to each clip before the model hears it.
        task: What the clips are asked for.
        warnings: What of the options does nothing, a sentence each.
        facts: How a truth was read that is not one emotion a clip, as the run stores it: of
            dimensions their columns and scales.
    """

    mapping: Mapped | None
    space: LabelSpace
    total: int
    dropped: dict[str, int]
    dropped_indices: tuple[int, ...] = ()
    renamed: dict[str, str] = field(default_factory=dict)
    change: Change = field(default_factory=Change)
    task: Task = CATEGORICAL
    warnings: tuple[str, ...] = ()
    facts: Mapping[str, Any] | None = None

    @property
    def task_facts(self) -> dict[str, Mapping[str, Any]]:
        """What a run stores of a truth that is not one emotion a clip, under its task's name."""
        return {} if self.facts is None else {self.task.key: self.facts}

    def truth_of(self, clip: Clip) -> Truth | None:
        """Return what a labelled clip truly is; `None` where nobody said it.

        One emotion is its number among `space.labels`, several are `(K,)` whether it has each of
        these, and dimensions `(D,)` ratings on the model's scale, NaN where one has none.
        """
        return TRUTHS[self.task](self, clip)


def with_value_columns(options: Labelled, model: Model) -> Labelled:
    """Return the options with the columns of values or marks that a model is scored on."""
    columns = READERS[model.contract.asked].columns(model, options)
    return replace(options, value_columns=",".join(columns)) if columns else options


def value_columns(model: Model, options: LabelledOptions) -> list[str]:
    """Return the columns that may hold the values of a model of dimensions."""
    wanted = dimension_columns(model.labels, options.dimension_columns)
    return [column for columns in wanted.values() for column in columns]


def _marks(model: Model, options: LabelledOptions) -> list[str]:
    """Return the columns of the emotions, where each has one of its own."""
    stated = label_map_from_option(options.label_map)
    labels = label_space_of(model.labels, stated.preset).labels
    return list(emotion_columns(labels, options.emotion_columns).values())


def plan_of(model: Model, dataset: Dataset, options: LabelledOptions) -> LabelPlan:
    """Return what will be evaluated, from the labels alone.

    Raises:
        LabelError: A label has no counterpart and clips may not be dropped.
        DatasetError: There is no clip, or too much of the set is left out.
    """
    return READERS[model.contract.asked].plan(model, dataset, options)


def _plan_of_labels(model: Model, dataset: Dataset, options: LabelledOptions) -> LabelPlan:
    """Return the plan of a model of emotions, of which the set gives each clip one or several."""
    stated = label_map_from_option(options.label_map)
    space = label_space_of(model.labels, stated.preset)
    mapping = LabelMap(
        labels=space.labels,
        explicit=stated.explicit,
        meanings=dataset.label_map,
        preset=stated.preset,
    )
    places: defaultdict[str, array[int]] = defaultdict(lambda: array("q"))
    seen: dict[str, None] = {}
    several = bool(options.emotion_columns or options.label_separator)
    _refuse_options(MULTILABEL if several else CATEGORICAL, options)
    hears_several = not model.contract.asked.excludes
    for clip in dataset.metadata(0, options.limit):
        places[clip.label].append(clip.index)
        seen |= dict.fromkeys(clip.emotions or ())
        several |= names_several(clip) or (hears_several and clip.emotions is not None)
    warnings = _unused(mapping, {**places, **seen})
    if several:
        plan = _plan_of_sets(model, dataset, options, mapping, space)
        return replace(plan, warnings=warnings)
    dropped = _dropped(places, dataset, options, mapping)
    return LabelPlan(
        mapping=mapping,
        space=space,
        total=sum(map(len, places.values())) - sum(dropped.values()),
        dropped=dropped,
        dropped_indices=tuple(sorted(index for raw in dropped for index in places[raw])),
        renamed={raw: label for raw in sorted(places) if (label := mapping[raw]) and label != raw},
        warnings=warnings,
    )


def _unused(mapping: LabelMap, labels: Iterable[str]) -> tuple[str, ...]:
    """Return a warning of each entry of `--label-map` that is about no label of the clips."""
    had = [label for label in labels if label]
    return tuple(
        f"--label-map {printable(raw)}={mapping.explicit[raw]} does nothing: no clip is labelled "
        f"{shown(raw)}{did_you_mean(raw, had)}"
        for raw in mapping.unused(had)
    )


def _dropped(
    places: Mapping[str, Sized], dataset: Dataset, options: LabelledOptions, mapping: LabelMap
) -> dict[str, int]:
    """Return how many clips are left out on request, by the label that the model does not know."""
    counts = Counter({label: len(of_label) for label, of_label in places.items()})
    if not counts:
        raise DatasetError(f"{dataset.name} has no clips in split '{dataset.split}'")
    dropped = {raw: counts[raw] for raw in mapping.unmapped(counts) if raw}
    if set(counts) == {""}:
        raise LabelError(f"no clip of {dataset.name} has a label; name the column: --label-column")
    n_rows = dataset.n_rows or 0  # a limit is no reason to think little of the rest
    _refuse_left_out(dataset, max(n_rows, counts.total()), options)
    unasked = {raw: n for raw, n in dropped.items() if not mapping.is_left_out(raw)}
    nothing = counts.total() - sum(dropped.values()) == counts[""]
    if (unasked and not options.drop_unmapped) or nothing:
        unknown = unasked or dropped
        folders = _are_folders(dataset, unknown)
        raise LabelError(
            _unmapped_message(unknown, mapping.labels, folders=folders)
            + _separator_hint(unknown, mapping)
        )
    return dropped


def _plan_of_sets(
    model: Model, dataset: Dataset, options: LabelledOptions, mapping: LabelMap, space: LabelSpace
) -> LabelPlan:
    """Return the plan of several emotions a clip, whose truth is that of every clip."""
    if model.contract.outputs != "sigmoid":
        raise ConfigError(
            f"{dataset.name} names several emotions of one clip, or none, and the model gives "
            "shares of one emotion; if its outputs are a logit for each emotion alone, say so with "
            "--multi-label"
        )
    _refuse_options(MULTILABEL, options)
    columns = emotion_columns(space.labels, options.emotion_columns)
    sets = EmotionSets(mapping=mapping, columns=columns)
    clips = dataset.metadata(0, options.limit)
    total, facts = truth_facts(clips, sets, options.label_separator, dataset.name)
    _refuse_left_out(dataset, max(dataset.n_rows or 0, total), options)
    unasked = {raw: n for raw, n in facts["unknown"].items() if not mapping.is_left_out(raw)}
    if unasked and not options.drop_unmapped:
        some = list(unasked.items())[:12]
        listed = ", ".join(f"{shown(raw)} ({counted(n, 'clip')})" for raw, n in some)
        raise LabelError(
            f"labels that the model does not know: {listed}; known: {', '.join(space.labels)}; map "
            "them with --label-map RAW=label,..., or judge the clips by the model's emotions alone "
            "with --drop-unmapped"
        )
    return LabelPlan(
        mapping=sets, space=space, total=total, dropped={}, task=MULTILABEL, facts=facts
    )


def _separator_hint(unknown: Mapping[str, int], mapping: LabelMap) -> str:
    """Return how to say that a label is several, where each of its parts is known."""
    for raw in unknown:
        for separator in SEPARATORS:
            parts = raw.split(separator)
            if len(parts) > 1 and all(mapping[part.strip()] for part in parts):
                return (
                    f"; if {shown(raw)} is several emotions of one clip, add "
                    f"--label-separator '{separator}'"
                )
    return ""


def _refuse_options(task: Task, options: LabelledOptions) -> None:
    """Stop where options speak of what the clips are not asked for."""
    for option, of in OPTIONS.items():
        if getattr(options, option, None) not in (None, False) and task not in of:
            flag = f"--{option.replace('_', '-')}"
            about = " or ".join(own.said for own in of)
            raise ConfigError(
                f"{flag}: it is about {about}, and this has {task.said}; leave it out"
            )


def _plan_of_dimensions(model: Model, dataset: Dataset, options: LabelledOptions) -> LabelPlan:
    _refuse_options(DIMENSIONAL, options)
    own = model.contract.scale
    if not own:
        raise ConfigError(
            "the model does not say on which scale its values are; add --model-scale 0..1"
        )
    wanted = dimension_columns(model.labels, options.dimension_columns)
    total = 0

    def heard() -> Iterator[Clip]:
        nonlocal total
        for clip in dataset.metadata(0, options.limit):
            total += 1
            yield clip

    stated = options.scale or dataset.scale or None
    columns, scale = plan_values(heard(), wanted, stated, dataset.name)
    _refuse_left_out(dataset, max(dataset.n_rows or 0, total), options)
    return LabelPlan(
        mapping=None,
        space=label_space_of(model.labels),
        total=total,
        dropped={},
        task=DIMENSIONAL,
        warnings=(NO_EMOTIONS,) if options.label_map else (),
        facts={"columns": columns, "scale": str(scale), "model_scale": own},
    )


def _refuse_left_out(dataset: Dataset, n_clips: int, options: LabelledOptions) -> None:
    """Stop where more lies in the set's place than is evaluated, and nobody said that it may."""
    strange = [part for part in dataset.left_out if not part.expected]
    n = sum(part.n for part in strange)
    if n and n / (n + n_clips) > options.max_left_out:
        share = math.ceil(100 * n / (n + n_clips)) / 100
        reasons = "; ".join(
            f"{part.n} {part.reason}, such as {', '.join(part.examples)}" for part in strange
        )
        raise DatasetError(
            f"{dataset.name}: {n} of {n + n_clips} would be left out: {reasons}; mend that, or "
            f"evaluate the rest alone with --max-left-out {share:g}"
        )


def _are_folders(dataset: Dataset, dropped: dict[str, int]) -> bool:
    """Tell whether labels are names of the folders that the clips lie in."""
    named = {clip.label: PurePosixPath(clip.id).parent.name for clip in dataset.metadata(0, None)}
    return bool(dropped) and all(named.get(label) == label for label in dropped)


def _unmapped_message(dropped: dict[str, int], labels: LabelSet, *, folders: bool) -> str:
    shown = ", ".join(f"'{raw}' ({counted(n, 'clip')})" for raw, n in list(dropped.items())[:12])
    more = f" and {len(dropped) - 12} more" if len(dropped) > 12 else ""
    if folders:
        more += ", which are the names of the folders that the clips lie in (a metadata.csv with "
        more += "file_name and label would say more)"
    return (
        f"labels that the model does not know: {shown}{more}; known: {', '.join(labels)}; "
        "map them with --label-map RAW=label,... or a preset, leave those clips out with "
        "--drop-unmapped, or name the model's outputs with --labels if those are not their names"
    )


def labelled(
    read: ClipReader,
    mapping: Mapped | None,
    limit: int | None,
    done: PositionSet | None = None,
) -> Iterator[Clip]:
    """Yield the clips without a record, labelled with the model's labels, or without any mapping.

    A clip without any label stays so: it becomes a Failure, and is not lost.
    """
    done = done or PositionSet()
    for clip in read(done.first_missing, limit):
        own = with_truth(clip, mapping)
        if own is not None and own.index not in done:
            yield own


def with_truth(clip: Clip, mapping: Mapped | None) -> Clip | None:
    """Return the clip with the run's label or emotions; `None` where its label has none there."""
    if isinstance(mapping, EmotionSets):
        return mapping.labelled(clip)
    label = mapping[clip.label] if clip.label and mapping else ""
    if label is not None and TRUTH in clip.groups:
        # In a record that name is the truth of several emotions: the set's own column keeps apart.
        groups = {f"{name} of the set" if name == TRUTH else name: text
                  for name, text in clip.groups.items()}  # fmt: skip
        clip = replace(clip, groups=groups)
    return None if label is None else replace(clip, label=label)


@dataclass(frozen=True, slots=True, kw_only=True)
class TruthReader:
    """How the truth of a set is read for the models of a task.

    Attributes:
        columns: Which columns of the set hold it, beside that of the label.
        plan: See `plan_of`.
    """

    columns: Callable[[Model, LabelledOptions], list[str]]
    plan: Callable[[Model, Dataset, LabelledOptions], LabelPlan]


def _number_of(plan: LabelPlan, clip: Clip) -> Truth | None:
    return np.array(plan.space.labels.id_of(clip.label)) if clip.label else None


def _marks_of(plan: LabelPlan, clip: Clip) -> Truth | None:
    cell = clip.groups.get(TRUTH)
    return None if cell is None else np.isin(plan.space.labels, json.loads(cell))


def _ratings_of(plan: LabelPlan, clip: Clip) -> Truth | None:
    facts = plan.facts or {}
    ratings = np.array(ratings_of(clip, facts["columns"]))
    scale, own = (scale_of_text(facts[key], key) for key in ("scale", "model_scale"))
    return None if np.isnan(ratings).all() else scale.to(own, ratings)


TRUTHS: Mapping[Task, Callable[[LabelPlan, Clip], Truth | None]] = {
    CATEGORICAL: _number_of,
    MULTILABEL: _marks_of,
    DIMENSIONAL: _ratings_of,
}
"""By what the clips are asked for."""

READERS: Mapping[Task, TruthReader] = {
    CATEGORICAL: TruthReader(columns=_marks, plan=_plan_of_labels),
    MULTILABEL: TruthReader(columns=_marks, plan=_plan_of_labels),
    DIMENSIONAL: TruthReader(columns=value_columns, plan=_plan_of_dimensions),
}
"""By what the model was made for. Its outputs may fit what a set has of another task."""
